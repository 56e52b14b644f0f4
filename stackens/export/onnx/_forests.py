"""Trees, and everything else that finds its way by comparisons, as TreeEnsemble nodes.

All of them compare by ``x <= threshold`` alone. onnxruntime 1.21 and 1.22 answer wrongly for sets
of categories in trees (``BRANCH_MEMBER``), later releases take 1.5 for the category 1, and trees
are slower where nodes are of several kinds; so membership comes to them as a column of 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stackens.export.onnx._builder import Builder, Tensor
from stackens.export.program import Trees

__all__ = ["Steps", "add_steps", "add_trees", "before"]

_SUM = 1
_LEQ = 0
# Trees with several values in a leaf are written once for each value up to this number of inner
# nodes, else as positions of leaves that a table is read at: 8 bytes for each row, tree and value.
_MOST_COPIES = 50_000


@dataclass(frozen=True, eq=False)
class Steps:
    """A step function of one column.

    Attributes
    ----------
    column : int
    bounds : float64 array of shape (n,)
        Strictly rising. Piece i is for x in (bounds[i - 1], bounds[i]].
    pieces : float64 array of shape (n + 1,)
    missing : float
        The value for NaN.
    """

    column: int
    bounds: np.ndarray
    pieces: np.ndarray
    missing: float


def before(values: np.ndarray) -> np.ndarray:
    """Return the largest number below each: ``x >= value`` is ``x > before(value)``."""
    return np.nextafter(values, -np.inf)


def add_steps(builder: Builder, source: Tensor, steps: list[Steps]) -> Tensor:
    """Evaluate step functions of columns of a matrix, a column for each."""
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    leaf: list[float] = []
    root: list[int] = []

    def inner(column: int, bound: float) -> int:
        feature.append(column)
        threshold.append(bound)
        left.append(0)
        right.append(0)
        return len(feature) - 1

    def grow(step: Steps, low: int, high: int) -> int:
        """Search among pieces low ... high."""
        if low == high:
            leaf.append(float(step.pieces[low]))
            return -len(leaf)
        middle = (low + high) // 2
        position = inner(step.column, float(step.bounds[middle]))
        left[position] = grow(step, low, middle)
        right[position] = grow(step, middle + 1, high)
        return position

    for step in steps:
        root.append(inner(step.column, np.inf))  # all but NaN
        left[root[-1]] = grow(step, 0, len(step.pieces) - 1)
        leaf.append(step.missing)
        right[root[-1]] = -len(leaf)
    sides = np.array(left), np.array(right), np.array(root)
    splits = _Splits(
        np.array(feature), np.array(threshold), np.zeros(len(feature), dtype=np.int64), *sides
    )
    target = _targets_of_leaves(*sides, len(leaf))
    return _ensemble(builder, source, splits, np.array(leaf), target, len(steps))


def add_trees(
    builder: Builder, source: Tensor, node: Trees, feature: np.ndarray, threshold: np.ndarray
) -> Tensor:
    """Write trees whose nodes all compare by ``<=``.

    Parameters
    ----------
    builder : Builder
    source : Tensor
    node : Trees
    feature, threshold : arrays of shape (n_inner,)
        In place of those of the node.
    """
    trees = _without_bare_leaves(node, feature, threshold)
    k = node.leaf_width
    if k > 1 and (k - 1) * len(trees.splits.feature) > _MOST_COPIES:
        return _through_a_table(builder, source, node, trees)
    return _ensemble(builder, source, *_single_valued(trees, k), node.width)


@dataclass(frozen=True, eq=False)
class _Splits:
    """Inner nodes of trees; a child below 0 is the leaf ``-1 - child``."""

    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    root: np.ndarray


@dataclass(frozen=True, eq=False)
class _Forest:
    """Trees of which none is a bare leaf, none shares a leaf, and the base is in the leaves."""

    splits: _Splits
    leaf: np.ndarray
    tree_of_leaf: np.ndarray
    offset: np.ndarray


def _without_bare_leaves(node: Trees, feature: np.ndarray, threshold: np.ndarray) -> _Forest:
    """Put an inner node above bare leaves, and the base into the first leaves of each output.

    ``(base + first) + second`` is what the source adds up, in that order.
    """
    root, leaf, offset = node.root.astype(np.int64), node.leaf, node.offset
    base_alone = [j for j in range(node.width) if node.base[j] != 0 and not _reaches(node, j)]
    for j in base_alone:
        root = np.append(root, -1 - len(leaf))
        leaf = np.vstack([leaf, np.zeros(node.leaf_width)])
        offset = np.append(offset, min(j, node.width - node.leaf_width))
    if len(root) == 0:  # a TreeEnsemble has at least one tree
        root, leaf, offset = np.array([-1]), np.zeros((1, node.leaf_width)), np.array([0])
    bare, n = np.flatnonzero(root < 0), len(feature)
    left = np.concatenate([node.left, root[bare]]).astype(np.int64)
    # A leaf of its own for the other side: see _unmistakable_roots.
    right = np.concatenate([node.right, -1 - (len(leaf) + np.arange(len(bare)))]).astype(np.int64)
    leaf = np.vstack([leaf, leaf[-1 - root[bare]]])
    root[bare] = n + np.arange(len(bare))
    zeros = np.zeros(len(bare), dtype=np.int64)
    feature = np.concatenate([feature, zeros])
    leaf, left, right, tree = _own_leaves(leaf, left, right, root)
    for j in range(node.width):
        here = np.flatnonzero((offset <= j) & (j < offset + node.leaf_width))
        if len(here) and node.base[j] != 0:
            first = tree == here[0]
            leaf[first, j - offset[here[0]]] = node.base[j] + leaf[first, j - offset[here[0]]]
    threshold = np.concatenate([threshold, zeros.astype(np.float64)])
    missing_left = np.concatenate([node.missing_left, zeros]).astype(np.int64)
    splits = _Splits(feature, threshold, missing_left, left, right, root)
    return _Forest(splits, leaf, tree, offset)


def _reaches(node: Trees, output: int) -> bool:
    """Say whether some tree adds to an output."""
    return bool(np.any((node.offset <= output) & (output < node.offset + node.leaf_width)))


def _own_leaves(
    leaf: np.ndarray, left: np.ndarray, right: np.ndarray, root: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Number leaves anew, such that each place has its own; return the tree of each too."""
    sides = np.concatenate([left, right])
    ends = np.flatnonzero(sides < 0)
    tree_of_node = _tree_of_nodes(left, right, root)
    used = np.concatenate([tree_of_node, tree_of_node])[ends]
    values = leaf[-1 - sides[ends]]
    sides[ends] = -1 - np.arange(len(ends))
    return values, sides[: len(left)], sides[len(left) :], used


def _tree_of_nodes(left: np.ndarray, right: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return the tree that each inner node belongs to."""
    tree = np.zeros(len(left), dtype=np.int64)
    level = root
    tree[level] = np.arange(len(root))
    while len(level):
        following = []
        for side in (left, right):
            children = side[level]
            inner = children >= 0
            tree[children[inner]] = tree[level[inner]]
            following.append(children[inner])
        level = np.concatenate(following)
    return tree


def _targets_of_leaves(
    left: np.ndarray, right: np.ndarray, root: np.ndarray, n_leaves: int
) -> np.ndarray:
    """Return the tree of each leaf."""
    tree = _tree_of_nodes(left, right, root)
    target = np.zeros(n_leaves, dtype=np.int64)
    for side in (left, right):
        ends = side < 0
        target[-1 - side[ends]] = tree[ends]
    return target


def _single_valued(forest: _Forest, k: int) -> tuple[_Splits, np.ndarray, np.ndarray]:
    """Copy trees for each of the k values of a leaf; return their splits, leaves and targets."""
    splits = forest.splits
    n, n_leaves = len(splits.feature), len(forest.leaf)
    shifts = [(n * i, n_leaves * i) for i in range(k)]

    def shifted(side: np.ndarray) -> np.ndarray:
        return np.concatenate([np.where(side >= 0, side + a, side - b) for a, b in shifts])

    target = forest.offset[forest.tree_of_leaf]
    copies = _Splits(
        np.tile(splits.feature, k),
        np.tile(splits.threshold, k),
        np.tile(splits.missing_left, k),
        shifted(splits.left),
        shifted(splits.right),
        # Tree by tree, so that each output adds up in the source's order.
        np.stack([splits.root + a for a, _ in shifts], axis=1).ravel(),
    )
    targets = np.concatenate([target + i for i in range(k)]).astype(np.int64)
    return copies, forest.leaf.T.ravel(), targets


def _through_a_table(builder: Builder, source: Tensor, node: Trees, forest: _Forest) -> Tensor:
    """Find the leaf of each tree, then add up rows of a table, in order."""
    n_trees, n_leaves = len(forest.splits.root), len(forest.leaf)
    numbers = np.arange(n_leaves, dtype=np.float64)
    place = _ensemble(builder, source, forest.splits, numbers, forest.tree_of_leaf, n_trees).name
    table = np.zeros((n_leaves, node.width))
    start = forest.offset[forest.tree_of_leaf]
    for j in range(node.leaf_width):
        table[np.arange(n_leaves), start + j] = forest.leaf[:, j]
    rows = builder.node("Gather", builder.constant(table), builder.node("Cast", place, to=7))
    sums = builder.node("CumSum", rows, builder.constant(np.array(1)))
    last = builder.constant(np.array(n_trees - 1))
    return Tensor(builder.node("Gather", sums, last, axis=1), node.width)


def _ensemble(
    builder: Builder,
    source: Tensor,
    splits: _Splits,
    leaf: np.ndarray,
    target: np.ndarray,
    n_targets: int,
) -> Tensor:
    left, right, leaf, target = _unmistakable_roots(
        splits.left, splits.right, splits.root, leaf, target
    )
    name = builder.tree_ensemble(
        source.name,
        aggregate_function=_SUM,
        post_transform=0,
        n_targets=n_targets,
        tree_roots=splits.root.astype(np.int64),
        nodes_featureids=splits.feature.astype(np.int64),
        nodes_splits=np.asarray(splits.threshold, dtype=np.float64),
        nodes_modes=np.full(len(splits.feature), _LEQ, dtype=np.uint8),
        nodes_missing_value_tracks_true=splits.missing_left.astype(np.int64),
        nodes_truenodeids=np.where(left >= 0, left, -1 - left),
        nodes_trueleafs=(left < 0).astype(np.int64),
        nodes_falsenodeids=np.where(right >= 0, right, -1 - right),
        nodes_falseleafs=(right < 0).astype(np.int64),
        leaf_targetids=np.asarray(target, dtype=np.int64),
        leaf_weights=np.asarray(leaf, dtype=np.float64),
    )
    return Tensor(name, n_targets)


def _unmistakable_roots(
    left: np.ndarray, right: np.ndarray, root: np.ndarray, leaf: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give a root's leaf another number than the inner node on its other side has.

    onnxruntime below 1.31 takes a root with equal numbers on both sides for a leaf.
    """
    sides = np.stack([left, right])
    leaves = np.where(sides < 0, -1 - sides, -1)
    mistakable = root[(sides[:, root].min(axis=0) < 0) & (leaves[::-1] == sides).any(axis=0)[root]]
    side = (left[mistakable] >= 0).astype(np.intp)
    old = leaves[side, mistakable]
    sides[side, mistakable] = -1 - (len(leaf) + np.arange(len(old)))
    return sides[0], sides[1], np.append(leaf, leaf[old]), np.append(target, target[old])
