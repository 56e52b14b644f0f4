"""Tests of what the readers of models share."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC

from stackens.exceptions import ExportError
from stackens.export.program import Graph, evaluate
from stackens.export.readers import Table
from stackens.export.readers import _answers as answers
from tests.export.readers.models.against_source import class_rows

X = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [3.0, 3.0, -6.0], [-1.0, 5.0, 5.0]])


def graph_of(X):
    graph = Graph([f"x{i}" for i in range(X.shape[1])])
    return graph, graph.numbers(range(X.shape[1]))


def result(graph, node, X):
    return evaluate(graph.program(node, "values"), list(X.T))[0]


def test_rows_that_sum_to_zero_become_uniform():
    graph, x = graph_of(X)
    rows = result(graph, answers.distribution(graph, x), X)
    np.testing.assert_array_equal(rows[:3], [[1 / 3, 2 / 3, 0], [1 / 3] * 3, [1 / 3] * 3])


def test_the_first_of_equals_is_the_largest():
    graph, x = graph_of(X)
    rows = result(graph, answers.position_of_largest(graph, x), X)
    np.testing.assert_array_equal(rows[:, 0], [1, 0, 0, 1])


def test_one_score_is_that_of_the_second_class():
    graph, x = graph_of(X[:, :1])
    rows = result(graph, answers.position_of_largest(graph, x), X[:, :1])
    np.testing.assert_array_equal(rows[:, 0], [1, 0, 1, 0])


def test_rows_outside_a_condition_are_refused():
    graph, x = graph_of(X)
    answers.refuse_unless(graph, graph.arithmetic("less", x, graph.constant(3.0)))
    program = graph.program(x, "values")
    (refused,) = evaluate(program, list(X.T), [program.refused])
    np.testing.assert_array_equal(np.isfinite(refused).all(axis=1), [True, True, False, False])


def test_the_first_response_that_there_is():
    rows, y = class_rows(2)
    for model, expected in [
        (LogisticRegression(), "decision_function"),
        (SVC(), "decision_function"),
    ]:
        graph, _ = graph_of(rows)
        table = Table.of_raw_rows(graph)
        node, method = answers.first_response(
            model.fit(rows, y), graph, table, ("decision_function", "predict_proba")
        )
        assert method == expected
        assert graph.width(node) == 1


def test_of_two_probabilities_the_second_counts():
    rows, y = class_rows(2)
    model = LogisticRegression().fit(rows, y)
    graph, _ = graph_of(rows)
    table = Table.of_raw_rows(graph)
    node, _ = answers.first_response(model, graph, table, ("predict_proba",))
    np.testing.assert_allclose(result(graph, node, rows)[:, 0], model.predict_proba(rows)[:, 1])


@pytest.mark.parametrize("labels", [[0, 1, 2], [5, -1, 7], [True, False, True], [0.5, 1.5, 2.5]])
def test_labels_as_numbers(labels):
    positions = np.array([[0.0], [2.0], [1.0]])
    graph, x = graph_of(positions)
    rows = result(graph, answers.labels_as_numbers(graph, x, np.array(labels)), positions)
    np.testing.assert_array_equal(rows[:, 0], np.array(labels, dtype=float)[[0, 2, 1]])


def test_text_is_no_number():
    graph, x = graph_of(X[:, :1])
    with pytest.raises(ExportError, match="must be given numbers"):
        answers.labels_as_numbers(graph, x, np.array(["a", "b"]))


def test_errors_name_the_model():
    with pytest.raises(ExportError, match="LinearRegression"):
        answers.only_predicts(LinearRegression(), "predict_proba")
    with pytest.raises(ExportError, match="LogisticRegression of several labels"):
        answers.one_label_only(LogisticRegression(), False)
    answers.one_label_only(LogisticRegression(), True)
    answers.only_predicts(LinearRegression(), "predict")


def test_labels_are_the_first_of_the_largest_probabilities():
    graph = Graph(["a", "b"])
    source = graph.numbers([0, 1])
    assert answers.of_probabilities(graph, source, "predict_proba") == source
    program = graph.program(answers.of_probabilities(graph, source, "predict"), "values")
    columns = [np.array([0.5, 0.2, 0.9]), np.array([0.5, 0.8, 0.1])]
    np.testing.assert_array_equal(evaluate(program, columns)[0], [[0], [1], [0]])


def test_the_error_names_model_reason_and_way_out():
    error = answers.no_such_method({}, "predict_proba", "it is empty", "predict")
    assert str(error) == (
        "A model that is read by predict_proba must have it. Got a dict, and it is empty. Read it "
        "by predict."
    )
