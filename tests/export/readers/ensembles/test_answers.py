"""Tests that a base model's answer reaches an export in the layout that `respond` gives it."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor

from stackens._core._task import Task
from stackens.exceptions import ExportError
from stackens.export.readers import read_response
from stackens.export.readers.ensembles import read_answer
from stackens.out_of_fold import FoldBag, respond
from tests.export.readers.ensembles.answers import FromColumns, evaluated, graph_of

RNG = np.random.default_rng(0)
X = RNG.dirichlet(np.ones(4), 40)
BINARY = Task("binary", 2, np.array(["no", "yes"]))
COLOURS = Task("multiclass", 4, np.array(["blue", "green", "red", "white"]))
NUMBERS = Task("regression", 2, y_ndim=2)
BOOSTED = {"n_estimators": 7, "num_leaves": 5, "n_jobs": 1, "verbose": -1}


def read(model, response, task, **options):
    graph, table = graph_of(X.shape[1])
    return evaluated(graph, read_answer(model, graph, table, response, task, **options), X)


@pytest.mark.parametrize(
    ("columns", "classes", "method", "response", "task", "n_train"),
    [
        ([0, 1], None, "predict", "predict", NUMBERS, None),
        ([0, 1], ["no", "yes"], "predict_proba", "predict_proba", BINARY, None),
        ([2, 0], ["yes", "no"], "predict_proba", "predict_proba", BINARY, None),
        ([0, 1, 2, 3], None, "predict_proba", "predict_proba", COLOURS, None),
        ([0, 1, 2], ["blue", "red", "white"], "predict_proba", "predict_proba", COLOURS, 10),
        ([0, 1], ["green", "red"], "predict_proba", "predict_proba", COLOURS, 7),
        ([0, 1], ["green", "red"], "predict_proba", "predict_proba", COLOURS, None),
        ([3], ["no", "yes"], "decision_function", "decision_function", BINARY, None),
        ([0, 1, 2, 3], None, "decision_function", "decision_function", COLOURS, None),
        ([1, 2, 0], ["blue", "green", "white"], *["decision_function"] * 2, COLOURS, 5),
        ([3], ["blue", "white"], "decision_function", "decision_function", COLOURS, 5),
        ([2], None, "predict", "value", BINARY, None),
        ([2], None, "predict", "value", COLOURS, None),
    ],
)
def test_every_answer_comes_out_as_respond_has_it(
    columns, classes, method, response, task, n_train
):
    model = FromColumns(columns, classes, method=method)
    expected = respond(model, X, response, task, n_train=n_train)
    np.testing.assert_array_equal(read(model, response, task, n_train=n_train), expected)


@pytest.mark.parametrize("classes", [["blue", "green", "red", "white"], ["green", "white"]])
def test_votes_for_classes_that_were_seen(classes):
    model = FromColumns([0], classes, method="predict")
    codes = np.arange(40).reshape(-1, 1) % len(classes)
    graph, table = graph_of(1)
    node = read_answer(model, graph, table, "predict", COLOURS)
    expected = respond(model, codes, "predict", COLOURS)
    assert expected.sum() == 40
    np.testing.assert_array_equal(evaluated(graph, node, codes), expected)


def test_labels_for_several_rows_are_refused():
    with pytest.raises(ExportError, match=r"3 labels \(multilabel\)\. Export a model of each"):
        read(FromColumns([0, 1, 2]), "predict_proba", Task("multilabel", 3, y_ndim=2))


def test_one_against_one_margins_are_refused():
    model = FromColumns([0, 1, 2], ["blue", "green", "red", "white"], method="decision_function")
    with pytest.raises(ExportError, match=r"(?s)4 columns here\. Got 3 from .*function_shape"):
        read(model, "decision_function", COLOURS)


# ---------------------------------------------------------------- bags


def bag_of(models, response, task):
    return FoldBag(models, response, task, [5, 6, 7][: len(models)])


@pytest.mark.parametrize("method", ["predict_proba", "predict"])
def test_a_bag_of_models_of_which_one_lacks_classes(method):
    models = [FromColumns([0, 1, 2, 3]), FromColumns([1, 2], ["green", "white"])]
    bag = bag_of(models, "predict_proba", COLOURS)
    graph, table = graph_of(4)
    found = evaluated(graph, read_response(bag, graph, table, method), X)
    expected = getattr(bag, method)(X)
    if method == "predict":
        found = COLOURS.decode(found[:, 0].astype(int))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(read(bag, "predict_proba", COLOURS), bag.respond(X))


def test_a_bag_of_margins():
    models = [FromColumns([j], ["no", "yes"], method="decision_function") for j in range(3)]
    bag = bag_of(models, "decision_function", BINARY)
    graph, table = graph_of(4)
    found = evaluated(graph, read_response(bag, graph, table, "decision_function"), X)
    np.testing.assert_array_equal(found[:, 0], bag.decision_function(X))
    np.testing.assert_array_equal(read(bag, "decision_function", BINARY), bag.respond(X))


@pytest.mark.parametrize(
    ("columns", "response", "task"),
    [
        ([[0], [1]], "predict", Task("regression", 1)),
        ([[0, 1], [2, 3]], "predict", NUMBERS),
        ([[0], [3]], "value", COLOURS),
    ],
)
def test_a_bag_of_values(columns, response, task):
    bag = bag_of([FromColumns(c, method="predict") for c in columns], response, task)
    graph, table = graph_of(4)
    found = evaluated(graph, read_response(bag, graph, table, "predict"), X)
    np.testing.assert_array_equal(found, bag.predict(X).reshape(len(X), -1))
    np.testing.assert_array_equal(read(bag, response, task), bag.respond(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_bag_of_boosted_classifiers(n_classes):
    rows = RNG.normal(size=(300, 4))
    y = np.digitize(rows[:, 0] + rows[:, 1] ** 2, [0.5, 2.0][: n_classes - 1])
    models = [LGBMClassifier(**BOOSTED).fit(rows[i::3], y[i::3]) for i in range(3)]
    task = Task("binary" if n_classes == 2 else "multiclass", n_classes, np.arange(n_classes))
    bag = bag_of(models, "predict_proba", task)
    assert bag.averages_one_column == (n_classes == 2)
    graph, table = graph_of(4)
    node = read_answer(bag, graph, table, "predict_proba", task)
    found = evaluated(graph, node, rows)
    np.testing.assert_allclose(found, bag.respond(rows), rtol=0, atol=1e-15)
    if n_classes == 2:  # the first class is what is left by the mean of the second
        np.testing.assert_array_equal(found[:, 0], 1.0 - found[:, 1])


@pytest.mark.parametrize("task", [BINARY, COLOURS], ids=["binary", "multiclass"])
def test_a_bag_of_boosted_classifiers_of_which_one_saw_one_class(task):
    rows, y = RNG.normal(size=(60, 4)), np.repeat(task.classes[:2], [55, 5])
    models = [LGBMClassifier(**BOOSTED).fit(rows[:n], y[:n]) for n in (50, 60)]
    bag = bag_of(models, "predict_proba", task)
    graph, table = graph_of(4)
    found = evaluated(graph, read_answer(bag, graph, table, "predict_proba", task), rows)
    np.testing.assert_allclose(found, bag.respond(rows), rtol=0, atol=1e-15)


def test_a_bag_of_boosted_regressors_to_the_last_bit():
    rows = RNG.normal(size=(300, 4))
    y = rows[:, 0] + rows[:, 1] ** 2
    models = [LGBMRegressor(**BOOSTED).fit(rows[i::3], y[i::3]) for i in range(3)]
    task = Task("regression", 1)
    bag = bag_of(models, "predict", task)
    graph, table = graph_of(4)
    found = evaluated(graph, read_answer(bag, graph, table, "predict", task), rows)
    np.testing.assert_array_equal(found, bag.respond(rows))
