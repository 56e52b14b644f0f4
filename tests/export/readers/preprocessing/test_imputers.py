"""Tests that exported imputers fill what their sources fill."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from stackens.exceptions import ExportError
from tests.export.readers.preprocessing.comparison import (
    largest_difference,
    number_rows,
    program_of,
)

TRAIN = number_rows(60, 4, extremes=False, infinite=False, seed=1).round(1)
EMPTY = TRAIN.assign(c1=np.nan)
ROWS = number_rows(60, 4)
TEXT = pd.DataFrame(
    {
        "a": pd.Series(["x", "y", "x", np.nan, "z"] * 6, dtype=object),
        "b": pd.Series([np.nan, "1", "None", "", "1"] * 6, dtype=object),
    }
)
UNSEEN = pd.DataFrame({"a": ["q", np.nan, "x"], "b": ["1", np.nan, "nan"]}, dtype=object)
EMPTY_TEXT = TEXT.assign(b=pd.Series([np.nan] * 30, dtype=object))


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("add_indicator", [True, False])
@pytest.mark.parametrize("keep_empty_features", [True, False])
@pytest.mark.parametrize("train", [TRAIN, EMPTY], ids=["full", "empty column"])
@pytest.mark.filterwarnings("ignore:Skipping features:UserWarning")
def test_numbers(strategy, add_indicator, keep_empty_features, train):
    imputer = SimpleImputer(
        strategy=strategy, add_indicator=add_indicator, keep_empty_features=keep_empty_features
    )
    assert largest_difference(imputer.fit(train), ROWS) == 0.0


def test_a_constant_and_a_function():
    assert (
        largest_difference(SimpleImputer(strategy="constant", fill_value=7.5).fit(TRAIN), ROWS) == 0
    )
    assert largest_difference(SimpleImputer(strategy=np.max).fit(TRAIN), ROWS) == 0


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("marker", [-1, 0.5])
@pytest.mark.parametrize("add_indicator", [True, False])
def test_a_number_that_stands_for_missing(strategy, marker, add_indicator):
    train = TRAIN.fillna(marker)
    rows = pd.concat([ROWS.fillna(marker)[:60], ROWS])
    imputer = SimpleImputer(
        missing_values=marker, strategy=strategy, add_indicator=add_indicator
    ).fit(train)
    assert largest_difference(imputer, rows) == 0.0


@pytest.mark.parametrize("strategy", ["most_frequent", "constant"])
def test_whole_numbers(strategy):
    train = pd.DataFrame({"a": [1, 2, 2, -1], "b": [-1, 5, 6, 6]})
    imputer = SimpleImputer(missing_values=-1, strategy=strategy).fit(train)
    assert largest_difference(imputer, train) == 0.0


# Text itself is no matrix of numbers: the encoder after the imputer shows what was filled.
@pytest.mark.parametrize("train", [TEXT, EMPTY_TEXT], ids=["full", "empty column"])
@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "most_frequent"},
        {"strategy": "constant"},
        {"strategy": "constant", "fill_value": "x"},
        {"strategy": "constant", "fill_value": "gap", "keep_empty_features": True},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Skipping features:UserWarning")
def test_text(train, options):
    pipeline = make_pipeline(SimpleImputer(**options), OneHotEncoder(handle_unknown="ignore"))
    rows = pd.concat([train[:5], UNSEEN])
    assert largest_difference(pipeline.fit(train), rows) == 0.0


def test_flags_of_text():
    imputer = SimpleImputer(strategy="most_frequent", add_indicator=True)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    pipeline = make_pipeline(imputer, ColumnTransformer([("codes", encoder, [0, 1])],
                                                        remainder="passthrough"))  # fmt: skip
    assert largest_difference(pipeline.fit(TEXT), pd.concat([TEXT, UNSEEN])) == 0.0


def test_text_beside_numbers_as_objects():
    train = pd.DataFrame({"text": TEXT["a"], "number": [1.5, np.nan, 2.0, 2.0, 7] * 6})
    rows = pd.DataFrame({"text": ["x", np.nan, "q"], "number": [np.nan, 2.0, 7]})
    encoder = OneHotEncoder(handle_unknown="ignore")
    pipeline = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder).fit(train)
    assert largest_difference(pipeline, rows) == 0.0


@pytest.mark.parametrize("dtype", ["str", "string", "category"])
def test_text_of_other_dtypes(dtype):
    imputer, encoder = SimpleImputer(strategy="most_frequent"), OneHotEncoder()
    for missing in (None, np.nan):
        if dtype == "string":
            imputer.set_params(missing_values=pd.NA)
        train = pd.DataFrame({"a": pd.Series(["x", "y", missing, "x"], dtype=dtype)})
        assert largest_difference(make_pipeline(imputer, encoder).fit(train), train) == 0.0


def test_booleans_beside_numbers():
    train = pd.DataFrame({"flag": [True, False, True], "x": [1.0, np.nan, 2.0]})
    rows = pd.DataFrame({"flag": [False, True], "x": [np.nan, 3.0]})
    for strategy in ("mean", "most_frequent"):
        pipeline = make_pipeline(SimpleImputer(strategy=strategy), StandardScaler()).fit(train)
        assert largest_difference(pipeline, rows) == 0.0


@pytest.mark.parametrize("missing", [None, pd.NA])
def test_other_missing_values(missing):
    train = pd.DataFrame({"a": pd.Series(["x", "y", missing, "x"], dtype=object)})
    imputer = SimpleImputer(missing_values=missing, strategy="most_frequent")
    assert largest_difference(make_pipeline(imputer, OneHotEncoder()).fit(train), train) == 0.0


def test_none_that_an_imputer_of_nan_leaves_is_refused():
    train = pd.DataFrame({"a": pd.Series(["x", "x", None, "y", np.nan], dtype=object)})
    pipeline = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()).fit(train)
    with pytest.raises(ExportError, match="tells None from NaN"):
        program_of(pipeline, ["a"])


def test_filling_with_none_is_refused():
    train = pd.DataFrame({"a": pd.Series([None, None, "y", np.nan], dtype=object)})
    imputer = SimpleImputer(strategy="most_frequent").fit(train)
    with pytest.raises(ExportError, match="Got None"):
        program_of(imputer, ["a"])


def test_text_that_stands_for_missing_is_refused():
    imputer = SimpleImputer(missing_values="?", strategy="most_frequent")
    imputer.fit(pd.DataFrame({"a": pd.Series(["x", "?", "x"], dtype=object)}))
    with pytest.raises(ExportError, match="na_values"):
        program_of(imputer, ["a"])


def test_text_as_numbers_is_refused():
    imputer = SimpleImputer(strategy="constant").fit(TEXT)
    scaler = StandardScaler().fit(TRAIN[["c0", "c1"]].to_numpy())
    pipeline = Pipeline([("impute", imputer), ("scale", scaler)])
    with pytest.raises(ExportError, match="must be a number"):
        program_of(pipeline, ["a", "b"])


def test_a_second_imputer_finds_nothing_to_fill():
    second = SimpleImputer(strategy="constant", fill_value=-9.0)
    pipeline = make_pipeline(SimpleImputer(), second, StandardScaler()).fit(TRAIN)
    assert largest_difference(pipeline, ROWS) == 0.0


def test_imputed_numbers_as_categories():
    train = pd.DataFrame({"a": [1.0, np.nan, 2, 2], "b": [np.nan, 5.0, 5, 6]})
    rows = pd.DataFrame({"a": [np.nan, 3, 2], "b": [6, np.nan, np.nan]})
    encoder = OneHotEncoder(handle_unknown="ignore")
    pipeline = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder).fit(train)
    assert largest_difference(pipeline, rows) == 0.0


def test_scaled_then_imputed():
    pipeline = make_pipeline(StandardScaler(), SimpleImputer(add_indicator=True)).fit(TRAIN)
    assert largest_difference(pipeline, ROWS) == 0.0


# --- indicators -----------------------------------------------------------------------------


@pytest.mark.parametrize("features", ["missing-only", "all"])
@pytest.mark.parametrize("error_on_new", [True, False])
@pytest.mark.parametrize("marker", [np.nan, -1])
def test_indicator(features, error_on_new, marker):
    train = TRAIN.assign(c2=1.0).fillna(marker)
    indicator = MissingIndicator(
        missing_values=marker, features=features, error_on_new=error_on_new
    ).fit(train)
    rows = pd.concat([ROWS, ROWS.fillna(marker)])
    assert largest_difference(indicator, rows) == 0.0


def test_indicator_of_text():
    union = FeatureUnion(
        [
            ("flags", MissingIndicator()),
            ("codes", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
        ]
    )
    assert largest_difference(union.fit(TEXT), pd.concat([TEXT, UNSEEN])) == 0.0


def test_indicator_beside_an_imputer():
    union = FeatureUnion([("filled", SimpleImputer()), ("flags", MissingIndicator())])
    assert largest_difference(union.fit(TRAIN), ROWS) == 0.0
