"""How tables reach tabular students, and what they cannot take."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from stackens.distillation.students import LightGBMStudent, LinearStudent, MLPStudent, TreeStudent
from stackens.distillation.students._tabular import encoded, path_of, require_settings
from stackens.preprocessing import TabularEncoder
from tests.distillation.students.lessons import class_lesson, quantile_lesson, value_lesson
from tests.export.exported import assert_exported


def test_rows_without_weight_are_left_out_and_weights_are_in_rows():
    lesson = class_lesson(n=6, weight=np.array([0.0, 1e-6, 1e-6, 2e-6, 0.0, 0.0]))
    encoder = TabularEncoder(scale=True)
    found = encoded(lesson, encoder, "Student")
    np.testing.assert_allclose(found.weight, [0.75, 0.75, 1.5])
    assert found.X.shape == (3, 4)
    np.testing.assert_allclose(found.weight @ found.X, 0.0, atol=1e-12)
    np.testing.assert_array_equal(found.soft, lesson.soft[1:4])
    assert lesson.X.shape == (6, 4)


def test_weights_that_stand_for_copies_stay():
    weight = np.array([1.0, 2.0, 3.0])
    found = encoded(class_lesson(n=3, weight=weight), TabularEncoder(), "Student")
    np.testing.assert_array_equal(found.weight, weight)


def test_rows_to_stop_by_stay_marked():
    stopping = np.array([True, False, True, False])
    lesson = class_lesson(n=4, weight=np.array([1.0, 0.0, 1.0, 1.0]), stopping=stopping)
    found = encoded(lesson, TabularEncoder(), "Student")
    assert found.stopping.tolist() == [True, True, False]


def test_no_row_with_a_weight():
    with pytest.raises(ValueError, match=r"needs rows to learn from\. Got 3 rows of weight 0"):
        encoded(class_lesson(n=3, weight=np.zeros(3)), TabularEncoder(), "Student")


@pytest.mark.parametrize(
    ("X", "got"),
    [
        (sparse.csr_matrix(np.eye(3)), "sparse csr_matrix"),
        (np.zeros((3, 2, 2)), "3 dimensions"),
        (["a text", "another", "one more"], "texts or dicts"),
        (pd.Series(["a text", "another", "one more"]), "texts or dicts"),
        ([{"a": 1}, {"a": 2}, {"a": 3}], "texts or dicts"),
    ],
)
def test_what_is_no_table_is_refused_with_a_way_out(X, got):
    with pytest.raises((ValueError, TypeError), match=f"{got}.*torch module.*scikit-learn"):
        encoded(class_lesson(n=3, X=X), TabularEncoder(), "Student")


def test_a_fitted_student_refuses_it_too():
    student = TreeStudent().fit(class_lesson())
    with pytest.raises(TypeError, match="sparse"):
        student.outputs(sparse.csr_matrix(np.eye(4)))


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_of_either_library_give_the_same(library):
    columns = {"a": [1.0, 2.0, None, 4.0], "b": ["x", None, "y", "x"]}
    lesson = class_lesson(n=4, X=library.DataFrame(columns), weight=np.array([1.0, 1, 1, 0]))
    found = encoded(lesson, TabularEncoder(impute=None), "Student")
    np.testing.assert_array_equal(found.X, [[1, 0], [2, -1], [np.nan, 1]])


def test_paths():
    assert path_of(class_lesson()) == "soft cross-entropy"
    assert path_of(class_lesson(temperature=2.0)) == "soft cross-entropy at temperature 2"
    assert path_of(class_lesson(temperature=2.0, soft_weight=0.0)) == "hard labels"
    assert path_of(class_lesson(loss="squared_logits")) == "squared error of logits"
    assert path_of(value_lesson()) == "squared error"
    assert path_of(quantile_lesson()) == "squared error"


@pytest.mark.parametrize("value", [0, 2.5, True, "6", None, float("nan")])
def test_settings_are_checked(value):
    expected = r"'max_depth' parameter of TreeStudent must be a whole number.*Got .*default, 6"
    with pytest.raises(ValueError, match=expected):
        require_settings(TreeStudent(max_depth=value), {"max_depth": 1})


def test_numbers_of_numpy_are_numbers():
    student = TreeStudent(max_depth=np.int64(3), min_leaf_weight=np.float32(2.5))
    require_settings(student, {"max_depth": 1, "min_leaf_weight": 0.0})
    assert student.fit(class_lesson()).tree.get_depth() == 3


def test_tensors_and_lists_of_rows_are_tables():
    torch = pytest.importorskip("torch")
    lesson = class_lesson(n=30)
    expected = TreeStudent().fit(lesson).outputs(lesson.X)
    for X in (torch.tensor(lesson.X), lesson.X.tolist()):
        found = TreeStudent().fit(class_lesson(n=30, X=X)).outputs(X)
        np.testing.assert_array_equal(found, expected)


# ---------------------------------------------------------------- in exports


def recipes():
    """Small recipes of every tabular student."""
    found = [LightGBMStudent(n_trees=8, n_leaves=5), TreeStudent(max_depth=4), LinearStudent()]
    return [*found, *([MLPStudent((8,), max_iter=2)] if find_spec("torch") else [])]


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.family)
@pytest.mark.parametrize(
    "lesson",
    [class_lesson(2), class_lesson(3), value_lesson(1), value_lesson(2), quantile_lesson()],
    ids=["two classes", "three classes", "a value", "two values", "quantiles"],
)
def test_a_tabular_student_is_exported(recipe, lesson):
    student = recipe.fit(lesson, random_state=0)
    program = assert_exported(student, lesson.X, atol=1e-12)
    assert not program.single_precision  # networks too: they answer in double precision
    assert program.n_outputs == lesson.n_outputs
    assert program.refused is None  # its encoder takes any row


@pytest.mark.parametrize("recipe", recipes()[:2], ids=lambda recipe: recipe.family)
def test_trees_of_values_are_exported_to_the_last_bit(recipe):
    lesson = value_lesson(2)
    student = recipe.fit(lesson, random_state=0)
    rows = np.vstack([lesson.X, np.nan_to_num(lesson.X) * 1e30, np.full((1, 4), np.nan)])
    assert_exported(student, rows, rtol=0, atol=0)
