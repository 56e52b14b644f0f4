"""Any torch module as a student, of rows of any shape."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from stackens._core._losses import looks_like_probabilities, softmax
from stackens._core._rows import is_frame
from stackens._core._task import Task
from stackens.distillation._lesson import Lesson
from stackens.distillation.students._base import FittedStudent, Student
from stackens.distillation.students._lesson_loss import (
    lesson_loss,
    standardised,
    target_columns,
)
from stackens.distillation.students._tabular import path_of
from stackens.export.program import Graph
from stackens.export.readers import Table
from stackens.export.readers.models import read_keras_model, read_torch_module
from stackens.out_of_fold import model_error

__all__ = ["FittedModule", "ModuleStudent", "NetworkStudent"]

_ROWS_AT_ONCE = 1024  # when nothing is learnt
# The generators that a user's network draws from belong to the process, not to a thread.
_GENERATORS = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class NetworkStudent(Student):
    """A network that the user built, with the settings of its training.

    Parameters
    ----------
    epochs : int, default=100
        Largest number of passes over the rows.
    batch_size : int or "auto", default="auto"
        Rows in a step. "auto" makes about ten steps an epoch, of 16 to 256 rows, and batches of
        up to 1024 from 50,000 rows on.
    learning_rate : float, default=3e-3
        Largest step of AdamW.
    weight_decay : float, default=0.01
        Decoupled decay of the weight matrices.
    schedule : {"one_cycle", "constant"}, default="one_cycle"
        How the learning rate goes over `epochs`.
    patience : int or None, default=20
        Stop after so many epochs without a better loss on the rows held back.
    standardise : bool, default=True
        For regression, whether the network learns values of mean 0 and deviation 1, which
        the student turns back. False for one that already predicts values in their own unit.
    name : str, default=""
        Label in reports; empty for the name of the network's class.
    """

    epochs: int = 100
    batch_size: int | Literal["auto"] = "auto"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    patience: int | None = 20
    standardise: bool = True
    name: str = ""

    stops_early: ClassVar[bool] = True

    @abstractmethod
    def _copied(self, task: Task) -> Any:
        """Return a copy of the user's network as a torch module, where it is to be trained."""

    def fit(self, lesson: Lesson, *, random_state: int | None = None) -> FittedModule:
        if not (lesson.weight > 0).all():
            lesson = lesson.take(lesson.weight > 0)
        seed = int(np.random.default_rng(random_state).integers(2**31 - 1))
        try:
            return self._learn(lesson, seed)
        except Exception as error:  # the network is the user's, and may fail in any way
            raise model_error(
                f"Student {self.label} failed in fit",
                error,
                "Check what the network reads and returns, or choose another student.",
            ) from error

    def _learn(self, lesson: Lesson, seed: int) -> FittedModule:
        import torch

        from stackens.neural import train
        from stackens.neural._fitting import usual_batch_size

        mean, scale = np.zeros(lesson.n_outputs), np.ones(lesson.n_outputs)
        if not lesson.task.is_classification and self.standardise:
            lesson, mean, scale = standardised(lesson)
        n_outputs, loss = lesson.n_outputs, lesson_loss(lesson)
        # the copy, dropout and lazy layers draw from torch's global generators
        with _GENERATORS, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            module = self._copied(lesson.task)
            fitted = FittedModule(lesson.task, self.label, path_of(lesson), module, mean, scale)
            # builds what is lazy, and fails early
            fitted.check(lesson.X)
            learnt, judged = _parts(lesson, module)
            train(
                module,
                learnt,
                lambda answer, columns: loss(_columns(answer, n_outputs), columns),
                epochs=self.epochs,
                batch_size=(
                    usual_batch_size(len(learnt)) if self.batch_size == "auto" else self.batch_size
                ),
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                schedule=self.schedule,
                validation=judged,
                patience=self.patience,
                generator=torch.Generator().manual_seed(seed),
            )
        return fitted


@dataclass(frozen=True)
class ModuleStudent(NetworkStudent):
    """Any torch module as a student.

    Every fit starts from the weights that the module has, on a copy of it: give one with
    random weights to begin anew, a trained one to go on. The module itself is never changed.

    Parameters
    ----------
    module : torch.nn.Module
        Called with rows of X, it returns logits (before softmax or sigmoid) of shape (n_samples,
        n_classes), or one logit for two classes, or values of shape (n_samples, n_outputs).
    device : str, default="auto"
        Where to train, as torch calls it, such as "cuda". "auto" is where the module is; the
        student comes back there.
    epochs, batch_size, learning_rate, weight_decay, schedule, patience, standardise, name
        As of :class:`NetworkStudent`.

    Notes
    -----
    X is a tensor, an array of any shape (n_samples, ...) or a DataFrame of numbers. Numbers get
    the precision of the module; integers stay what they are where the module has an embedding.

    All rows are held in the memory of the device at once.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from stackens._core._task import Task
    >>> from stackens.distillation._lesson import Lesson
    >>> from stackens.distillation.students import ModuleStudent
    >>> X = np.random.default_rng(0).normal(size=(400, 3))
    >>> values = X @ [[1.0], [2.0], [3.0]]
    >>> task = Task("regression", 1)
    >>> lesson = Lesson(X, values, values, task, np.ones(400), loss="squared_error")
    >>> student = ModuleStudent(nn.Linear(3, 1), learning_rate=0.05).fit(lesson, random_state=0)
    >>> student.predict([[1.0, 1.0, 1.0]]).round(1)
    array([6.])
    """

    module: Any
    device: str = field(default="auto", kw_only=True)

    family: ClassVar[str] = "module"

    @property
    def label(self) -> str:
        return self.name or type(self.module).__name__

    def _copied(self, task: Task) -> Any:
        from stackens.neural._fitting import device_named
        from stackens.neural._modules import copied, unwrapped

        module = copied(unwrapped(self.module))
        return module if self.device == "auto" else module.to(device_named(self.device))

    def _learn(self, lesson: Lesson, seed: int) -> FittedModule:
        from stackens.neural._modules import device_of

        fitted = super()._learn(lesson, seed)
        fitted.module.to(device_of(self.module))
        return fitted


@dataclass(eq=False, repr=False)
class FittedModule(FittedStudent):
    """A torch module that has learnt.

    Parameters
    ----------
    task, label, path
    module : torch.nn.Module
        In evaluation mode: logits, or standardised values.
    mean, scale : ndarray of shape (n_outputs,)
        Values are the module's outputs times the scale plus the mean.
    """

    module: Any
    mean: np.ndarray
    scale: np.ndarray

    def outputs(self, X: Any) -> np.ndarray:
        return self._outputs(self._raw(X))

    def check(self, X: Any) -> None:
        """Raise where the module can't read rows, or answers with something else than logits."""
        raw = self._raw(X)
        if self.task.is_classification and _ends_in_probabilities(self.module, raw):
            raise ValueError(
                "The module must return logits. Got probabilities. Leave the softmax or sigmoid at "
                "its end out: predict_proba gives probabilities of logits."
            )

    def _raw(self, X: Any) -> np.ndarray:
        """Return finite logits or standardised values, shape (n_samples, n_outputs)."""
        from stackens.neural._modules import device_of, evaluating

        device, answers = device_of(self.module), []
        with evaluating(self.module):
            for inputs in _inputs(X, self.module).split(_ROWS_AT_ONCE):
                answers.append(_numbers(self.module(inputs.to(device)), self.task.n_outputs))
        raw = np.concatenate(answers)
        bad = ~np.isfinite(raw).all(axis=1)
        if bad.any():
            raise ValueError(
                f"Student {self.label} must answer with finite numbers. Got NaN or infinity for "
                f"{bad.sum()} of {len(bad)} rows, the first at {int(bad.argmax())}. Fill in what "
                "is missing and scale what is huge, for example with stackens.TabularEncoder."
            )
        return raw

    def _read_outputs(self, graph: Graph, table: Table) -> int:
        rows = table.numbers(graph)
        if str(_precision(self.module)) != "torch.float64":
            rows = graph.elementwise("round_single", rows)
        raw = _read_raw(self.module, graph, rows)
        if graph.width(raw) == 1 and self.task.n_outputs == 2:
            raw = graph.concatenate([graph.constant(0.0), raw])
        graph.refuse(raw)
        if self.task.is_classification:
            return graph.softmax(raw)
        return graph.plus(graph.times(raw, self.scale), self.mean)

    def _outputs(self, raw: np.ndarray) -> np.ndarray:
        if self.task.is_classification:
            return softmax(raw)
        return raw * self.scale + self.mean

    def n_bytes(self) -> int:
        # one tensor may stand under several names
        tensors = self.module.state_dict().values()
        return sum({tensor.data_ptr(): tensor.nbytes for tensor in tensors}.values())

    def bare(self, X: Any) -> tuple[Callable[[Any], Any], list[Any]]:
        import torch

        from stackens.neural._modules import device_of

        self.module.eval()

        def ask(row: Any) -> np.ndarray:
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                with torch.inference_mode():
                    return self._outputs(_numbers(self.module(row), self.task.n_outputs))
            finally:
                torch.set_num_threads(threads)

        rows = _inputs(X, self.module).to(device_of(self.module))
        return ask, [rows[i : i + 1].clone() for i in range(len(rows))]


def _parts(lesson: Lesson, module: Any) -> tuple[Any, Any]:
    """Return the rows to learn from and those to judge by (None without), as tensors.

    They are cut after their columns are made: the loss is that of the whole lesson, and a part
    of it, such as rows on which the teacher is silent, may look like a lesson of another kind.
    """
    import torch

    from stackens.neural import Rows

    weights = torch.tensor(lesson.weight, dtype=torch.float32)
    rows = Rows(
        _inputs(lesson.X, module),
        torch.tensor(target_columns(lesson), dtype=_precision(module)),
        None if np.ptp(lesson.weight) == 0 else weights / weights.mean(),
    )
    if lesson.stopping is None or not lesson.stopping.any() or lesson.stopping.all():
        return rows, None
    held_back = torch.from_numpy(lesson.stopping)
    learnt, judged = (torch.nonzero(part)[:, 0] for part in (~held_back, held_back))
    return rows.take(learnt), rows.take(judged)


def _precision(module: Any) -> Any:
    import torch

    dtypes = (part.dtype for part in module.parameters() if part.is_floating_point())
    return next(dtypes, torch.float32)


def _inputs(X: Any, module: Any) -> Any:
    """Return rows as a tensor that the module can read."""
    import torch

    if not isinstance(X, torch.Tensor):
        values = X.to_numpy() if is_frame(X) else np.asarray(X)
        try:
            values = values.astype(np.float64) if values.dtype == object else values
            X = torch.tensor(np.ascontiguousarray(values))
        except (TypeError, ValueError) as error:
            raise TypeError(
                "A network reads numbers in a dense array, a tensor or a DataFrame. Got "
                f"{type(X).__name__} with values that are none ({error!s:.100}). Encode it, for "
                "example with stackens.TabularEncoder, or use student='mlp', which does so."
            ) from error
    codes = any("Embedding" in type(part).__name__ for part in module.modules())
    if X.is_floating_point() or not codes:
        X = X.to(_precision(module))
    return X


def _ends_in_probabilities(module: Any, raw: np.ndarray) -> bool:
    from torch import nn

    from stackens.neural._modules import last_layer

    # a column of a sigmoid may also be one of logits, so that only the layer tells
    return isinstance(last_layer(module), nn.Sigmoid) or looks_like_probabilities(raw)


def _read_raw(module: Any, graph: Graph, rows: int) -> int:
    """Read what a torch module, or the Keras model inside it, says of rows."""
    if not hasattr(module, "gives_probabilities"):
        return read_torch_module(module, graph, rows)
    answer = read_keras_model(module.model, graph, rows)
    if not module.gives_probabilities:
        return answer
    if graph.width(answer) == 1:
        answer = graph.two_classes(answer)
    least = graph.constant(float(np.finfo(np.float32).tiny))
    return graph.elementwise("log", graph.arithmetic("maximum", answer, least))


def _numbers(answer: Any, n_outputs: int) -> np.ndarray:
    return _columns(answer, n_outputs).double().cpu().numpy()


def _columns(answer: Any, n_outputs: int) -> Any:
    """Return what a module says as a tensor of shape (n_samples, n_outputs)."""
    import torch

    if isinstance(answer, torch.Tensor):
        if answer.ndim == 1:
            answer = answer[:, None]
        if answer.ndim == 2 and answer.shape[1] == n_outputs:
            return answer
        if answer.ndim == 2 and answer.shape[1] == 1 and n_outputs == 2:
            return torch.cat([torch.zeros_like(answer), answer], dim=1)
    got = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
    raise ValueError(
        f"The module must return a tensor of shape (n_samples, {n_outputs}), or one column of "
        f"logits for two classes. Got {got}. Change its last layer, or wrap it in a module that "
        "picks the right tensor."
    )
