"""Boosted trees as a student: LightGBM on soft targets of any task, as an ordinary booster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from stackens._core._task import Task
from stackens.distillation._lesson import Lesson
from stackens.distillation.students._base import Student
from stackens.distillation.students._graft import grafted
from stackens.distillation.students._lesson_loss import standardised
from stackens.distillation.students._objective import objective_of, outputs_of
from stackens.distillation.students._tabular import (
    FittedTabular,
    encoded,
    path_of,
    require_settings,
)
from stackens.export.program import Graph
from stackens.export.readers import Table, read_response
from stackens.preprocessing import TabularEncoder

__all__ = ["FittedLightGBM", "LightGBMStudent"]

_HIGH_RATE = 0.25
_LARGE_LEAF = 100  # rows
_PATIENCE = 20  # trees without a better loss of the rows held back, after which boosting stops
_SIZES = ((10, 7), (25, 7), (50, 7), (50, 15), (100, 15), (100, 31), (200, 31))


@dataclass(frozen=True)
class LightGBMStudent(Student):
    """Gradient boosting of trees by LightGBM.

    Two classes learn by LightGBM's own cross-entropy, values by its squared error. Several
    classes, temperatures, logits and quantiles of a teacher learn by exact gradients of ours;
    the result is always an ordinary booster, whose ``predict`` gives probabilities or values.

    Parameters
    ----------
    n_trees : int, default=100
        Rounds of boosting: one tree each, for three or more classes one for each class. With
        rows held back it is the most, and their loss chooses how many.
    n_leaves : int, default=31
        Largest number of leaves of a tree.
    learning_rate : float, default=0.1
    min_child_samples : int, default=20
        Least number of rows in a leaf.
    n_threads : int, default=1
        Threads to fit and to predict. Another number can change the last digits of a model.

    Notes
    -----
    Categories are codes in an order, missing values stay missing. Targets of several values, and
    quantiles, have a booster for each output.

    References
    ----------
    Ke et al. (2017), LightGBM: A Highly Efficient Gradient Boosting Decision Tree, NeurIPS.

    Examples
    --------
    >>> from stackens.distillation.students import LightGBMStudent
    >>> LightGBMStudent(n_trees=50, n_leaves=15).label
    'lightgbm 50x15'
    """

    family: ClassVar[str] = "lightgbm"
    reads_tables: ClassVar[bool] = True
    stops_early: ClassVar[bool] = True

    n_trees: int = 100
    n_leaves: int = 31
    learning_rate: float = 0.1
    min_child_samples: int = 20
    n_threads: int = 1

    @property
    def label(self) -> str:
        usual = type(self)
        rate = f" rate {self.learning_rate:g}" * (self.learning_rate != usual.learning_rate)
        leaf = f" leaf {self.min_child_samples}"
        leaf *= self.min_child_samples != usual.min_child_samples
        return f"lightgbm {self.n_trees}x{self.n_leaves}{rate}{leaf}"

    def variants(self) -> list[Self]:
        # A fixed number of trees reaches less than it could at a low rate where there are many
        # rows to learn from, such as those that a teacher labels. On few rows of many classes
        # small leaves learn single rows by heart.
        rates = dict.fromkeys([self.learning_rate, max(self.learning_rate, _HIGH_RATE)])
        leaves = dict.fromkeys([self.min_child_samples, max(self.min_child_samples, _LARGE_LEAF)])
        found = [
            replace(self, learning_rate=rate, min_child_samples=leaf)
            for leaf in leaves
            for rate in rates
        ]
        return found[1:]

    @classmethod
    def sweep(cls, task: Task, n_samples: int) -> list[Self]:
        # Leaves hold at least 20 rows: on small tables trees of more leaves than that are equal.
        most = max(_SIZES[0][1], n_samples // cls.min_child_samples)
        return [cls(n_trees=trees, n_leaves=leaves) for trees, leaves in _SIZES if leaves <= most]

    def fit(self, lesson: Lesson, *, random_state: int | None = None) -> FittedLightGBM:
        least = {"n_trees": 1, "n_leaves": 2, "min_child_samples": 1, "n_threads": 1}
        require_settings(self, {**least, "learning_rate": 1e-6})
        encoder = TabularEncoder(impute=None)
        lesson = encoded(lesson, encoder, type(self).__name__)
        seed = 0 if random_state is None else int(random_state)
        if lesson.task.is_classification:
            boosters = [self._boosted(lesson, seed)]
        else:
            standard, mean, scale = standardised(lesson)
            boosters = [
                self._boosted(_one_output(standard, j), seed, mean[j], scale[j])
                for j in range(lesson.n_outputs)
            ]
        return FittedLightGBM(
            lesson.task, self.label, path_of(lesson), encoder, boosters, self.n_threads
        )

    def _boosted(self, lesson: Lesson, seed: int, mean: float = 0.0, scale: float = 1.0) -> Any:
        """Return the ordinary booster of a lesson, its outputs taken out of standard units."""
        learnt, held_back = lesson.parts()
        n_trees = self.n_trees
        if held_back is not None:
            booster, _ = self._train(learnt, n_trees, seed, held_back)
            n_trees = booster.best_iteration
        # Rows held back carry as much of what the teacher knows as the others. The right number
        # of trees hardly depends on a few rows more, so it is kept and all rows are learnt.
        booster, start = self._train(lesson, n_trees, seed)
        kind = lesson.task.kind
        if kind != "regression":
            return grafted(booster, kind, start=start)
        offset = mean if start is None else mean + scale * start
        return grafted(booster, kind, start=np.atleast_1d(offset), scale=scale)

    def _train(
        self, lesson: Lesson, n_trees: int, seed: int, held_back: Lesson | None = None
    ) -> tuple[Any, np.ndarray | None]:
        """Boost, and return what the scores are counted from (None: they are what they are)."""
        import lightgbm

        plan = _plan(lesson)
        settings = {
            "objective": plan.objective,
            "num_class": plan.n_scores,
            "num_leaves": self.n_leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_child_samples,
            # Bins and sums in a fixed order: one seed gives the same bits. One thread, since
            # students are trained side by side.
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.n_threads,
            "seed": seed,
            # 0 rather than errors where no column can split
            "feature_pre_filter": False,
            "metric": "none",
            "verbose": -1,
            **plan.settings,
        }
        matrix = lesson.X
        if callable(plan.objective) and _is_constant(matrix):
            # LightGBM refuses an objective of ours on columns that cannot split: these could,
            # but no leaf is ever large enough.
            matrix = np.arange(float(matrix.size)).reshape(matrix.shape)
            settings["min_data_in_leaf"] = len(matrix) + 1
        rows = lightgbm.Dataset(matrix, plan.label, weight=plan.weight, params=settings)
        judged: dict[str, Any] = {}
        if held_back is not None:

            def loss(scores: np.ndarray, _: Any) -> tuple[str, float, bool]:
                return "loss", held_back.mean_loss(plan.outputs(scores)), False

            judged = {
                "valid_sets": [lightgbm.Dataset(held_back.X, reference=rows)],
                "feval": loss,
                "callbacks": [lightgbm.early_stopping(_PATIENCE, verbose=False)],
            }
        booster = lightgbm.train(settings, rows, n_trees, **judged)
        return booster, plan.start


@dataclass(frozen=True, eq=False)
class _Plan:
    """An objective by LightGBM's name with its label, or one of ours with what it starts from."""

    objective: str | Callable[[np.ndarray, Any], tuple[np.ndarray, np.ndarray]]
    outputs: Callable[[np.ndarray], np.ndarray]  # of what LightGBM predicts while it trains
    label: np.ndarray
    weight: np.ndarray | None = None
    n_scores: int = 1
    start: np.ndarray | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def _plan(lesson: Lesson) -> _Plan:
    """Choose LightGBM's own objective where it has one, which is faster, and ours elsewhere."""
    taught = bool((lesson.soft_share > 0).any())
    plain = lesson.loss == "cross_entropy" and lesson.temperature == 1.0
    if lesson.task.kind == "binary" and (plain or not taught):

        def both(probability: np.ndarray) -> np.ndarray:
            return np.column_stack([1.0 - probability, probability])

        return _Plan("cross_entropy", both, lesson.targets[:, 1], lesson.weight)
    if lesson.loss == "squared_error":
        return _Plan("regression", _as_column, lesson.targets[:, 0], lesson.weight)
    if lesson.loss == "pinball" and not taught:
        level = {"alpha": lesson.quantiles[0]}
        return _Plan("quantile", _as_column, lesson.hard[:, 0], lesson.weight, settings=level)
    objective = objective_of(lesson, dtype=np.float32)
    start, n_scores = objective.start, len(objective.start)

    def derivatives(scores: np.ndarray, _: Any) -> tuple[np.ndarray, np.ndarray]:
        if n_scores == 1:
            gradient, hessian = objective.derivatives(scores[None, :])
            return gradient[0], hessian[0]
        # LightGBM keeps the scores of one class side by side: both views cost nothing
        gradient, hessian = objective.derivatives(scores.T)
        return gradient.T, hessian.T

    def outputs(scores: np.ndarray) -> np.ndarray:
        scores = scores.reshape(len(scores), -1) + start
        return outputs_of(scores, lesson.task.is_classification)

    label = np.zeros(len(lesson), dtype=np.float32)
    return _Plan(derivatives, outputs, label, None, n_scores, start)


def _as_column(values: np.ndarray) -> np.ndarray:
    return values[:, None]


def _one_output(lesson: Lesson, j: int) -> Lesson:
    return replace(
        lesson,
        soft=lesson.soft[:, j : j + 1],
        hard=lesson.hard[:, j : j + 1],
        quantiles=lesson.quantiles[j : j + 1],
    )


def _is_constant(matrix: np.ndarray) -> bool:
    first = matrix[0]
    return bool(((matrix == first) | (np.isnan(matrix) & np.isnan(first))).all())


@dataclass(eq=False, repr=False)
class FittedLightGBM(FittedTabular):
    """Ordinary boosters behind an encoder.

    Parameters
    ----------
    task, label, path, encoder
        As for :class:`FittedTabular`.
    boosters : list of lightgbm.Booster
        One for classes, one for each output of a regression.
    n_threads : int, default=1
    """

    boosters: list[Any]
    n_threads: int = 1

    def outputs_of_matrix(self, matrix: np.ndarray) -> np.ndarray:
        answers = [b.predict(matrix, num_threads=self.n_threads) for b in self.boosters]
        if self.task.kind == "multiclass":
            return answers[0]
        outputs = np.column_stack(answers)
        return np.hstack([1.0 - outputs, outputs]) if self.task.kind == "binary" else outputs

    def _read_matrix(self, graph: Graph, table: Table) -> int:
        answers = [read_response(b, graph, table, "predict") for b in self.boosters]
        outputs = graph.concatenate(answers)
        return graph.two_classes(outputs) if self.task.kind == "binary" else outputs

    def ask_one(self) -> Callable[[Any], Any]:
        if len(self.boosters) > 1:
            return lambda row: [b.predict(row, num_threads=1) for b in self.boosters]
        predict = self.boosters[0].predict
        return lambda row: predict(row, num_threads=1)

    def n_bytes(self) -> int:
        return sum(len(b.model_to_string().encode()) for b in self.boosters)
