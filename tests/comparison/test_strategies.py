"""Strategies from what users write."""

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens._core._task import Task
from stackens.combiners import LogisticOnLogits, SimplexWeights
from stackens.comparison._strategies import resolve_strategies
from tests.base_models import PlainObject

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


def test_models_that_are_switched_off():
    blend = se.BlendedClassifier([("nb", "drop"), PAIRS[1]])
    (strategy,) = resolve({"a": blend})
    assert strategy.models == ("tree",)


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


# ---------------------------------------------------------------- weight averages


def linear(*penalties):
    return [(f"c{C}", LogisticRegression(C=C)) for C in penalties]


NETWORKS = [("wide", MLPClassifier((9,))), ("wide too", MLPClassifier((9,), alpha=0.1))]


def test_a_weight_average_is_usual_where_two_models_share_an_architecture():
    average = resolve(None, pairs=[*PAIRS, *linear(1, 2)], scoring="roc_auc")[-1]
    assert (average.name, average.models) == ("weight average", ("c1", "c2"))
    assert type(average.estimator) is se.WeightAveragedClassifier
    assert average.estimator.scoring == "roc_auc"
    assert average.fits_itself
    assert average.ensemble is None
    several = resolve(None, pairs=[*linear(1), *NETWORKS, *linear(2)])[-2:]
    assert {strategy.name: strategy.models for strategy in several} == {
        "weight average (c1, c2)": ("c1", "c2"),
        "weight average (wide, wide too)": ("wide", "wide too"),
    }
    ridges = [("r1", Ridge()), ("r2", Ridge(2.0)), ("c1", LogisticRegression())]
    assert type(resolve(None, NUMBERS, pairs=ridges)[-1].estimator) is se.WeightAveragedRegressor
    assert [strategy.name for strategy in resolve(None, BINARY, pairs=ridges)][-1] == "stack auto"


def test_weight_averages_by_name_and_as_estimators():
    pairs = [*PAIRS, *linear(1, 2, 3)]
    own = se.WeightAveragedClassifier(linear(3, 1), weighting="equal")
    found = resolve(
        {
            "weight average": "weight average",
            "soup": "weight average",
            "all": se.WeightAveragedClassifier([], weighting="learned"),
            "some": own,
            "without": se.WeightAveragedClassifier([*linear(3, 1), ("c2", "drop")]),
        },
        pairs=pairs,
    )
    assert [strategy.models for strategy in found] == [
        *[("c1", "c2", "c3")] * 3,
        *[("c3", "c1")] * 2,
    ]
    weightings = [strategy.estimator.weighting for strategy in found]
    assert weightings == ["greedy", "greedy", "learned", "equal", "greedy"]
    assert found[3].estimator is not own
    (named,) = resolve(["weight average (c1, c2)"], pairs=[*linear(1, 2), *NETWORKS])
    assert named.models == ("c1", "c2")


@pytest.mark.parametrize(
    ("strategies", "pairs", "message"),
    [
        (["weight average"], PAIRS, "two base models that share an architecture.*'nb': GaussianNB"),
        ([("a", se.WeightAveragedClassifier([]))], PAIRS, "two base models that share"),
        (
            ["weight average"],
            [*linear(1, 2), *NETWORKS],
            r"Name one of \['weight average \(c1, c2\)', 'weight average \(wide, wide too\)'\]",
        ),
        (
            {"a": se.WeightAveragedClassifier([])},
            [*linear(1, 2), *NETWORKS],
            "must say which models it takes",
        ),
        ({"a": se.WeightAveragedRegressor([])}, linear(1, 2), "fit the target.*Use a Classifier"),
        ({"a": se.WeightAveragedClassifier(linear(5))}, linear(1, 2), r"Got \['c5'\].*Add them"),
        (
            {"a": se.WeightAveragedClassifier([("c1", LogisticRegression(C=7))])},
            linear(1, 2),
            "must combine the models that are compared",
        ),
        ({"a": se.WeightAveragedClassifier(linear(1))}, linear(1, 2), "two models.*'c1'"),
        ({"a": se.WeightAveragedClassifier([], weighting=1)}, linear(1, 2), "'weighting' param"),
        (
            {"a": se.WeightAveragedClassifier([NETWORKS[0], ("n", MLPClassifier((3,)))])},
            [*NETWORKS, ("n", MLPClassifier((3,)))],
            "must have one architecture",
        ),
        (
            None,
            [("weight average", GaussianNB()), *linear(1, 2)],
            "called like the usual strategies",
        ),
    ],
)
def test_weight_averages_that_cannot_work(strategies, pairs, message):
    with pytest.raises(ValueError, match=message):
        resolve(strategies, pairs=pairs)


def test_what_has_no_weights_is_refused_by_name():
    with pytest.raises(TypeError, match="'tree' has no weights to average") as caught:
        resolve(
            {"fancy": se.WeightAveragedClassifier([*linear(1), PAIRS[1]])},
            pairs=[*linear(1), *PAIRS],
        )
    assert "'fancy'" in caught.value.__notes__[0]


def test_a_student_is_usual_for_tables_of_several_models():
    def names(pairs=PAIRS, task=BINARY, **options):
        responses = dict.fromkeys(dict(pairs), "predict_proba")
        return [s.name for s in resolve_strategies(None, pairs, task, responses, None, **options)]

    assert names(tabular=True)[-1] == "distilled"
    assert "distilled" not in names()
    assert "distilled" not in names(PAIRS[:1], tabular=True)


def test_models_from_elsewhere_are_compared():
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = (X[:, 0] + X[:, 1] / 2 > 0).astype(int)
    models = {"plain": PlainObject(), "nb": GaussianNB()}
    report = se.compare(models, X, y, outer=0.3, strategies=["plain", "nb", "vote"])
    assert report.frame()["score"].notna().all()
