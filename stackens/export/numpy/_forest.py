"""Sums of decision trees: many rows at once with numpy, single rows as compiled Python.

The text of this file is put into exported files that hold trees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stackens.export.numpy._branches import expression

__all__ = ["Forest"]

_PAIRS = 1 << 15  # of a tree and a row, that are followed at once: few enough for the cache
# More take too long to compile, 15 to 30 microseconds each, for rows that then take half the time.
_COMPILED_LEAVES = 10_000
# The same where trees are small enough for masks, with which rows take a third more.
_COMPILED_SMALL = 3_500
_MASK = 64  # bits
_COMPILED_DEPTH = 60  # Python refuses expressions that are nested much deeper
# From here on arrays are quicker for single rows too, and need no lists to be made of them.
_ARRAY_LEAVES = 30_000
_ARRAY_TREES = 64


class Forest:
    """Decision trees in common arrays.

    A child that is 0 or more is an inner node, one below 0 is the leaf ``-1 - child``. Every inner
    node sends x to the left where ``x <= threshold``, else (also where x is missing) to the right.
    For other rules there are more columns than the matrix has: after its own those of
    `missing_first`, in which minus infinity stands for missing values, then one for each of
    `sets`, which is 0 where the value goes to the left, else 1.

    Parameters
    ----------
    n_columns : int
        Number of columns of the matrix.
    missing_first : sequence of int
        Columns of the matrix.
    sets : sequence of (column, members, missing_left)
        By rising column.
    feature, threshold : arrays of shape (n_inner,)
        Of inner nodes, numbered level by level: all roots, all their children, and so on.
    is_inner : uint8 array
        A bit for each root and each child in that order: 1 for an inner node, 0 for a leaf.
    offset : array of shape (n_trees,)
        The first output column that the leaves of a tree are added to.
    leaf : float64 array of shape (n_leaves, leaf_width)
        In that order too.
    base : float64 array of shape (n_outputs,)
        What the sums start from.
    """

    def __init__(
        self,
        n_columns: int,
        missing_first: Sequence[int],
        sets: Sequence[tuple[int, Sequence[int], bool]],
        feature: np.ndarray,
        threshold: np.ndarray,
        is_inner: np.ndarray,
        offset: np.ndarray,
        leaf: np.ndarray,
        base: np.ndarray,
    ) -> None:
        self.n_columns = n_columns
        self.missing_first = list(missing_first)
        self.sets = list(sets)
        self.feature = feature
        self.threshold = threshold
        bits = np.unpackbits(is_inner, count=len(offset) + 2 * len(feature)).astype(bool)
        nodes = np.where(bits, np.cumsum(bits) - 1, -np.cumsum(~bits))
        self.root = nodes[: len(offset)]
        self.left, self.right = nodes[len(offset) :].reshape(-1, 2).T
        self.offset = offset
        self.leaf = leaf
        self.base = base
        self._tables: list[tuple[int, np.ndarray, np.ndarray]] | None = None
        self._nodes: tuple[np.ndarray, ...] | None = None
        self._ask: Callable[..., Sequence[float]] | None = None

    def sums(self, x: np.ndarray) -> np.ndarray:
        """Answer many rows.

        Parameters
        ----------
        x : float64 array of shape (n_samples, n_columns)

        Returns
        -------
        float64 array of shape (n_samples, n_outputs)
        """
        out = np.empty((len(x), len(self.base)))
        step = max(64, _PAIRS // max(1, len(self.root)))
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            leaves = self._leaves(self._with_more_columns(x[rows]))
            for j, base in enumerate(self.base.tolist()):
                place = j - self.offset
                adds = (place >= 0) & (place < self.leaf.shape[1])
                terms = np.empty((1 + np.count_nonzero(adds), leaves.shape[1]))
                terms[0] = base
                terms[1:] = self.leaf[leaves[adds], place[adds][:, None]]
                # from the first tree to the last: other orders of addition round differently
                out[rows, j] = np.add.accumulate(terms, axis=0)[-1]
        return out

    def _with_more_columns(self, x: np.ndarray) -> np.ndarray:
        if not self.missing_first and not self.sets:
            return x
        first = x[:, self.missing_first]
        parts = [x, np.where(np.isnan(first), -np.inf, first)]
        if self._tables is None:
            self._tables = [self._set_table(c) for c in sorted({c for c, _, _ in self.sets})]
        for column, members, goes_right in self._tables:
            value = x[:, column]
            code = np.minimum(np.searchsorted(members, value), len(members) - 1)
            code[members[code] != value] = len(members)
            code[np.isnan(value)] = len(members) + 1
            parts.append(goes_right[code])
        return np.hstack(parts)

    def _set_table(self, column: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Return all members of one column's sets, and which way they go in each set.

        The last rows are of other values and of missing ones.
        """
        sets = [(members, left) for c, members, left in self.sets if c == column]
        every = np.unique(np.concatenate([np.array(m, dtype=np.float64) for m, _ in sets]))
        every = every if len(every) else np.zeros(1)
        goes_right = np.ones((len(every) + 2, len(sets)), dtype=bool)
        for j, (members, missing_left) in enumerate(sets):
            goes_right[:-2, j] = ~np.isin(every, np.array(members, dtype=np.float64))
            goes_right[-1, j] = not missing_left
        return column, every, goes_right

    def _steps(self) -> tuple[np.ndarray, ...]:
        """Return where trees start, and each node's feature, threshold and two next nodes.

        Leaves are nodes here, after the inner ones, and lead to themselves.
        """
        n_inner, n_leaves = len(self.feature), len(self.leaf)
        next_nodes = np.repeat(np.arange(n_inner + n_leaves), 2)
        for side, child in enumerate((self.left, self.right)):
            next_nodes[side : 2 * n_inner : 2] = _as_nodes(child, n_inner)
        return (
            _as_nodes(self.root, n_inner),
            np.concatenate([self.feature, np.zeros(n_leaves)]).astype(np.intp),
            np.concatenate([self.threshold, np.zeros(n_leaves)]),
            next_nodes,
        )

    def _leaves(self, x: np.ndarray) -> np.ndarray:
        """Find the leaf of each tree (first axis) for each row, all pairs level by level."""
        if self._nodes is None:
            self._nodes = self._steps()
        root, feature, threshold, next_nodes = self._nodes
        n_rows, width = x.shape
        n_inner = len(self.feature)
        numbers = x.ravel()
        place = np.repeat(root, n_rows)
        pair = np.flatnonzero(place < n_inner)
        at = place[pair]
        start = (pair % n_rows) * width
        while len(pair):
            for _ in range(2):  # to drop what has arrived costs as much as a level
                value = numbers.take(start + feature.take(at))
                goes_left = value <= threshold.take(at)
                at = next_nodes.take(2 * at + ~goes_left)
            place[pair] = at
            inside = np.flatnonzero(at < n_inner)
            pair, at, start = pair.take(inside), at.take(inside), start.take(inside)
        return place.reshape(-1, n_rows) - n_inner

    def ask(self, *values: float) -> Sequence[float]:
        """Answer one row, given as plain numbers: the same sums, in the same order."""
        if self._ask is None:
            self._ask = self._fastest()
        return self._ask(*values)

    def _fastest(self) -> Callable[..., Sequence[float]]:
        masked = self._masked()
        if masked is not None:
            return masked
        if self._is_small():
            return self._compiled()
        few = len(self.leaf) < _ARRAY_LEAVES or len(self.root) < _ARRAY_TREES
        return self._walked() if few else self._summed

    def _summed(self, *values: float) -> Sequence[float]:
        return self.sums(np.array([values], dtype=np.float64))[0].tolist()

    def _in_order(self) -> tuple[np.ndarray, ...]:
        """Return the tree of each node and its first leaf, counted from the left of the tree.

        Inner nodes first, then leaves. The third array has the leaves on the left of inner nodes.
        """
        n_inner = len(self.feature)
        left, right = _as_nodes(self.left, n_inner), _as_nodes(self.right, n_inner)
        levels = [_as_nodes(self.root, n_inner)]
        while len(levels[-1]):
            inner = levels[-1][levels[-1] < n_inner]
            levels.append(np.concatenate([left[inner], right[inner]]))
        count = np.ones(n_inner + len(self.leaf), dtype=np.int64)
        tree, first = np.zeros_like(count), np.zeros_like(count)
        for level in reversed(levels):
            inner = level[level < n_inner]
            count[inner] = count[left[inner]] + count[right[inner]]
        tree[levels[0]] = np.arange(len(self.root))
        for level in levels:
            inner = level[level < n_inner]
            tree[left[inner]] = tree[right[inner]] = tree[inner]
            first[left[inner]] = first[inner]
            first[right[inner]] = first[inner] + count[left[inner]]
        return tree, first, count[left]

    def _masked(self) -> Callable[..., Sequence[float]] | None:
        """Make all tests at once, each of which rules out the leaves on its left if it fails.

        The first leaf that is left of a tree is the one that the row reaches (Lucchese et al. 2015,
        QuickScorer, SIGIR). None for trees that do not suit this.
        """
        if self.sets or not _COMPILED_SMALL < len(self.leaf) <= _MASK * len(self.root):
            return None
        tree, first, on_left = self._in_order()
        if first.max() >= _MASK:
            return None
        n_inner, width, one = len(self.feature), self.leaf.shape[1], np.uint64(1)
        order = np.argsort(tree[:n_inner], kind="stable")
        columns = np.concatenate([np.arange(self.n_columns), self.missing_first]).astype(np.intp)
        feature, threshold = columns[self.feature[order]], self.threshold[order]
        fails_missing = self.feature[order] < self.n_columns
        masks = ((one << on_left.astype(np.uint64)) - one) << first[:n_inner].astype(np.uint64)
        masks = masks[order]
        split, starts = np.unique(tree[order], return_index=True)  # trees that are not one leaf
        from_left = np.lexsort((first[n_inner:], tree[n_inner:]))
        begin = np.searchsorted(tree[n_inner:][from_left], np.arange(len(self.root)))
        leaf = self.leaf[from_left].ravel()
        outputs = []
        for j, base in enumerate(self.base.tolist()):
            place = j - self.offset
            adds = np.flatnonzero((place >= 0) & (place < width))
            outputs.append((base, adds, place[adds]))

        def ask(*values: float) -> Sequence[float]:
            x = np.array(values, dtype=np.float64)
            value = x.take(feature)
            fails = value > threshold
            if np.isnan(x).any():
                fails |= np.isnan(value) & fails_missing
            out = np.bitwise_or.reduceat(masks * fails, starts)
            at = begin.copy()
            at[split] += np.frexp((~out & (out + one)).astype(np.float64))[1] - 1
            sums = []
            for base, adds, place in outputs:
                terms = np.empty(len(adds) + 1)
                terms[0] = base
                terms[1:] = leaf.take(at.take(adds) * width + place)
                # from the first tree to the last: other orders of addition round differently
                sums.append(float(np.add.accumulate(terms)[-1]))
            return sums

        return ask

    def _is_small(self) -> bool:
        level = self.root[self.root >= 0]
        for _ in range(_COMPILED_DEPTH):
            level = np.concatenate([self.left[level], self.right[level]])
            level = level[level >= 0]
        return len(self.leaf) <= _COMPILED_LEAVES and not len(level)

    def as_lists(self) -> Any:
        """Return a copy with lists in place of arrays: Python reads them faster."""
        lists = object.__new__(Forest)
        lists.__dict__.update(self.__dict__)
        for name in ("feature", "threshold", "left", "right", "root", "offset", "leaf", "base"):
            setattr(lists, name, getattr(self, name).tolist())
        return lists

    def _compiled(self) -> Callable[..., Sequence[float]]:
        """Write all trees as one function, and compile it. Its text holds numbers alone."""
        lists = self.as_lists()
        names = [f"x{j}" for j in range(self.n_columns)]
        sums = [f"sum{j}" for j in range(len(self.base))]
        one = self.leaf.shape[1] == 1
        leaves = [repr(leaf[0]) if one else f"leaf[{i}]" for i, leaf in enumerate(lists.leaf)]
        lines = [f"def ask({', '.join(names)}):"]
        lines += [f" {name} = {base!r}" for name, base in zip(sums, lists.base)]  # noqa: B905
        for root, offset in zip(lists.root, lists.offset):  # noqa: B905
            tree = expression(lists, root, names, leaves)
            if one:
                lines.append(f" {sums[offset]} += {tree}")
                continue
            lines.append(f" found = {tree}")
            for j in range(self.leaf.shape[1]):
                lines.append(f" {sums[offset + j]} += found[{j}]")
        lines.append(f" return {', '.join(sums)},")
        scope = {"leaf": lists.leaf, "inf": float("inf"), "nan": float("nan")}
        exec("\n".join(lines), scope)
        return scope["ask"]

    def _walked(self) -> Callable[..., Sequence[float]]:
        """Walk down one tree after the other."""
        lists = self.as_lists()
        nodes = list(zip(lists.feature, lists.threshold, lists.left, lists.right))  # noqa: B905
        trees = list(zip(lists.root, lists.offset))  # noqa: B905
        sets = [(column, set(members), left) for column, members, left in self.sets]
        minus_infinity = float("-inf")

        def ask(*values: float) -> Sequence[float]:
            x = list(values)
            for column in self.missing_first:
                x.append(values[column] if values[column] == values[column] else minus_infinity)
            for column, members, missing_left in sets:
                value = values[column]
                goes_left = value in members or (missing_left and value != value)
                x.append(0.0 if goes_left else 1.0)
            sums = list(lists.base)
            for place, offset in trees:
                while place >= 0:
                    feature, threshold, left, right = nodes[place]
                    place = left if x[feature] <= threshold else right
                for j, value in enumerate(lists.leaf[-1 - place], offset):
                    sums[j] += value
            return sums

        return ask


def _as_nodes(child: np.ndarray, n_inner: int) -> np.ndarray:
    """Number leaves on from the inner nodes."""
    return np.where(child >= 0, child, n_inner - 1 - child.astype(np.intp))
