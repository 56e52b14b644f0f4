"""Tests for what people call: labels, probabilities, scores and values, of one row and of many."""

import numpy as np
import pytest

from stackens.export.numpy._public import glue, public_names
from stackens.export.program import Graph
from tests.export.numpy.opened import opened


def scores_program(width, classes):
    graph = Graph([f"x{j}" for j in range(width)])
    return graph.program(graph.numbers(range(width)), "scores", np.array(classes))


def values_program(width, one_target):
    graph = Graph([f"x{j}" for j in range(width)])
    return graph.program(graph.numbers(range(width)), "values", one_target=one_target)


both = pytest.mark.parametrize("dependencies", ["numpy", "none"])


@both
def test_scores_of_two_classes(tmp_path, dependencies):
    module = opened(scores_program(1, ["no", "yes"]), tmp_path, dependencies).module
    assert module.CLASSES == ["no", "yes"]
    assert not hasattr(module, "predict_proba")
    assert module.decision_function([0.5]) == 0.5
    assert list(module.decision_function([[0.5], [-1.0]])) == [0.5, -1.0]
    assert module.predict([0.0]) == "no"
    assert module.predict([1e-300]) == "yes"
    assert list(module.predict([[0.0], [2.0]])) == ["no", "yes"]


@both
def test_scores_of_more_classes(tmp_path, dependencies):
    module = opened(scores_program(3, [5, 7, -1]), tmp_path, dependencies).module
    rows = [[0.0, 2.0, 1.0], [4.0, 4.0, 4.0]]
    assert np.asarray(module.decision_function(rows)).tolist() == rows
    assert module.decision_function(rows[0]) == rows[0]
    assert list(module.predict(rows)) == [7, 5]
    assert type(module.predict(rows[0])) is int


@both
@pytest.mark.parametrize("classes", [[False, True], [0.5, 1.5], ["é", "'\"\\\n"], [1, "one"]])
def test_labels_are_plain_values(tmp_path, dependencies, classes):
    graph = Graph(["x"])
    answer = graph.two_classes(graph.numbers([0]))
    array = np.array(classes, dtype=object if isinstance(classes[0], int) else None)
    program = graph.program(answer, "probabilities", array)
    module = opened(program, tmp_path, dependencies).module
    assert classes == module.CLASSES
    assert list(map(type, module.CLASSES)) == list(map(type, classes))
    assert module.predict([0.7]) == classes[1]
    assert list(module.predict([[0.7], [0.2]])) == classes[::-1]
    assert module.predict_proba([0.75]) == [0.25, 0.75]
    assert np.asarray(module.predict_proba([[0.75]])).tolist() == [[0.25, 0.75]]


@both
def test_values(tmp_path, dependencies):
    module = opened(values_program(1, one_target=True), tmp_path, dependencies).module
    assert module.predict([3]) == 3.0
    assert list(module.predict([[3], [4]])) == [3.0, 4.0]
    module = opened(values_program(1, one_target=False), tmp_path, dependencies).module
    assert module.predict([3]) == [3.0]
    assert np.asarray(module.predict([[3]])).tolist() == [[3.0]]
    module = opened(values_program(2, one_target=False), tmp_path, dependencies).module
    assert module.predict([3, 4]) == [3.0, 4.0]
    assert np.asarray(module.predict([[3, 4]])).tolist() == [[3.0, 4.0]]


def test_public_names():
    assert public_names(values_program(1, one_target=True)) == ["predict"]
    program = scores_program(1, [0, 1])
    assert public_names(program) == ["predict", "decision_function"]
    assert "RefusedRow" not in glue(program, numpy=True)
