"""Kernels of greedy selection for scores that depend on order: accuracy and ROC AUC."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

__all__ = ["AccuracyMetric", "RocAucMetric", "pairs_won"]

_TIE = 1e-12
_BLOCK_ELEMENTS = 1 << 18
_BLOCK_ROWS = 512
_MOST_BIN_BITS = 16


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
    """Binary ROC AUC: histograms bound the candidates, and what they leave open is sorted.

    Means are put into bins of equal width. Pairs of rows in different bins are decided by the
    bins, and were all other pairs won, the area would be an upper bound. Models are taken up
    in the order of the most that they can still reach, first for their bound and then for the
    area itself, until none that is left can be chosen. Only rows in bins with both classes
    have to be sorted for that.

    Rows are put in order of their class, scores are multiplied by the number of bins (a power
    of two, so nothing is rounded).
    """

    slack = 1.0

    def __init__(
        self, scores: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None
    ) -> None:
        n_samples, n_models = scores.shape
        order = np.argsort(target, kind="stable")
        self._n_negative = n_negative = int(n_samples - target.sum())
        # A bin or two for each row, but no more than stay in cache.
        self._n_bins = 1 << min(n_samples.bit_length(), _MOST_BIN_BITS)
        self._scores = np.empty((n_models, n_samples))
        for start in range(0, n_samples, _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            np.multiply(scores[order[rows]].T, self._n_bins, out=self._scores[:, rows])
        self._bounded = bool(self._scores.min() >= 0.0 and self._scores.max() <= self._n_bins)
        self._weights = None
        self._n_pairs = float(n_negative * (n_samples - n_negative))
        if sample_weight is not None and np.ptp(sample_weight) > 0:
            weights = np.asarray(sample_weight, dtype=np.float64)[order]
            self._weights = weights / weights.max()
            self._n_pairs = float(
                self._weights[:n_negative].sum() * self._weights[n_negative:].sum()
            )
        self._sum = np.zeros(n_samples)
        self._mean = np.empty(n_samples)
        self._bins = np.empty(n_samples, dtype=np.int32)

    def best(self, step: int) -> tuple[int, float]:
        stages = (self._bound, self._area)
        # Minus the most that a model can reach, the model, and how many stages it has passed.
        heap = [(-1.0, model, 0) for model in range(len(self._scores))]
        choice, score, best = len(heap), -np.inf, -np.inf
        while heap and -heap[0][0] >= best - _TIE:
            negated, model, stage = heappop(heap)
            if model > choice:
                continue  # it is not better, and the first of equals is taken
            if stage < len(stages):
                self._place(model, step)
                heappush(heap, (-stages[stage](), model, stage + 1))
            else:
                choice, score = model, -negated
                best = max(best, score)
        return choice, score

    def add(self, model: int) -> None:
        self._sum += self._scores[model]

    def _place(self, model: int, step: int) -> None:
        """Compute the mean with one more model, and the bin of every row."""
        np.add(self._sum, self._scores[model], out=self._mean)
        if step & (step - 1):
            self._mean /= step
        else:  # by a power of two, a product gives the same bits and is faster
            self._mean *= 1.0 / step
        inside = self._mean if self._bounded else np.clip(self._mean, 0.0, self._n_bins)
        np.copyto(self._bins, inside, casting="unsafe")

    def _bound(self) -> float:
        """Return the area if every pair of rows within a bin were won."""
        up_to = np.cumsum(self._histogram(slice(0, self._n_negative)))
        positives = slice(self._n_negative, None)
        beaten = up_to.take(self._bins[positives])
        won = beaten.sum() if self._weights is None else beaten @ self._weights[positives]
        return float(won / self._n_pairs)

    def _area(self) -> float:
        """Return the exact area."""
        negative = self._histogram(slice(0, self._n_negative))
        positive = self._histogram(slice(self._n_negative, None))
        mixed = (negative > 0) & (positive > 0)
        rows = np.flatnonzero(mixed.take(self._bins))
        weights = None if self._weights is None else self._weights[rows]
        n_negative = int(np.searchsorted(rows, self._n_negative))
        won = _won_across(negative, positive) - _won_across(negative[mixed], positive[mixed])
        won += pairs_won(self._mean[rows], n_negative, weights)
        return float(won / self._n_pairs)

    def _histogram(self, rows: slice) -> np.ndarray:
        weights = None if self._weights is None else self._weights[rows]
        return np.bincount(self._bins[rows], weights, minlength=self._n_bins + 1)


def _won_across(negative: np.ndarray, positive: np.ndarray) -> float:
    """Return the weight of pairs whose positive row is in a later bin than the negative one."""
    return float(positive @ (np.cumsum(negative) - negative))


def pairs_won(scores: np.ndarray, n_negative: int, weights: np.ndarray | None) -> float:
    """Return how many pairs of a negative and a positive row are in order, ties counting half.

    Divided by the number of pairs, this is the area under the ROC curve.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        The rows of the negative class first.
    n_negative : int
        How many there are.
    weights : ndarray of shape (n_samples,) or None
        Weights of the rows; a pair counts with their product.
    """
    if weights is None and scores.min(initial=0.0) >= 0.0:
        return _count_pairs(scores, n_negative)
    order = np.argsort(scores)
    is_positive = order >= n_negative
    mass = np.ones(len(order)) if weights is None else weights[order]
    start = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    negative = np.add.reduceat(np.where(is_positive, 0.0, mass), start)
    positive = np.add.reduceat(np.where(is_positive, mass, 0.0), start)
    return float(positive @ (np.cumsum(negative) - negative / 2))


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
    return wins - tied_twice / 2
