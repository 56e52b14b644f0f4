"""Boosted students: right losses, ordinary boosters, early stopping by the lesson's targets."""

from dataclasses import replace

import lightgbm
import numpy as np
import pytest
from scipy.special import expit, softmax

from stackens.distillation.students import LightGBMStudent
from stackens.distillation.students._lightgbm import _plan
from tests.distillation.students.lessons import (
    class_lesson,
    class_task,
    every,
    quantile_lesson,
    value_lesson,
)

STUDENT = LightGBMStudent(n_trees=20, n_leaves=7)
SETTINGS = {
    "num_leaves": 7,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
}


def test_two_classes_are_lightgbms_own_cross_entropy():
    lesson = class_lesson(2, weight=np.random.default_rng(0).uniform(1, 3, 300))
    rows = lightgbm.Dataset(lesson.X, lesson.soft[:, 1], weight=lesson.weight)
    expected = lightgbm.train(SETTINGS | {"objective": "cross_entropy"}, rows, 20)
    found = STUDENT.fit(lesson)
    np.testing.assert_array_equal(found.outputs(lesson.X)[:, 1], expected.predict(lesson.X))
    assert found.path == "soft cross-entropy"


@pytest.mark.parametrize("weighted", [False, True])
def test_hard_labels_of_several_classes_give_lightgbms_own_softmax(weighted):
    lesson = class_lesson(4, 600, soft_weight=0.0)
    if weighted:
        lesson = replace(lesson, weight=np.random.default_rng(0).uniform(1, 3, 600))
    rows = lightgbm.Dataset(lesson.X, lesson.hard.argmax(axis=1), weight=lesson.weight)
    settings = SETTINGS | {"objective": "multiclass", "num_class": 4}
    expected = lightgbm.train(settings, rows, 20).predict(lesson.X)
    np.testing.assert_allclose(STUDENT.fit(lesson).outputs(lesson.X), expected, atol=1e-6)


def test_soft_targets_of_several_classes_are_weighted_copies():
    lesson = class_lesson(3, 600)
    lesson = replace(lesson, X=np.clip(np.round(2 * lesson.X), -3, 3))
    copies = np.repeat(np.arange(600), 3)
    codes = np.tile(np.arange(3), 600)
    rows = lightgbm.Dataset(lesson.X[copies], codes, weight=lesson.soft.ravel())
    settings = {"objective": "multiclass", "num_class": 3, "min_data_in_leaf": 1}
    expected = lightgbm.train(SETTINGS | settings, rows, 20).predict(lesson.X)
    # LightGBM guesses and rounds the number of rows in a leaf, so that no least number is the same
    student = replace(STUDENT, min_child_samples=1)
    found = student.fit(lesson).outputs(lesson.X)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_logits"])
@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_plain_prediction_is_the_softmax_of_training(n_classes, loss):
    lesson = class_lesson(n_classes, temperature=2.0, soft_weight=0.8, loss=loss)
    booster, start = STUDENT._train(lesson, 20, 0)
    scores = booster.predict(lesson.X) + start
    expected = softmax(scores, axis=1) if n_classes > 2 else expit(scores)
    (ordinary,) = STUDENT.fit(lesson).boosters
    for copy in (ordinary, lightgbm.Booster(model_str=ordinary.model_to_string())):
        np.testing.assert_allclose(copy.predict(lesson.X), expected, rtol=0, atol=1e-12)


def test_temperature_and_logits_copy_a_teacher_too():
    for n_classes in (2, 4):
        lesson = class_lesson(n_classes, 600)
        constant = lesson.mean_loss(np.tile(lesson.soft.mean(axis=0), (600, 1)))
        entropy = lesson.mean_loss(lesson.soft)
        for changes in ({"temperature": 4.0}, {"loss": "squared_logits"}):
            outputs = LightGBMStudent(n_trees=60).fit(replace(lesson, **changes)).outputs(lesson.X)
            assert lesson.mean_loss(outputs) - entropy < 0.05 * (constant - entropy)


def test_native_objectives_are_taken_where_there_are_some():
    hot = {"temperature": 3.0, "soft_weight": 0.5}
    for lesson, expected in [
        (class_lesson(2), "cross_entropy"),
        (class_lesson(2, temperature=3.0, soft_weight=0.0), "cross_entropy"),
        (value_lesson(), "regression"),
        (quantile_lesson((0.5,), soft_weight=0.0), "quantile"),
    ]:
        assert _plan(lesson).objective == expected
    for lesson in (class_lesson(2, **hot), class_lesson(3), quantile_lesson((0.5,))):
        assert callable(_plan(lesson).objective)


# ---------------------------------------------------------------- early stopping


def hard_to_copy(n=400, *, n_classes=2):
    """Targets of pure noise: every tree after the first few makes the loss worse."""
    rng = np.random.default_rng(5)
    soft = rng.dirichlet(np.ones(n_classes), n)
    return class_lesson(n_classes, n, soft=soft, hard=np.eye(n_classes)[soft.argmax(axis=1)])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_rows_held_back_choose_how_many_trees(n_classes):
    lesson = hard_to_copy(n_classes=n_classes)
    (full,) = STUDENT.fit(lesson).boosters
    assert full.num_trees() == 20 * (1 if n_classes == 2 else n_classes)
    held = every(3, 400)
    lesson = replace(lesson, stopping=held)
    (found,) = STUDENT.fit(lesson).boosters
    losses = []
    learnt = replace(lesson.take(~held), stopping=None)
    for n_trees in range(1, 21):
        outputs = replace(STUDENT, n_trees=n_trees).fit(learnt).outputs(lesson.X[held])
        losses.append(lesson.take(held).mean_loss(outputs))
    rounds = found.num_trees() // found.num_model_per_iteration()
    assert rounds == 1 + int(np.argmin(losses)) < 20
    # and then all rows were learnt
    again = replace(STUDENT, n_trees=rounds).fit(replace(lesson, stopping=None))
    np.testing.assert_array_equal(found.predict(lesson.X), again.boosters[0].predict(lesson.X))


def test_a_distilled_student_stops_by_the_teacher_and_a_plain_one_by_the_truth():
    # the teacher knows, the labels are coin flips
    lesson = class_lesson(2, 400, stopping=every(3, 400))
    flips = np.random.default_rng(1).integers(0, 2, 400)
    lesson = replace(lesson, hard=np.eye(2)[flips])
    trees = {
        weight: STUDENT.fit(replace(lesson, soft_weight=weight)).boosters[0].num_trees()
        for weight in (0.0, 1.0)
    }
    assert trees[1.0] == 20
    assert trees[0.0] < 10


def test_each_output_of_a_regression_stops_by_itself():
    lesson = value_lesson(2, 400, stopping=every(3, 400))
    noise = np.random.default_rng(0).normal(size=400)
    soft = np.column_stack([lesson.soft[:, 0], noise])
    student = LightGBMStudent(n_trees=60, n_leaves=7)
    first, second = student.fit(replace(lesson, soft=soft)).boosters
    assert first.num_trees() > 40
    assert second.num_trees() < 10


# ---------------------------------------------------------------- values


def test_values_are_lightgbms_own_squared_error():
    lesson = value_lesson()
    rows = lightgbm.Dataset(lesson.X, lesson.soft[:, 0])
    expected = lightgbm.train(SETTINGS | {"objective": "regression"}, rows, 20)
    found = STUDENT.fit(lesson).outputs(lesson.X)[:, 0]
    np.testing.assert_allclose(found, expected.predict(lesson.X), atol=1e-5)


def test_values_far_from_zero_keep_their_digits():
    lesson = value_lesson()
    far = replace(lesson, soft=lesson.soft + 1e9)
    near, found = (LightGBMStudent().fit(one).outputs(lesson.X) for one in (lesson, far))
    np.testing.assert_allclose(found - 1e9, near, atol=1e-5)


@pytest.mark.parametrize("soft_weight", [0.0, 0.5, 1.0])
def test_quantiles_cover_what_they_say(soft_weight):
    lesson = quantile_lesson(n=3000, soft_weight=soft_weight)
    fresh = quantile_lesson(n=3000, seed=9)
    student = LightGBMStudent(n_trees=60, n_leaves=7).fit(lesson)
    outputs = student.outputs(fresh.X)
    np.testing.assert_allclose((fresh.hard < outputs).mean(axis=0), [0.1, 0.5, 0.9], atol=0.025)
    assert len(student.boosters) == 3


# ---------------------------------------------------------------- sizes and settings


def test_variants_change_settings_and_say_it():
    usual = LightGBMStudent(n_trees=50)
    labels = [variant.label.removeprefix("lightgbm 50x31 ") for variant in usual.variants()]
    assert labels == ["rate 0.25", "leaf 100", "rate 0.25 leaf 100"]
    quick = LightGBMStudent(learning_rate=0.3).variants()
    assert [variant.label for variant in quick] == ["lightgbm 100x31 rate 0.3 leaf 100"]
    assert LightGBMStudent(learning_rate=0.3, min_child_samples=200).variants() == []


def test_sweep_grows_and_spares_small_tables_trees_that_they_cannot_fill():
    task = class_task(2)
    sizes = [(s.n_trees, s.n_leaves) for s in LightGBMStudent.sweep(task, 10_000)]
    assert sizes[0] == (10, 7)
    assert sizes[-1] == (200, 31)
    assert sizes == sorted(sizes, key=lambda size: size[0] * size[1])
    assert {s.n_leaves for s in LightGBMStudent.sweep(task, 100)} == {7}


def test_bytes_are_those_of_the_text():
    student = STUDENT.fit(value_lesson(2))
    assert student.n_bytes() == sum(len(b.model_to_string()) for b in student.boosters)
    assert replace(STUDENT, n_trees=5).fit(value_lesson(2)).n_bytes() < student.n_bytes()


@pytest.mark.parametrize(
    "settings",
    [{"n_trees": 0}, {"n_leaves": 1}, {"learning_rate": 0}, {"min_child_samples": 0.5}],
)
def test_settings_without_sense(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"'{name}' parameter of LightGBMStudent must be"):
        replace(STUDENT, **settings).fit(class_lesson())
