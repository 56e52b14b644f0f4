"""What all tabular students keep to, whatever the task and the loss."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stackens.distillation.students import (
    FAMILIES,
    LightGBMStudent,
    LinearStudent,
    Student,
    TreeStudent,
)
from tests.distillation.students.lessons import (
    class_lesson,
    class_task,
    every,
    quantile_lesson,
    value_lesson,
)

# Every row of the small tables may be split off, so that weights and copies mean the same.
BOOSTED = LightGBMStudent(n_trees=8, n_leaves=6)
STUDENTS = {"lightgbm": BOOSTED, "tree": TreeStudent(max_depth=3), "linear": LinearStudent()}
LESSONS = {
    "two classes": class_lesson(2),
    "three classes": class_lesson(3),
    "26 classes": class_lesson(26),
    "temperature": class_lesson(3, temperature=2.0, soft_weight=0.5),
    "two at temperature": class_lesson(2, temperature=4.0),
    "logits": class_lesson(3, loss="squared_logits", soft_weight=0.9),
    "log-odds": class_lesson(2, loss="squared_logits"),
    "plain": class_lesson(3, soft_weight=0.0),
    "value": value_lesson(),
    "values": value_lesson(2, soft_weight=0.5),
    "quantiles": quantile_lesson(soft_weight=0.5),
    "plain quantiles": quantile_lesson(soft_weight=0.0),
}
LOSSES = [("cross_entropy", 1.0), ("cross_entropy", 4.0), ("squared_logits", 1.0)]
all_students = pytest.mark.parametrize("student", list(STUDENTS.values()), ids=list(STUDENTS))
all_lessons = pytest.mark.parametrize("lesson", list(LESSONS.values()), ids=list(LESSONS))


def fitted(student, lesson):
    return student.fit(lesson, random_state=0)


def check_outputs(outputs, lesson):
    assert outputs.shape == lesson.soft.shape
    assert outputs.dtype == np.float64
    assert np.isfinite(outputs).all()
    if lesson.task.is_classification:
        assert (outputs >= 0).all()
        np.testing.assert_allclose(outputs.sum(axis=1), 1.0, atol=1e-12)


def test_families_have_the_names_that_users_choose_by():
    assert FAMILIES["lightgbm"] is LightGBMStudent
    assert FAMILIES["tree"] is TreeStudent
    assert FAMILIES["linear"] is LinearStudent
    for name, kind in FAMILIES.items():
        assert issubclass(kind, Student)
        assert kind.family == name
        sizes = kind.sweep(class_task(3), 5000)
        assert len({size.label for size in sizes}) == len(sizes) >= 1


@all_lessons
@all_students
def test_outputs_bare_rows_and_pickles_agree(student, lesson):
    found = fitted(student, lesson)
    outputs = found.outputs(lesson.X)
    check_outputs(outputs, lesson)
    ask, rows = found.bare(lesson.X[:20])
    assert len(rows) == 20
    answers = np.array([np.ravel(ask(row)) for row in rows])
    one = lesson.task.kind == "binary" and answers.shape[1] == 1
    np.testing.assert_allclose(answers, outputs[:20, 1:] if one else outputs[:20], rtol=1e-12)
    copy = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(copy.outputs(lesson.X), outputs)
    assert copy.n_bytes() == found.n_bytes() > 0
    assert found.label == student.label
    assert found.encoder.n_features_in_ == 4


@all_lessons
@all_students
def test_it_learns_what_the_teacher_says(student, lesson):
    if not lesson.soft_weight:
        lesson = replace(lesson, hard=lesson.soft)
    constant = np.tile(lesson.targets.mean(axis=0), (len(lesson), 1))
    found = fitted(student, lesson)
    assert lesson.mean_loss(found.outputs(lesson.X)) < 0.97 * lesson.mean_loss(constant)


@all_lessons
@all_students
def test_the_same_seed_gives_the_same_bits(student, lesson):
    lesson = replace(lesson, stopping=every(4, len(lesson)))
    first, second = (fitted(student, lesson).outputs(lesson.X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@all_lessons
@all_students
def test_the_order_of_the_rows_does_not_matter(student, lesson):
    order = np.random.default_rng(0).permutation(len(lesson))
    first = fitted(student, lesson).outputs(lesson.X)
    second = fitted(student, lesson.take(order)).outputs(lesson.X)
    np.testing.assert_allclose(second, first, atol=2e-5)


@all_lessons
@all_students
def test_a_weight_of_2_is_two_copies(student, lesson):
    if student is BOOSTED and lesson is LESSONS["plain quantiles"]:
        pytest.skip("LightGBM interpolates quantiles, in another way where there are weights")
    # few numbers, since LightGBM's bins depend on how many rows have a value
    lesson = replace(lesson, X=np.clip(np.round(lesson.X), -1, 1))
    doubled = every(2, len(lesson))
    weighted = replace(lesson, weight=1.0 + doubled)
    copied = lesson.take(np.concatenate([np.arange(len(lesson)), np.flatnonzero(doubled)]))
    if student is BOOSTED:  # counts rows in a leaf, not their weight
        student = replace(student, min_child_samples=1)
    first, second = (fitted(student, one).outputs(lesson.X) for one in (weighted, copied))
    np.testing.assert_allclose(second, first, atol=2e-5)


@all_lessons
@all_students
def test_a_row_of_weight_0_is_as_good_as_absent(student, lesson):
    out = every(3, len(lesson))
    X = np.where(out[:, None], 1e6, lesson.X)
    without = fitted(student, lesson.take(~out)).outputs(lesson.X)
    ignored = replace(lesson, X=X, weight=np.where(out, 0.0, 1.0))
    np.testing.assert_array_equal(fitted(student, ignored).outputs(lesson.X), without)


@all_lessons
@all_students
def test_rows_that_only_one_side_knows(student, lesson):
    n = len(lesson)
    soft, hard = lesson.soft.copy(), lesson.hard.copy()
    soft[every(4, n)] = np.nan
    hard[every(4, n + 1)[1:]] = np.nan
    lesson = replace(lesson, soft=soft, hard=hard, stopping=every(5, n))
    before = pickle.dumps(lesson)
    check_outputs(fitted(student, lesson).outputs(lesson.X), lesson)
    assert pickle.dumps(lesson) == before


@all_students
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_class_that_only_the_teacher_names(student, n_classes):
    lesson = class_lesson(n_classes)
    hard = np.zeros_like(lesson.hard)
    hard[:, 0] = 1.0
    for loss, temperature in LOSSES:
        changed = replace(lesson, hard=hard, soft_weight=0.5, loss=loss, temperature=temperature)
        outputs = fitted(student, changed).outputs(lesson.X)
        check_outputs(outputs, changed)
        assert (outputs.mean(axis=0)[1:] > 0.02).all()


@all_students
@pytest.mark.parametrize("n_classes", [2, 3])
def test_teachers_that_are_quite_sure(student, n_classes):
    lesson = class_lesson(n_classes)
    soft = np.eye(n_classes)[(lesson.X[:, 0] > 0).astype(int)]  # a third class is never named
    for loss, temperature in LOSSES:
        changed = replace(lesson, soft=soft, loss=loss, temperature=temperature)
        outputs = fitted(student, changed).outputs(lesson.X)
        check_outputs(outputs, changed)
        assert (outputs.argmax(axis=1) == soft.argmax(axis=1)).mean() > 0.95


@all_students
@pytest.mark.parametrize("name", ["two classes", "logits", "log-odds", "values", "quantiles"])
@pytest.mark.parametrize("X", [np.zeros((300, 2)), np.full((300, 1), np.nan)], ids=["0", "NaN"])
def test_columns_that_say_nothing(student, name, X):
    lesson = replace(LESSONS[name], X=X, stopping=every(4, 300))
    outputs = fitted(student, lesson).outputs(X)
    check_outputs(outputs, lesson)
    # all losses but those of quantiles and logits are least at the mean of the targets
    if name in ("two classes", "values"):
        np.testing.assert_allclose(outputs, outputs[:1] + 0 * outputs)
        np.testing.assert_allclose(outputs[0], lesson.targets.mean(axis=0), rtol=1e-5)


@all_students
def test_one_informative_column_and_few_rows(student):
    lesson = class_lesson(3, 12, n_features=1)
    check_outputs(fitted(student, lesson).outputs(lesson.X), lesson)


@all_students
@pytest.mark.parametrize("name", ["three classes", "two classes", "value"])
def test_mixed_columns_missing_values_and_unknown_levels(student, name):
    lesson = LESSONS[name]
    size = pd.Series(lesson.X[:, 0]).where(~every(7, 300))
    place = pd.Series(np.where(lesson.X[:, 1] > 0, "Bern", "Rome")).where(~every(5, 300))
    X = pd.DataFrame({"size": size, "place": place, "day": pd.Timestamp("2024-01-01")})
    found = fitted(student, replace(lesson, X=X))
    fresh = pd.DataFrame(
        {"size": [np.nan, 1e300, -np.inf], "place": ["Oslo", None, "Bern"], "day": pd.NaT}
    ).astype({"day": X["day"].dtype})
    outputs = found.outputs(fresh)
    check_outputs(outputs, lesson.take(np.arange(3)))
    ask, rows = found.bare(fresh)
    answer = np.ravel(ask(rows[0]))
    np.testing.assert_allclose(answer[-1], outputs[0, -1])


@all_students
def test_labels_keep_their_order(student):
    lesson = class_lesson(3)
    found = fitted(student, lesson)
    assert found.classes_.tolist() == ["class 00", "class 01", "class 02"]
    codes = found.outputs(lesson.X).argmax(axis=1)
    assert (found.predict(lesson.X) == found.classes_[codes]).all()
    flipped = replace(lesson, soft=lesson.soft[:, ::-1], hard=lesson.hard[:, ::-1])
    np.testing.assert_allclose(
        fitted(student, flipped).outputs(lesson.X)[:, ::-1], found.outputs(lesson.X), atol=1e-5
    )


@all_students
@pytest.mark.parametrize("name", ["value", "values", "quantiles", "plain quantiles"])
def test_the_unit_of_the_target_does_not_matter(student, name):
    lesson = LESSONS[name]
    moved = replace(lesson, soft=1e4 * lesson.soft - 1e8, hard=1e4 * lesson.hard - 1e8)
    first, second = (fitted(student, one).outputs(lesson.X) for one in (lesson, moved))
    # the distance of numbers of this size is 1e-8, and of losses there is one in a thousand
    np.testing.assert_allclose((second + 1e8) / 1e4, first, atol=1e-4)
