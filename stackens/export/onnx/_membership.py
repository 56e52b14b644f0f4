"""Sets of categories in trees: a column for each, 0 for members, 1 for others, NaN for missing.

Where a tree's column comes from a lookup, these columns stand in its table, and cost nothing.
"""

from __future__ import annotations

import numpy as np

from stackens.export.onnx._lookups import Table
from stackens.export.program import Concatenate, Lookup, Program, Select, Trees

__all__ = ["sets_by_feature", "table_of_column", "table_of_members", "traced"]


def sets_by_feature(node: Trees) -> dict[int, np.ndarray]:
    """Return for each column that is compared with sets the positions of those sets."""
    categorical = node.category_set >= 0
    feature, sets = node.feature[categorical], node.category_set[categorical]
    return {int(f): np.unique(sets[feature == f]) for f in np.unique(feature)}


def traced(program: Program, node: int, column: int) -> tuple[Lookup, int] | None:
    """Find the lookup that a column comes from unchanged, and which of its columns; else None."""
    here = program.nodes[node]
    if isinstance(here, Lookup):
        return here, column
    if isinstance(here, Select):
        return traced(program, here.source, int(here.columns[column]))
    if isinstance(here, Concatenate):
        for part in here.parts:
            if column < program.nodes[part].width:
                return traced(program, part, column)
            column -= program.nodes[part].width
    return None


def table_of_column(lookup: Lookup, column: int, node: Trees, sets: np.ndarray) -> Table:
    """Return the table of a lookup's keys that tells membership of its values in sets."""
    keys = lookup.keys if isinstance(lookup.keys, tuple) else lookup.keys.tolist()
    missing, unknown = lookup.missing[column], lookup.unknown[column]
    return Table(
        keys,
        _outside(lookup.values[:, column], node, sets),
        _outside(np.array([missing]), node, sets)[0],
        _outside(np.array([unknown]), node, sets)[0],
    )


def table_of_members(node: Trees, sets: np.ndarray) -> Table:
    """Return the table of all members of sets, for columns of any numbers."""
    members = np.unique(np.concatenate([node.sets[s] for s in sets])).astype(np.float64)
    none = np.full(len(sets), np.nan)
    return Table(members.tolist(), _outside(members, node, sets), none, np.ones(len(sets)))


def _outside(values: np.ndarray, node: Trees, sets: np.ndarray) -> np.ndarray:
    """Return for each value (row) and set (column) 0 inside, 1 outside, NaN where it is missing."""
    outside = np.stack([~np.isin(values, node.sets[s]) for s in sets], axis=1).astype(np.float64)
    outside[np.isnan(values)] = np.nan
    return outside
