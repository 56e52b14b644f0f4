"""What scikit-learn's stacking gets wrong or refuses, each as a test that passes here.

Where scikit-learn is quick to show it, the test shows that too, so that an entry that is no longer
true of scikit-learn is noticed.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.exceptions import BaseModelWarning, RareClassWarning
from tests.base_models import FailingClassifier

X, Y = make_classification(120, 5, random_state=0)
GROUPS = np.arange(120) // 8
MODELS = [("lr", LogisticRegression()), ("nb", GaussianNB())]
FINALS = ["auto", "simplex", LogisticRegression()]


@pytest.mark.parametrize("final", ["auto", "simplex", MultiOutputClassifier(LogisticRegression())])
def test_a_multilabel_probabilities_are_the_right_way_round(final):
    X, Y = make_multilabel_classification(200, 6, n_classes=3, random_state=0)
    models = [
        ("knn", KNeighborsClassifier(9)),
        ("tree", DecisionTreeClassifier(max_depth=4, random_state=0)),
    ]
    train, test = slice(0, 140), slice(140, 200)
    stack = se.StackedClassifier(models, final).fit(X[train], Y[train])
    proba = stack.predict_proba(X[test])
    assert proba.shape == (60, 3)
    for label in range(3):
        assert roc_auc_score(Y[test, label], proba[:, label]) > 0.7
    np.testing.assert_array_equal(stack.predict(X[test]), proba > 0.5)
    # scikit-learn gives the probability that a label is absent
    theirs = StackingClassifier(models, KNeighborsClassifier(9)).fit(X[train], Y[train])
    assert roc_auc_score(Y[test, 0], np.asarray(theirs.predict_proba(X[test]))[:, 0]) < 0.5


@pytest.mark.parametrize("final", FINALS)
def test_b_time_order(final):
    stack = se.StackedClassifier(MODELS, final, cv=TimeSeriesSplit(4)).fit(X, Y)
    covered = stack.out_of_fold_.covered
    assert covered.sum() == 96
    assert not covered[:24].any()
    for train, test in stack.out_of_fold_.splits:
        assert train.max() < test.min()
    assert stack.score(X, Y) > 0.8
    with pytest.raises(ValueError, match="only works for partitions"):
        StackingClassifier(MODELS, cv=TimeSeriesSplit(4)).fit(X, Y)


@pytest.mark.parametrize("final", FINALS)
def test_c_repeated_folds(final):
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    stack = se.StackedClassifier(MODELS, final, cv=cv).fit(X, Y)
    table = stack.out_of_fold_
    assert len(table.splits) == 6
    halves = [
        se.cross_fit(MODELS, X, Y, cv=list(table.splits[part])).out_of_fold.values
        for part in (slice(0, 3), slice(3, 6))
    ]
    np.testing.assert_allclose(table.values, (halves[0] + halves[1]) / 2)
    with pytest.raises(ValueError, match="only works for partitions"):
        StackingClassifier(MODELS, cv=cv).fit(X, Y)


@pytest.mark.parametrize("cv", [3, GroupKFold(3)])
def test_d_groups_without_metadata_routing(cv):
    stack = se.StackedClassifier(MODELS, cv=cv).fit(X, Y, groups=GROUPS)
    for train, test in stack.out_of_fold_.splits:
        assert set(GROUPS[train]).isdisjoint(GROUPS[test])
    with pytest.raises(ValueError, match="groups"):
        StackingClassifier(MODELS, cv=GroupKFold(3)).fit(X, Y)


@pytest.mark.parametrize("cv", [3, GroupKFold(3)])
def test_e_groups_with_metadata_routing(cv):
    with config_context(enable_metadata_routing=True):
        stack = se.StackedClassifier(MODELS, cv=cv).fit(X, Y, groups=GROUPS)
        for train, test in stack.out_of_fold_.splits:
            assert set(GROUPS[train]).isdisjoint(GROUPS[test])
        assert stack.predict(X).shape == (120,)
        with pytest.raises(TypeError, match="groups"):
            StackingClassifier(MODELS, cv=GroupKFold(3)).fit(X, Y, groups=GROUPS)


FRAME = pd.DataFrame(X, columns=list("abcde")).assign(
    kind=pd.Categorical(np.where(Y == 1, "up", "down")).set_categories(["down", "up", "new"])
)
NUMERIC = make_column_transformer(
    ("passthrough", make_column_selector(dtype_include="number")), remainder="drop"
)
FRAME_MODELS = [
    ("lr", make_pipeline(NUMERIC, LogisticRegression())),
    ("nb", make_pipeline(NUMERIC, GaussianNB())),
]


def encoding_pipeline():
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
        remainder="passthrough",
    )
    return make_pipeline(encode, LogisticRegression(max_iter=1000))


@pytest.mark.parametrize("passthrough", [True, ["kind", "a"]])
@pytest.mark.parametrize("final", ["auto", "lightgbm", "hgb", "pipeline"])
def test_f_categories_pass_through_to_the_final_estimator(final, passthrough):
    if final == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        final = lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1)
    elif final == "hgb":
        final = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype")
    elif final == "pipeline":
        final = encoding_pipeline()
    stack = se.StackedClassifier(FRAME_MODELS, final, passthrough=passthrough).fit(FRAME, Y)
    assert stack.transform(FRAME)["kind"].dtype == FRAME["kind"].dtype
    # the category decides, which no base model sees
    assert stack.score(FRAME, Y) == 1.0
    with pytest.raises(ValueError, match="could not convert string"):
        StackingClassifier(FRAME_MODELS, passthrough=True).fit(FRAME, Y)


def test_g_the_final_estimator_knows_the_names():
    numbers = FRAME.drop(columns="kind")
    stack = se.StackedClassifier(MODELS, LogisticRegression()).fit(numbers, Y)
    assert stack.final_estimator_.feature_names_in_.tolist() == ["lr", "nb"]
    with_features = se.StackedClassifier(MODELS, LogisticRegression(), passthrough=["c"])
    with_features.fit(numbers, Y)
    assert with_features.final_estimator_.feature_names_in_.tolist() == ["lr", "nb", "c"]
    three = se.StackedClassifier(MODELS, LogisticRegression()).fit(numbers, np.arange(120) % 3)
    assert three.final_estimator_.feature_names_in_.tolist() == [
        "lr_0", "lr_1", "lr_2", "nb_0", "nb_1", "nb_2",
    ]  # fmt: skip
    theirs = StackingClassifier(MODELS, LogisticRegression()).fit(numbers, Y)
    assert not hasattr(theirs.final_estimator_, "feature_names_in_")


@pytest.mark.parametrize("final", FINALS)
def test_h_a_failing_model_does_not_stop_the_rest(final):
    models = [*MODELS, ("bad", FailingClassifier())]
    stack = se.StackedClassifier(models, final, on_error="drop")
    with pytest.warns(BaseModelWarning, match="'bad'.*broken on purpose"):
        stack.fit(X, Y)
    np.testing.assert_allclose(
        stack.predict_proba(X), se.StackedClassifier(MODELS, final).fit(X, Y).predict_proba(X)
    )
    with pytest.raises(ValueError, match="broken on purpose"):
        StackingClassifier(models).fit(X, Y)


@pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
@pytest.mark.parametrize("final", ["auto", LogisticRegression()])
def test_i_a_class_missing_from_a_fold_leaves_numbers_that_can_be_used(final, method):
    y = np.where(np.arange(120) < 20, 2, Y)
    models = [("lr", LogisticRegression()), ("lr2", LogisticRegression(C=0.01))]
    # the first fold holds all rows of class 2
    folds = [(np.arange(30, 120), np.arange(30)), (np.arange(30), np.arange(30, 120))]
    stack = se.StackedClassifier(models, final, cv=folds, stack_method=method)
    if method == "decision_function" and final == "auto":
        stack.final_estimator = LogisticRegression(C=0.1)
    with pytest.warns(RareClassWarning, match=r"fold 1 of 2 has no row of class \[2\]"):
        stack.fit(X, y)
    values = stack.out_of_fold_.values
    assert np.isfinite(values).all()
    assert np.abs(values).max() < 100
    if method == "predict_proba":
        np.testing.assert_allclose(values[:30, :, 2], 1 / 93)
        np.testing.assert_allclose(values.sum(axis=2), 1)
        assert np.isfinite(np.log(values)).all()
    assert np.isfinite(stack.predict_proba(X)).all()
    assert stack.predict_proba(X).shape == (120, 3)


@pytest.mark.parametrize(
    "cv",
    [
        KFold(3, shuffle=True),
        StratifiedKFold(3, shuffle=True, random_state=np.random.RandomState(0)),
        RepeatedStratifiedKFold(n_splits=2, n_repeats=2),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_j_the_splitter_is_left_as_it_was(cv):
    before = dict(vars(cv))
    state = getattr(cv.random_state, "get_state", lambda: (None, None))()[1]
    for seed in (None, 0):
        se.StackedClassifier(MODELS, cv=cv, random_state=seed).fit(X, Y)
    assert vars(cv) == before
    after = getattr(cv.random_state, "get_state", lambda: (None, None))()[1]
    np.testing.assert_array_equal(after, state)
    theirs = KFold(3, shuffle=True)
    StackingClassifier(MODELS, cv=theirs).fit(X, Y)
    assert theirs.random_state is not None
