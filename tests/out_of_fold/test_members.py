"""Tests of the base models as pairs: every form they can be given in, and their seeds."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from stackens.out_of_fold import estimator_pairs, is_dropped, validate_estimators
from stackens.out_of_fold._members import seeded_clone


def test_pairs_a_dict_or_a_plain_list():
    tree, ridge = DecisionTreeClassifier(), Ridge()
    assert estimator_pairs([("t", tree), ("r", ridge)]) == [("t", tree), ("r", ridge)]
    assert estimator_pairs({"t": tree, "r": ridge}) == [("t", tree), ("r", ridge)]
    assert estimator_pairs([tree, ridge]) == [("decisiontreeclassifier", tree), ("ridge", ridge)]


def test_models_of_one_class_get_numbers():
    names = [name for name, _ in estimator_pairs([Ridge(), SGDClassifier(), Ridge()])]
    assert names == ["ridge-1", "sgdclassifier", "ridge-2"]


def test_dropped_models_are_left_out():
    assert is_dropped("drop")
    assert not is_dropped(Ridge())
    ridge = Ridge()
    assert validate_estimators([("a", "drop"), ("b", ridge)]) == [("b", ridge)]
    assert validate_estimators({"a": "drop", "b": ridge}) == [("b", ridge)]


@pytest.mark.parametrize(
    ("estimators", "error", "message"),
    [
        ([], ValueError, "non-empty list.*Got \\[\\]"),
        ({}, ValueError, "non-empty list"),
        (None, ValueError, "Got None"),
        ("lr", ValueError, "Got 'lr'"),
        (Ridge(), ValueError, "Got Ridge.*Give at least one, in a list"),
        ([("a", Ridge()), Ridge()], ValueError, "Got a mix"),
        ([Ridge(), "drop"], ValueError, "Got a mix.*and a name, or none a name"),
        ([("a", Ridge()), ("a", Ridge())], ValueError, "must be unique. Got .*'a'.*Rename"),
        ([("a__b", Ridge())], ValueError, "must not contain '__'.*Got .*a__b.*Rename"),
        ([(3, Ridge())], ValueError, "not text"),
        ([("a", "drop")], ValueError, "All estimators are dropped. At least one"),
        ([("a", Ridge)], TypeError, "object with a fit method. Got 'a'.*with brackets"),
        ([("a", 3)], TypeError, "object with a fit method. Got 'a': 3"),
        ([Ridge], TypeError, "with brackets"),
        ([("net", len)], TypeError, "Pass one; a network that is trained already.*FrozenNetwork"),
    ],
)
def test_estimators_that_cannot_work(estimators, error, message):
    with pytest.raises(error, match=message):
        validate_estimators(estimators)


def test_seeds_go_where_there_is_none():
    pipe = make_pipeline(SelectKBest(), RandomForestClassifier())
    seeded = seeded_clone("forest", pipe, 0)
    assert isinstance(seeded[-1].random_state, int)
    assert pipe[-1].random_state is None
    assert seeded_clone("tree", DecisionTreeClassifier(random_state=7), 0).random_state == 7
    assert seeded_clone("tree", DecisionTreeClassifier(), None).random_state is None


def test_seeds_depend_on_seed_and_name_only():
    def seed(name, random_state):
        return seeded_clone(name, DecisionTreeClassifier(), random_state).random_state

    assert seed("a", 0) == seed("a", 0)
    assert len({seed("a", 0), seed("b", 0), seed("a", 1)}) == 3
    assert 0 <= seed("a", 0) < 2**31


def test_a_clone_is_unfitted():
    model = LogisticRegression().fit(np.eye(2), [0, 1])
    assert not hasattr(seeded_clone("lr", model, 0), "coef_")
