"""Lays trees out as records that are quick to walk, and compile in a moment however many."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from string import Template

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Trees

__all__ = ["Forest", "forest_of", "walker"]

_LANES = 8  # ways down that are followed at once; measured, as is that nested ifs are no quicker
_MOST = 2**31 - 1
_WIDEST = 16  # values in a leaf; wider ones are hardly ever equal


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees as the walker in ``trees.c`` reads them.

    Attributes
    ----------
    nodes : array of records of shape (n_nodes,)
        The fields of the struct in C. The first ones are the roots.
    leaf : float64 array of shape (n_leaves, leaf_width)
        Each row of values once.
    keep, fill : int32 array
        Columns of the source that z holds, after a 0: as they are, and with -inf for NaN.
    categories : list of (column, float64 array)
        What each column with sets is looked up in: rising numbers. The code of its value is the
        position there + 2.
    bits : uint32 array
        For each set, a bit for each code. Bit 0 of the first word is 0.
    """

    nodes: np.ndarray
    leaf: np.ndarray
    keep: np.ndarray
    fill: np.ndarray
    categories: list[tuple[int, np.ndarray]]
    bits: np.ndarray

    @property
    def has_sets(self) -> bool:
        """Whether some node asks for a set of categories."""
        return len(self.categories) > 0


def forest_of(trees: Trees) -> Forest:
    """Lay trees out.

    Raises
    ------
    ExportError
        If there are too many nodes for 32-bit positions.
    """
    in_set = trees.category_set >= 0
    plain = ~in_set & ~trees.missing_left
    filled = ~in_set & trees.missing_left
    keep, fill = np.unique(trees.feature[plain]), np.unique(trees.feature[filled])
    feature = np.zeros(len(in_set), dtype=np.int32)
    feature[plain] = 1 + np.searchsorted(keep, trees.feature[plain])
    feature[filled] = 1 + len(keep) + np.searchsorted(fill, trees.feature[filled])
    categories, bits, code, bit = _sets(trees, in_set)

    # A record for each root, and two for each inner node: its children.
    n_trees, n_inner = trees.n_trees, len(trees.feature)
    if n_trees + 2 * n_inner > _MOST or len(bits) * 32 > _MOST:
        raise ExportError(
            f"Trees in C must have at most {_MOST:,} nodes. Got {n_trees + 2 * n_inner:,}. Use "
            "fewer or smaller trees."
        )
    here = np.concatenate([trees.root, np.stack([trees.left, trees.right], axis=1).ravel()])
    leaf, place = _distinct_rows(trees.leaf)
    fields = ["threshold", "feature", "child"] + ["code", "bit"] * bool(categories)
    formats = ["f8", "i4", "i4"] + ["i4", "u4"] * bool(categories)
    nodes = np.zeros(len(here), dtype=list(zip(fields, formats, strict=True)))
    inner = here >= 0
    at = here[inner]
    nodes["threshold"][inner] = np.where(in_set, np.nan, trees.threshold)[at]
    nodes["feature"][inner] = feature[at]
    nodes["child"][inner] = n_trees + 2 * at
    if categories:
        nodes["code"][inner] = code[at]
        nodes["bit"][inner] = bit[at]
    nodes["threshold"][~inner] = place[-1 - here[~inner]]
    nodes["child"][~inner] = np.flatnonzero(~inner)
    return Forest(nodes, leaf, keep.astype(np.int32), fill.astype(np.int32), categories, bits)


def _sets(
    trees: Trees, in_set: np.ndarray
) -> tuple[list[tuple[int, np.ndarray]], np.ndarray, np.ndarray, np.ndarray]:
    """Return the categories, the words of bits, and each node's position in both."""
    code, start = np.zeros(len(in_set), dtype=np.int32), np.zeros(len(in_set), dtype=np.int64)
    categories: list[tuple[int, np.ndarray]] = []
    blocks = [np.zeros(1, dtype=bool)]
    size = 1
    for column in np.unique(trees.feature[in_set]).tolist():
        own = np.flatnonzero(in_set & (trees.feature == column))
        used = np.unique(trees.category_set[own]).tolist()
        known = np.unique(np.concatenate([trees.sets[s].astype(np.float64) for s in used]))
        if len(known) and known[0] >= 0 and known[-1] < 4 * len(known) + 64:
            known = np.arange(known[-1] + 1)  # found without a search
        categories.append((column, known))
        code[own] = len(categories)
        for s in used:
            for missing_left in (False, True):
                asking = own[
                    (trees.category_set[own] == s) & (trees.missing_left[own] == missing_left)
                ]
                if len(asking):
                    block = np.zeros(2 + len(known), dtype=bool)
                    block[0] = missing_left
                    block[2 + np.searchsorted(known, trees.sets[s].astype(np.float64))] = True
                    blocks.append(block)
                    start[asking] = size
                    size += len(block)
    packed = np.packbits(np.concatenate(blocks), bitorder="little")
    words = np.zeros(-(-len(packed) // 4) * 4, dtype=np.uint8)
    words[: len(packed)] = packed
    return categories, words.view("<u4").astype(np.uint32), code, start


def _distinct_rows(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that differ in some bit, and where each row is among them."""
    if values.size == 0 or values.shape[1] > _WIDEST:
        return values, np.arange(len(values))
    bits = np.ascontiguousarray(values).view(np.int64)
    order = np.lexsort(bits.T)
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = np.any(bits[order[1:]] != bits[order[:-1]], axis=1)
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(is_new) - 1
    first = order[is_new]  # lexsort keeps the order of equals
    # In the order in which they come, so that the leaves of a tree stay together.
    by_place = np.argsort(first)
    rank = np.empty(len(first), dtype=np.int64)
    rank[by_place] = np.arange(len(first))
    return values[first[by_place]], rank[group]


def walker(has_sets: bool) -> str:
    """Return the C text that walks forests, without or with sets of categories."""
    right = "!({z}[node->feature] <= node->threshold)"
    comment = fields = ""
    if has_sets:
        right += " & !STACKENS_BIT(f->bits, node->bit + (uint32_t){k}[node->code])"
        comment = (
            "\n   Where categories are asked for, the threshold is NaN, which says no, and a bit "
            "says yes to\n   the sets' members; elsewhere that bit is 0."
        )
        fields = "\n    int32_t code;\n    uint32_t bit;"
    suffix = "_of_sets" if has_sets else ""
    names = {name: f"{name}{suffix}" for name in ("node", "forest", "walk", "walk_row")}
    template = Template((files("stackens.export.c") / "trees.c").read_text(encoding="utf-8"))
    return template.substitute(
        names,
        lanes=_LANES,
        comment=comment,
        fields=fields,
        bits="\n    const uint32_t *bits;" if has_sets else "",
        right=right.format(z="z", k="k"),
        right_of_lane=right.format(
            z="(z + (size_t)(r + l) * (size_t)z_width)", k="(k + (size_t)(r + l) * (size_t)k_width)"
        ),
    )
