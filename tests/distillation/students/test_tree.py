"""A single tree: means in its leaves, counts from above, quantiles, units."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from stackens.distillation.students import TreeStudent
from tests.distillation.students.lessons import (
    class_lesson,
    class_task,
    quantile_lesson,
    value_lesson,
)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_leaves_hold_means_of_what_the_teacher_says(n_classes):
    lesson = class_lesson(n_classes, weight=np.random.default_rng(0).uniform(1, 4, 300))
    student = TreeStudent(max_depth=4, parent_rows=0).fit(lesson)
    outputs = student.outputs(lesson.X)
    leaves = student.tree.apply(lesson.X)
    for leaf in np.unique(leaves):
        rows = leaves == leaf
        mean = np.average(lesson.soft[rows], axis=0, weights=lesson.weight[rows])
        np.testing.assert_allclose(outputs[rows], np.tile(mean, (rows.sum(), 1)), atol=1e-12)
        assert lesson.weight[rows].sum() >= 5
    assert len(np.unique(leaves)) > 8


def test_counts_from_above():
    X = np.array([[0.0]] * 6 + [[1.0]] * 6)
    soft = np.array([[1.0, 0.0, 0.0]] * 6 + [[0.0, 0.5, 0.5]] * 6)
    lesson = class_lesson(3, 12, X=X, soft=soft)
    outputs = TreeStudent(max_depth=1, parent_rows=4).fit(lesson).outputs(X)
    # six rows of the leaf and four of the root, whose mean is a half, a quarter and a quarter
    np.testing.assert_allclose(outputs[0], [(6 + 4 / 2) / 10, 0.1, 0.1])
    np.testing.assert_allclose(outputs[-1], [0.2, 0.4, 0.4])


def test_counts_from_above_pass_through_every_level():
    lesson = class_lesson(2, 200, soft_weight=0.0)
    deep = TreeStudent(max_depth=8, min_leaf_weight=1).fit(lesson).outputs(lesson.X)
    bare = TreeStudent(max_depth=8, min_leaf_weight=1, parent_rows=0).fit(lesson).outputs(lesson.X)
    assert bare.max() == 1.0
    assert 0.75 < deep.max() < 1.0
    assert (deep.argmax(axis=1) == bare.argmax(axis=1)).mean() > 0.9


def test_a_temperature_and_logits_make_no_difference_and_the_path_says_so():
    lesson = class_lesson(3)
    student = TreeStudent().fit(lesson)
    assert student.path == "squared error of probabilities"
    for changes in ({"temperature": 5.0}, {"loss": "squared_logits"}):
        other = TreeStudent().fit(replace(lesson, **changes))
        np.testing.assert_array_equal(other.outputs(lesson.X), student.outputs(lesson.X))
    assert "no temperature" in TreeStudent().fit(class_lesson(3, temperature=5.0)).path
    assert TreeStudent().fit(class_lesson(3, soft_weight=0.0)).path == "hard labels"


def test_values_are_means_like_scikit_learns():
    lesson = value_lesson()
    expected = DecisionTreeRegressor(max_depth=6, min_samples_leaf=5, random_state=0)
    expected.fit(lesson.X, lesson.soft)
    found = TreeStudent().fit(lesson).outputs(lesson.X)
    np.testing.assert_allclose(found[:, 0], expected.predict(lesson.X), atol=1e-12)


def test_no_output_weighs_more_for_its_unit():
    lesson = value_lesson(2)
    units = np.array([1.0, 1e6])
    other = replace(lesson, soft=lesson.soft * units, hard=lesson.hard * units)
    first, second = (TreeStudent().fit(one).outputs(lesson.X) for one in (lesson, other))
    np.testing.assert_allclose(second / units, first, atol=1e-9)


def test_plain_quantiles_are_those_of_the_leaves():
    lesson = quantile_lesson(soft_weight=0.0)
    student = TreeStudent(max_depth=3).fit(lesson)
    outputs, leaves = student.outputs(lesson.X), student.tree.apply(lesson.X)
    for leaf in np.unique(leaves):
        rows = leaves == leaf
        truth = np.quantile(lesson.hard[rows, 0], lesson.quantiles, method="inverted_cdf")
        np.testing.assert_allclose(outputs[rows][0], truth, atol=1e-12)


def test_a_teachers_quantiles_are_averaged_and_a_mixture_lies_at_the_least_loss():
    taught = quantile_lesson()
    student = TreeStudent(max_depth=3).fit(taught)
    rows = student.tree.apply(taught.X) == student.tree.apply(taught.X)[0]
    np.testing.assert_allclose(student.outputs(taught.X)[0], taught.soft[rows].mean(axis=0))
    mixed = replace(taught, soft_weight=0.5)
    found = TreeStudent(max_depth=3).fit(mixed)
    outputs = found.outputs(mixed.X)
    # the losses are mixed in standard units
    scale = mixed.targets.std(axis=0)
    inside = replace(mixed, soft=mixed.soft / scale, hard=mixed.hard / scale)
    least = inside.mean_loss(outputs / scale)
    for step in (-1e-3, 1e-3):
        assert inside.mean_loss(outputs / scale + step) > least


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_depth_bounds_the_questions(depth):
    student = TreeStudent(max_depth=depth).fit(class_lesson(n=2000))
    assert student.tree.get_depth() == depth
    assert student.tree.get_n_leaves() <= 2**depth


def test_sweep_and_bytes_grow():
    sizes = TreeStudent.sweep(class_task(2), 500)
    assert [size.max_depth for size in sizes] == [3, 4, 5, 6, 7, 8]
    lesson = class_lesson(2, 2000)
    n_bytes = [size.fit(lesson).n_bytes() for size in sizes]
    assert n_bytes == sorted(n_bytes)
    nodes = TreeStudent(3).fit(lesson).tree.tree_.node_count
    assert n_bytes[0] == nodes * 5 * 8


@pytest.mark.parametrize(
    "settings", [{"max_depth": 0}, {"min_leaf_weight": -1}, {"parent_rows": "4"}]
)
def test_settings_without_sense(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"'{name}' parameter of TreeStudent must be"):
        TreeStudent(**settings).fit(class_lesson())
