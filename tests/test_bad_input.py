"""Bad input: every mistake gets an error that says what is wrong, what was got, and what to do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import stackens as se

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = np.arange(40) % 2
MODELS = [("lr", LogisticRegression()), ("nb", GaussianNB())]
FRAME = pd.DataFrame(X, columns=list("abc")).assign(text=np.where(Y, "yes", "no"))
MAKERS = [se.StackedClassifier, se.BlendedClassifier]


def missing(value):
    y = Y.astype(object if value is None else float)
    y[3] = value
    return y


# name: (parameters, fit arguments, error, what is wrong, what was got and what to do)
CASES = {
    "no rows": ({}, (X[:0], Y[:0]), ValueError, "at least one row.*0 sample.*Check how"),
    "one row": ({}, (X[:1], Y[:1]), ValueError, "at least two classes.*one class.*add rows"),
    "one class": ({}, (X, Y * 0), ValueError, r"at least two classes.*one class: \[0\].*Check"),
    "fewer target rows": (
        {},
        (X, Y[:-1]),
        ValueError,
        "same number of rows.*'X': 40, 'y': 39.*Pass what belongs",
    ),
    "fewer weights": (
        {},
        (X, Y, np.ones(39)),
        ValueError,
        "same number of rows.*'sample_weight': 39.*Pass",
    ),
    "fewer groups": (
        {},
        (X, Y, None, np.ones(39)),
        ValueError,
        "same number of rows.*'groups': 39.*Pass",
    ),
    "NaN in the target": (
        {},
        (X, missing(np.nan)),
        ValueError,
        r"contains NaN or None.*must not be missing.*Drop",
    ),
    "None in the target": (
        {},
        (X, missing(None)),
        ValueError,
        r"contains NaN or None.*must not be missing.*Drop",
    ),
    "infinite target": ({}, (X, missing(np.inf)), ValueError, r"Input y contains infinity.*Drop"),
    "no columns": (
        {},
        (X[:, :0], Y),
        ValueError,
        r"at least one column.*0 feature\(s\).*Check how the columns",
    ),
    "two columns of one name": (
        {},
        (FRAME[["a", "b", "a"]], Y),
        ValueError,
        r"different names.*\['a'\] more than once.*Rename",
    ),
    "one weight for all": (
        {},
        (X, Y, 2.0),
        ValueError,
        "sample_weight must hold one entry for each row.*Got 2.0.*Pass an array",
    ),
    "one group for all": (
        {},
        (X, Y, None, 2.0),
        ValueError,
        "groups must hold one entry for each row.*Got 2.0.*Pass an array",
    ),
    "a class for each row": (
        {},
        (X, np.array([f"id {i}" for i in range(40)])),
        ValueError,
        "fewer rows than there are folds.*Got 40 classes of one row each.*Check the target",
    ),
    "rare classes": (
        {"cv": 5},
        (X[:8], Y[:8]),
        ValueError,
        "Every class has fewer rows.*4 at most.*set cv to 4",
    ),
    "fewer rows than folds": (
        {"cv": 41},
        (X, Y),
        ValueError,
        "at least as many rows as folds.*40 rows.*fewer folds",
    ),
    "one fold": ({"cv": 1}, (X, Y), ValueError, r"'cv' parameter of .* must be an int in.*Got 1"),
    "cv by name": (
        {"cv": "loo"},
        (X, Y),
        ValueError,
        r"'cv' parameter of .* must be an int.*Got 'loo'",
    ),
    "cv that gives nothing": ({"cv": []}, (X, Y), ValueError, r"no splits.*\[\].*pass a list"),
    "no models": ({"estimators": []}, (X, Y), ValueError, r"should be a non-empty list.*Got \[\]"),
    "duplicate names": (
        {"estimators": [MODELS[0], MODELS[0]]},
        (X, Y),
        ValueError,
        "must be unique.*'lr'.*Rename",
    ),
    "name of a parameter": (
        {"estimators": [("cv", GaussianNB())]},
        (X, Y),
        ValueError,
        r"conflict.*\['cv'\].*Rename",
    ),
    "double underscore": (
        {"estimators": [("a__b", GaussianNB())]},
        (X, Y),
        ValueError,
        "must not contain.*a__b.*Rename",
    ),
    "a class": (
        {"estimators": [("nb", GaussianNB)]},
        (X, Y),
        TypeError,
        "with a fit method.*'nb'.*brackets",
    ),
    "not a model": (
        {"estimators": [("nb", 3)]},
        (X, Y),
        TypeError,
        "with a fit method.*'nb': 3.*Pass one",
    ),
    "all switched off": (
        {"estimators": [("nb", "drop")]},
        (X, Y),
        ValueError,
        "All estimators.*dropped.*At least one",
    ),
    "final fit for nobody": (
        {"final_fit": {"z": "bag"}},
        (X, Y),
        ValueError,
        r"'final_fit' parameter.*\['z'\].*names are",
    ),
    "unknown final fit": (
        {"final_fit": {"lr": "never"}},
        (X, Y),
        ValueError,
        r"'final_fit' parameter.*must be one of.*Got 'never'",
    ),
    "unknown method": (
        {"stack_method": "guess"},
        (X, Y),
        ValueError,
        r"'stack_method' parameter.*must be a str among.*Got 'guess'",
    ),
    "method a model lacks": (
        {"estimators": [LinearSVC()], "stack_method": "predict_proba"},
        (X, Y),
        ValueError,
        "does not implement.*LinearSVC.*Choose another",
    ),
    "a transformer": (
        {"estimators": [("scale", StandardScaler())]},
        (X, Y),
        ValueError,
        "scale does not implement.*StandardScaler.*leave the model out",
    ),
    "weights that a model cannot take": (
        {"estimators": [KNeighborsClassifier()]},
        (X, Y, np.ones(40)),
        TypeError,
        "KNeighborsClassifier.*does not support.*Leave",
    ),
    "negative weights": (
        {},
        (X, Y, -np.ones(40)),
        ValueError,
        "at least zero.*as low as -1.*Correct them",
    ),
    "text for a model of numbers": (
        {},
        (FRAME, Y),
        ValueError,
        "Base model 'lr'.*could not convert string.*Fix or remove",
    ),
    "missing values for a model of numbers": (
        {},
        (np.where(X > 1.5, np.nan, X), Y),
        ValueError,
        "Base model 'lr'.*NaN.*Fix or remove",
    ),
    "one dimension": ({}, (X[:, 0], Y), ValueError, "Expected 2D.*1D array.*Reshape"),
    "several columns of classes": (
        {},
        (X, np.column_stack([Y, Y + (X[:, 0] > 0)])),
        ValueError,
        "one column of.*Got several.*Fit one",
    ),
    "labels of several types": (
        {},
        (X, np.array([0, "no"] * 20, dtype=object)),
        ValueError,
        "one type.*Got objects of type int, str.*Convert",
    ),
    "a group splitter without groups": (
        {"cv": GroupKFold(3)},
        (X, Y),
        ValueError,
        r"GroupKFold.*needs the group.*Got groups=None. Pass groups=",
    ),
    "rows without a group": (
        {},
        (X, Y, None, np.where(Y, np.nan, 1.0)),
        ValueError,
        "group of each row.*Got 20 missing.*Give those rows",
    ),
    "numbers with fractions as classes": (
        {},
        (X, X[:, 0]),
        ValueError,
        "Unknown label type.*continuous.*classifier",
    ),
    "a word for random_state": (
        {"random_state": "x"},
        (X, Y),
        ValueError,
        r"'random_state' parameter.*must be.*Got 'x'",
    ),
    "a word for n_jobs": (
        {"n_jobs": "all"},
        (X, Y),
        ValueError,
        r"'n_jobs' parameter.*must be.*Got 'all'",
    ),
    "no jobs at all": (
        {"n_jobs": 0},
        (X, Y),
        ValueError,
        "'n_jobs' parameter.*must be.*Got 0 instead.*Use 1",
    ),
    "prefit models that are not fitted": (
        {"cv": "prefit"},
        (X, Y),
        NotFittedError,
        r"must be fitted already.*Got 'lr' \(LogisticRegression\).*Call its fit",
    ),
    "unknown on_error": (
        {"on_error": "skip"},
        (X, Y),
        ValueError,
        r"'on_error' parameter.*must be a str among.*Got 'skip'",
    ),
}


@pytest.mark.filterwarnings("ignore:The number of unique classes is greater")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("case", CASES)
def test_mistakes_are_explained(case, make):
    parameters, data, error, message = CASES[case]
    estimator = make(**({"estimators": MODELS} | parameters))
    with pytest.raises(error, match=f"(?s){message}"):
        estimator.fit(*data)


@pytest.mark.parametrize("make", [se.StackedRegressor, se.BlendedRegressor])
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(Y, "yes", "no"), "must hold numbers.*Got values of type.*Use the classifier"),
        (np.where(Y, np.nan, 1.5), "contains NaN.*Drop"),
        (np.where(Y, np.inf, 1.5), "contains infinity.*Drop"),
    ],
)
def test_targets_of_regressors(make, y, message):
    with pytest.raises(ValueError, match=message):
        make([("ridge", Ridge())]).fit(X, y)


@pytest.mark.parametrize("make", [se.StackedRegressor, se.BlendedRegressor])
def test_classifiers_for_numbers(make):
    message = "needs regressors.*estimator nb should be a regressor. Got a GaussianNB.*Use the"
    with pytest.raises(ValueError, match=message):
        make([("ridge", Ridge()), ("nb", GaussianNB())]).fit(X, X[:, 0])


def test_truth_values_that_come_from_a_column_with_gaps():
    y = pd.Series(np.where(Y, True, False), dtype=object)
    stack = se.StackedClassifier(MODELS).fit(X, y)
    assert stack.classes_.tolist() == [False, True]
    assert stack.score(X, y) == stack.score(X, y.astype(bool)) > 0.4
    report = se.compare(MODELS, X, y, strategies=["lr", "nb"], outer=0.3)
    assert report.frame()["score"].notna().all()
    assert len(se.default_estimators(X, y)) >= 5


def test_a_compact_cross_fit_has_no_table_to_learn_from():
    compact = se.cross_fit(MODELS, X, Y).compact()
    with pytest.raises(ValueError, match=r"learns from the table.*Got a compact.*Pass the one"):
        se.StackedClassifier(MODELS).fit_from(compact)
    blend = se.BlendedClassifier(MODELS, weighting="uniform").fit_from(compact)  # learns nothing
    assert len(blend.predict(X)) == len(Y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"final_fit": "sometimes"}, "The 'final_fit' parameter of cross_fit.*Got 'sometimes'"),
        ({"out_of_bag": "maybe"}, "The 'out_of_bag' parameter of cross_fit.*Got 'maybe'"),
        ({"stack_method": "guess"}, "The 'stack_method' parameter of cross_fit.*Got 'guess'"),
        ({"on_error": "skip"}, "The 'on_error' parameter of cross_fit.*Got 'skip'"),
        ({"final_fit": {"z": "bag"}}, r"'final_fit' parameter.*Got \['z'\].*The names are"),
        ({"cv": "loo"}, "The 'cv' parameter must be.*Got 'loo'"),
        ({"random_state": "x"}, "'x' cannot be used to seed"),
        ({"n_jobs": "all"}, "The 'n_jobs' parameter of cross_fit.*Got 'all'"),
        ({"verbose": "yes"}, "The 'verbose' parameter of cross_fit.*Got 'yes'"),
        ({"params": {"prior": 1}}, r"Passing \['prior'\].*enable_metadata_routing"),
    ],
)
def test_options_of_cross_fit(options, message):
    with pytest.raises(ValueError, match=message):
        se.cross_fit(MODELS, X, Y, **options)


def test_no_target():
    with pytest.raises(ValueError, match="y must hold one target for each row. Got None"):
        se.cross_fit(MODELS, X, None)
    with pytest.raises(ValueError, match="requires y to be passed"):
        se.StackedClassifier(MODELS).fit(X, None)


def test_a_model_without_predictions_for_the_task():
    with pytest.raises(ValueError, match=r"learn the target. Got 'clusters' \(KMeans\)"):
        se.StackedClassifier([("clusters", KMeans(2)), *MODELS]).fit(X, Y)


def test_new_rows_of_another_shape():
    stack = se.StackedClassifier(MODELS).fit(X, Y)
    with pytest.raises(ValueError, match="2 features, but StackedClassifier is expecting 3"):
        stack.predict(X[:, :2])
    with pytest.raises(ValueError, match="Expected 2D array"):
        stack.predict(X[0])
