"""Tests of the task: what kind of target it is, and labels to numbers and back."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from stackens._core._task import Task, infer_task, plain_target

LABELS = ["cat", "ant", "bee", "ant", "cat", "bee"]


@pytest.mark.parametrize(
    "y",
    [
        LABELS,
        tuple(LABELS),
        np.array(LABELS),
        np.array(LABELS, dtype=object),
        pd.Series(LABELS),
        pd.Series(LABELS, dtype="string"),
        pd.Series(LABELS, dtype="category"),
        pd.Categorical(LABELS, categories=["cat", "bee", "ant", "never seen"]),
        pl.Series(LABELS),
        pl.Series(LABELS, dtype=pl.Categorical),
    ],
    ids=lambda y: f"{type(y).__module__}.{type(y).__name__}",
)
def test_labels_in_any_container(y):
    task, kept = infer_task(y, classification=True)
    assert task.kind == "multiclass"
    assert task.classes.tolist() == ["ant", "bee", "cat"]
    assert task.encode(kept).tolist() == [2, 0, 1, 0, 2, 1]
    assert task.decode(np.array([2, 0])).tolist() == ["cat", "ant"]
    assert task.output_names() == ["ant", "bee", "cat"]
    assert task.is_classification
    assert task.has_classes


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([True, False, True]), [False, True]),
        (pd.Series([True, False, True], dtype="boolean"), [False, True]),
        (pd.Series([3, 1, 3], dtype="Int64"), [1, 3]),
        (np.array([-1.0, 1.0, 1.0]), [-1.0, 1.0]),
        (pl.Series([True, False, True]), [False, True]),
    ],
)
def test_binary_targets_keep_their_labels(y, classes):
    task, kept = infer_task(y)
    assert task.kind == "binary"
    assert task.classes.tolist() == classes
    assert task.n_outputs == 2
    assert set(task.encode(kept).tolist()) == {0, 1}


def test_pandas_targets_stay_pandas():
    y = pd.Series(LABELS, index=range(10, 16))
    assert infer_task(y)[1] is y


@pytest.mark.parametrize("wrap", [np.asarray, np.ndarray.tolist, pd.DataFrame, pl.DataFrame])
def test_multilabel(wrap):
    Y = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]])
    task, kept = infer_task(wrap(Y))
    assert (task.kind, task.n_outputs, task.classes, task.y_ndim) == ("multilabel", 3, None, 2)
    np.testing.assert_array_equal(task.encode(kept), Y)
    assert task.output_names() == [0, 1, 2]
    assert not task.has_classes


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.coo_array])
def test_sparse_labels_become_an_array(make):
    Y = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0]])
    task, kept = infer_task(make(Y))
    assert task.kind == "multilabel"
    np.testing.assert_array_equal(kept, Y)


@pytest.mark.parametrize(
    "y",
    [
        [0.5, 1.5, 2.0],
        np.array([0.5, 1.5, 2.0]),
        pd.Series([0.5, 1.5, 2.0]),
        pd.Series([0.5, 1.5, 2.0], dtype="Float64"),
        pl.Series([0.5, 1.5, 2.0]),
    ],
)
def test_regression(y):
    task, kept = infer_task(y)
    assert (task.kind, task.n_outputs, task.y_ndim) == ("regression", 1, 1)
    assert not task.is_classification
    np.testing.assert_array_equal(task.encode(kept), [[0.5], [1.5], [2.0]])


@pytest.mark.parametrize("y", [[1, 2, 3], [True, False, True], np.array([1, 2.5], dtype=object)])
def test_numbers_are_regression_when_asked(y):
    task, kept = infer_task(y, classification=False)
    assert task.kind == "regression"
    assert task.encode(kept).shape == (len(y), 1)


@pytest.mark.parametrize("wrap", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_several_regression_targets(wrap):
    Y = np.array([[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]])
    task, kept = infer_task(wrap(Y), classification=False)
    assert (task.kind, task.n_outputs, task.y_ndim) == ("regression", 2, 2)
    np.testing.assert_array_equal(task.encode(kept), Y)


@pytest.mark.parametrize("y", [np.array([[1], [2], [2]]), pd.DataFrame({"y": ["a", "b", "b"]})])
def test_a_column_is_taken_as_one_target_with_a_warning(y):
    with pytest.warns(DataConversionWarning, match="column-vector"):
        task, kept = infer_task(y, classification=True)
    assert task.kind == "binary"
    assert np.shape(kept) == (3,)


@pytest.mark.parametrize(
    "y",
    [
        np.array([0.0, 1.0, np.nan]),
        [0.0, 1.0, None],
        ["a", None, "b"],
        np.array(["a", np.nan, "b"], dtype=object),
        pd.Series(["a", pd.NA, "b"], dtype="string"),
        pd.Series(["a", None, "b"], dtype="category"),
        pd.Series([1, None, 2], dtype="Int64"),
        pl.Series(["a", None, "b"]),
        np.array([[0.5, 1.0], [np.nan, 2.0]]),
    ],
)
@pytest.mark.parametrize("classification", [True, False, None])
def test_missing_targets_are_refused(y, classification):
    with pytest.raises(ValueError, match="Input y contains NaN or None.*Drop those rows"):
        infer_task(y, classification=classification)


@pytest.mark.parametrize(
    ("y", "classification", "message"),
    [
        (["a", "a", "a"], True, "at least two classes. Got one class: .*add rows"),
        ([[0, 1], [2, 1], [1, 0]], True, "several columns.*Fit one ensemble"),
        ([0.5, 1.5], True, "Unknown label type"),
        (np.array(["a", 1], dtype=object), None, "labels of one type.*type int, str. Convert"),
        (np.array([1, "a"], dtype=object), True, "labels of one type.*type int, str. Convert"),
        (np.array([True, 1], dtype=object), True, "labels of one type.*type bool, int. Convert"),
        ([], None, r"at least one row. Got 0 sample\(s\).*Check how"),
        (np.zeros((0, 2)), False, r"at least one row. Got 0 sample\(s\).*Check how"),
        (["a", "b"], False, "numbers for regression.*Use the classifier"),
        ([1.0, np.inf], False, "infinity. Drop those rows"),
        ([1.0, np.inf], None, "infinity. Drop those rows"),
        (None, None, "one target for each row. Got None. Pass"),
        ("label", None, "one target for each row. Got 'label'"),
    ],
)
def test_targets_that_cannot_work(y, classification, message):
    with pytest.raises(ValueError, match=message):
        infer_task(y, classification=classification)


def test_only_classes_can_be_decoded():
    with pytest.raises(TypeError, match="regression target has no class labels"):
        Task("regression", 1).decode(np.array([0]))


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([True, False, True], "bool", "binary"),
        ([2, 1, 3], "int64", "multiclass"),
        ([2.5, 1, 3], "float64", "regression"),
        ([Decimal("2.5"), Decimal(1), 3], "float64", "regression"),
        ([Decimal(0), Decimal(1), Decimal(0)], "float64", "binary"),
        ([[True, True], [False, True], [True, False]], "bool", "multilabel"),
    ],
)
def test_plain_values_of_dtype_object(values, dtype, kind):
    """What a column holds after rows without a target were dropped."""
    array = np.array(values, dtype=object)
    frame = pd.DataFrame(values, dtype=object, index=[7, 7, 9])
    for given in (array, frame if array.ndim == 2 else frame[0]):
        task, y = infer_task(given)
        assert task.kind == kind
        assert type(y) is type(given)
        assert np.asarray(y).dtype == dtype
        np.testing.assert_array_equal(np.asarray(y), values)
    assert y.index.tolist() == [7, 7, 9]


@pytest.mark.parametrize(
    "y",
    [
        np.array(["a", "b"], dtype=object),
        np.array([True, "b"], dtype=object),
        np.array([Decimal(1), "b"], dtype=object),
        np.array([], dtype=object),
        np.array([1.5, 2.5]),
        pd.Series(["a", "b"]),
        pl.Series([True, False]),
        [True, False],
    ],
)
def test_other_targets_stay_as_they_are(y):
    assert plain_target(y) is y


def test_targets_whose_squares_overflow():
    for y in (np.array([1.0, -1e200, 3.5]), np.array([[1.0, 2.0], [1e160, 0.5]])):
        with pytest.raises(ValueError, match=r"squares of larger ones overflow. Got -?1e\+"):
            infer_task(y, classification=False)
    for largest in (1e140, 1e20):  # neither fits int64
        assert infer_task(np.array([largest, 2.5]))[0].kind == "regression"
