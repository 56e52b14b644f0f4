"""Sizes that fall behind on few rows are left out; what is small is kept."""

from types import SimpleNamespace

import numpy as np
from sklearn.datasets import make_classification

from stackens._core._task import infer_task
from stackens.distillation import _halving
from stackens.distillation._candidates import Mix
from stackens.distillation._halving import promising
from stackens.distillation._inputs import Inputs
from stackens.distillation._lessons import Lessons
from stackens.distillation.students import TreeStudent


def lessons(n):
    X, labels = make_classification(n, 6, random_state=0)
    task, y = infer_task(labels)
    inputs = Inputs(X, y, task, np.eye(2)[y], task, None, None, 5)
    soft = np.eye(2)[y] * 0.9 + 0.05
    return Lessons(inputs, soft, lambda X: None, None, "cross_entropy", 1.0, (), 0)


def counted(monkeypatch):
    """Count the rows of every fit."""
    rows, fit = [], TreeStudent.fit

    def counting(self, lesson, **options):
        rows.append(len(lesson))
        return fit(self, lesson, **options)

    monkeypatch.setattr(TreeStudent, "fit", counting)
    return rows


def cost_of_nodes(student, X):
    """A cost that no busy machine changes."""
    return SimpleNamespace(
        one_row_us=student.tree.get_depth(), n_bytes=student.tree.tree_.node_count
    )


DEPTHS = [TreeStudent(max_depth=depth) for depth in range(1, 13)]


def test_rungs_double_the_rows_and_thin_out_the_sizes(monkeypatch):
    rows = counted(monkeypatch)
    monkeypatch.setattr(_halving, "measure_student", cost_of_nodes)
    kept = promising(DEPTHS, lessons(10_000), Mix(1.0), 0, 0)
    assert 1 <= len(kept) < len(DEPTHS)
    assert kept[0].max_depth == 1  # the smallest is beaten by nothing as small
    sizes = sorted(set(rows))
    assert sizes[0] == 2_125  # a quarter of what is not stopped by
    assert sizes[1:] in ([], [4_250])
    assert kept == promising(DEPTHS, lessons(10_000), Mix(1.0), 0, 0)


def test_few_sizes_or_few_rows_all_see_all_rows(monkeypatch):
    rows = counted(monkeypatch)
    assert promising(DEPTHS[:4], lessons(10_000), Mix(1.0), 0, 0) == DEPTHS[:4]
    assert promising(DEPTHS, lessons(1_000), Mix(1.0), 0, 0) == DEPTHS
    assert promising(DEPTHS, lessons(50), Mix(1.0, "munge"), 0, 0) == DEPTHS
    assert not rows


def test_the_better_half_is_kept(monkeypatch):
    monkeypatch.setattr(_halving, "pareto_mask", lambda score, *_: np.zeros(len(score), bool))
    kept = promising(DEPTHS, lessons(10_000), Mix(1.0), 0, 0)
    assert 1 not in {recipe.max_depth for recipe in kept}
    assert 2 <= len(kept) <= 7
