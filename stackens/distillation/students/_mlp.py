"""The network student for tables: a small multilayer perceptron in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from stackens._core._losses import PROBABILITY_FLOOR, softmax
from stackens._core._optional import require
from stackens._core._task import Task
from stackens.distillation._lesson import Lesson
from stackens.distillation.students._base import Student
from stackens.distillation.students._lesson_loss import (
    lesson_loss,
    standardised,
    target_columns,
)
from stackens.distillation.students._tabular import FittedTabular, dense_table, path_of
from stackens.export.program import Graph
from stackens.export.readers import Table
from stackens.export.readers.models import read_tabular_network
from stackens.neural import TorchMLPClassifier, TorchMLPRegressor
from stackens.neural._table import TargetRows, code_columns, encoded, fit_encoder

__all__ = ["FittedMLP", "MLPStudent"]

_LOW_RATE = 2e-3


@dataclass(frozen=True)
class MLPStudent(Student):
    """A multilayer perceptron that reads tables as :class:`stackens.TorchMLPClassifier` does.

    It stops by the loss of the lesson itself on the rows held back: a distilled student is judged
    by the teacher, whose word has less noise than labels have.

    Parameters
    ----------
    hidden : tuple of int, default=(64, 64)
        Units of each hidden layer.
    learning_rate : float, default=6e-3
    max_iter : int or "auto", default="auto"
        "auto" is a million over the number of rows, from 30 to 100 epochs.
    n_iter_no_change : int, default=25
    activation, n_bins, categories, dropout, weight_decay, schedule, batch_size, average, device, \
n_jobs
        All as of :class:`stackens.TorchMLPClassifier`, whose defaults differ only in the three
        named first: there is less to overfit in soft targets, and more to learn.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    ValueError
        If a setting cannot be used.

    See Also
    --------
    stackens.TorchMLPClassifier : The network and its settings.

    References
    ----------
    Hinton, Vinyals & Dean (2015), Distilling the Knowledge in a Neural Network, arXiv:1503.02531.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens._core._task import Task
    >>> from stackens.distillation._lesson import Lesson
    >>> from stackens.distillation.students import MLPStudent
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> soft = 1 / (1 + np.exp(-4 * X[:, :1] * X[:, 1:]))
    >>> soft = np.hstack([1 - soft, soft])
    >>> task = Task("binary", 2, np.array(["differ", "agree"]))
    >>> lesson = Lesson(X, soft, np.full((400, 2), np.nan), task, np.ones(400))
    >>> student = MLPStudent((16, 16)).fit(lesson, random_state=0)
    >>> student
    <mlp 16-16, learnt by soft cross-entropy>
    >>> student.predict([[1.0, 1.0], [-1.0, 1.0]])
    array(['agree', 'differ'], dtype='<U6')
    """

    hidden: tuple[int, ...] = (64, 64)
    activation: str = "relu"
    n_bins: int = 16
    categories: Literal["auto", "one_hot", "embedding"] = "auto"
    dropout: float = 0.0
    learning_rate: float = 6e-3
    weight_decay: float | Literal["auto"] = "auto"
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    batch_size: int | Literal["auto"] = "auto"
    max_iter: int | Literal["auto"] = "auto"
    n_iter_no_change: int = 25
    average: Literal["ema", "swa", "last_n"] | None = None
    device: str = "auto"
    n_jobs: int | None = None

    family: ClassVar[str] = "mlp"
    reads_tables: ClassVar[bool] = True
    stops_early: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require("torch", extra="torch", purpose='student="mlp"')
        settings = {name: getattr(self, name) for name in _settings()}
        if self.max_iter == "auto":
            del settings["max_iter"]
        estimator = TorchMLPClassifier(self.hidden, **settings)
        estimator._validate_params()
        object.__setattr__(self, "hidden", estimator._hidden())

    @classmethod
    def like(cls, estimator: TorchMLPClassifier | TorchMLPRegressor) -> Self:
        """Return the recipe with the settings of an estimator."""
        params = estimator.get_params()
        return cls(params["hidden_layer_sizes"], **{name: params[name] for name in _settings()})

    @property
    def label(self) -> str:
        usual = self.learning_rate == type(self).learning_rate
        rate = "" if usual else f" rate {self.learning_rate:g}"
        return f"mlp {'-'.join(map(str, self.hidden)) or 'linear'}{rate}"

    def variants(self) -> list[Self]:
        return [replace(self, learning_rate=_LOW_RATE)] if self.learning_rate > _LOW_RATE else []

    @classmethod
    def sweep(cls, task: Task, n_samples: int) -> list[Self]:
        return [cls((units, units)) for units in (16, 32, 64, 128)]

    def fit(self, lesson: Lesson, *, random_state: int | None = None) -> FittedMLP:
        from stackens.neural._fitting import new_network, train_network

        task, X = lesson.task, dense_table(lesson.X, self.label)
        mean, scale = np.zeros(lesson.n_outputs), np.ones(lesson.n_outputs)
        if not task.is_classification:
            lesson, mean, scale = standardised(lesson)
        encoder = fit_encoder(X, lesson.weight, self.categories)
        stopping = np.zeros(len(lesson)) if lesson.stopping is None else lesson.stopping
        columns = np.column_stack([target_columns(lesson), stopping])
        # merged while together, so that neither bins nor batches depend on the order of the rows
        rows = TargetRows(encoded(encoder, X), columns, lesson.weight).merged()
        held_back = rows.target[:, -1] > 0
        rows = TargetRows(rows.table, rows.target[:, :-1], rows.weights)
        seed = int(np.random.default_rng(random_state).integers(2**31 - 1))
        first = None
        if task.is_classification:
            share = np.average(lesson.targets, axis=0, weights=lesson.weight)
            first = np.log(np.maximum(share, PROBABILITY_FLOOR))
        network = new_network(
            rows,
            code_columns(encoder),
            lesson.n_outputs,
            hidden=self.hidden,
            activation=self.activation,
            n_bins=self.n_bins,
            seed=seed,
            first_outputs=first,
        )
        judged = held_back.any() and not held_back.all()
        network, _ = train_network(
            network,
            rows.take(~held_back) if judged else rows,
            rows.take(held_back) if judged else None,
            batch_size=self.batch_size,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            average=self.average,
            epochs=_epochs(len(rows)) if self.max_iter == "auto" else self.max_iter,
            patience=self.n_iter_no_change,
            device=self.device,
            n_jobs=self.n_jobs,
            seed=seed,
            on_epoch=None,
            loss=lesson_loss(lesson),
        )
        path = path_of(lesson)
        return FittedMLP(task, self.label, path, encoder, self, network, mean, scale)


def _settings() -> list[str]:
    """Names of the settings that the recipe and the estimators share."""
    return [field.name for field in fields(MLPStudent) if field.name != "hidden"]


def _epochs(n_rows: int) -> int:
    """The more rows, the fewer epochs, so that a million rows are met in all."""
    return int(np.clip(1_000_000 / n_rows, 30, 100))


@dataclass(eq=False, repr=False)
class FittedMLP(FittedTabular):
    """A network that has learnt.

    Parameters
    ----------
    task, label, path, encoder
        As for :class:`FittedTabular`.
    recipe : MLPStudent
    module : torch.nn.Module
        The network, on the CPU and in evaluation mode: logits, or standardised values, of
        encoded rows in single precision.
    mean, scale : ndarray of shape (n_outputs,)
        Values are the network's outputs times the scale plus the mean.
    """

    recipe: MLPStudent
    module: Any
    mean: np.ndarray
    scale: np.ndarray

    def outputs_of_matrix(self, matrix: np.ndarray) -> np.ndarray:
        from stackens.neural._fitting import outputs

        table = matrix.astype(np.float32)
        return self._answers(outputs(self.module, table, self.recipe.device, self.recipe.n_jobs))

    def _read_matrix(self, graph: Graph, table: Table) -> int:
        outputs = read_tabular_network(self.module, graph, table)
        if self.task.is_classification:
            return graph.softmax(outputs)
        return graph.plus(graph.times(outputs, self.scale), self.mean)

    def ask_one(self) -> Callable[[Any], Any]:
        from stackens.neural._numpy_network import NumpyNetwork

        network = NumpyNetwork(self.module)
        # rounded as the network's inputs are
        return lambda row: self._answers(network(row.astype(np.float32).astype(np.float64)))

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        if self.task.is_classification:
            return softmax(outputs)
        return outputs * self.scale + self.mean

    def n_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.module.state_dict().values())
