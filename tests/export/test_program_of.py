"""Tests of what a whole model becomes: its columns, its answer, its classes, and refusals."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.cross_decomposition import PLSRegression
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import stackens as se
from stackens._core._task import Task
from stackens.exceptions import ExportError
from stackens.export._program_of import program_of
from stackens.export.program import evaluate
from stackens.out_of_fold import FoldBag

IRIS, SPECIES = load_iris(return_X_y=True, as_frame=True)
X = IRIS.to_numpy()
Y = SPECIES.to_numpy()
TWO = Y > 0
BOOSTED = {"n_estimators": 4, "num_leaves": 4, "verbose": -1, "n_jobs": 1}


def answers(program, rows=X):
    return evaluate(program, list(np.asarray(rows, dtype=float).T))[0]


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("y", [Y, TWO, np.array(["no", "yes"])[TWO.astype(int)]])
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(max_iter=500),
        make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3)),
        lightgbm.LGBMClassifier(**BOOSTED),
    ],
)
def test_a_classifier_answers_with_probabilities(model, y):
    program = program_of(model.fit(X, y))
    assert (program.response, program.n_outputs) == ("probabilities", len(np.unique(y)))
    assert program.classes.tolist() == np.unique(y).tolist()
    np.testing.assert_allclose(answers(program), model.predict_proba(X), rtol=1e-12)


def test_one_class_has_a_probability_of_one():
    program = program_of(DecisionTreeClassifier().fit(X, np.full(len(X), 7)))
    assert (program.response, program.classes.tolist()) == ("probabilities", [7])
    assert answers(program).tolist() == [[1.0]] * len(X)


@pytest.mark.parametrize("model", [HistGradientBoostingClassifier(max_iter=2), RidgeClassifier()])
def test_one_class_without_a_probability_of_one_is_refused(model):
    model.fit(X, np.zeros(len(X)))
    with pytest.raises(ExportError, match=r"one class must .* two classes or more"):
        program_of(model)


@pytest.mark.parametrize("y", [Y, TWO])
def test_a_classifier_without_probabilities_answers_with_scores(y):
    model = LinearSVC().fit(X, y)
    program = program_of(model)
    assert (program.response, program.n_outputs) == ("scores", 1 if y is TWO else 3)
    expected = model.decision_function(X).reshape(len(X), -1)
    np.testing.assert_allclose(answers(program), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "columns", "one_target"),
    [
        (DecisionTreeRegressor(max_depth=3), slice(0, 1), True),
        (DecisionTreeRegressor(max_depth=3), slice(0, 2), False),
        (Ridge(), 0, True),
        (LinearRegression(), 0, True),
        (LinearRegression(), slice(0, 1), False),
        (make_pipeline(StandardScaler(), LinearRegression()), slice(0, 1), False),
        (lightgbm.LGBMRegressor(**BOOSTED), 0, True),
    ],
)
def test_a_regressor_answers_with_values_in_the_shape_of_its_target(model, columns, one_target):
    y = X[:, columns] ** 2
    program = program_of(model.fit(X[:, 2:], y))
    assert (program.response, program.one_target, program.classes) == ("values", one_target, None)
    expected = model.predict(X[:, 2:])
    assert (expected.ndim == 1) == one_target
    found = answers(program, X[:, 2:])
    np.testing.assert_allclose(found, expected.reshape(len(X), -1), rtol=1e-12)


@pytest.mark.parametrize(
    ("objective", "y", "response", "n_outputs"),
    [
        ("binary", TWO, "probabilities", 2),
        ("multiclass", Y, "probabilities", 3),
        ("multiclassova", Y, "probabilities", 3),
        ("cross_entropy", TWO, "values", 1),
        ("regression", X[:, 0], "values", 1),
    ],
)
def test_a_bare_booster(objective, y, response, n_outputs):
    settings = {"objective": objective, "num_leaves": 4, "verbose": -1}
    settings["num_class"] = 3 if objective.startswith("multi") else 1
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y.astype(float)), 3)
    program = program_of(booster)
    assert (program.response, program.n_outputs) == (response, n_outputs)
    assert (program.classes is None) == (response == "values")
    expected = booster.predict(X).reshape(len(X), -1)
    if objective == "binary":
        expected = np.hstack([1 - expected, expected])
    np.testing.assert_allclose(answers(program), expected, rtol=1e-14)


@pytest.mark.parametrize("kind", ["stack", "blend", "bag"])
def test_ensembles(kind):
    models = [("lgbm", lightgbm.LGBMClassifier(**BOOSTED)), ("tree", DecisionTreeClassifier())]
    if kind == "bag":
        folds = [lightgbm.LGBMClassifier(**BOOSTED).fit(X[i::2], Y[i::2]) for i in range(2)]
        model = FoldBag(folds, "predict_proba", Task("multiclass", 3, np.arange(3)), [75, 75])
    elif kind == "stack":
        model = se.StackedClassifier(models, cv=3, random_state=0).fit(X, Y)
    else:
        model = se.BlendedClassifier(models, cv=3, random_state=0).fit(X, Y)
    program = program_of(model)
    assert program.response == "probabilities"
    assert program.classes.tolist() == [0, 1, 2]
    np.testing.assert_allclose(answers(program), model.predict_proba(X), rtol=1e-12)


# ---------------------------------------------------------------- columns


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(max_iter=500),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline("passthrough", DecisionTreeClassifier()),
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [2, 3]}),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_names_of_columns(model, named):
    program = program_of(clone(model).fit(IRIS if named else X, Y))
    names = list(IRIS.columns) if named else ["x0", "x1", "x2", "x3"]
    assert program.named == named
    assert [column.name for column in program.columns] == names


@pytest.mark.parametrize("named", [True, False])
def test_names_that_lightgbm_makes_up_are_none(named):
    rows = IRIS.set_axis(list("abcd"), axis=1) if named else X
    model = lightgbm.LGBMClassifier(**BOOSTED).fit(rows, Y)
    for source in (model, model.booster_):
        program = program_of(source)
        assert program.named == named
        names = ["a", "b", "c", "d"] if named else ["x0", "x1", "x2", "x3"]
        assert [column.name for column in program.columns] == names


def test_columns_of_an_ensemble_that_never_saw_rows():
    models = [("tree", DecisionTreeClassifier()), ("logistic", LogisticRegression(max_iter=500))]
    table = se.cross_fit(models, IRIS, Y).compact()
    object.__setattr__(table.out_of_fold, "features", None)
    blend = se.BlendedClassifier(models, weighting=[0.5, 0.5]).fit_from(table)
    program = program_of(blend)
    assert [column.name for column in program.columns] == list(IRIS.columns)


def test_columns_of_a_frozen_network():
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    frozen = se.FrozenNetwork(network, output="logits")
    program = program_of(frozen)
    assert len(program.columns) == 4
    assert program.classes.tolist() == [0, 1, 2]
    rows = X.astype(np.float32)
    np.testing.assert_allclose(answers(program), frozen.predict_proba(rows), rtol=1e-5)
    encoder = se.TabularEncoder(scale=True).fit(IRIS)
    program = program_of(se.FrozenNetwork(network, output="logits", preprocess=encoder))
    assert [column.name for column in program.columns] == list(IRIS.columns)


def test_columns_that_are_not_known():
    torch = pytest.importorskip("torch")
    with pytest.raises(ExportError, match=r"number of columns must be known\. Got FrozenNetwork"):
        program_of(se.FrozenNetwork(torch.nn.Identity(), output="values"))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (LogisticRegression, ExportError, "Got the class LogisticRegression. Make an object"),
        (LogisticRegression(), NotFittedError, r"not fitted yet\. Call 'fit'"),
        (make_pipeline(StandardScaler(), LogisticRegression()), NotFittedError, "not fitted yet"),
        (se.StackedClassifier([("nb", LogisticRegression())]), NotFittedError, "not fitted yet"),
        (KMeans(2, n_init=1).fit(X), ExportError, "clusterer without a prediction of classes"),
        (IsolationForest(n_estimators=2).fit(X), ExportError, "outlier_detector without"),
        (StandardScaler().fit(X), ExportError, "exported together with the model behind it"),
        ("a text", ExportError, "need a classifier or a regressor. Got 'a text', a str without"),
        (
            RandomForestClassifier(2).fit(X, np.column_stack([Y, TWO])),
            ExportError,
            "several labels",
        ),
        (
            OneVsRestClassifier(DecisionTreeClassifier()).fit(X, np.column_stack([TWO, Y > 1])),
            ExportError,
            "several labels",
        ),
        (
            VotingClassifier([("tree", DecisionTreeClassifier())]).fit(X, Y),
            ExportError,
            r"predict_proba or decision_function\. Got VotingClassifier",
        ),
        (
            FixedThresholdClassifier(LogisticRegression(), threshold=0.3).fit(X, TWO),
            ExportError,
            "has a threshold of its own",
        ),
        (
            OneVsOneClassifier(DecisionTreeClassifier()).fit(X, TWO),
            ExportError,
            r"threshold is a half\. Export the one classifier inside",
        ),
        (
            SGDClassifier(loss="modified_huber").fit(X, Y),
            ExportError,
            "cut off at 1, so that classes",
        ),
        (SVC().fit(X, Y), ExportError, "breaks ties in another way. Set break_ties=True"),
        (
            make_pipeline(SVC(decision_function_shape="ovo", break_ties=True)).fit(X[:90], Y[:90]),
            None,
            "",
        ),
    ],
)
def test_what_has_no_exact_answer_is_refused(model, error, message):
    if error is None:
        assert program_of(model).response == "scores"
        return
    with pytest.raises(error, match=message):
        program_of(model)


def test_a_cross_fit_is_no_model():
    table = se.cross_fit({"tree": DecisionTreeClassifier()}, X, Y)
    with pytest.raises(ExportError, match="a cross-fit with its combiner, as a StackedClassifier"):
        program_of(table)


def test_a_threshold_inside_a_stack_or_a_search_is_found():
    final = FixedThresholdClassifier(LogisticRegression(), threshold=0.3)
    stack = se.StackedClassifier([("tree", DecisionTreeClassifier())], final).fit(X, TWO)
    search = GridSearchCV(final, {"threshold": [0.3]}).fit(X, TWO)
    for model in (stack, make_pipeline(search).fit(X, TWO)):
        with pytest.raises(ExportError, match="threshold of its own"):
            program_of(model)


def test_partial_least_squares_of_one_column_and_of_a_matrix_of_one():
    for y, one_target in ((X[:, 0], True), (X[:, :1], False)):
        program = program_of(PLSRegression(1).fit(X[:, 1:], y))
        assert program.one_target == one_target


def test_unreadable_models_are_named():
    with pytest.raises(ExportError, match="KNeighborsClassifier of sklearn cannot be exported"):
        program_of(KNeighborsClassifier().fit(X, Y))


def test_labels_of_every_type_stay_what_they_are():
    y = pd.Series(SPECIES).map({0: "setosa", 1: "versicolor", 2: "virginica"})
    program = program_of(DecisionTreeClassifier(max_depth=2).fit(X, y))
    assert program.classes.tolist() == ["setosa", "versicolor", "virginica"]


def test_a_bare_booster_of_xgboost_is_refused_with_a_way_that_works():
    xgboost = pytest.importorskip("xgboost")
    X = np.random.default_rng(0).normal(size=(40, 2))
    data = xgboost.DMatrix(X, X[:, 0] > 0)
    booster = xgboost.train({"objective": "binary:logistic"}, data, 3)
    with pytest.raises(ExportError, match=r"load_model\(booster.save_raw"):
        program_of(booster)
    model = xgboost.XGBClassifier()
    model.load_model(booster.save_raw())
    program = program_of(model)
    (answers,) = evaluate(program, list(X.T))
    np.testing.assert_allclose(answers, model.predict_proba(X), atol=1e-6)
