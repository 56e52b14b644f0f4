"""Makes one `Trees` node of many trees: arrays of each, laid one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stackens.export.program import Graph, Trees

__all__ = ["NO_SET", "TreeArrays", "joined_trees", "members_of_bits"]

NO_SET = -1  # `category_set` of a split by a threshold


@dataclass(frozen=True)
class TreeArrays:
    """One tree, or several whose arrays are joined already; positions count within these arrays.

    Attributes
    ----------
    feature, threshold, missing_left, category_set, left, right : arrays of shape (n_inner,)
        As those of :class:`~stackens.export.program.Trees`.
    leaf : float64 array of shape (n_leaves, leaf_width)
    root : int array of shape (n_trees,)
        As a child.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    category_set: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaf: np.ndarray
    root: np.ndarray


def joined_trees(
    graph: Graph,
    source: int,
    trees: Sequence[TreeArrays],
    *,
    offset: np.ndarray,
    base: np.ndarray,
    sets: Sequence[np.ndarray] = (),
) -> int:
    """Return the node of trees that are summed in their order, starting from `base`.

    Trees without a single split make a constant.

    Parameters
    ----------
    graph : Graph
    source : int
        Node of the features.
    trees : sequence of TreeArrays
    offset : int array of shape (n_trees,)
        First output column of each tree.
    base : float64 array of shape (width,)
    sets : sequence of int64 arrays
        Sets of categories that `category_set` points to.
    """
    if not any(len(tree.feature) for tree in trees):
        return graph.constant(_sum_without_splits(trees, offset, base))
    inner = np.cumsum([0, *(len(tree.feature) for tree in trees)])
    leaves = np.cumsum([0, *(len(tree.leaf) for tree in trees)])
    shifts = list(zip(trees, inner, leaves, strict=False))

    def placed(child: np.ndarray, inner: int, leaves: int) -> np.ndarray:
        return np.where(child >= 0, child + inner, child - leaves).astype(np.int32)

    def all_of(name: str, dtype: type) -> np.ndarray:
        parts = [getattr(tree, name) for tree in trees]
        return np.concatenate(parts).astype(dtype, copy=False)

    return graph.add(
        Trees(
            width=len(base),
            source=source,
            feature=all_of("feature", np.int32),
            threshold=all_of("threshold", np.float64),
            missing_left=all_of("missing_left", bool),
            category_set=all_of("category_set", np.int32),
            left=np.concatenate([placed(tree.left, *shift) for tree, *shift in shifts]),
            right=np.concatenate([placed(tree.right, *shift) for tree, *shift in shifts]),
            root=np.concatenate([placed(tree.root, *shift) for tree, *shift in shifts]),
            offset=np.asarray(offset, dtype=np.int32),
            leaf=all_of("leaf", np.float64),
            sets=tuple(np.asarray(members, dtype=np.int64) for members in sets),
            base=np.asarray(base, dtype=np.float64),
        )
    )


def _sum_without_splits(
    trees: Sequence[TreeArrays], offset: np.ndarray, base: np.ndarray
) -> np.ndarray:
    total = np.array(base, dtype=np.float64)
    leaves = [tree.leaf[-1 - root] for tree in trees for root in tree.root]
    for leaf, start in zip(leaves, offset.astype(int), strict=True):
        total[start : start + len(leaf)] += leaf
    return total


def members_of_bits(words: np.ndarray) -> np.ndarray:
    """Return the numbers of the bits that are 1 in words of 32 bits, the lowest bit first."""
    little = np.ascontiguousarray(words, dtype="<u4")
    return np.flatnonzero(np.unpackbits(little.view(np.uint8), bitorder="little"))
