"""Checkpoints kept during training: the last ones, the best ones or one in every few."""

from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from stackens._core._optional import require

__all__ = ["Checkpoint", "CheckpointRecorder"]

_FORMATS = ("safetensors", "pt")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The weights of one moment of a training.

    Parameters
    ----------
    step : int
        Step or epoch, as it was given.
    score : float or None
    state : dict of str to tensor or array, or None
        The weights, when they are kept in memory.
    path : Path or None
        Where they are, when they are kept in files.

    Examples
    --------
    >>> import torch
    >>> from stackens.neural import CheckpointRecorder
    >>> recorder = CheckpointRecorder(best=1)
    >>> for epoch, score in enumerate([0.7, 0.9, 0.8]):
    ...     recorder(torch.nn.Linear(2, 1), epoch, score)
    >>> recorder.checkpoints
    [Checkpoint(step=1, score=0.9, path=None)]
    >>> sorted(recorder.checkpoints[0].state)
    ['bias', 'weight']
    """

    step: int
    score: float | None = None
    state: dict[str, Any] | None = field(default=None, repr=False)
    path: Path | None = None


class CheckpointRecorder:
    """Keeps the weights of a network while it trains, to average them afterwards.

    Call it after each epoch (or step) of a plain torch loop; for Keras pass
    :meth:`keras_callback` to ``model.fit``.

    Parameters
    ----------
    last : int or None, default=None
        Keep the newest checkpoints, this many.
    best : int or None, default=None
        Keep the best checkpoints, this many; each call needs a score then. With `last`, a
        checkpoint stays that is among either. With neither, all stay.
    every : int, default=1
        Look only at calls whose step is a multiple of this.
    folder : str, Path or None, default=None
        Where files are written; it is made where it is missing. None keeps copies in memory
        (the CPU's).
    format : {"safetensors", "pt"}, default="safetensors"
        Of files of a torch module. Files of a Keras model end in ``.weights.h5``.
    greater_is_better : bool, default=True
        Whether a larger score is better; False for a loss. NaN is worse than everything.

    Attributes
    ----------
    checkpoints : list of Checkpoint
        What is kept, in training order, the newest last.
    states : list of dict
        Their weights, when they are in memory: torch tensors or, from Keras, numpy arrays.
    paths : list of Path
        Their files, when they are in files.

    Notes
    -----
    A file is written under a temporary name, flushed to the disk and renamed, so that whatever
    stands under a checkpoint's name is whole. The file of a checkpoint that is no longer kept is
    removed after the new one is in place.

    Examples
    --------
    >>> import torch
    >>> from stackens.neural import CheckpointRecorder
    >>> net = torch.nn.Linear(2, 1)
    >>> recorder = CheckpointRecorder(last=2)
    >>> for epoch in range(5):
    ...     recorder(net, epoch)
    >>> [checkpoint.step for checkpoint in recorder.checkpoints]
    [3, 4]
    >>> recorder
    <CheckpointRecorder with 2 checkpoints, the newest of step 4>
    >>> sorted(recorder.states[-1])
    ['bias', 'weight']
    """

    def __init__(
        self,
        *,
        last: int | None = None,
        best: int | None = None,
        every: int = 1,
        folder: str | os.PathLike[str] | None = None,
        format: str = "safetensors",
        greater_is_better: bool = True,
    ) -> None:
        for name, value in (("last", last), ("best", best), ("every", every)):
            if value is not None and (not isinstance(value, Integral) or value < 1):
                raise ValueError(
                    f"The {name!r} parameter of CheckpointRecorder must be an int of at least 1. "
                    f"Got {value!r} instead. Leave it out for the default."
                )
        if format not in _FORMATS:
            raise ValueError(
                f"The 'format' parameter of CheckpointRecorder must be one of {_FORMATS}. "
                f"Got {format!r} instead. 'pt' is what torch.save writes."
            )
        self.last = last
        self.best = best
        self.every = every
        self.folder = None if folder is None else Path(folder)
        self.format = format
        self.greater_is_better = greater_is_better
        self.checkpoints: list[Checkpoint] = []

    @property
    def states(self) -> list[dict[str, Any]]:
        """Weights of the checkpoints in memory, in training order."""
        return [c.state for c in self.checkpoints if c.state is not None]

    @property
    def paths(self) -> list[Path]:
        """Files of the checkpoints, in training order."""
        return [c.path for c in self.checkpoints if c.path is not None]

    def __repr__(self) -> str:
        newest = f", the newest of step {self.checkpoints[-1].step}" if self.checkpoints else ""
        return f"<CheckpointRecorder with {len(self.checkpoints)} checkpoints{newest}>"

    def __call__(self, model: Any, step: int, score: float | None = None) -> None:
        """Record the weights of now, and let go of those that are no longer kept.

        Parameters
        ----------
        model : torch.nn.Module, Keras model, or mapping of str to tensor or array
        step : int
            Step or epoch.
        score : float or None, default=None

        Raises
        ------
        ValueError
            If the best are kept and there is no score.
        TypeError
            If the model is of another kind.
        """
        try:
            step = operator.index(step)
        except TypeError as error:
            raise TypeError(
                f"The 'step' of a recorded checkpoint must be an int. Got {step!r}. Give the "
                "number of the step or epoch."
            ) from error
        if step % self.every:
            return
        if self.best is not None and score is None:
            raise ValueError(
                f"CheckpointRecorder(best={self.best}) needs a score with each call. Got none at "
                f"step {step}. Call it as recorder(model, step, score)."
            )
        score = getattr(score, "detach", lambda: score)()  # float would warn of a gradient
        new = Checkpoint(step, None if score is None else float(score))
        before = [c for c in self.checkpoints if c.step != new.step]  # a step again replaces it
        kept = self._kept([*before, new])
        kept = [self._with_weights(c, model) if c is new else c for c in kept]
        dropped = {c.path for c in self.checkpoints if c.path} - {c.path for c in kept}
        self.checkpoints = kept
        for path in dropped:
            path.unlink(missing_ok=True)

    def keras_callback(self, monitor: str | None = None) -> Any:
        """Return a callback for ``model.fit`` of Keras that records each epoch.

        Parameters
        ----------
        monitor : str or None, default=None
            The entry of the epoch's logs that is the score, such as "val_loss".

        Returns
        -------
        keras.callbacks.Callback
        """
        keras = require("keras", extra="keras", purpose="CheckpointRecorder.keras_callback()")
        recorder = self

        class RecordEpochs(keras.callbacks.Callback):  # type: ignore[name-defined]
            def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
                logs = logs or {}
                if monitor is not None and monitor not in logs:
                    raise ValueError(
                        f"The 'monitor' parameter must be one of the logs {sorted(logs)}. Got "
                        f"{monitor!r}. Values of validation need validation data in fit."
                    )
                recorder(self.model, epoch, None if monitor is None else logs[monitor])

        return RecordEpochs()

    def _kept(self, checkpoints: list[Checkpoint]) -> list[Checkpoint]:
        if self.last is None and self.best is None:
            return checkpoints
        stay = set(range(len(checkpoints))[-self.last :]) if self.last else set()
        if self.best is not None:
            sign = 1 if self.greater_is_better else -1
            worth = [sign * (c.score if c.score is not None else math.nan) for c in checkpoints]
            # sorted is stable: of equal scores the earlier stays
            order = sorted(range(len(worth)), key=lambda i: (math.isnan(worth[i]), -worth[i]))
            stay |= set(order[: self.best])
        return [c for i, c in enumerate(checkpoints) if i in stay]

    def _with_weights(self, new: Checkpoint, model: Any) -> Checkpoint:
        if self.folder is None:
            return replace(new, state=_state(model))
        self.folder.mkdir(parents=True, exist_ok=True)
        ending = ".weights.h5" if _is_keras(model) else f".{self.format}"
        path = self.folder / f"checkpoint_{new.step:08d}{ending}"
        temporary = self.folder / f".writing_{os.getpid()}_{path.name}"
        try:
            self._write(model, temporary, new)
            with temporary.open("r+b") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return replace(new, path=path)

    def _write(self, model: Any, path: Path, new: Checkpoint) -> None:
        if _is_keras(model):
            model.save_weights(path)
            return
        state = _state(model)
        torch = require("torch", extra="torch", purpose="CheckpointRecorder(folder=...)")
        tensors = {name: torch.as_tensor(value).contiguous() for name, value in state.items()}
        if self.format == "pt":
            torch.save(tensors, path)
            return
        files = require(
            "safetensors.torch", extra="torch", purpose="CheckpointRecorder(format='safetensors')"
        )
        notes = {"format": "pt", "step": str(new.step), "score": str(new.score)}
        files.save_file(tensors, path, metadata=notes)


def _is_torch(model: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _is_keras(model: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def _state(model: Any) -> dict[str, Any]:
    """Copy the weights of a model to the memory of the CPU."""
    if _is_keras(model):  # before torch: with that backend a Keras model is a torch module too
        return {weight.path: _array(weight.value) for weight in model.weights}
    if _is_torch(model):
        from stackens.neural._modules import tensors_of

        model = tensors_of(model)
    if isinstance(model, Mapping):
        return {name: _copy(name, value) for name, value in model.items()}
    raise TypeError(
        "CheckpointRecorder records torch modules, Keras models and mappings of names to arrays. "
        f"Got {type(model).__name__}. Pass the network itself, or its state dict."
    )


def _copy(name: str, value: Any) -> Any:
    """Copy an array, or a tensor to the CPU."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if hasattr(value, "detach"):
        return value.detach().to("cpu", copy=True)
    raise TypeError(
        "A state that CheckpointRecorder records must hold tensors or arrays. Got "
        f"{type(value).__name__} under {name!r}. Leave that entry out."
    )


def _array(value: Any) -> np.ndarray:
    """Copy the value of a Keras variable, of whatever backend, to a numpy array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
        return value.numpy().copy()
    return np.array(value)
