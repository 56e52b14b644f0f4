"""Losses of each row, for hard labels, soft targets and numbers."""

from __future__ import annotations

import torch
from torch.nn import functional

__all__ = ["cross_entropy", "soft_cross_entropy", "squared_error"]


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the negative log-probability of each row's class.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_classes)
    targets : tensor of shape (n_samples,), int, or (n_samples, n_classes), float
        Class codes, or probabilities.

    Returns
    -------
    tensor of shape (n_samples,), in nats
    """
    return functional.cross_entropy(logits, targets, reduction="none")


def soft_cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, temperature: float = 1.0
) -> torch.Tensor:
    """Return the cross-entropy of softened predictions against equally softened targets.

    Both sides are softened: with only one of them, the best student would be too sure of
    itself, or not sure enough. The square of the temperature keeps the size of the gradient.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_classes)
    targets : tensor of shape (n_samples, n_classes)
        Probabilities; zeros are fine.
    temperature : float, default=1.0
        Above 1 gives more weight to how the teacher ranks the unlikely classes.

    Returns
    -------
    tensor of shape (n_samples,)

    References
    ----------
    Hinton, Vinyals & Dean (2015), Distilling the Knowledge in a Neural Network,
    arXiv:1503.02531, section 2.
    """
    if temperature != 1.0:
        # p^(1/T), normalised, is the softmax of the teacher's logits over T
        softened = targets.clamp_min(0) ** (1 / temperature)
        targets = softened / softened.sum(dim=1, keepdim=True)
    losses = functional.cross_entropy(logits / temperature, targets, reduction="none")
    return losses * temperature**2


def squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the squared error of each row, the mean over its outputs.

    Parameters
    ----------
    outputs, targets : tensor of shape (n_samples, n_outputs)

    Returns
    -------
    tensor of shape (n_samples,)
    """
    return (outputs - targets).square().mean(dim=1)
