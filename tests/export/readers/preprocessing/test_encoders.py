"""Tests that exported encoders know the same categories as scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)

from stackens.exceptions import ExportError
from tests.export.readers.preprocessing.comparison import largest_difference, program_of, run

N = 120


def drawn(values, n=N, seed=0):
    weights = np.arange(1, len(values) + 1.0)
    rng = np.random.default_rng(seed)
    return [values[i] for i in rng.choice(len(values), n, p=weights / weights.sum())]


FRUIT = ["fig", "kiwi", "plum", "NA", "nan", "None", "", "ä ö", "3", "x y"]


def table(seed=0, extra=False, missing=(None,)):
    """Text, whole numbers, numbers and booleans; `extra` adds what fit never saw."""
    more = ["unseen", "FIG"] if extra else []
    columns = {
        "text": pd.Series(drawn([*FRUIT, *more], seed=seed), dtype=object),
        "gaps": pd.Series(drawn(["a", "b", *more, *missing], seed=seed + 1), dtype=object),
        "whole": drawn([1, 2, 30, *([-7, 2**40] if extra else [])], seed=seed + 2),
        "number": drawn([0.5, -0.0, 1e300, *([0.1, 2.0] if extra else [])], seed=seed + 3),
        "holes": drawn([np.nan, 1.0, 2.5, *([4.0] if extra else [])], seed=seed + 4),
        "flag": drawn([True, False], seed=seed + 5),
    }
    return pd.DataFrame(columns)


TRAIN = table()
UNSEEN = table(seed=50, extra=True)
TARGETS = {
    "binary": drawn(["no", "yes"], seed=9),
    "multiclass": drawn(["a", "b", "c"], seed=9),
    "continuous": np.random.default_rng(3).normal(size=N),
}


@pytest.mark.parametrize("handle_unknown", ["ignore", "error", "infrequent_if_exist", "warn"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"drop": "first"},
        {"drop": "if_binary"},
        {"min_frequency": 15},
        {"min_frequency": 0.2, "drop": "first"},
        {"max_categories": 2, "drop": "if_binary", "sparse_output": False},
        {"max_categories": 1},
        {"drop": ["plum", None, 2, 1e300, np.nan, True], "dtype": np.float32},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")
def test_one_hot(handle_unknown, options):
    encoder = OneHotEncoder(handle_unknown=handle_unknown, **options).fit(TRAIN)
    assert largest_difference(encoder, pd.concat([TRAIN[:30], UNSEEN])) == 0.0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"encoded_missing_value": -5},
        {"handle_unknown": "use_encoded_value", "unknown_value": -1},
        {"handle_unknown": "use_encoded_value", "unknown_value": np.nan, "min_frequency": 15},
        {"handle_unknown": "use_encoded_value", "unknown_value": 99, "max_categories": 2},
        {"min_frequency": 15, "encoded_missing_value": 77},
    ],
    ids=str,
)
def test_ordinal(options):
    encoder = OrdinalEncoder(**options).fit(TRAIN)
    assert largest_difference(encoder, pd.concat([TRAIN[:30], UNSEEN])) == 0.0


@pytest.mark.parametrize("kind", TARGETS)
def test_target(kind):
    encoder = TargetEncoder(random_state=0).fit(TRAIN, TARGETS[kind])
    assert largest_difference(encoder, pd.concat([TRAIN[:30], UNSEEN])) == 0.0


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()])
def test_a_missing_category_is_none_or_nan(missing, encoder):
    train = table(missing=(missing,))
    assert train["gaps"].isna().any()
    assert largest_difference(encoder.fit(train), train) == 0.0


@pytest.mark.parametrize("handle_unknown", ["ignore", "error"])
def test_a_missing_value_that_fit_never_saw_is_unknown(handle_unknown):
    train = table(missing=("c",))
    encoder = OneHotEncoder(handle_unknown=handle_unknown).fit(train)
    assert largest_difference(encoder, TRAIN) == 0.0


def test_none_beside_nan_is_refused():
    train = pd.DataFrame({"a": pd.Series(["x", None, np.nan, "y"], dtype=object)})
    encoder = OneHotEncoder().fit(train)
    with pytest.raises(ExportError, match="one kind"):
        program_of(encoder, ["a"])


@pytest.mark.parametrize("encoder", [OneHotEncoder(handle_unknown="ignore"), TargetEncoder()])
def test_infinite_numbers_are_refused(encoder):
    train = pd.DataFrame({"a": [1.0, 2, 1, 2] * 9, "b": [1.0, 2, 3, np.nan] * 9})
    rows = pd.DataFrame({"a": [1.0, np.inf, 5, -np.inf], "b": [np.nan, 1, np.inf, 2]})
    assert largest_difference(encoder.fit(train, [0, 1, 1, 0] * 9), rows) == 0.0


def test_infinite_numbers_in_a_column_of_booleans_are_refused():
    encoder = OneHotEncoder(handle_unknown="ignore").fit(pd.DataFrame({"a": [True, False]}))
    rows = pd.DataFrame({"a": [1.0, 0.0, np.inf, 2.0, np.nan]})
    assert largest_difference(encoder, rows) == 0.0
    assert run(program_of(encoder, ["a"]), rows)[1].tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("dtype", ["str", "category", "object", "string"])
def test_text_of_any_dtype(dtype):
    values = ["a", "b", "b", "c", "a"]
    train = pd.DataFrame({"a": pd.Series(values, dtype=dtype)})
    rows = pd.DataFrame({"a": pd.Series([*values, "z"], dtype=dtype)})
    encoder = OneHotEncoder(handle_unknown="ignore").fit(train)
    assert largest_difference(encoder, rows) == 0.0


@pytest.mark.parametrize("values", [[3, 1, 2], [2.5, 1, 7], [True, False, True], ["b", "a", "c"]])
def test_objects_of_one_type(values):
    train = pd.DataFrame({"a": pd.Series(values, dtype=object)})
    assert largest_difference(OrdinalEncoder().fit(train), train) == 0.0


def test_arrays_of_text():
    train = pd.DataFrame({"a": ["x", "yy", "x"], "b": ["1", "2", "1"]})
    encoder = OneHotEncoder(handle_unknown="ignore").fit(train.to_numpy(dtype=str))
    rows = pd.DataFrame({"a": ["x", "zzz"], "b": ["2", "7"]})
    assert largest_difference(encoder, rows, as_array=True) == 0.0


def test_given_categories():
    encoder = OneHotEncoder(categories=[["z", "a"], [1, 5]], handle_unknown="ignore")
    encoder.fit(pd.DataFrame({"a": ["a", "b"], "b": [1, 2]}))
    rows = pd.DataFrame({"a": ["a", "b", "z"], "b": [5, 2, 1]})
    assert largest_difference(encoder, rows) == 0.0


def test_dates_as_categories_are_refused():
    train = pd.DataFrame({"a": pd.to_datetime(["2020-01-01", "2021-01-01"]).astype(object)})
    with pytest.raises(ExportError, match="Timestamp"):
        program_of(OneHotEncoder().fit(train), ["a"])


@pytest.mark.parametrize("value", [2**53 + 2, -(2**60)])
def test_whole_numbers_that_doubles_cannot_tell_apart_are_refused(value):
    encoder = OneHotEncoder().fit(pd.DataFrame({"a": [1, value]}))
    with pytest.raises(ExportError, match=r"2\*\*53"):
        program_of(encoder, ["a"])


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        OrdinalEncoder(),
        TargetEncoder(random_state=0),
    ],
)
@pytest.mark.parametrize("first", [KBinsDiscretizer(4, encode="ordinal", strategy="uniform"),
                                   Binarizer()])  # fmt: skip
def test_categories_that_an_earlier_step_computes(first, encoder):
    x = np.random.default_rng(0).normal(size=(60, 2))
    some = pd.DataFrame(np.where(x[:, :1] > 1.5, -0.5, x), columns=["a", "b"])
    pipeline = make_pipeline(first, encoder).fit(some, [0, 1] * 30)
    assert largest_difference(pipeline, some * 3) == 0.0


def test_unknown_computed_categories():
    train = pd.DataFrame({"a": [0.2, 0.6, 0.7], "b": [3.0, -1, 2]})
    rows = pd.DataFrame({"a": [0.2, -5, 0.7], "b": [-2.0, 3, 4]})
    for encoder in (
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
    ):
        assert largest_difference(make_pipeline(Binarizer(), encoder).fit(train), rows) == 0.0
