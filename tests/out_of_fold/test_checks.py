"""Tests of what cross_fit and compare ask of options, weights, groups and fitted models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from stackens.out_of_fold._checks import (
    check_fitted,
    check_options,
    checked_groups,
    checked_weights,
)

PAIRS = [("nb", GaussianNB()), ("tree", DecisionTreeClassifier())]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"final_fit": {"nb": "bag"}, "out_of_bag": True, "stack_method": "predict"},
        {"n_jobs": -1, "verbose": True},
        {"n_jobs": np.int64(2), "verbose": 10},
        {"on_error": "drop", "verbose": np.bool_(False)},
    ],
)
def test_options_that_work(options):
    assert check_options(PAIRS, "it", **options) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"final_fit": "never"}, "'final_fit' parameter of it must be one of.*Got 'never'"),
        ({"final_fit": {"z": "bag"}}, r"'final_fit' parameter.*Got \['z'\].*names are \['nb', 't"),
        ({"final_fit": {"nb": "no"}}, "'final_fit' parameter of it must be one of.*Got 'no'"),
        ({"out_of_bag": "yes"}, "'out_of_bag' parameter of it.*Got 'yes'"),
        ({"stack_method": "guess"}, "'stack_method' parameter of it.*Got 'guess'"),
        ({"on_error": "skip"}, "'on_error' parameter of it.*Got 'skip'"),
        ({"n_jobs": "all"}, "'n_jobs' parameter of it.*Got 'all' instead. Use 1"),
        ({"n_jobs": 0}, "'n_jobs' parameter of it must be None or an int other than 0. Got 0"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter of it.*Got 1.5"),
        ({"verbose": "yes"}, "'verbose' parameter of it must be an int. Got 'yes' instead. Use"),
        ({"verbose": None}, "'verbose' parameter of it.*Got None"),
    ],
)
def test_options_that_do_not(options, message):
    with pytest.raises(ValueError, match=message):
        check_options(PAIRS, "it", **options)


def test_weights():
    assert checked_weights(None, 3) is None
    weights = checked_weights([1, 0, 2], 3)
    assert weights.dtype == np.float64
    assert weights.tolist() == [1, 0, 2]
    with pytest.raises(ValueError, match="at least zero. Got negative.*as low as -2.0. Correct"):
        checked_weights([1, -2, 2], 3)
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        checked_weights([1, np.nan, 2], 3)


def test_groups():
    assert checked_groups(None) is None
    assert checked_groups(pd.Series(["a", "b"], index=[4, 4])).tolist() == ["a", "b"]
    assert checked_groups([[1], [2]]).tolist() == [1, 2]
    with pytest.raises(ValueError, match="group of each row. Got 1 missing ones. Give those"):
        checked_groups(["a", None])
    with pytest.raises(ValueError, match=r"one group for each row.*shape \(2, 2\). Make one"):
        checked_groups([[1, 2], [2, 2]])


def test_fitted_models():
    fitted = GaussianNB().fit([[0], [1]], [0, 1])
    assert check_fitted([("nb", fitted)]) is None
    with pytest.raises(NotFittedError, match=r"'prefit'.*Got 'tree' \(DecisionTreeC.*Call its fit"):
        check_fitted([("nb", fitted), PAIRS[1]])


def test_groups_of_several_types():
    with pytest.raises(ValueError, match=r"one type.* Got int, str. Convert"):
        checked_groups(np.array([1, "a", 2], dtype=object))
