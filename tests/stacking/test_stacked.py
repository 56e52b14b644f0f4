"""Tests of the stacks: the final estimator, features that pass through, and what they refuse."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.datasets import (
    load_wine,
    make_classification,
    make_multilabel_classification,
    make_regression,
)
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, StackingRegressor
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.combiners import Combiner, SimplexWeights
from stackens.export.program import Graph
from stackens.export.readers import Table, read_response
from tests.base_models import CountingClassifier
from tests.export.exported import answers, assert_exported, mixed_table

X, Y = make_classification(120, 5, random_state=0)
Y3 = np.arange(120) % 3
FRAME = pd.DataFrame(X, columns=list("abcde"))
MODELS = [("lr", LogisticRegression()), ("nb", GaussianNB())]


@pytest.mark.parametrize("passthrough", [False, True])
@pytest.mark.parametrize("y", [Y, Y3])
def test_the_same_as_scikit_learn_with_the_same_folds(passthrough, y):
    models = [("lr", LogisticRegression()), ("svc", LinearSVC())]
    options = {"final_estimator": LogisticRegression(), "cv": StratifiedKFold(3)}
    ours = se.StackedClassifier(models, passthrough=passthrough, **options).fit(X, y)
    theirs = StackingClassifier(models, passthrough=passthrough, **options).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-5)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X))
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_the_same_as_scikit_learn_for_regression():
    X, y = make_regression(100, 5, noise=5, random_state=0)
    models = [("ridge", Ridge()), ("knn", KNeighborsRegressor())]
    folds = list(StratifiedKFold(3).split(X, y > 0))
    ours = se.StackedRegressor(models, Ridge(), cv=folds).fit(X, y)
    theirs = StackingRegressor(models, Ridge(), cv=folds).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("weights", [None, np.arange(120) % 3])
def test_labels_with_features_beside(weights):
    labels = np.column_stack([Y, Y3 == 0]).astype(int)
    stack = se.StackedClassifier([DecisionTreeClassifier(max_depth=2)], passthrough=True, cv=3)
    stack.fit(FRAME, labels, weights)
    assert stack.predict_proba(FRAME).shape == stack.predict(FRAME).shape == (120, 2)
    assert (stack.predict(FRAME) == labels).mean() > 0.7


@pytest.mark.parametrize("final", ["auto", None, "simplex", SimplexWeights()])
def test_combiners_as_final_estimator(final):
    stack = se.StackedClassifier(MODELS, final).fit(X, Y)
    assert isinstance(stack.final_estimator_, Combiner)
    proba = stack.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    log_odds = stack.decision_function(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), proba[:, 1])
    three = se.StackedClassifier(MODELS, final).fit(X, Y3)
    np.testing.assert_allclose(np.exp(three.decision_function(X)), three.predict_proba(X))


@pytest.mark.parametrize("n_labels", [2, 3])
def test_log_odds_of_several_labels(n_labels):
    X, Y = make_multilabel_classification(100, 5, n_classes=n_labels, random_state=0)
    stack = se.StackedClassifier([KNeighborsClassifier(15)]).fit(X, Y)
    log_odds = stack.decision_function(X)
    assert log_odds.shape == Y.shape
    np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), stack.predict_proba(X), atol=1e-12)


def test_several_labels_beside_features_when_one_is_always_there():
    X, Y = make_multilabel_classification(100, 5, n_classes=3, random_state=0)
    Y[:, 1] = 1
    stack = se.StackedClassifier([KNeighborsClassifier(15)], passthrough=True)
    with pytest.warns(UserWarning, match="Label 1 is present"):
        stack.fit(X, Y)
    proba = stack.predict_proba(X)
    assert (proba[:, 1] == 1).all()
    assert 0.2 < proba[:, [0, 2]].mean() < 0.8
    assert stack.decision_function(X).shape == Y.shape


def test_methods_are_those_of_the_final_estimator():
    stack = se.StackedClassifier(MODELS, LinearSVC())
    assert not hasattr(stack, "predict_proba")
    margins = stack.fit(X, Y).decision_function(X)
    np.testing.assert_array_equal(stack.predict(X), margins > 0)
    assert not hasattr(se.StackedClassifier(MODELS, KNeighborsClassifier()), "decision_function")
    assert hasattr(se.StackedClassifier(MODELS), "predict_proba")


def test_parameters_of_predict_reach_the_final_estimator():
    X, y = make_regression(60, 4, random_state=0)
    stack = se.StackedRegressor([("ridge", Ridge())], BayesianRidge()).fit(X, y)
    mean, deviation = stack.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, stack.predict(X))
    assert (deviation > 0).all()


@pytest.mark.parametrize("final", ["auto", None, LogisticRegression()])
@pytest.mark.parametrize(
    "wrap", [np.asarray, np.ndarray.tolist, sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix]
)
def test_features_pass_through(final, wrap):
    models = [("lr", LogisticRegression()), ("nb", MultinomialNB())]
    stack = se.StackedClassifier(models, final, passthrough=True)
    data = wrap(np.abs(X))
    stack.fit(data, Y)
    assert stack.predict(data).shape == (120,)
    table = stack.transform(data)
    assert table.shape == (120, 7)
    assert sparse.issparse(table) == sparse.issparse(data)
    dense = table.toarray() if sparse.issparse(table) else table
    np.testing.assert_array_equal(dense[:, 2:], np.abs(X))


@pytest.mark.parametrize("columns", [["b", "d"], True])
@pytest.mark.parametrize("library", [pd, pl])
def test_columns_pass_through_by_name(columns, library):
    data = FRAME if library is pd else pl.DataFrame(X, schema=list("abcde"))
    stack = se.StackedClassifier(MODELS, DecisionTreeClassifier(), passthrough=columns)
    stack.fit(data, Y)
    passed = list("abcde") if columns is True else columns
    assert stack.final_estimator_.feature_names_in_.tolist() == ["lr", "nb", *passed]
    assert stack.predict(data).shape == (120,)


def test_columns_pass_through_by_position():
    stack = se.StackedClassifier(MODELS, LogisticRegression(), passthrough=[0, -1]).fit(X, Y)
    np.testing.assert_array_equal(stack.transform(X)[:, 2:], X[:, [0, -1]])


def test_weights_reach_the_final_estimator():
    weights = np.where(Y == 1, 50.0, 1.0)
    plain = se.StackedClassifier(MODELS, LogisticRegression()).fit(X, Y)
    weighted = se.StackedClassifier(MODELS, LogisticRegression()).fit(X, Y, sample_weight=weights)
    assert weighted.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.05


def test_an_unseeded_final_estimator_is_seeded():
    seeds = {
        se.StackedClassifier(MODELS, DecisionTreeClassifier(), random_state=seed)
        .fit(X, Y)
        .final_estimator_.random_state
        for seed in (0, 0, 1)
    }
    assert len(seeds) == 2
    unseeded = se.StackedClassifier(MODELS, DecisionTreeClassifier()).fit(X, Y)
    assert unseeded.final_estimator_.random_state is None


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"final_estimator": Ridge()}, ValueError, "should be a classifier. Got Ridge"),
        ({"final_estimator": "nonsense"}, ValueError, "The 'final_estimator' parameter"),
        ({"final_estimator": 3}, ValueError, "The 'final_estimator' parameter"),
        (
            {"final_estimator": "simplex", "passthrough": True},
            ValueError,
            "cannot use passthrough=True. Got final_estimator='simplex'. Pass a scikit-learn",
        ),
        ({"passthrough": "a"}, ValueError, "The 'passthrough' parameter"),
        ({"stack_method": "nonsense"}, ValueError, "The 'stack_method' parameter"),
    ],
)
def test_parameters_are_checked_before_anything_is_fitted(parameters, error, message):
    CountingClassifier.fits = 0
    with pytest.raises(error, match=message):
        se.StackedClassifier([CountingClassifier()], **parameters).fit(X, Y)
    assert CountingClassifier.fits == 0


def test_a_final_estimator_without_weights_is_refused_early():
    CountingClassifier.fits = 0
    stack = se.StackedClassifier([CountingClassifier()], KNeighborsClassifier())
    with pytest.raises(TypeError, match="KNeighborsClassifier does not support sample weights"):
        stack.fit(X, Y, sample_weight=np.ones(120))
    assert CountingClassifier.fits == 0


def test_a_final_estimator_that_fails_is_named():
    frame = FRAME.assign(text=np.where(Y, "yes", "no"))
    models = [make_pipeline(se.TabularEncoder(), GaussianNB())]
    stack = se.StackedClassifier(models, LogisticRegression(), passthrough=["text"])
    with pytest.raises(ValueError, match="The final estimator .LogisticRegression. failed: Value"):
        stack.fit(frame, Y)
    assert stack.set_params(final_estimator="auto").fit(frame, Y).score(frame, Y) == 1.0


# ---------------------------------------------------------------- in exports

SMALL = {
    "lgbm": make_pipeline(
        se.TabularEncoder(impute=None),
        LGBMClassifier(n_estimators=10, min_child_samples=5, verbose=-1, n_jobs=1),
    ),
    "forest": make_pipeline(se.TabularEncoder(), RandomForestClassifier(10, random_state=0)),
}


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_a_stack_of_the_default_estimators_is_exported_whole(kind):
    pytest.importorskip("torch")
    X, y = mixed_table(kind)
    models = se.default_estimators(X, y)
    stacked = se.StackedRegressor if kind == "regression" else se.StackedClassifier
    if kind != "binary":  # a network takes as long as all others together
        models = [model for model in models if model[0] != "mlp"]
    program = assert_exported(stacked(models, cv=2, random_state=0).fit(X, y), X)
    assert program.named
    assert not program.single_precision
    kinds = [column.kind for column in program.columns]
    assert kinds == ["number", "number", "category", "category", "number", "datetime"]


@pytest.mark.parametrize("final_fit", ["bag", "refit"])
@pytest.mark.parametrize("passthrough", [True, ["town", "age"], [1, -1]])
def test_features_that_pass_through_reach_an_export_as_they_are(final_fit, passthrough):
    X, y = mixed_table("binary")
    stack = se.StackedClassifier(
        SMALL, passthrough=passthrough, cv=2, final_fit=final_fit, out_of_bag=False
    )
    assert_exported(stack.fit(X, y), X)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize(
    "final", [DecisionTreeClassifier(max_depth=3), LinearSVC(), LogisticRegression(), "logistic"]
)
def test_every_answer_of_a_stack_is_exported(kind, final):
    X, y = mixed_table(kind)
    stack = se.StackedClassifier(SMALL, final, cv=2).fit(X, y)
    program = assert_exported(stack, X)
    assert program.response == ("scores" if isinstance(final, LinearSVC) else "probabilities")
    graph = Graph(X.columns)
    for method in ("predict", "decision_function"):
        if not hasattr(stack, method):
            continue
        node = read_response(stack, graph, Table.of_raw_rows(graph), method)
        found = answers(graph.program(node, "values"), X)
        if method == "predict":
            found = stack.classes_[found[:, 0].astype(int)]
        expected = getattr(stack, method)(X)
        if method == "predict":
            np.testing.assert_array_equal(found, expected)
        else:
            np.testing.assert_allclose(found, expected.reshape(len(X), -1), rtol=1e-11)


def test_a_stack_inside_a_stack_and_a_regressor_under_classes_are_exported():
    X, y = mixed_table("binary")
    inner = se.StackedClassifier(SMALL, cv=2, out_of_bag=False)
    ridge = make_pipeline(se.TabularEncoder(), Ridge())
    models = {"inner": inner, "ridge": ridge, "lgbm": SMALL["lgbm"]}
    stack = se.StackedClassifier(models, LogisticRegression(), cv=2).fit(X, y == "yes")
    assert_exported(stack, X)


def test_a_stack_of_arrays_is_exported_without_names():
    X, y = load_wine(return_X_y=True)
    models = {"forest": RandomForestClassifier(10, random_state=0), "nb": GaussianNB()}
    program = assert_exported(se.StackedClassifier(models, cv=2, passthrough=[0, -1]).fit(X, y), X)
    assert not program.named
    assert len(program.columns) == 13
