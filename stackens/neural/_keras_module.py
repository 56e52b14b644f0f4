"""A Keras model on the torch backend as a torch module that the training loop can train."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["KerasModule"]


class KerasModule(nn.Module):
    """A Keras model that returns logits, and knows whether it is being trained.

    Keras models on torch are torch modules, but learn whether to drop features, and to renew
    the statistics of their batches, from an argument instead of their mode.

    Parameters
    ----------
    model : keras.Model
        On the torch backend.
    gives_probabilities : bool
        Whether the model ends in softmax or, with one column, in a sigmoid: logits are then
        the logarithms of what it returns.
    """

    def __init__(self, model: Any, *, gives_probabilities: bool) -> None:
        super().__init__()
        self.model = model
        self.gives_probabilities = gives_probabilities

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return logits or values of shape (n_samples, n_outputs)."""
        answer = self.model(rows, training=self.training)
        if not self.gives_probabilities:
            return answer
        if answer.shape[1] == 1:
            answer = torch.cat([1 - answer, answer], dim=1)
        return answer.clamp_min(torch.finfo(answer.dtype).tiny).log()
