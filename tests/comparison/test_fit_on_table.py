"""Strategies fitted on a cross-fit that exists already."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import stackens as se
from stackens._core._task import Task
from stackens.combiners import cross_fitted_predictions
from stackens.comparison._fit_on_table import distil_table, fit_strategy
from stackens.comparison._strategies import resolve_strategies

X, Y = make_classification(200, 6, random_state=0)
PAIRS = [("nb", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]
BINARY = Task("binary", 2, np.array([0, 1]))


def resolve(strategies, pairs=PAIRS, responses=None):
    responses = responses or dict.fromkeys(dict(pairs), "predict_proba")
    return resolve_strategies(strategies, pairs, BINARY, responses, None)


def fitted_with(name, strategy, fitted, seed=0):
    """A strategy fitted on a cross-fit, and the ensemble that does the same."""
    (found,) = resolve({name: strategy})
    ensemble = clone(found.ensemble).set_params(estimators=[], random_state=seed)
    return fit_strategy(found, fitted, seed), ensemble.fit_from(fitted)


def test_fit_on_a_cross_fit_is_that_of_the_ensemble():
    fitted = se.cross_fit(PAIRS, X, Y, random_state=0)
    table = fitted.predict(X[:20])
    for name in ("simplex", "logistic", "auto"):
        found, ensemble = fitted_with("a", name, fitted)
        answers = found.answers(table)
        assert answers.response == "predict_proba"
        np.testing.assert_array_equal(answers.values, ensemble.predict_proba(X[:20]))
        expected = cross_fitted_predictions(ensemble.combiner_, fitted.out_of_fold)
        np.testing.assert_array_equal(found.out_of_fold.values, expected)
        assert found.seconds > 0


def test_final_estimators_answer_in_their_own_way():
    fitted = se.cross_fit(PAIRS, X, Y, random_state=0)
    found, _ = fitted_with("svc", se.StackedClassifier([], LinearSVC(random_state=0)), fitted)
    assert found.out_of_fold.response == "decision_function"
    stack = se.StackedClassifier([], LogisticRegression(), passthrough=True)
    found, ensemble = fitted_with("passes", stack, fitted)
    answers = found.answers(fitted.predict(X[:5]))
    np.testing.assert_allclose(answers.values, ensemble.predict_proba(X[:5]))


def test_final_estimators_without_a_seed_get_one():
    fitted = se.cross_fit(PAIRS, X, Y, random_state=0)
    stack = se.StackedClassifier([], RandomForestClassifier(5))
    table = fitted.predict(X[:20])
    first, again, other = (
        fitted_with("stack", stack, fitted, seed)[0].answers(table).values for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_models_of_weight_zero_are_not_needed():
    fitted = se.cross_fit(PAIRS, X, Y, random_state=0)
    assert len(fitted_with("a", "best", fitted)[0].weighted_models) == 1
    assert fitted_with("a", "uniform", fitted)[0].weighted_models == ("nb", "tree")


def test_fixed_weights_stay_with_their_models():
    fitted = se.cross_fit(PAIRS, X, Y, random_state=0)
    for weights in ([3, 1], {"tree": 1, "nb": 3}):
        found, _ = fitted_with("a", se.BlendedClassifier([], weighting=weights), fitted)
        np.testing.assert_allclose(found.combiner.weights_, [0.75, 0.25])
    (strategy,) = resolve({"a": se.BlendedClassifier([], weighting=[3, 1])})
    one = fit_strategy(strategy, fitted.select(["tree"]), None)
    np.testing.assert_allclose(one.combiner.weights_, [1.0])


def test_nothing_to_combine():
    fitted = se.cross_fit([("svc", LinearSVC(random_state=0))], X, Y)
    (strategy,) = resolve(
        ["simplex"], pairs=[("svc", LinearSVC())], responses={"svc": "decision_function"}
    )
    with pytest.raises(ValueError, match=r"'simplex' needs base models.*Got \['svc'\].*stack"):
        fit_strategy(strategy, fitted, None)


def test_columns_that_are_missing_are_found_before_anything_is_fitted(monkeypatch):
    def refuse(*_):
        raise AssertionError("nothing should be fitted")

    monkeypatch.setattr(GaussianNB, "fit", refuse)
    stack = se.StackedClassifier([], LogisticRegression(), passthrough=["no such"])
    with pytest.raises(ValueError, match="'passthrough' parameter") as caught:
        se.compare(dict(PAIRS), X, Y, strategies={"fancy": stack}, outer=0.3)
    assert caught.value.__notes__ == ["This is about the strategy 'fancy' of compare."]


# ---------------------------------------------------------------- students


def test_a_student_learns_from_the_table_of_its_models_alone():
    fitted = se.cross_fit(PAIRS, X, Y, random_state=0)
    blend = se.BlendedClassifier([("nb", GaussianNB())], weighting="uniform")
    small = se.DistilledClassifier(blend, student="tree")
    (strategy,) = resolve({"small": small})
    assert strategy.distils
    assert strategy.models == ("nb",)
    found = distil_table(strategy, fitted, {"random_state": 3})
    np.testing.assert_array_equal(found.teacher_.soft.shape, (200, 2))
    assert found.random_state == 3
    own = clone(small).set_params(random_state=3).fit_from(fitted.select(["nb"]))
    np.testing.assert_array_equal(found.predict_proba(X), own.predict_proba(X))
    with pytest.raises(ValueError, match=r"'small'.*teach it.*Got \['tree'\]"):
        distil_table(strategy, fitted.select(["tree"]), {"random_state": 0})


def test_a_student_stands_on_the_leaderboard_with_its_own_cost():
    report = se.compare(
        dict(PAIRS), X, Y, strategies=["nb", "tree", "simplex", "distilled"], random_state=0
    )
    frame = report.frame()
    assert np.isfinite(frame["score"]).all()
    assert np.isnan(frame.loc["distilled", "oof_score"])
    assert frame.loc["distilled", "fit_s"] > frame.loc["tree", "fit_s"]
    assert "'distilled'" in str(report)
    again = se.compare(
        dict(PAIRS), X, Y, strategies=["nb", "tree", "simplex", "distilled"], random_state=0
    )
    assert again.frame().loc["distilled", "score"] == frame.loc["distilled", "score"]


def test_the_best_student_is_fitted_on_all_rows():
    report = se.compare(dict(PAIRS), X, Y, strategies=["distilled"], outer=0.3, random_state=0)
    refit = report.best_estimator_
    assert len(refit.teacher_.soft) == 200
    assert refit.predict(X[:3]).shape == (3,)


def test_students_of_regressors():
    rng = np.random.default_rng(0)
    models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=4, random_state=0)}
    target = X[:, 0] + rng.normal(size=200)
    frame = se.compare(models, X, target, strategies=["uniform", "distilled"], outer=0.3).frame()
    assert np.isfinite(frame.loc["distilled", "score"])


def test_teachers_must_be_made_of_the_models_compared():
    for teacher, message in (
        (RandomForestClassifier(), "must be made of the models"),
        (se.StackedClassifier([("other", GaussianNB())]), "must combine models that are compared"),
    ):
        with pytest.raises(ValueError, match=message):
            resolve({"small": se.DistilledClassifier(teacher)})
    with pytest.raises(ValueError, match="'temperature' parameter"):
        resolve({"small": se.DistilledClassifier(None, temperature=-1)})
