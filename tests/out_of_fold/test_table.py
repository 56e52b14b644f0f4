"""Tests of the tables: shapes, columns, names, and taking models or rows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB

from stackens._core._task import Task, infer_task
from stackens.combiners import COMBINERS
from stackens.exceptions import LeakageWarning, StackensWarning
from stackens.out_of_fold import OutOfFoldTable, PredictionTable, cross_fit
from tests.base_models import RecordingClassifier

BINARY = Task("binary", 2, np.array(["no", "yes"]))
THREE = Task("multiclass", 3, np.array([10, 20, 30]))


def table(task, response, n=4):
    values = np.arange(n * len(response) * task.n_outputs, dtype=float)
    values = values.reshape(n, len(response), task.n_outputs)
    return PredictionTable(values, tuple("abc"[: len(response)]), task, tuple(response))


def out_of_fold(n=6, covered=None, **parts):
    values = np.arange(2.0 * n).reshape(n, 2, 1)
    splits = ((np.arange(3, n), np.arange(3)), (np.arange(3), np.arange(3, n)))
    return OutOfFoldTable(
        values,
        ("a", "b"),
        Task("regression", 1),
        ("predict", "predict"),
        y=np.arange(float(n)),
        splits=splits,
        covered=covered,
        **parts,
    )


def test_shapes_and_frame():
    found = table(THREE, ["predict_proba", "predict_proba"])
    assert (found.n_samples, found.n_models, found.n_outputs) == (4, 2, 3)
    frame = found.frame()
    assert frame.columns.tolist() == [(m, k) for m in "ab" for k in (10, 20, 30)]
    assert frame.columns.names == ["model", "output"]
    np.testing.assert_array_equal(frame["b"][20], found.values[:, 1, 1])


def test_rows_of_the_frame_have_the_labels_of_the_features_or_the_target():
    labelled = pd.DataFrame({"x": range(6)}, index=list("uvwxyz"))
    assert out_of_fold().frame().index.tolist() == list(range(6))
    assert out_of_fold(features=labelled).frame().index.tolist() == list("uvwxyz")
    assert out_of_fold(features=labelled.to_numpy()).frame().index.tolist() == list(range(6))
    of_target = dataclasses.replace(out_of_fold(), y=labelled["x"])
    assert of_target.frame().index.tolist() == list("uvwxyz")
    assert of_target.rows(np.array([4, 0])).frame().index.tolist() == ["y", "u"]
    assert of_target.rows(np.arange(0)).frame().shape == (0, 2)


def test_tables_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        table(BINARY, ["predict"]).names = ("z",)


@pytest.mark.parametrize(
    ("task", "response", "columns", "names"),
    [
        (BINARY, ["predict_proba", "predict"], [(0, 1), (1, 1)], ["a", "b"]),
        (BINARY, ["value", "decision_function"], [(0, 1), (1, 1)], ["a", "b"]),
        (
            THREE,
            ["value", "predict_proba"],
            [(0, 2), (1, 0), (1, 1), (1, 2)],
            ["a", "b_10", "b_20", "b_30"],
        ),
        (Task("regression", 1), ["predict"], [(0, 0)], ["a"]),
        (Task("regression", 2, y_ndim=2), ["predict"], [(0, 0), (0, 1)], ["a_0", "a_1"]),
        (Task("multilabel", 2, y_ndim=2), ["predict_proba"], [(0, 0), (0, 1)], ["a_0", "a_1"]),
        (Task("multilabel", 2, y_ndim=2), ["value"], [(0, 0), (0, 1)], ["a_0", "a_1"]),
    ],
)
def test_informative_columns(task, response, columns, names):
    found = table(task, response)
    assert found.columns() == columns
    assert found.column_names() == names
    expected = np.column_stack([found.values[:, m, k] for m, k in columns])
    np.testing.assert_array_equal(found.matrix(), expected)
    assert found.matrix().flags.c_contiguous


@pytest.mark.parametrize(
    ("task", "response", "expected"),
    [
        (BINARY, ["predict_proba", "predict"], True),
        (BINARY, ["predict_proba", "decision_function"], False),
        (BINARY, ["value"], False),
        (Task("regression", 1), ["predict"], False),
    ],
)
def test_is_probability(task, response, expected):
    assert table(task, response).is_probability is expected


def test_select_takes_models_in_the_order_asked():
    found = table(THREE, ["predict_proba", "predict", "value"])
    chosen = found.select(["c", "a"])
    assert chosen.names == ("c", "a")
    assert chosen.response == ("value", "predict_proba")
    np.testing.assert_array_equal(chosen.values, found.values[:, [2, 0]])
    with pytest.raises(ValueError, match=r"no model named \['z'\]. Got a table of .*Use names"):
        found.select(["a", "z"])


def test_a_text_is_no_list_of_names():
    with pytest.raises(TypeError, match="Got the text 'ab'. Put it into a list"):
        out_of_fold().select("ab")


def test_notebooks_show_the_first_rows():
    html = out_of_fold(60)._repr_html_()
    assert html.startswith("<p>OutOfFoldTable of a, b: regression, 60 rows, 2 folds</p>")
    assert html.count("<tr") == 12  # two of names
    labelled = dataclasses.replace(out_of_fold(), y=pd.Series(range(6), index=list("uvwxyz")))
    assert "<th>z</th>" in labelled._repr_html_()


def test_select_keeps_what_belongs_to_the_rows():
    chosen = out_of_fold().select(["b"])
    assert isinstance(chosen, OutOfFoldTable)
    assert chosen.y.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(chosen.splits) == 2


@pytest.mark.parametrize("index", [np.array([1, 4]), np.arange(6) % 3 == 1])
def test_rows(index):
    X = pd.DataFrame({"f": range(6)})
    rows = out_of_fold(sample_weight=np.arange(6.0), features=X).rows(index)
    assert rows.values[:, 0, 0].tolist() == [2.0, 8.0]
    assert rows.y.tolist() == rows.sample_weight.tolist() == [1.0, 4.0]
    assert rows.features["f"].tolist() == [1, 4]
    assert rows.splits == ()


def test_covered_rows_renumber_the_splits():
    everything = out_of_fold()
    assert everything.covered_rows() is everything
    covered = np.array([False, True, True, False, True, True])
    rows = out_of_fold(covered=covered).covered_rows()
    assert rows.y.tolist() == [1.0, 2.0, 4.0, 5.0]
    assert rows.covered.all()
    (train, test), (train_2, test_2) = rows.splits
    assert rows.y[test].tolist() == rows.y[train_2].tolist() == [1.0, 2.0]
    assert rows.y[train].tolist() == rows.y[test_2].tolist() == [4.0, 5.0]


def test_target_in_numbers():
    found = OutOfFoldTable(
        np.zeros((3, 1, 2)), ("a",), BINARY, ("predict",), y=pd.Series(["yes", "no", "yes"])
    )
    assert found.target.tolist() == [1, 0, 1]
    assert out_of_fold(2).target.tolist() == [[0.0], [1.0]]


def test_the_representation_is_one_line():
    assert repr(out_of_fold()) == "<OutOfFoldTable of a, b: regression, 6 rows, 2 folds>"
    some = out_of_fold(covered=np.arange(6) > 1)
    assert repr(some).endswith(": regression, 6 rows, 2 folds, 4 rows held out>")
    assert repr(table(BINARY, ["predict"])) == "<PredictionTable of a: binary, 4 rows>"
    names = tuple(f"m{i}" for i in range(300))
    many = PredictionTable(np.zeros((2, 300, 1)), names, Task("regression", 1), ("predict",) * 300)
    assert repr(many).startswith("<PredictionTable of m0, m1, ")
    assert repr(many).endswith(", m9, ...: regression, 2 rows>")


KEPT = pd.DataFrame(
    {"a": [0.1, 0.4, np.nan, 0.9], "b": [0.3, 0.2, np.nan, 0.6]}, index=list("wxyz")
)


def test_a_table_of_predictions_that_exist():
    y = pd.Series(["no", "no", "no", "yes"], index=KEPT.index)
    found = OutOfFoldTable.from_predictions(KEPT, y, sample_weight=[1, 2, 3, 4])
    assert (found.names, found.task.kind) == (("a", "b"), "binary")
    assert found.is_probability
    assert found.covered.tolist() == [True, True, False, True]
    np.testing.assert_array_equal(found.sample_weight, [1.0, 2.0, 3.0, 4.0])
    assert found.frame().index.tolist() == list("wxyz")
    np.testing.assert_array_equal(found.matrix(), KEPT)
    again = OutOfFoldTable.from_predictions(found.frame(), y)
    np.testing.assert_array_equal(again.values, found.values)
    numbers = OutOfFoldTable.from_predictions(KEPT, [1, 2, 3, 4], classification=False)
    assert (numbers.task.kind, numbers.response) == ("regression", ("predict", "predict"))


@pytest.mark.parametrize(
    "y",
    [[0, 1] * 12, ["a", "b", "c"] * 8, np.arange(24.0) + 0.5, np.eye(3, dtype=int)[[0, 1, 2] * 8]],
)
def test_the_target_among_the_predictions_is_told(y):
    task, target = infer_task(y)
    known = np.eye(task.n_outputs)[task.encode(target)] if task.has_classes else np.asarray(y)
    kept = {"y": known, "mean": np.broadcast_to(np.mean(known, axis=0), np.shape(known))}
    with pytest.warns(LeakageWarning, match=r"target itself from \['y'\], in all 24 rows"):
        OutOfFoldTable.from_predictions(kept, y)
    few = {name: values[:19] for name, values in kept.items()}
    OutOfFoldTable.from_predictions(few, y[:19])


@pytest.mark.parametrize("name", sorted(COMBINERS))
def test_combiners_work_on_predictions_that_exist(name):
    random = np.random.default_rng(0)
    y = random.integers(2, size=60)
    kept = {m: np.clip(0.25 + y / 2 + random.normal(size=60) / 4, 0, 1) for m in "ab"}
    found = OutOfFoldTable.from_predictions(kept, y)
    new = found.with_predictions({"b": [0.9, 0.2], "other": [0.0, 0.0], "a": [0.8, 0.1]})
    assert new.names == ("a", "b")
    combined = COMBINERS[name]().fit(found).combine(new)
    assert combined.argmax(axis=1).tolist() == [1, 0]


def test_new_rows_need_every_model():
    found = OutOfFoldTable.from_predictions(KEPT, [0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"Got \['a'\], without \['b'\]. Add them"):
        found.with_predictions(KEPT[["a"]])
    with pytest.raises(ValueError, match=r"must not be missing. Got NaN in 1 rows"):
        found.with_predictions(KEPT)
    with pytest.raises(ValueError, match="same number of rows"):
        OutOfFoldTable.from_predictions(KEPT, [0, 1])


def test_new_rows_of_margins_are_refused():
    found = OutOfFoldTable.from_predictions(KEPT, [0, 0, 1, 1])
    margins = dataclasses.replace(found, response=("predict_proba", "decision_function"))
    with pytest.raises(ValueError, match="probabilities of all models. Got .*'decision_function'"):
        margins.with_predictions(KEPT[:2])
    margins.select(["a"]).with_predictions(KEPT[:2])


def test_probabilities_of_two_decimals_sum_to_one():
    rounded = np.random.default_rng(0).dirichlet(np.ones(10), 500).round(2)
    assert np.abs(rounded.sum(axis=1) - 1).max() > 0.02
    OutOfFoldTable.from_predictions({"a": rounded}, np.arange(500) % 10)


def test_probabilities_that_do_not_sum_to_one_are_named():
    fine, other = [[0.51, 0.5], [0.4, 0.6]], [[0.25, 0.95], [0.5, 0.5]]
    OutOfFoldTable.from_predictions({"fine": fine}, [0, 1])
    with pytest.warns(StackensWarning, match=r"sums from 'other' \(from 1 to 1.2\). They are"):
        OutOfFoldTable.from_predictions({"fine": fine, "other": other}, [0, 1])
    OutOfFoldTable.from_predictions({"labels": other}, [[0, 1], [1, 1]])


def test_a_cross_fit_names_probabilities_that_do_not_sum_to_one():
    class Halved(RecordingClassifier):
        def predict_proba(self, X):
            return super().predict_proba(X) / (2 + X[:, :1])

    X, y = np.linspace(0, 1, 40)[:, None], np.arange(40) % 2
    with pytest.warns(StackensWarning, match=r"sums from 'half' \(from 0.3333 to 0.5\)"):
        cross_fit({"half": Halved(), "nb": GaussianNB()}, X, y, n_jobs=2)
