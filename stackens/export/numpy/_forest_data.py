"""Trees of a program in the form that exported files hold them."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.export.numpy._forest import Forest
from stackens.export.program import Trees

__all__ = ["depth", "forest_data", "forest_of"]


def forest_data(trees: Trees, n_columns: int) -> dict[str, Any]:
    """Return the arguments of a :class:`Forest`.

    Rules other than ``x <= threshold`` are moved into columns, so that all inner nodes follow one
    rule. Nodes are numbered level by level, so that one bit for each tells the trees' shape [1]_.

    Parameters
    ----------
    trees : Trees
    n_columns : int
        Width of the trees' source.

    References
    ----------
    .. [1] Jacobson, G. (1989). Space-efficient static trees and graphs. FOCS.
    """
    children, inner = _by_level(trees)
    feature = trees.feature.astype(np.int64)
    threshold = trees.threshold.copy()
    in_set = trees.category_set >= 0
    first = trees.missing_left & ~in_set
    missing_first, place = np.unique(feature[first], return_inverse=True)
    feature[first] = n_columns + place
    keys = [
        (int(trees.feature[i]), int(trees.category_set[i]), bool(trees.missing_left[i]))
        for i in np.flatnonzero(in_set)
    ]
    sets = sorted(set(keys))
    position = {key: n_columns + len(missing_first) + i for i, key in enumerate(sets)}
    feature[in_set] = [position[key] for key in keys]
    threshold[in_set] = 0.5
    return {
        "n_columns": n_columns,
        "missing_first": missing_first.tolist(),
        "sets": [(column, trees.sets[s].tolist(), left) for column, s, left in sets],
        "feature": feature[inner].astype(np.min_scalar_type(feature.max(initial=0))),
        "threshold": threshold[inner],
        "is_inner": np.packbits(children >= 0),
        "offset": trees.offset,
        "leaf": trees.leaf[-1 - children[children < 0]],
        "base": trees.base,
    }


def _by_level(trees: Trees) -> tuple[np.ndarray, np.ndarray]:
    """List all roots, then their children, then theirs: every node, and the inner nodes alone."""
    level, children = trees.root, [trees.root]
    while (level >= 0).any():
        inner = level[level >= 0]
        level = np.stack([trees.left[inner], trees.right[inner]], axis=1).ravel()
        children.append(level)
    listed = np.concatenate(children)
    return listed, listed[listed >= 0]


def forest_of(trees: Trees, n_columns: int) -> Forest:
    """Return the forest that an exported file would hold."""
    return Forest(**forest_data(trees, n_columns))


def depth(trees: Trees) -> int:
    """Return the number of inner nodes on the longest way from a root to a leaf."""
    level = trees.root[trees.root >= 0]
    levels = 0
    while len(level):
        level = np.concatenate([trees.left[level], trees.right[level]])
        level = level[level >= 0]
        levels += 1
    return levels
