"""Linear students against scikit-learn's: logistic, ridge and quantile regression."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, QuantileRegressor, Ridge
from sklearn.preprocessing import StandardScaler

from stackens.distillation.students import LinearStudent
from tests.distillation.students.lessons import (
    class_lesson,
    every,
    quantile_lesson,
    value_lesson,
)

ALPHAS = [0.1, 1.0, 100.0]


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_hard_labels_give_logistic_regression(n_classes, alpha):
    lesson = class_lesson(n_classes, soft_weight=0.0)
    X = StandardScaler().fit_transform(lesson.X)
    expected = LogisticRegression(C=1 / alpha, tol=1e-8, max_iter=1000)
    expected.fit(X, lesson.hard.argmax(axis=1))
    found = LinearStudent(alpha).fit(lesson)
    np.testing.assert_allclose(found.outputs(lesson.X), expected.predict_proba(X), atol=2e-4)
    assert found.coef.shape == expected.coef_.shape
    np.testing.assert_allclose(found.coef, expected.coef_, atol=3e-3)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_soft_targets_are_weighted_copies(n_classes):
    lesson = class_lesson(n_classes)
    X = StandardScaler().fit_transform(lesson.X)
    copies, codes = np.repeat(np.arange(300), n_classes), np.tile(np.arange(n_classes), 300)
    expected = LogisticRegression(tol=1e-8, max_iter=1000)
    expected.fit(X[copies], codes, sample_weight=lesson.soft.ravel())
    found = LinearStudent(1.0).fit(lesson).outputs(lesson.X)
    np.testing.assert_allclose(found, expected.predict_proba(X), atol=2e-4)


@pytest.mark.parametrize("changes", [{"temperature": 4.0}, {"loss": "squared_logits"}])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_linear_teacher_is_copied_by_every_loss(n_classes, changes):
    lesson = class_lesson(n_classes, **changes)
    lesson = replace(lesson, X=0.3 * lesson.X, soft=class_lesson(n_classes).soft ** 0.3)
    lesson = replace(lesson, soft=lesson.soft / lesson.soft.sum(axis=1, keepdims=True))
    outputs = LinearStudent(1e-6).fit(lesson).outputs(lesson.X)
    np.testing.assert_allclose(outputs, lesson.soft, atol=1e-3)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_values_give_ridge_regression(alpha):
    lesson = value_lesson(2, weight=np.random.default_rng(0).uniform(1, 3, 300))
    scaler = StandardScaler().fit(lesson.X, sample_weight=lesson.weight)
    expected = Ridge(alpha).fit(scaler.transform(lesson.X), lesson.soft, lesson.weight)
    found = LinearStudent(alpha).fit(lesson)
    np.testing.assert_allclose(
        found.outputs(lesson.X), expected.predict(scaler.transform(lesson.X)), atol=1e-8
    )


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8])
def test_plain_quantiles_give_quantile_regression(level):
    lesson = quantile_lesson((level,), n=200, soft_weight=0.0)
    expected = QuantileRegressor(quantile=level, alpha=0).fit(lesson.X, lesson.hard[:, 0])
    found = LinearStudent(1e-9).fit(lesson).outputs(lesson.X)
    best = lesson.mean_loss(expected.predict(lesson.X)[:, None])
    assert lesson.mean_loss(found) == pytest.approx(best, rel=1e-3)


def test_a_teachers_quantiles_are_lines_too():
    lesson = quantile_lesson()
    found = LinearStudent(1e-6).fit(lesson).outputs(lesson.X)
    np.testing.assert_allclose(found, lesson.soft, atol=1e-3)


@pytest.mark.parametrize(
    "lesson",
    [class_lesson(3, 60), value_lesson(n=60), quantile_lesson(n=60)],
    ids=["classes", "value", "quantiles"],
)
def test_the_rows_held_back_choose_the_penalty(lesson):
    X = np.random.default_rng(99).normal(
        size=(60, 30)
    )  # nothing to learn: the strongest penalty is best
    lesson = replace(lesson, X=X, stopping=every(3, 60), soft_weight=0.0)
    found = LinearStudent().fit(lesson)
    strongest = LinearStudent(1000.0).fit(lesson)
    np.testing.assert_allclose(found.coef, strongest.coef, atol=1e-6)
    without = LinearStudent().fit(replace(lesson, stopping=None))
    default = LinearStudent(1.0).fit(lesson)
    np.testing.assert_array_equal(without.coef, default.coef)
    assert np.abs(default.coef).max() > 2 * np.abs(strongest.coef).max()


def test_a_signal_is_followed_with_a_weak_penalty():
    lesson = class_lesson(3, 600, stopping=every(3, 600))
    found, weak, strong = (LinearStudent(alpha).fit(lesson).coef for alpha in (None, 0.1, 1000.0))
    np.testing.assert_allclose(found, weak, atol=1e-3)
    assert np.abs(strong - weak).max() > 0.1


def test_categories_are_columns_of_their_own_and_the_rare_share_one():
    place = np.array(["a"] * 50 + ["b"] * 40 + ["c"] * 6 + ["d", "e", "f", "g"])
    X = pd.DataFrame({"place": place, "size": np.where(np.arange(100) < 9, np.nan, 1.0)})
    found = LinearStudent().fit(class_lesson(2, 100, X=X))
    names = found.encoder.get_feature_names_out().tolist()
    assert names == ["place_a", "place_b", "place_c", "place_rare", "size", "size_missing"]
    assert found.coef.shape == (1, 6)
    assert found.n_bytes() == 7 * 8


@pytest.mark.parametrize("alpha", [0.0, -1.0, "1"])
def test_settings_without_sense(alpha):
    with pytest.raises(ValueError, match="'alpha' parameter of LinearStudent must be"):
        LinearStudent(alpha).fit(class_lesson())
