"""Tests of estimators as teachers: honest labels, out-of-bag, in-sample by name, quantiles."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import stackens as se
from stackens._core._task import Task, infer_task
from stackens.distillation.teachers import TeacherRows, TeachingOptions, resolve_teacher
from stackens.exceptions import BaseModelError, LeakageWarning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 5))
Y = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + 0.5 * RNG.normal(size=300), [-0.5, 0.5])]
ROWS = TeacherRows(X, Y, infer_task(Y)[0])


def learn(teacher, rows=ROWS, **options):
    classification = rows.task.is_classification
    kind = resolve_teacher(teacher, classification=classification)
    return kind.learn(rows, TeachingOptions(**options))


def test_labels_are_those_of_a_cross_fit_whether_it_was_fitted_before_or_not():
    expected = se.cross_fit([("teacher", GaussianNB())], X, Y).out_of_fold.values[:, 0]
    for teacher in (GaussianNB(), GaussianNB().fit(X[:50], Y[:50])):
        fitted = learn(teacher, calibrate=False)
        np.testing.assert_allclose(fitted.soft, expected, rtol=1e-14)
        assert fitted.source == "out-of-fold, 5 folds"
        np.testing.assert_allclose(fitted.outputs(X), GaussianNB().fit(X, Y).predict_proba(X))


def test_one_temperature_calibrates_labels_and_answers():
    sure, plain = (learn(KNeighborsClassifier(1), calibrate=c) for c in (True, False))
    assert sure.temperature_ > 2
    assert plain.temperature_ is None
    assert sure.soft.max() < plain.soft.max() == 1.0
    answer = sure.outputs(X[:9])
    np.testing.assert_allclose(np.sort(answer.max(axis=1)), sure.soft.max(axis=1)[:9], rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_out_of_fold_labels_know_nothing_of_noise_and_in_sample_ones_do(seed):
    rng = np.random.default_rng(seed)
    noise, y = rng.normal(size=(400, 5)), np.arange(400) % 2
    rows = TeacherRows(noise, y, infer_task(y)[0])
    for teacher in (DecisionTreeClassifier(random_state=0), RandomForestClassifier(50)):
        honest = learn(teacher, rows, random_state=seed)
        assert roc_auc_score(y, honest.soft[:, 1]) < 0.58
        memory = learn(teacher, rows, soft_targets="in_sample", random_state=seed)
        assert roc_auc_score(y, memory.soft[:, 1]) > 0.95
        assert memory.source == "in-sample (asked for by name)"
        assert memory.temperature_ is None


def test_a_forest_is_fitted_once_with_out_of_bag_rows():
    fitted = learn(RandomForestClassifier(60, random_state=0))
    assert fitted.source == "out-of-bag"
    assert np.isfinite(fitted.soft).all()


def test_margins_become_probabilities_in_sample_too():
    for options in ({}, {"soft_targets": "in_sample"}):
        fitted = learn(make_pipeline(StandardScaler(), LinearSVC(random_state=0)), **options)
        assert fitted.source.endswith("margins turned into probabilities")
        np.testing.assert_allclose(fitted.soft.sum(axis=1), 1.0)
        assert np.mean(ROWS.task.decode(fitted.soft.argmax(axis=1)) == Y) > 0.6


def test_searches_and_stacks_of_scikit_learn_are_teachers():
    pairs = [("nb", GaussianNB()), ("knn", KNeighborsClassifier(3))]
    for teacher in (
        GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [5, 25]}),
        StackingClassifier(pairs),
    ):
        fitted = learn(teacher)
        assert fitted.soft.shape == (300, 3)
        assert fitted.outputs(X[:2]).shape == (2, 3)


def test_classes_missing_from_a_part_keep_their_columns():
    part = Y != "b"
    for options in ({}, {"soft_targets": "in_sample"}):
        rows = TeacherRows(X[part], Y[part], ROWS.task)
        fitted = learn(GaussianNB(), rows, **options)
        assert fitted.soft.shape == (part.sum(), 3)
        np.testing.assert_allclose(fitted.soft[:, 1], 1 / (part.sum() + 3))
        np.testing.assert_allclose(fitted.outputs(X[:4]).sum(axis=1), 1.0)


def test_weights_reach_it_and_a_weight_of_two_is_two_rows_in_sample():
    weights = RNG.integers(1, 3, size=300).astype(float)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    rows = TeacherRows(X, Y, ROWS.task, sample_weight=weights)
    weighted = learn(tree, rows, soft_targets="in_sample").soft
    copies = np.repeat(np.arange(300), weights.astype(int))
    copied = tree.fit(X[copies], Y[copies]).predict_proba(X)
    np.testing.assert_allclose(weighted, copied)


def test_regression_with_one_and_two_targets():
    target = np.column_stack([X[:, 0], X[:, 1] - X[:, 2]])
    for y, task in (
        (target[:, 0], Task("regression", 1)),
        (target, Task("regression", 2, None, 2)),
    ):
        fitted = learn(LinearRegression(), TeacherRows(X, y, task))
        np.testing.assert_allclose(fitted.soft, y.reshape(300, -1), atol=1e-10)
        np.testing.assert_allclose(fitted.outputs(X[:3]), y.reshape(300, -1)[:3], atol=1e-10)
        assert fitted.temperature_ is None


def test_regressors_for_each_quantile_are_cross_fitted_together():
    y = X[:, 0] + RNG.normal(size=300)
    levels = (0.1, 0.5, 0.9)
    models = [QuantileRegressor(quantile=q, alpha=0.0) for q in levels]
    rows = TeacherRows(X, y, Task("regression", 1), n_outputs=3)
    fitted = learn(models, rows)
    for i, level in enumerate(levels):
        assert np.mean(y < fitted.soft[:, i]) == pytest.approx(level, abs=0.06)
        np.testing.assert_allclose(fitted.outputs(X[:5])[:, i], models[i].fit(X, y).predict(X[:5]))
    memory = learn([DecisionTreeRegressor()] * 3, rows, soft_targets="in_sample")
    np.testing.assert_allclose(memory.soft, np.column_stack([y] * 3))


def test_the_wrong_number_of_outputs_is_refused_before_any_fit():
    rows = TeacherRows(X, X[:, 0], Task("regression", 1), n_outputs=3)
    for teacher in (LinearRegression(), [LinearRegression()] * 2):
        with pytest.raises(ValueError, match="must answer with 3 values for each row.*quantiles"):
            learn(teacher, rows)


def test_a_failing_fit_says_that_it_was_the_teacher():
    rows = TeacherRows(np.full((300, 1), "text"), Y, ROWS.task)
    for options in ({}, {"soft_targets": "in_sample"}):
        with pytest.raises(BaseModelError, match=r"teacher.*\(GaussianNB\) failed"):
            learn(GaussianNB(), rows, **options)


def test_parts_that_stay_as_they_are_are_told():
    part = FrozenEstimator(DecisionTreeClassifier(random_state=0).fit(X, Y))
    votes = VotingClassifier([("tree", part), ("bayes", GaussianNB())], voting="soft")
    with pytest.warns(LeakageWarning, match=r"Parts of the teacher are fitted already.*\['tree'\]"):
        fitted = learn(votes)
    assert fitted.source == "out-of-fold, 5 folds, tree as given"
    assert learn(votes, soft_targets="in_sample").source.startswith("in-sample")


def test_parts_that_saw_none_of_the_rows_are_no_leak():
    other = np.random.default_rng(1).normal(size=X.shape)
    part = FrozenEstimator(DecisionTreeClassifier(random_state=0).fit(other, Y))
    rows = TeacherRows(X, Y, infer_task(Y)[0], seen=np.zeros(len(X), dtype=bool))
    members = [("tree", part), ("bayes", GaussianNB())]
    assert "tree as given" in learn(VotingClassifier(members, voting="soft"), rows).source
    stack = se.StackedClassifier(members, random_state=0)
    assert "tree as given" in learn(stack, rows).source
    rows.seen[0] = True
    with pytest.warns(LeakageWarning, match="'tree'"):
        learn(stack, rows)
