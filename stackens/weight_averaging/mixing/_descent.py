"""Gradient descent on mixing weights, stopped early on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from stackens.weight_averaging._evaluation import Score
from stackens.weight_averaging.mixing._batches import Batches
from stackens.weight_averaging.mixing._constraint import (
    Constraint,
    free_parameters,
    slopes_by_parameters,
    weights_from,
)
from stackens.weight_averaging.mixing._gradient import MixedNetwork

__all__ = ["Descent", "Point"]


@dataclass(frozen=True)
class Point:
    """Mixing weights with their loss on the held-out rows.

    Parameters
    ----------
    weights : array of shape (n_groups, n_models)
    bias : array of shape (n_groups,)
    score : Score
        Minus the loss; its standard error is over batches.
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    score: Score

    @property
    def loss(self) -> float:
        return -self.score.mean


@dataclass
class Descent:
    """Learns the weights of a mixed network.

    Parameters
    ----------
    mixed : MixedNetwork
    loss : callable
        ``loss(outputs, y)`` for batches that are pairs, ``loss(network, batch)`` for others.
    training, validation : Batches
    """

    mixed: MixedNetwork
    loss: Callable[..., Any]
    training: Batches
    validation: Batches
    history: list[dict[str, float]] = field(default_factory=list)

    def at(self, weights: NDArray[np.float64], bias: NDArray[np.float64] | None = None) -> Point:
        """Merge with these weights and measure the loss on the held-out rows."""
        bias = np.zeros(len(weights)) if bias is None else bias
        self.mixed.set_weights(weights, bias)
        return Point(weights, bias, self._held_out())

    def run(
        self,
        start: Point,
        constraint: Constraint,
        *,
        bias: bool,
        learning_rate: float,
        max_epochs: int,
        patience: int,
        rng: np.random.Generator,
        verbose: int,
    ) -> Point:
        """Go down from a start and return the best point met, the start included."""
        import torch

        parameters = torch.from_numpy(free_parameters(start.weights, constraint))
        shift = torch.from_numpy(start.bias.copy())
        learnt = [parameters, shift] if bias else [parameters]
        optimizer = torch.optim.Adam(learnt, lr=learning_rate)
        best, waited = start, 0
        self.history.append({"epoch": 0, "train_loss": np.nan, "validation_loss": start.loss})
        progress = tqdm(range(1, max_epochs + 1), "mixing", disable=not verbose, unit="epoch")
        for epoch in progress:
            total, n_rows = 0.0, 0
            for batch in self.training.epoch(rng):
                weights = weights_from(parameters.numpy(), constraint)
                self.mixed.set_weights(weights, shift.numpy())
                loss = self._loss(batch)
                if not loss.requires_grad:
                    raise ValueError(
                        "The loss must have a gradient by the tensors that are mixed. Got one "
                        "without, as after detach() or under no_grad(). Leave these out; for a "
                        "score without a gradient pass evaluate= instead."
                    )
                by_weight, by_bias = self.mixed.slopes(loss)
                slopes = slopes_by_parameters(by_weight, weights, constraint)
                parameters.grad, shift.grad = torch.from_numpy(slopes), torch.from_numpy(by_bias)
                optimizer.step()
                total += float(loss.detach()) * _rows(batch)
                n_rows += _rows(batch)
            if n_rows == 0:
                raise ValueError(
                    "Learning needs batches in each epoch. Got none from 'data'; an iterator "
                    "ends after one epoch: pass arrays, a list, or a function that makes one."
                )
            weights = weights_from(parameters.numpy().copy(), constraint)
            point = self.at(weights, shift.numpy().copy())
            self.history.append(
                {"epoch": epoch, "train_loss": total / n_rows, "validation_loss": point.loss}
            )
            progress.set_postfix(validation_loss=f"{point.loss:.4g}")
            waited = 0 if point.loss < best.loss else waited + 1
            best = min(best, point, key=lambda p: p.loss)
            if waited >= patience:
                break
        progress.close()
        return best

    def _loss(self, batch: Any) -> Any:
        if isinstance(batch, tuple | list) and len(batch) == 2:
            loss = self.loss(self.mixed.network(batch[0]), batch[1])
        else:
            loss = self.loss(self.mixed.network, batch)
        if getattr(loss, "numel", lambda: 0)() != 1:
            raise ValueError(
                "The loss must be one number (a torch tensor) for each batch. Got "
                f"{type(loss).__name__} of shape {tuple(getattr(loss, 'shape', ()))}. Average it "
                "over the rows; for a score without a gradient pass evaluate= instead."
            )
        return loss

    def _held_out(self) -> Score:
        import torch

        found, counts = [], []
        with torch.no_grad():
            for batch in self.validation.epoch():
                found.append(float(self._loss(batch)))
                counts.append(_rows(batch))
        n_rows = sum(counts)
        if n_rows == 0:
            raise ValueError("The held-out rows must not be empty. Got no batch of 'validation'.")
        losses, shares = np.array(found), np.array(counts) / n_rows
        if not np.isfinite(losses).all():
            return Score(np.array([-np.inf]))
        mean = losses @ shares
        # each batch as much as it has rows, around the mean over rows
        return Score(-mean - len(losses) * shares * (losses - mean))


def _rows(batch: Any) -> int:
    """Count the rows of a batch by the first array in it."""
    if isinstance(batch, dict):
        return _rows(list(batch.values()))
    return _rows(batch[0]) if isinstance(batch, tuple | list) else len(batch)
