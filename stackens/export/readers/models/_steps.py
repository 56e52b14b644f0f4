"""Rows of numbers that depend on where a column lies between thresholds, as trees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stackens.export.program import Trees

__all__ = ["step_functions"]


def step_functions(source: int, steps: Sequence[tuple[np.ndarray, np.ndarray]]) -> Trees:
    """Return a node that finds a row for each column, and adds the rows from first to last.

    Parameters
    ----------
    source : int
        A node with a column for each entry of `steps`.
    steps : sequence of (array of shape (n_steps - 1,), array of shape (n_steps, width))
        Rising thresholds, and rows. Row k is for x above threshold k - 1 and at most threshold k.
    """
    feature: list[int] = []
    threshold: list[float] = []
    children: list[tuple[int, int]] = []

    def grow(column: int, first: int, last: int, leaf: int) -> int:
        """Return the child that tells rows first, ..., last apart; row 0 is the given leaf."""
        if first == last:
            return -1 - (leaf + first)
        place, middle = len(feature), (first + last) // 2
        feature.append(column)
        threshold.append(float(steps[column][0][middle]))
        children.append((0, 0))
        left = grow(column, first, middle, leaf)
        children[place] = (left, grow(column, middle + 1, last, leaf))
        return place

    starts = np.cumsum([0, *(len(rows) for _, rows in steps)])
    roots = [grow(j, 0, len(rows) - 1, int(starts[j])) for j, (_, rows) in enumerate(steps)]
    left, right = np.array(children, dtype=np.int32).reshape(-1, 2).T
    leaf = np.vstack([rows for _, rows in steps]).astype(np.float64)
    return Trees(
        width=leaf.shape[1],
        source=source,
        feature=np.array(feature, dtype=np.int32),
        threshold=np.array(threshold, dtype=np.float64),
        missing_left=np.zeros(len(feature), dtype=bool),
        category_set=np.full(len(feature), -1, dtype=np.int32),
        left=left.copy(),
        right=right.copy(),
        root=np.array(roots, dtype=np.int32),
        offset=np.zeros(len(roots), dtype=np.int32),
        leaf=leaf,
        sets=(),
        base=np.zeros(leaf.shape[1]),
    )
