"""The training loop: any module, any loss of a row, hard or soft targets, early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any, Literal

import torch
from torch import nn

from stackens.neural._modules import device_of, evaluating, load_tensors, tensors_of
from stackens.neural._moving_average import MovingAverage

__all__ = ["Rows", "Training", "mean_loss", "train"]

Loss = Callable[[Any, Any], torch.Tensor]
_ROWS_AT_ONCE = 8192  # when nothing is learnt
_WARM_UP = 0.3  # part of the one-cycle schedule in which the learning rate rises


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to validate on.

    Parameters
    ----------
    inputs : tensor of shape (n_samples, ...), or tuple of them
        What the module is called with; a tuple gives it several arguments.
    targets : tensor of shape (n_samples, ...), or tuple of them
        What the loss gets: class codes, probabilities (soft targets), numbers, or several of
        them as a tuple.
    weights : tensor of shape (n_samples,) or None, default=None
        Weight of each row; None counts all alike.
    """

    inputs: Any
    targets: Any
    weights: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs[0] if isinstance(self.inputs, tuple) else self.inputs)

    def take(self, index: torch.Tensor) -> Rows:
        """Return some of the rows."""
        return self._each(lambda part: part.index_select(0, index))

    def to(self, device: torch.device) -> Rows:
        """Return the rows on a device."""
        return self._each(lambda part: part.to(device))

    def parts(self) -> list[torch.Tensor]:
        """Return all tensors."""
        groups = (self.inputs, self.targets, self.weights)
        tuples = (group if isinstance(group, tuple) else (group,) for group in groups)
        return [part for group in tuples for part in group if part is not None]

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Rows:
        def changed(part: Any) -> Any:
            if isinstance(part, tuple):
                return tuple(change(tensor) for tensor in part)
            return None if part is None else change(part)

        return Rows(changed(self.inputs), changed(self.targets), changed(self.weights))


@dataclass
class Training:
    """What happened in a training.

    Attributes
    ----------
    losses : list of float
        Mean loss of each epoch over the batches, each at the weights it was met with.
    validation_losses : list of float
        Loss of the validation rows after each epoch; empty without them.
    best_epoch : int
        Number, from 0, of the epoch whose weights the module has now.

    Examples
    --------
    >>> import torch
    >>> from stackens.neural import Rows, squared_error, train
    >>> x = torch.linspace(0, 1, 20)[:, None]
    >>> net, order = torch.nn.Linear(1, 1), torch.Generator().manual_seed(0)
    >>> rows = Rows(x, 2 * x)
    >>> history = train(
    ...     net, rows, squared_error, epochs=30, batch_size=5, learning_rate=0.1, generator=order
    ... )
    >>> len(history.losses), history.losses[-1] < history.losses[0]
    (30, True)
    """

    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best_epoch: int = 0


@torch.inference_mode(False)
@torch.enable_grad()
def train(
    module: nn.Module,
    rows: Rows,
    loss: Loss,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    schedule: Literal["one_cycle", "constant"] = "one_cycle",
    validation: Rows | None = None,
    patience: int | None = None,
    average: MovingAverage | None = None,
    average_every: Literal["step", "epoch"] = "step",
    average_from: int = 0,
    on_step: Callable[[nn.Module, int], object] | None = None,
    on_epoch: Callable[[nn.Module, int, float | None], object] | None = None,
    generator: torch.Generator | None = None,
) -> Training:
    """Train a module in place by AdamW, and leave it with its best weights.

    Parameters
    ----------
    module : torch.nn.Module
        Trained where it is (CPU or GPU); left in evaluation mode.
    rows : Rows
        Training rows, all in memory. They are moved to the module's device at once.
    loss : callable
        ``loss(module(inputs), targets)`` gives the loss of each row, shape (n_samples,).
    epochs : int
        Largest number of passes over the rows.
    batch_size : int
        Rows in a step. An epoch is cut into batches of nearly this size, all of nearly the same.
    learning_rate : float
        Largest learning rate of the schedule.
    weight_decay : float, default=0.0
        Decoupled decay of weight matrices; biases and other vectors have none.
    schedule : {"one_cycle", "constant"}, default="one_cycle"
        Learning rate over the steps of all `epochs`: up to the largest in the first 30% and
        down to nothing by cosines, or the same throughout.
    validation : Rows or None, default=None
        Held-out rows. With them the weights of the best epoch are kept, without them the last.
    patience : int or None, default=None
        Stop after so many epochs without a better validation loss; None never stops early.
    average : MovingAverage or None, default=None
        An average of the module's weights, to be kept up, validated and, in the end, put into
        the module in place of the weights themselves.
    average_every : {"step", "epoch"}, default="step"
        When the average is updated.
    average_from : int, default=0
        First epoch that enters the average. What came before is neither averaged nor kept.
    on_step : callable or None, default=None
        Called as ``on_step(module, step)`` after each step, from 0.
    on_epoch : callable or None, default=None
        Called as ``on_epoch(module, epoch, validation_loss)`` after each epoch, for example a
        :class:`CheckpointRecorder`. Training stops when it returns True.
    generator : torch.Generator or None, default=None
        Source of the order of the rows, on the CPU. None draws from torch's global one.

    Returns
    -------
    Training

    Raises
    ------
    ValueError
        If there are no rows, a number is not above zero, weights are negative or all zero, the
        schedule is unknown, no parameter can be trained, the loss does not give one number for
        each row, or no epoch ends with a finite loss.
    TypeError
        If rows are no tensors.

    References
    ----------
    Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, arXiv:1711.05101.
    Smith & Topin (2018), Super-Convergence, arXiv:1708.07120.
    """
    _check(schedule, learning_rate, epochs=epochs, batch_size=batch_size)
    _check_rows(rows, "rows")
    if validation is not None:
        _check_rows(validation, "validation")
    device = device_of(module)
    rows = rows.to(device)
    if rows.weights is not None:
        rows = replace(rows, weights=rows.weights / rows.weights.mean())
    validation = None if validation is None else validation.to(device)
    n_batches = math.ceil(len(rows) / batch_size)
    optimiser = _adamw(module, learning_rate, weight_decay)
    rates = _learning_rates(schedule, learning_rate, epochs * n_batches)
    history, best, step = Training(), _Best(), 0
    for epoch in range(epochs):
        averaging = average if epoch >= average_from else None
        if epoch == average_from:
            best = _Best()
        total = torch.zeros((), device=device)
        order = torch.randperm(len(rows), generator=generator, device="cpu").to(device)
        module.train()
        for index in order.tensor_split(n_batches):
            total += _step(module, rows.take(index), loss, optimiser, next(rates))
            if averaging is not None and average_every == "step":
                averaging.update()
            if on_step is not None:
                on_step(module, step)
            step += 1
        history.losses.append(float(total) / len(rows))
        if not math.isfinite(history.losses[-1]):
            break
        if averaging is not None and average_every == "epoch":
            averaging.update()
        validated = None
        with nullcontext() if averaging is None else averaging.swapped_in():
            if validation is not None:
                validated = mean_loss(module, validation, loss)
                history.validation_losses.append(validated)
            best.offer(module, epoch, validated)
        if on_epoch is not None and on_epoch(module, epoch, validated) is True:
            break
        if patience is not None and epoch - max(best.epoch, average_from) >= patience:
            break
    if best.state is None:
        last, where = history.losses[-1], ""
        if math.isfinite(last):
            last, where = history.validation_losses[-1], " on the validation rows"
        raise ValueError(
            f"Training must reach finite losses. Got {last} in epoch {len(history.losses)}{where}. "
            f"Use a smaller learning_rate than {learning_rate}, or scale the inputs; look for NaN "
            "in the rows."
        )
    load_tensors(module, best.state)
    module.eval()
    history.best_epoch = best.epoch
    return history


def mean_loss(module: nn.Module, rows: Rows, loss: Loss) -> float:
    """Return the weighted mean of the losses of rows, in evaluation mode."""
    total = weight = 0.0
    with evaluating(module):
        for index in torch.arange(len(rows), device=device_of(module)).split(_ROWS_AT_ONCE):
            batch = rows.take(index)
            losses = loss(_call(module, batch.inputs), batch.targets).double()
            weights = torch.ones_like(losses) if batch.weights is None else batch.weights.double()
            total += float(losses @ weights)
            weight += float(weights.sum())
    return total / weight


@dataclass
class _Best:
    """The weights after the epoch with the lowest validation loss; without losses, the newest."""

    loss: float = math.inf
    epoch: int = 0
    state: dict[str, torch.Tensor] | None = None

    def offer(self, module: nn.Module, epoch: int, loss: float | None) -> None:
        if loss is None or loss < self.loss:
            self.loss = math.inf if loss is None else loss
            self.epoch = epoch
            self.state = {name: tensor.clone() for name, tensor in tensors_of(module).items()}


def _check(schedule: str, learning_rate: float, **counts: int) -> None:
    if schedule not in ("one_cycle", "constant"):
        raise ValueError(
            "The 'schedule' parameter of train() must be 'one_cycle' or 'constant'. Got "
            f"{schedule!r} instead. Use 'constant' to hold the learning rate."
        )
    for name, value in {**counts, "learning_rate": learning_rate}.items():
        if not value > 0 or (name in counts and not isinstance(value, Integral)):
            raise ValueError(
                f"The {name!r} parameter of train() must be a {'whole ' * (name in counts)}number "
                f"above 0. Got {value!r} instead. Leave a training out altogether to do no step."
            )


def _check_rows(rows: Rows, name: str) -> None:
    """Raise unless rows are tensors of one length, with weights that can be."""
    odd = [type(part).__name__ for part in rows.parts() if not isinstance(part, torch.Tensor)]
    if odd:
        raise TypeError(
            f"The {name!r} of train() must be tensors. Got {', '.join(odd)}. Turn arrays into "
            "tensors by torch.from_numpy."
        )
    lengths = {len(part) for part in rows.parts()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"Inputs, targets and weights of the {name!r} of train() must have the same number of "
            f"rows, at least one. Got {sorted(lengths)}. Give each row a target, and drop rows "
            "without one."
        )
    weights = rows.weights
    if weights is not None and not ((weights >= 0).all() and 0 < weights.double().sum() < math.inf):
        raise ValueError(
            f"Weights of the {name!r} of train() must be at least 0, some of them above, and "
            "finite. Got others. Give 1 for a row that counts as usual."
        )


def _call(module: nn.Module, inputs: Any) -> Any:
    return module(*inputs) if isinstance(inputs, tuple) else module(inputs)


def _step(
    module: nn.Module, batch: Rows, loss: Loss, optimiser: torch.optim.Optimizer, rate: float
) -> torch.Tensor:
    """Learn from one batch and return the sum of its losses."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    losses = loss(_call(module, batch.inputs), batch.targets)
    if losses.shape != (len(batch),):
        raise ValueError(
            f"The loss must give one number for each of {len(batch)} rows. Got a tensor of shape "
            f"{tuple(losses.shape)}. Use reduction='none', or the mean over all axes but the first."
        )
    if batch.weights is not None:
        losses = losses * batch.weights
    optimiser.zero_grad()
    losses.mean().backward()
    optimiser.step()
    return losses.detach().sum()


def _adamw(module: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError(
            "Training needs parameters that can change. Got a module in which all are frozen, or "
            "none. Set requires_grad_(True) on what is to be trained."
        )
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    # one kernel for all parameters, where the device has it: steps of small networks are short
    real = not any(parameter.is_complex() for parameter in parameters)
    fused = real and device_of(module).type in ("cpu", "cuda")
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=learning_rate, fused=fused)


def _learning_rates(schedule: str, largest: float, n_steps: int) -> Iterator[float]:
    """Yield the learning rate of each step."""
    for step in range(n_steps):
        done = step / n_steps
        if schedule == "constant":
            yield largest
        elif done < _WARM_UP:
            yield largest * (0.04 + 0.48 * (1 - math.cos(math.pi * done / _WARM_UP)))
        else:
            yield largest * 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
