"""Decision trees, alone or many, as one step of a program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stackens.export.program._nodes import OneSource

__all__ = ["Trees"]


@dataclass(frozen=True, eq=False)
class Trees(OneSource):
    """Sum of decision trees, in their order, starting from `base`.

    All trees' inner nodes and leaves lie in common arrays. A child that is 0 or more is the
    position of an inner node; a child below 0 is the leaf ``-1 - child``. Leaf values of tree t
    are added to the output columns ``offset[t] ... offset[t] + leaf_width - 1``.

    An inner node with ``category_set < 0`` sends x to the left where ``x <= threshold``, to the
    right where ``x > threshold``. One with ``category_set = s >= 0`` sends x to the left where x
    equals a member of set s, else to the right. A missing x (NaN) goes to the left where
    `missing_left` says so, else to the right.

    Attributes
    ----------
    feature : int32 array of shape (n_inner,)
        Column of the source.
    threshold : float64 array of shape (n_inner,)
    missing_left : bool array of shape (n_inner,)
    category_set : int32 array of shape (n_inner,)
    left, right : int32 array of shape (n_inner,)
    root : int32 array of shape (n_trees,)
        As a child: a tree of one leaf starts below 0.
    offset : int32 array of shape (n_trees,)
    leaf : float64 array of shape (n_leaves, leaf_width)
    sets : tuple of int64 arrays
        Members of each set, rising, none negative.
    base : float64 array of shape (width,)
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    category_set: np.ndarray
    left: np.ndarray
    right: np.ndarray
    root: np.ndarray
    offset: np.ndarray
    leaf: np.ndarray
    sets: tuple[np.ndarray, ...]
    base: np.ndarray

    @property
    def leaf_width(self) -> int:
        """Number of values in a leaf."""
        return self.leaf.shape[1]

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.root)
