"""Tests of the tables: shapes, columns, names, and taking models or rows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from stackens._core._task import Task
from stackens.out_of_fold import OutOfFoldTable, PredictionTable

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
