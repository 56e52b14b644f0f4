"""Losses of a row and the probabilities they read, shared by combiners and reports."""

from __future__ import annotations

import numpy as np

from stackens._core._task import Task

__all__ = [
    "PROBABILITY_FLOOR",
    "looks_like_probabilities",
    "normalised_weights",
    "output_scales",
    "renormalise",
    "row_losses",
    "softmax",
    "true_probabilities",
]

# The same floor as sklearn.metrics.log_loss uses for float64, so that losses agree with it.
PROBABILITY_FLOOR = float(np.finfo(np.float64).eps)

_BLOCK_ROWS = 512


def true_probabilities(values: np.ndarray, target: np.ndarray, task: Task) -> np.ndarray:
    """Return the probability that each model gives to what happened.

    Log loss depends on nothing else, so combiners that minimise it work on one number for
    each row and model instead of one for each class.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_models, n_outputs)
        Probabilities.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Class codes, or 0/1 labels for a multilabel task.
    task : Task

    Returns
    -------
    ndarray of shape (n_models, n_terms)
        ``n_terms`` is ``n_samples``, or ``n_samples * n_outputs`` (row by row) for a
        multilabel task.
    """
    n, n_models, n_outputs = values.shape
    width = 1 if task.has_classes else n_outputs
    result = np.empty((n_models, n * width))
    for start in range(0, n, _BLOCK_ROWS):  # blocks, so that the transposition stays in cache
        stop = min(n, start + _BLOCK_ROWS)
        if task.has_classes:
            block = values[np.arange(start, stop), :, target[start:stop]].T
        else:
            labels = target[start:stop, None, :]
            block = values[start:stop]
            block = np.where(labels > 0.5, block, 1.0 - block)
            block = block.transpose(1, 0, 2).reshape(n_models, -1)
        result[:, start * width : stop * width] = block
    return result


def normalised_weights(sample_weight: np.ndarray | None, n_samples: int) -> np.ndarray:
    """Return row weights that sum to one, shape (n_samples,)."""
    if sample_weight is None:
        return np.full(n_samples, 1.0 / n_samples)
    weights = np.asarray(sample_weight, dtype=np.float64)
    return weights / weights.sum()


def output_scales(target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the variance of each target column, or 1 where it is constant.

    Squared errors are divided by it, so that no output of a multi-output target dominates
    because of its unit.

    Parameters
    ----------
    target : ndarray of shape (n_samples, n_outputs)
    weights : ndarray of shape (n_samples,)
        Row weights that sum to one.

    Returns
    -------
    ndarray of shape (n_outputs,)
    """
    variance = weights @ (target - weights @ target) ** 2
    # The variance of a constant is not always zero to the last bit.
    return np.where(target.max(axis=0) > target.min(axis=0), variance, 1.0)


def row_losses(
    predictions: np.ndarray,
    target: np.ndarray,
    task: Task,
    *,
    scales: np.ndarray | None = None,
) -> np.ndarray:
    """Return the loss of each row: log loss for classes and labels, squared error otherwise.

    Parameters
    ----------
    predictions : ndarray of shape (n_samples, n_outputs)
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The target in numbers, as :attr:`OutOfFoldTable.target` gives it.
    task : Task
    scales : ndarray of shape (n_outputs,) or None, default=None
        Divisors of the squared errors of each output; none are applied when None.

    Returns
    -------
    ndarray of shape (n_samples,)
        The mean over labels (multilabel) or outputs (regression), in nats or squared units.
        Probabilities under ``PROBABILITY_FLOOR`` are raised to it.
    """
    if task.kind == "regression":
        squares = (predictions - target) ** 2
        return (squares if scales is None else squares / scales).mean(axis=1)
    probability = true_probabilities(predictions[:, None, :], target, task)[0]
    losses = -np.log(np.clip(probability, PROBABILITY_FLOOR, None))
    return losses.reshape(len(predictions), -1).mean(axis=1)


def looks_like_probabilities(values: np.ndarray) -> bool:
    """Whether rows of shape (n_samples, n_outputs) hold probabilities, rounded ones included.

    Logits do not fall between 0 and 1 with a sum of 1 by chance.
    """
    in_range = ((values >= 0) & (values <= 1)).all()
    return bool(len(values) and in_range and (np.abs(values.sum(axis=1) - 1) < 1e-2).all())


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return the softmax of the last axis without overflow."""
    scores = scores - scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


def renormalise(probabilities: np.ndarray, task: Task) -> np.ndarray:
    """Clip numbers to probabilities; rows of a binary or multiclass task then sum to one.

    A row without any positive entry becomes uniform.
    """
    clipped = np.clip(probabilities, 0.0, 1.0)
    if not task.has_classes:
        return clipped
    total = clipped.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, clipped / total, 1.0 / clipped.shape[1])
