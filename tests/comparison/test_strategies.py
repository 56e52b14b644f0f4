"""Strategies from what users write, and their fit on a cross-fit."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens._core._task import Task
from stackens.combiners import LogisticOnLogits, SimplexWeights, cross_fitted_predictions
from stackens.comparison._strategies import fit_strategy, resolve_strategies

X, Y = make_classification(200, 6, random_state=0)
PAIRS = [("nb", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]
BINARY = Task("binary", 2, np.array([0, 1]))
NUMBERS = Task("regression", 1)


def resolve(strategies, task=BINARY, responses=None, scoring=None, pairs=PAIRS):
    usual = "predict_proba" if task.is_classification else "predict"
    responses = responses or {name: usual for name, _ in pairs}
    return resolve_strategies(strategies, pairs, task, responses, scoring)


def test_usual_strategies():
    blends = ["blend uniform", "blend simplex", "blend greedy"]
    names = [strategy.name for strategy in resolve(None)]
    assert names == ["nb", "tree", *blends, "stack logistic", "stack auto"]
    names = [strategy.name for strategy in resolve(None, NUMBERS)]
    assert names == ["nb", "tree", *blends, "stack ridge", "stack auto"]


@pytest.mark.parametrize("task", [BINARY, NUMBERS])
def test_every_combiner_has_a_name(task):
    for name in se.combiners.COMBINERS:
        (strategy,) = resolve([name], task)
        assert strategy.name == name
        expected = "Classifier" if task.is_classification else "Regressor"
        assert type(strategy.ensemble).__name__.endswith(expected)


def test_a_dict_gives_names_to_everything():
    stack = se.StackedClassifier([], LogisticRegression())
    found = resolve(
        {
            "a": "simplex",
            "b": "nb",
            "c": stack,
            "d": SimplexWeights(),
            "e": LogisticOnLogits(),
            "f": "stack auto",
            "tree": "tree",
        }
    )
    kinds = [type(strategy.ensemble).__name__ for strategy in found]
    blended, stacked = "BlendedClassifier", "StackedClassifier"
    assert kinds == [blended, "NoneType", stacked, blended, stacked, stacked, "NoneType"]
    assert found[1].models == ("nb",)
    assert found[2].models == ("nb", "tree")


def test_a_list_may_hold_pairs():
    found = resolve(["nb", ("both", "uniform")])
    assert [strategy.name for strategy in found] == ["nb", "both"]


def test_greedy_selection_optimises_the_score():
    (strategy,) = resolve(["greedy"], scoring="roc_auc")
    assert strategy.ensemble.scoring == "roc_auc"


def test_combinations_of_some_models():
    blend = se.BlendedClassifier([PAIRS[1]])
    (strategy,) = resolve({"only tree": blend})
    assert strategy.models == ("tree",)


def test_blends_leave_out_models_without_probabilities():
    responses = {"nb": "predict_proba", "tree": "decision_function"}
    blend, stack = resolve(["simplex", "logistic"], responses=responses)
    assert blend.models == ("nb",)
    assert stack.models == ("nb", "tree")


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        ("simplex", "None, a list of names"),
        (["no such"], "None, a list of names.*Got 'no such'.*'nb', 'tree'"),
        ({"a": 3}, "None, a list of names.*Got 3"),
        ({"a": LogisticRegression()}, "None, a list of names"),
        ([], "at least one strategy"),
        (["nb", "nb"], "different names"),
        ([SimplexWeights()], "different names"),
        ({1: "nb"}, "must be text"),
        ({"nb": "simplex"}, "must be that model"),
        ({"nb": "tree"}, "must be that model"),
        ({"a": se.BlendedRegressor([])}, "fit the target.*Use a Classifier"),
        ({"a": se.BlendedClassifier([("rf", GaussianNB())])}, r"Got \['rf'\].*Add them"),
    ],
)
def test_what_is_not_a_strategy(strategies, message):
    with pytest.raises(ValueError, match=message):
        resolve(strategies)


def test_base_models_called_like_a_strategy():
    with pytest.raises(ValueError, match="called like the usual strategies"):
        resolve(None, pairs=[("stack auto", GaussianNB())])


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


def test_models_that_are_switched_off():
    blend = se.BlendedClassifier([("nb", "drop"), PAIRS[1]])
    (strategy,) = resolve({"a": blend})
    assert strategy.models == ("tree",)


def test_nothing_to_combine():
    fitted = se.cross_fit([("svc", LinearSVC(random_state=0))], X, Y)
    (strategy,) = resolve(
        ["simplex"], pairs=[("svc", LinearSVC())], responses={"svc": "decision_function"}
    )
    with pytest.raises(ValueError, match="no base model gives outputs"):
        fit_strategy(strategy, fitted, None)


def test_what_users_wrote_is_not_changed():
    blend = se.BlendedClassifier([], weighting="simplex")
    (strategy,) = resolve({"a": blend})
    assert strategy.ensemble is not blend
    assert blend.estimators == []


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        (se.BlendedClassifier([], weighting="no such"), "'weighting' parameter"),
        (se.BlendedClassifier([], weighting=[1, 2, 3]), r"shape \(2,\)"),
        (se.StackedClassifier([], Ridge()), "should be a classifier"),
        (se.BlendedClassifier([], weighting={"rf": 1}), r"Got \['rf'\]"),
        (se.BlendedClassifier([("nb", LinearSVC())]), "must combine the models that are compared"),
    ],
)
def test_ensembles_that_cannot_work_are_refused_by_name(ensemble, message):
    with pytest.raises(ValueError, match=message) as caught:
        resolve({"fancy": ensemble})
    said = [str(caught.value), *getattr(caught.value, "__notes__", [])]
    assert any("'fancy'" in text for text in said)


def test_columns_that_are_missing_are_found_before_anything_is_fitted(monkeypatch):
    def refuse(*_):
        raise AssertionError("nothing should be fitted")

    monkeypatch.setattr(GaussianNB, "fit", refuse)
    stack = se.StackedClassifier([], LogisticRegression(), passthrough=["no such"])
    with pytest.raises(ValueError, match="'passthrough' parameter") as caught:
        se.compare(dict(PAIRS), X, Y, strategies={"fancy": stack}, outer=0.3)
    assert caught.value.__notes__ == ["This is about the strategy 'fancy' of compare."]


def test_names_that_ensembles_reserve_are_refused_early():
    with pytest.raises(ValueError, match="conflict with constructor arguments"):
        resolve(["simplex"], pairs=[("cv", GaussianNB())])


def test_base_models_called_like_combiners_do_not_stand_in_for_them():
    X, y = load_iris(return_X_y=True)
    models = {"logistic": LogisticRegression(max_iter=500), "auto": GaussianNB()}
    report = se.compare(models, X, y, outer=0.3)
    assert report.refit.strategies["stack logistic"].ensemble.final_estimator == "logistic"
    assert report.refit.strategies["stack auto"].ensemble.final_estimator == "auto"
    assert report.refit.strategies["auto"].ensemble is None
