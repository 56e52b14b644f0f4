"""Tests of the blends: which combiner they use, weights, scoring, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, make_scorer, roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import stackens as se
from stackens.combiners import COMBINERS, FixedWeights, MajorityVote, SimplexWeights
from stackens.exceptions import (
    BaseModelWarning,
    ConstantPredictionWarning,
    ExportError,
    RareClassWarning,
)
from tests.base_models import CountingClassifier, FailingClassifier
from tests.export.exported import assert_exported, mixed_table

X, Y = make_classification(150, 6, flip_y=0.2, random_state=0)
MODELS = [
    ("lr", LogisticRegression()),
    ("nb", GaussianNB()),
    ("tree", DecisionTreeClassifier(max_depth=2, random_state=0)),
]


def test_the_default_weights_are_convex_and_no_worse_than_any_single_model():
    blend = se.BlendedClassifier(MODELS).fit(X, Y)
    assert blend.weights_.shape == (3,)
    assert blend.weights_.min() >= 0
    np.testing.assert_allclose(blend.weights_.sum(), 1)
    table = blend.out_of_fold_
    combined = log_loss(Y, blend.combiner_.combine(table))
    assert combined <= min(log_loss(Y, table.values[:, m]) for m in range(3)) + 1e-6


def test_predictions_are_the_weighted_mean():
    blend = se.BlendedClassifier(MODELS, weighting=[0.5, 0.25, 0.25]).fit(X, Y)
    proba = [model.predict_proba(X) for model in blend.estimators_]
    np.testing.assert_allclose(blend.predict_proba(X), np.average(proba, axis=0, weights=[2, 1, 1]))
    uniform = se.BlendedClassifier(MODELS, weighting="uniform").fit(X, Y)
    np.testing.assert_allclose(uniform.predict_proba(X), np.mean(proba, axis=0))


@pytest.mark.filterwarnings("ignore::stackens.exceptions.ConstantPredictionWarning")
@pytest.mark.parametrize("weighting", ["simplex", "greedy", "nnls", "best", "auto"])
def test_a_useless_model_gets_no_weight(weighting):
    useless = ("useless", DummyClassifier(strategy="constant", constant=0))
    blend = se.BlendedClassifier([useless, ("lr", LogisticRegression())], weighting=weighting)
    proba = blend.fit(X, Y).predict_proba(X)
    alone = LogisticRegression().fit(X, Y).predict_proba(X)
    assert roc_auc_score(Y, proba[:, 1]) == pytest.approx(roc_auc_score(Y, alone[:, 1]), abs=1e-3)


def test_constant_models_are_named():
    with pytest.warns(ConstantPredictionWarning, match=r"\['same'\]"):
        se.BlendedRegressor([("same", DummyRegressor()), ("ridge", Ridge())], cv=[
            (np.arange(75), np.arange(75, 150)),
        ]).fit(X, X[:, 0])  # fmt: skip


@pytest.mark.parametrize("scoring", ["roc_auc", "accuracy", make_scorer(roc_auc_score)])
def test_greedy_takes_any_scorer(scoring):
    blend = se.BlendedClassifier(MODELS, weighting="greedy", scoring=scoring).fit(X, Y)
    np.testing.assert_allclose(blend.weights_.sum(), 1)


def test_a_combiner_as_a_parameter_is_copied():
    combiner = SimplexWeights()
    blend = se.BlendedClassifier(MODELS, weighting=combiner).fit(X, Y)
    assert not hasattr(combiner, "weights_")
    assert isinstance(blend.combiner_, SimplexWeights)
    assert blend.combiner_ is not combiner
    by_name = se.BlendedClassifier(MODELS, weighting="simplex").fit(X, Y)
    np.testing.assert_array_equal(blend.weights_, by_name.weights_)


def test_regression():
    X, y = make_regression(150, 6, noise=20, random_state=0)
    models = [Ridge(), DecisionTreeRegressor(max_depth=2, random_state=0)]
    blend = se.BlendedRegressor(models).fit(X, y)
    assert blend.weights_[0] > 0.8
    assert se.BlendedRegressor(models, weighting="greedy", scoring="r2").fit(X, y).score(X, y) > 0.9


def test_a_weight_for_each_model():
    with pytest.raises(ValueError, match="3"):
        se.BlendedClassifier(MODELS, weighting=[0.5, 0.5]).fit(X, Y)


@pytest.mark.parametrize("weighting", ["simplex", "uniform", "greedy"])
def test_margins_are_not_averaged_as_probabilities(weighting):
    blend = se.BlendedClassifier([("svc", LinearSVC()), *MODELS], weighting=weighting)
    with pytest.raises(ValueError, match=r"without predict_proba: \['svc'\]. Wrap them in"):
        blend.fit(X, Y)
    weights = np.arange(len(X))  # the reason is the same where the first row counts for nothing
    with pytest.raises(ValueError, match=r"without predict_proba: \['svc'\]. Wrap them in"):
        blend.fit(X, Y, sample_weight=weights)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"weighting": "nonsense"}, "The 'weighting' parameter of BlendedClassifier must be"),
        ({"weighting": 3}, "The 'weighting' parameter of BlendedClassifier must be"),
        (
            {"weighting": "greedy", "scoring": "nonsense"},
            "'scoring' parameter of BlendedClassifier.*Got 'nonsense'",
        ),
        ({"scoring": 3}, "The 'scoring' parameter of BlendedClassifier must be"),
    ],
)
def test_parameters_are_checked_before_anything_is_fitted(parameter, message):
    CountingClassifier.fits = 0
    with pytest.raises(ValueError, match=message):
        se.BlendedClassifier([CountingClassifier()], **parameter).fit(X, Y)
    assert CountingClassifier.fits == 0


def test_weights_as_a_series_survive_clone():
    blend = se.BlendedClassifier(MODELS, weighting=pd.Series([0.2, 0.3, 0.5]))
    np.testing.assert_allclose(clone(blend).fit(X, Y).weights_, [0.2, 0.3, 0.5])


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_wrong_weights_are_found_before_any_fit(weights):
    class NeverFitted(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            raise RuntimeError("fitted")

    blend = se.BlendedClassifier([("a", NeverFitted()), ("b", NeverFitted())], weighting=weights)
    with pytest.raises(ValueError, match="The weights of BlendedClassifier must"):
        blend.fit(np.eye(20), np.arange(20) % 2)


@pytest.mark.parametrize(
    "weighting", ["simplex", "uniform", "nnls", "best", "vote", [1.0], {"a": 1}, SimplexWeights()]
)
def test_a_scorer_that_nobody_would_use_is_refused(weighting):
    CountingClassifier.fits = 0
    blend = se.BlendedClassifier({"a": CountingClassifier()}, weighting=weighting)
    blend.set_params(scoring="roc_auc")
    with pytest.raises(ValueError, match=r"\('auto', 'greedy'\). Got scoring='roc_auc' and weight"):
        blend.fit(X, Y)
    assert CountingClassifier.fits == 0
    assert blend.set_params(weighting="auto").fit(X, Y).combiner_.scoring == "roc_auc"


@pytest.mark.parametrize(
    "weighting",
    [
        [0.2, 0.5, 0.3],
        {"tree": 0.3, "bad": 0.5, "lr": 0.2},
        FixedWeights([0.2, 0.5, 0.3]),
        MajorityVote([0.2, 0.5, 0.3]),
    ],
)
def test_a_model_that_is_left_out_takes_its_weight_along(weighting):
    models = [MODELS[0], ("bad", FailingClassifier()), MODELS[2]]
    blend = se.BlendedClassifier(models, weighting=weighting, on_error="drop")
    with pytest.warns(BaseModelWarning, match="Left out: Base model 'bad'"):
        blend.fit(X, Y)
    np.testing.assert_allclose(blend.weights_, [0.4, 0.6])
    switched_off = clone(blend).set_params(bad="drop").fit(X, Y)
    np.testing.assert_array_equal(switched_off.weights_, blend.weights_)
    np.testing.assert_array_equal(switched_off.predict_proba(X), blend.predict_proba(X))


def test_weights_that_leave_nothing():
    models = [MODELS[0], ("bad", FailingClassifier())]
    blend = se.BlendedClassifier(models, weighting=[0, 1], on_error="drop")
    with (
        pytest.warns(BaseModelWarning, match="'bad'"),
        pytest.raises(ValueError, match=r"not be all zero. Got \[0.0\] for the models \['lr'\]"),
    ):
        blend.fit(X, Y)
    with pytest.raises(ValueError, match="not be all zero"):
        blend.set_params(bad="drop").fit(X, Y)


def test_weights_by_name():
    blend = se.BlendedClassifier(MODELS, weighting={"tree": 2, "lr": 1, "nb": 1}).fit(X, Y)
    assert blend.weights_.tolist() == [0.25, 0.25, 0.5]
    for weights, message in (
        ({"lr": 1, "nb": 1}, r"must name every model.*without \['tree'\]"),
        ({"lr": 1, "nb": 1, "trees": 1}, r"must go to its models. Got \['trees'\].*Correct"),
    ):
        with pytest.raises(ValueError, match=message):
            se.BlendedClassifier(MODELS, weighting=weights).fit(X, Y)


# ---------------------------------------------------------------- in exports


@pytest.mark.parametrize(
    "weighting", [*sorted(COMBINERS), (1, 0, 2), {"nb": 1, "lr": 2, "tree": 0}]
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_blend_of_classifiers_is_exported(weighting, n_classes):
    y = np.array(["no", "perhaps", "yes"])[
        np.where(Y == 1, 2, X[:, 0] > 0.5) if n_classes == 3 else 2 * Y
    ]
    weighting = list(weighting) if isinstance(weighting, tuple) else weighting
    blend = se.BlendedClassifier(MODELS, weighting=weighting, cv=3).fit(X, y)
    assert_exported(blend, X)


@pytest.mark.parametrize("weighting", ["simplex", "greedy", "nnls", "ridge", "best", "auto"])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_a_blend_of_regressors_is_exported(weighting, n_targets):
    rows, y = make_regression(120, 5, n_targets=n_targets, noise=5, random_state=0)
    models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=4, random_state=0)}
    blend = se.BlendedRegressor(models, weighting=weighting, cv=3).fit(rows, y)
    program = assert_exported(blend, rows, rtol=1e-11, atol=1e-11)
    assert program.one_target == (n_targets == 1)


@pytest.mark.parametrize("final_fit", ["bag", "refit"])
def test_a_blend_over_a_table_of_all_kinds_is_exported(final_fit):
    rows, y = mixed_table("multiclass")
    models = [m for m in se.default_estimators(rows, y) if m[0] in ("lightgbm_shallow", "linear")]
    blend = se.BlendedClassifier(models, cv=2, final_fit=final_fit).fit(rows, y)
    assert_exported(blend, rows)


def test_a_model_without_weight_is_not_asked_in_an_export():
    models = [*MODELS, ("odd", CountingClassifier())]
    blend = se.BlendedClassifier(models, weighting=[1, 1, 1, 0], cv=3).fit(X, Y)
    assert_exported(blend, X)
    blend = se.BlendedClassifier(models, weighting=[1, 1, 1, 1], cv=3).fit(X, Y)
    with pytest.raises(ExportError, match="Base model 'odd': The model CountingClassifier"):
        assert_exported(blend, X)


def test_a_class_that_one_fold_never_saw_is_exported():
    y = Y.copy()
    y[:4] = 2
    folds = [(np.arange(4, 75), np.arange(75, 150)), (np.r_[:4, 75:150], np.arange(4, 75))]
    for models, options in ((MODELS, {}), (SVMS, {"stack_method": "decision_function"})):
        weighting = "logistic" if options else "simplex"
        blend = se.BlendedClassifier(
            models, weighting=weighting, cv=folds, final_fit="bag", **options
        )
        with pytest.warns(RareClassWarning):
            blend.fit(X, y)
        seen = [len(model.classes_) for model in blend.estimators_[0].models]
        assert seen == [2, 3]
        assert_exported(blend, X)


SVMS = [("svm", LinearSVC()), ("weak", LinearSVC(C=0.01))]


def test_the_combiner_without_weights_is_the_one_that_was_chosen():
    auto = se.combiners.AutoCombiner({"chosen": se.combiners.TwoScalePool()})
    blend = se.BlendedClassifier(MODELS, weighting=auto).fit(X, Y)
    with pytest.raises(AttributeError, match=r"Got the combiner TwoScalePool\(\)"):
        _ = blend.weights_
