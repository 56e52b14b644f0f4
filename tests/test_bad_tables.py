"""Mistakes in tables and scorers: found before any base model is fitted, by compare as well."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB

import stackens as se
from tests.test_bad_input import FRAME, X, Y, missing


class Unfittable(GaussianNB):
    """Ends a test in which something is fitted before the mistake is found."""

    def fit(self, X, y, sample_weight=None):
        raise AssertionError("fitted")


SCORERS = [
    ("nonsense", Y, "Got 'nonsense'.*get_scorer_names"),
    (lambda y, p: 0.0, Y, "which fails: TypeError.*2 positional arguments.*make_scorer"),
    ("f1", np.where(Y, "yes", "no"), "which fails: ValueError: pos_label=1.*make_scorer"),
    ("roc_auc", np.arange(40) % 3, "multiclass.*which fails: ValueError: multi_class.*Choose an"),
]


@pytest.mark.parametrize("weighting", ["greedy", "auto"])
@pytest.mark.parametrize(("scoring", "y", "message"), SCORERS)
def test_scorers_are_tried_before_anything_is_fitted(scoring, y, message, weighting):
    models = [("never", Unfittable())]
    with pytest.raises(ValueError, match=f"(?s)'scoring' parameter.*{message}"):
        se.BlendedClassifier(models, weighting=weighting, scoring=scoring).fit(X, y)


def test_scorers_of_strategies_are_tried_before_anything_is_fitted():
    own = se.BlendedClassifier([], weighting="greedy", scoring=lambda y, p: 0.0)
    with pytest.raises(ValueError, match="which fails: TypeError"):
        se.compare([Unfittable()], X, Y, strategies={"own": own}, on_error="raise")


def test_scorers_of_regressors():
    blend = se.BlendedRegressor([("ridge", Ridge())], weighting="greedy", scoring="roc_auc")
    with pytest.raises(ValueError, match="Got make_scorer.*fails: AttributeError: a regressor has"):
        blend.fit(X, X[:, 0])


# What compare and default_estimators are given: (X, y, options of compare, message)
TABLES = {
    "no rows": (X[:0], Y[:0], {}, r"at least one row. Got 0 sample\(s\).*Check how"),
    "no columns": (X[:, :0], Y, {}, r"at least one column. Got 0 feature\(s\).*Check how"),
    "names": (FRAME[["a", "a"]], Y, {}, r"different names. Got \['a'\] more than once. Rename"),
    "lengths": (X, Y[:-3], {}, "same number of rows. Got .*'X': 40, 'y': 37}. Pass what belongs"),
    "one class": (X, Y * 0, {}, r"at least two classes. Got one class: \[0\].*Check"),
    "NaN": (X, missing(np.nan), {}, "contains NaN or None.*Drop"),
    "infinity": (X, missing(np.inf), {}, "contains infinity.*Drop"),
    "types": (X, np.array([0, "no"] * 20, dtype=object), {}, "one type.*type int, str. Convert"),
    "one target": (X, 3, {}, "y must hold one entry for each row. Got 3. Pass"),
    "one weight": (X, Y, {"sample_weight": 2.0}, "sample_weight must hold one entry.*Got 2.0"),
    "weights": (X, Y, {"sample_weight": -np.ones(40)}, "at least zero. Got neg.*Correct them"),
    "one group": (X, Y, {"groups": 2.0}, "groups must hold one entry.*Got 2.0. Pass"),
    "groups": (X, Y, {"groups": np.ones(39)}, "same number of rows.*'groups': 39}. Pass"),
    "gaps": (X, Y, {"groups": missing(np.nan)}, "group of each row. Got 1 missing ones. Give"),
    "n_jobs": (X, Y, {"n_jobs": "all"}, "'n_jobs' parameter of compare.*Got 'all' instead. Use"),
    "verbose": (X, Y, {"verbose": "yes"}, "'verbose' parameter of compare.*Got 'yes' instead"),
    "on_error": (X, Y, {"on_error": "skip"}, "'on_error' parameter of compare.*Got 'skip'"),
    "final_fit": (X, Y, {"final_fit": "no"}, "'final_fit' parameter of compare.*Got 'no'"),
    "folds": (X, Y, {"outer": 30}, "Every class has fewer rows.*20 at most.*set outer to 20"),
    "ids": (
        X,
        np.array([f"id {i}" for i in range(40)]),
        {"outer": 5},
        "40 classes of one row each, such as id .*Check the target",
    ),
}


@pytest.mark.filterwarnings("ignore:The number of unique classes is greater")
@pytest.mark.parametrize("case", TABLES)
def test_mistakes_in_what_is_compared(case):
    rows, y, options, message = TABLES[case]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        se.compare([("never", Unfittable())], rows, y, **options)
    if not options:
        with pytest.raises(ValueError, match=f"(?s){message}"):
            se.default_estimators(rows, y)
