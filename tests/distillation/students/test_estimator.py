"""Any estimator as a student: the path that each kind takes, and what comes out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from stackens._core._task import Task
from stackens.distillation._lesson import centred_logits
from stackens.distillation.students import EstimatorStudent
from stackens.distillation.students._estimator import _copies
from stackens.exceptions import BaseModelError
from tests.distillation.students.taught import classes, silent, values
from tests.export.exported import assert_exported

ONES = np.ones(240)


class OnlyLabels(ClassifierMixin, BaseEstimator):
    """Knows neither probabilities nor margins, and remembers what it got."""

    def fit(self, X, y):
        self.X_, self.y_ = X, y
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[-1])


class Failing(BaseEstimator, ClassifierMixin):
    def fit(self, X, y, sample_weight=None):
        raise RuntimeError("out of luck")

    def predict(self, X):
        return X


def learn(estimator, lesson, seed=0):
    return EstimatorStudent(estimator).fit(lesson, random_state=seed)


# ---------------------------------------------------------------- classifiers


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weighted_copies_minimise_the_soft_cross_entropy(n_classes):
    lesson = classes(n_classes, soft_weight=0.7)
    student = learn(LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000), lesson)
    assert student.path == "weighted copies of each class"
    X = np.column_stack([np.ones(len(lesson)), lesson.X])

    def loss(flat):
        weights = flat.reshape(4, n_classes)
        logs = log_softmax(X @ weights, axis=1)
        gradient = X.T @ (np.exp(logs) - lesson.targets)
        return -(lesson.targets * logs).sum(), gradient.ravel()

    best = minimize(loss, np.zeros(4 * n_classes), jac=True, options={"gtol": 1e-8})
    # small targets make no copy, which costs next to nothing
    assert lesson.mean_loss(student.outputs(lesson.X)) == pytest.approx(best.fun / 240, abs=1e-5)


@pytest.mark.parametrize("model", [LogisticRegression(), DecisionTreeClassifier(max_depth=3)])
def test_a_plain_lesson_is_the_usual_fit(model):
    lesson = classes(soft_weight=0.0)
    y = lesson.task.decode(lesson.hard.argmax(axis=1))
    usual = model.fit(lesson.X, y).predict_proba(lesson.X)
    student = learn(model, lesson)
    assert student.path == "hard labels"
    np.testing.assert_array_equal(student.outputs(lesson.X), usual)


def test_a_rare_class_keeps_its_mass():
    soft = np.full((5000, 3), [0.0004, 0.00001, 0.99959])
    soft[:50] = [0.2, 0.0, 0.8]
    row, code, weight = _copies(soft, np.ones(5000))
    mass = np.bincount(code, weight) / 5000
    np.testing.assert_allclose(mass[[0, 2]], soft.mean(axis=0)[[0, 2]], rtol=1e-3)
    np.testing.assert_allclose(np.bincount(row, weight), 1.0)
    assert ((code == 1).sum(), weight[code == 1].sum()) == (4950, pytest.approx(0.0495))


def test_targets_far_below_the_mean_of_their_class_make_no_copy():
    soft = np.array([[0.5, 0.5], [0.9999, 0.0001]])
    row, code, weight = _copies(soft, np.array([1.0, 3.0]))
    assert (row.tolist(), code.tolist()) == ([0, 0, 1], [0, 1, 0])
    assert weight.tolist() == [0.5, 0.5, 3.0]


def test_hard_labels_for_a_classifier_that_takes_no_weights():
    lesson = classes()
    student = learn(OnlyLabels(), lesson)
    assert student.path.startswith("hard labels")
    assert student.estimator.X_ is lesson.X
    assert student.estimator.y_.tolist() == lesson.task.decode(lesson.soft.argmax(axis=1)).tolist()
    # it has no probabilities either
    assert student.outputs(lesson.X)[0].tolist() == [0.0, 0.0, 1.0]
    uneven = replace(lesson, weight=np.linspace(1, 2, 240))
    with pytest.raises(ValueError, match=r"sample_weight\. Got OnlyLabels\(\), which does not"):
        learn(OnlyLabels(), uneven)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_margins_become_probabilities(n_classes):
    lesson = classes(n_classes)
    student = learn(LinearSVC(), lesson)
    margins = student.estimator.decision_function(lesson.X)
    found = student.outputs(lesson.X)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    if n_classes == 2:
        np.testing.assert_allclose(found[:, 1], expit(margins))
    else:
        np.testing.assert_allclose(np.log(found), log_softmax(margins, axis=1))


def test_a_class_that_it_never_saw_has_a_small_probability():
    lesson = classes()
    soft = np.column_stack([lesson.soft[:, 0], np.zeros(240), 1 - lesson.soft[:, 0]])
    student = learn(LogisticRegression(), replace(lesson, soft=soft))
    assert student.estimator.classes_.tolist() == ["a", "c"]
    found = student.outputs(lesson.X)
    np.testing.assert_allclose(found[:, 1], 1 / 243)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert student.classes_.tolist() == ["a", "b", "c"]


def test_rows_without_a_label_and_rows_without_a_teacher():
    whole = classes(soft_weight=0.5)
    soft, hard = silent(whole, slice(0, 60)), silent(whole, slice(60, 120), teacher=False)
    lesson = replace(whole, soft=soft, hard=hard)
    for model in (LogisticRegression(), DecisionTreeRegressor(max_depth=3), Ridge()):
        found = learn(model, lesson).outputs(whole.X)
        assert np.isfinite(found).all()
        assert whole.mean_loss(found) < 0.9 * whole.mean_loss(np.full((240, 3), 1 / 3))


# ---------------------------------------------------------------- regressors of classes


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeRegressor(max_depth=4, random_state=0),
        KNeighborsRegressor(),
        BaggingRegressor(n_estimators=3, random_state=0),
        make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=4, random_state=0)),
        GridSearchCV(KNeighborsRegressor(), {"n_neighbors": [3, 5]}, cv=2),
    ],
)
def test_what_predicts_means_learns_probabilities(model):
    lesson = classes(2, soft_weight=0.8)
    student = learn(model, lesson)
    assert student.path == "squared error of probabilities"
    usual = model.fit(lesson.X, lesson.targets[:, 1]).predict(lesson.X)
    np.testing.assert_allclose(student.outputs(lesson.X)[:, 1], usual, atol=1e-12)
    np.testing.assert_allclose(student.outputs(lesson.X).sum(axis=1), 1.0)


def test_what_predicts_several_numbers_is_fitted_once():
    lesson, tree = classes(), DecisionTreeRegressor(max_depth=4, random_state=0)
    student = learn(tree, lesson)
    assert isinstance(student.estimator, DecisionTreeRegressor)
    usual = tree.fit(lesson.X, lesson.soft).predict(lesson.X)
    np.testing.assert_allclose(student.outputs(lesson.X), usual)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", [LinearRegression(), GradientBoostingRegressor(n_estimators=5)])
def test_other_regressors_learn_logits(model, n_classes):
    lesson = classes(n_classes)
    student = learn(model, lesson)
    assert student.path == "squared error of logits"
    found = student.outputs(lesson.X)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    if isinstance(model, LinearRegression):  # the teacher is linear, up to the floor of logits
        assert abs(found - lesson.soft).mean() < 0.01
    elif n_classes == 3:
        assert isinstance(student.estimator, MultiOutputRegressor)
    else:
        assert student.estimator.n_features_in_ == 3


def test_the_loss_of_a_lesson_can_ask_for_logits():
    lesson = classes(loss="squared_logits")
    student = learn(DecisionTreeRegressor(), lesson)
    assert student.path == "squared error of logits"
    found = centred_logits(student.outputs(lesson.X))
    np.testing.assert_allclose(found, centred_logits(lesson.soft), atol=1e-3)


def test_logits_are_learnt_only_where_the_teacher_speaks_everywhere():
    lesson = classes()
    silent_once = replace(lesson, soft=silent(lesson, [0]))
    for other in (replace(lesson, soft_weight=0.0), silent_once):
        student = learn(LinearRegression(), other)
        assert student.path == "squared error of probabilities"
        found = student.outputs(lesson.X)
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
        assert found.min() == 0.0  # it goes beyond, and is cut


# ---------------------------------------------------------------- regression


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("model", [Ridge(), GradientBoostingRegressor(random_state=0)])
def test_values(model, n_outputs):
    lesson = values(n_outputs, soft_weight=0.5)
    student = learn(model, lesson)
    found = student.outputs(lesson.X)
    assert found.shape == (240, n_outputs)
    assert np.mean((found - lesson.targets) ** 2) < 0.2 * lesson.targets.var()
    assert student.predict(lesson.X).shape == ((240,) if n_outputs == 1 else (240, 2))


def test_a_classifier_cannot_learn_values():
    with pytest.raises(TypeError, match=r"must be a regressor\. Got the classifier Logistic"):
        learn(LogisticRegression(), values())


def test_quantiles_of_the_teacher_are_values():
    base = values()
    both = np.hstack([base.soft - 10, base.soft + 10])
    lesson = replace(
        base, soft=both, hard=both, loss="pinball", quantiles=(0.1, 0.9), task=Task("regression", 2)
    )
    np.testing.assert_allclose(learn(LinearRegression(), lesson).outputs(base.X), both)


# ---------------------------------------------------------------- rows, weights, seeds


@pytest.mark.parametrize("convert", [pd.DataFrame.copy, pl.from_pandas])
def test_frames_reach_the_estimator_as_they_are(convert):
    lesson = classes(2)
    frame = lesson.X.assign(colour=np.where(lesson.X["x"] > 0, "red", "blue"))
    colours = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    model = make_pipeline(colours, StandardScaler(), LogisticRegression())
    student = learn(model, replace(lesson, X=convert(frame)))
    assert student.path == "weighted copies of each class"
    assert student.label == "LogisticRegression()"
    assert student.predict(convert(frame)[:3]).shape == (3,)
    ask, rows = student.bare(convert(frame)[:3])
    alone = np.vstack([ask(row) for row in rows])
    np.testing.assert_allclose(alone, student.outputs(convert(frame))[:3])


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(tol=1e-10),
        make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10)),
        Ridge(),
        DecisionTreeRegressor(max_depth=3),
    ],
)
def test_a_weight_of_two_is_two_rows(model):
    lesson = classes(soft_weight=0.6, weight=np.where(np.arange(240) < 80, 2.0, 1.0))
    lesson.weight[200:] = 0.0
    twice = lesson.take(np.r_[:80, :200])
    twice = replace(twice, weight=np.ones(280))
    first, second = (learn(model, each).outputs(lesson.X) for each in (lesson, twice))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_seeds_come_from_the_caller_and_the_estimator_stays_unfitted():
    lesson, forest = classes(2), RandomForestClassifier(5)
    first, again, other = (learn(forest, lesson, seed).outputs(lesson.X) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert not hasattr(forest, "classes_")
    assert forest.random_state is None


def test_what_it_costs():
    lesson = classes()
    small, large = (learn(RandomForestRegressor(n), lesson) for n in (2, 20))
    assert 0 < small.n_bytes() < large.n_bytes()


def test_an_error_says_which_student_failed():
    with pytest.raises(BaseModelError, match=r"Student Failing\(\) failed in fit: .* out of luck"):
        learn(Failing(), classes())


def test_labels():
    assert EstimatorStudent(Ridge(alpha=3)).label == "Ridge(alpha=3)"
    assert EstimatorStudent(Ridge(), name="mine").label == "mine"
    long = KNeighborsClassifier(n_neighbors=31, weights="distance", p=1)
    assert EstimatorStudent(long).label == "KNeighborsClassifier"


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (LogisticRegression(), "answers"),
        (LinearSVC(), "answers"),
        (make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3)), "answers"),
        (DecisionTreeRegressor(max_depth=3), "probabilities"),
        (RandomForestRegressor(5, max_depth=3), "probabilities"),
        (LinearRegression(), "logits"),
        (GradientBoostingRegressor(n_estimators=3), "logits"),
    ],
    ids=str,
)
def test_a_student_of_classes_is_exported(estimator, says, n_classes):
    lesson = classes(n_classes)
    student = EstimatorStudent(estimator).fit(lesson, random_state=0)
    assert student.says == says
    program = assert_exported(student, lesson.X)
    assert program.named
    assert program.response == "probabilities"


@pytest.mark.parametrize("says", ["answers", "probabilities"])
def test_a_class_that_it_never_saw_is_exported(says):
    lesson = classes(3)
    seen = lesson.hard[:, 0] == 0
    if says == "answers":
        lesson = lesson.take(seen)
        lesson = replace(lesson, soft=lesson.hard)
    student = EstimatorStudent(DecisionTreeClassifier(max_depth=3)).fit(lesson, random_state=0)
    assert_exported(student, classes(3).X)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_student_of_values_is_exported(n_outputs):
    lesson = values(n_outputs)
    for estimator in (Ridge(), GradientBoostingRegressor(n_estimators=3)):
        student = EstimatorStudent(estimator).fit(lesson, random_state=0)
        assert assert_exported(student, lesson.X).one_target == (n_outputs == 1)
