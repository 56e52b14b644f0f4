"""Strategies from what users write, and their fit on a cross-fit."""

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens._core._task import Task
from stackens.combiners import LogisticOnLogits, SimplexWeights
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
    blend = se.BlendedClassifier([("tree", DecisionTreeClassifier())])
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


def test_fit_on_a_cross_fit_is_that_of_the_ensemble():
    fitted = se.cross_fit(PAIRS, X, Y, random_state=0)
    table = fitted.predict(X[:20])
    for name in ("simplex", "logistic", "auto"):
        found = fit_strategy(resolve([name])[0], fitted)
        answers = found.answers(table)
        assert answers.response == "predict_proba"
        np.testing.assert_allclose(answers.values, found.ensemble.predict_proba(X[:20]))
        assert found.out_of_fold.values.shape == (200, 2)
        assert found.seconds > 0


def test_final_estimators_answer_in_their_own_way():
    fitted = se.cross_fit(PAIRS, X, Y, random_state=0)
    (strategy,) = resolve({"svc": se.StackedClassifier([], LinearSVC(random_state=0))})
    found = fit_strategy(strategy, fitted)
    assert found.out_of_fold.response == "decision_function"
    (strategy,) = resolve(
        {"passes": se.StackedClassifier([], LogisticRegression(), passthrough=True)}
    )
    found = fit_strategy(strategy, fitted)
    answers = found.answers(fitted.predict(X[:5]))
    np.testing.assert_allclose(answers.values, found.ensemble.predict_proba(X[:5]))


def test_models_of_weight_zero_are_not_needed():
    fitted = se.cross_fit(PAIRS, X, Y, random_state=0)
    found = fit_strategy(resolve(["best"])[0], fitted)
    assert len(found.weighted_models) == 1
    assert fit_strategy(resolve(["uniform"])[0], fitted).weighted_models == ("nb", "tree")


def test_nothing_to_combine():
    fitted = se.cross_fit([("svc", LinearSVC(random_state=0))], X, Y)
    (strategy,) = resolve(
        ["simplex"], pairs=[("svc", LinearSVC())], responses={"svc": "decision_function"}
    )
    with pytest.raises(ValueError, match="no base model gives outputs"):
        fit_strategy(strategy, fitted)


def test_base_models_called_like_combiners_do_not_stand_in_for_them():
    X, y = load_iris(return_X_y=True)
    models = {"logistic": LogisticRegression(max_iter=500), "auto": GaussianNB()}
    report = se.compare(models, X, y, outer=0.3)
    assert report.refit.strategies["stack logistic"].ensemble.final_estimator == "logistic"
    assert report.refit.strategies["stack auto"].ensemble.final_estimator == "auto"
    assert report.refit.strategies["auto"].ensemble is None
