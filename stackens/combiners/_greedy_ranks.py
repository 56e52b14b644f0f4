"""Kernels of greedy selection for scores that depend on order: accuracy and ROC AUC."""

from __future__ import annotations

import numpy as np

__all__ = ["AccuracyMetric", "RocAucMetric", "roc_auc"]

_TIE = 1e-12
_BLOCK_ELEMENTS = 1 << 18
_BLOCK_ROWS = 512
_BINS = 1 << 12


class AccuracyMetric:
    """Weighted share of rows whose true class is on top; ties go to the first class.

    A row whose top class leads the sum of the members by more than one can't change through
    one more model, so a step looks only at the other rows.
    """

    slack = 1.0

    def __init__(self, values: np.ndarray, target: np.ndarray, weights: np.ndarray) -> None:
        self._values = values
        self._target = target
        self._weights = weights
        self._sum = np.zeros((values.shape[0], values.shape[2]))
        self._bounded = bool(values.min() >= 0.0 and values.max() <= 1.0)

    def best(self, step: int) -> tuple[int, float]:
        settled = self._settled()
        n_models, n_classes = self._values.shape[1:]
        scores = np.zeros(n_models)
        decided = settled & (self._sum.argmax(axis=1) == self._target)
        scores += self._weights[decided].sum()
        size = max(1, _BLOCK_ELEMENTS // (n_models * n_classes))
        for label in range(n_classes):
            open_rows = np.flatnonzero((self._target == label) & ~settled)
            for start in range(0, len(open_rows), size):
                rows = open_rows[start : start + size]
                scores += self._weights[rows] @ self._on_top(rows, label, step)
        choice = int(np.argmax(scores >= scores.max() - _TIE))
        return choice, float(scores[choice])

    def add(self, model: int) -> None:
        self._sum += self._values[:, model]

    def _settled(self) -> np.ndarray:
        if not self._bounded:
            return np.zeros(len(self._sum), dtype=bool)
        top = np.partition(self._sum, -2, axis=1)
        # The margin keeps rounding of sums far away from the decision.
        return top[:, -1] - top[:, -2] > 1.0 + 1e-9

    def _on_top(self, rows: np.ndarray, label: int, step: int) -> np.ndarray:
        """Whether each model would put the class on top, shape (n_rows, n_models)."""
        means = self._values[rows].transpose(2, 0, 1) + self._sum[rows].T[:, :, None]
        means /= step
        own = means[label]
        result = np.ones(own.shape, dtype=bool)
        if label > 0:
            result &= own > means[:label].max(axis=0)
        if label + 1 < len(means):
            result &= own >= means[label + 1 :].max(axis=0)
        return result


class RocAucMetric:
    """Binary ROC AUC: histograms bound every candidate, the last ones are counted exactly.

    Rows are put in order of their class, scores are multiplied by the number of bins (a power
    of two, so nothing is rounded). Pairs of rows in different bins are decided by the bins;
    pairs in one bin make the difference between the bounds.
    """

    slack = 1.0

    def __init__(
        self, scores: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None
    ) -> None:
        order = np.argsort(target, kind="stable")
        self._n_negative = int(len(target) - target.sum())
        self._scores = np.empty(scores.shape[::-1])
        for start in range(0, len(order), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            np.multiply(scores[order[rows]].T, _BINS, out=self._scores[:, rows])
        self._weights = None
        if sample_weight is not None and np.ptp(sample_weight) > 0:
            weights = np.asarray(sample_weight, dtype=np.float64)[order]
            self._weights = weights / weights.max()
        n_positive = len(order) - self._n_negative
        self._positive_mass = float(
            n_positive if self._weights is None else self._weights[self._n_negative :].sum()
        )
        self._bounded = bool(self._scores.min() >= 0.0 and self._scores.max() <= _BINS)
        self._sum = np.zeros(len(order))
        self._buffer = np.empty(len(order))
        self._small = np.empty(len(order), dtype=np.int32)
        self._bins = np.empty(len(order), dtype=np.intp)

    def best(self, step: int) -> tuple[int, float]:
        n_models = len(self._scores)
        lower, upper = np.zeros(n_models), np.ones(n_models)
        if self._bounded:
            for model in range(n_models):
                lower[model], upper[model] = self._bounds(self._mean(model, step))
        exact = np.full(n_models, -np.inf)
        best = lower.max()
        for model in np.argsort(-(lower + upper), kind="stable"):
            if upper[model] >= best - 2 * _TIE:
                exact[model] = roc_auc(self._mean(model, step), self._n_negative, self._weights)
                best = max(best, exact[model])
        choice = int(np.argmax(exact >= exact.max() - _TIE))
        return choice, float(exact[choice])

    def add(self, model: int) -> None:
        self._sum += self._scores[model]

    def _mean(self, model: int, step: int) -> np.ndarray:
        np.add(self._sum, self._scores[model], out=self._buffer)
        if step & (step - 1):
            return np.divide(self._buffer, step, out=self._buffer)
        # By a power of two, a product gives the same bits and is faster.
        return np.multiply(self._buffer, 1.0 / step, out=self._buffer)

    def _bounds(self, mean: np.ndarray) -> tuple[float, float]:
        # Truncation, by way of int32 because that conversion is vectorised.
        np.copyto(self._small, mean, casting="unsafe")
        np.copyto(self._bins, self._small)
        bins = self._bins
        split, weights = self._n_negative, self._weights
        below, above = (None, None) if weights is None else (weights[:split], weights[split:])
        negative = np.bincount(bins[:split], below, minlength=_BINS + 1)
        positive = np.bincount(bins[split:], above, minlength=_BINS + 1)
        # Whole numbers add up faster than floats, and floats multiply faster than they do.
        before = np.cumsum(negative).astype(np.float64)
        positive = positive.astype(np.float64)
        pairs = float(before[-1]) * self._positive_mass
        same = float(positive @ negative)
        up_to = float(positive @ before)
        return (up_to - same) / pairs, up_to / pairs


def roc_auc(scores: np.ndarray, n_negative: int, weights: np.ndarray | None) -> float:
    """Return the exact area under the ROC curve, equal scores counting one half.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        The rows of the negative class first.
    n_negative : int
        How many there are.
    weights : ndarray of shape (n_samples,) or None
        Weights of the rows.
    """
    if weights is None and scores.min() >= 0.0:
        return _count_pairs(scores, n_negative)
    order = np.argsort(scores, kind="stable")
    is_positive = order >= n_negative
    mass = np.ones(len(order)) if weights is None else weights[order]
    start = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    negative = np.add.reduceat(np.where(is_positive, 0.0, mass), start)
    positive = np.add.reduceat(np.where(is_positive, mass, 0.0), start)
    before = np.cumsum(negative)
    return float(positive @ (before - negative / 2) / (before[-1] * positive.sum()))


def _count_pairs(scores: np.ndarray, n_negative: int) -> float:
    """Count pairs in whole numbers: sort the bits of the scores with the class appended.

    Non-negative doubles sort like their bits. The sign bit is free, so the bits are moved up
    by one and the last bit says whether the row is positive.
    """
    n = len(scores)
    keys = (scores + 0.0).view(np.int64) << 1  # adding zero turns -0.0 into 0.0
    keys[n_negative:] |= 1
    keys = keys.view(np.uint64)
    keys.sort()
    n_positive = n - n_negative
    is_positive = (keys & np.uint64(1)).view(np.int64)
    # Ranks of the positives less their order among themselves: negatives at or before them.
    wins = int(is_positive @ np.arange(n)) - n_positive * (n_positive - 1) // 2
    tied_twice = 0
    if ((keys[1:] ^ keys[:-1]) == 1).any():
        change = np.flatnonzero((keys[1:] >> np.uint64(1)) != (keys[:-1] >> np.uint64(1))) + 1
        start = np.concatenate([[0], change])
        positive = np.add.reduceat(is_positive, start)
        negative = np.diff(np.append(start, n)) - positive
        tied_twice = int(positive @ negative)
    return (wins - tied_twice / 2) / (n_negative * n_positive)
