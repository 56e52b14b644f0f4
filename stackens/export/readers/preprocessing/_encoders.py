"""Reads encoders of categories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers._registry import reads_transformer
from stackens.export.readers._table import Column, ComputedColumn, RawColumn, Table
from stackens.export.readers.preprocessing._levels import Levels, levels_of, map_column
from stackens.export.readers.preprocessing._refusal import refuse_infinite

__all__: list[str] = []

# For column i and its levels: a row of numbers for each category, in the encoder's order, then
# what a missing value gives that is among them, and what any other value gives (None: refused).
_Rows = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]


def _encode(
    encoder: Any, graph: Graph, table: Table, rows_of: Callable[[int, Levels], _Rows]
) -> Table:
    columns: list[ComputedColumn] = []
    with_infinity: list[int] = []
    for i, (column, categories) in enumerate(zip(table.columns, encoder.categories_, strict=True)):
        levels = levels_of(categories, encoder, filled=_is_filled(column))
        rows, missing, unknown = rows_of(i, levels)
        if categories.dtype.kind in "biuf":
            with_infinity.append(i)
        refused = unknown is None
        unknown = np.full(rows.shape[1], np.nan) if unknown is None else unknown
        node = map_column(
            graph,
            column,
            levels.keys,
            rows[levels.places],
            missing=unknown if missing is None else missing,
            unknown=unknown,
        )
        if refused:
            graph.refuse(_unknown_mark(graph, column, levels))
        columns.extend(ComputedColumn(node, j) for j in range(graph.width(node)))
    if with_infinity:
        refuse_infinite(graph, table.select(with_infinity).numbers(graph))
    return Table(tuple(columns))


def _is_filled(column: Column) -> bool:
    return isinstance(column, RawColumn) and column.fill is not None


def _unknown_mark(graph: Graph, column: Column, levels: Levels) -> int:
    """Make a column that is NaN where a value is no category."""
    none = np.full(1, np.nan)
    known = np.zeros((len(levels.keys), 1))
    missing = none if levels.missing is None else np.zeros(1)
    return map_column(graph, column, levels.keys, known, missing=missing, unknown=none)


def _groups(encoder: Any, i: int) -> np.ndarray:
    """Return the number of each category after the infrequent ones are put together."""
    groups = np.arange(len(encoder.categories_[i]))
    if encoder._infrequent_enabled:
        mapping = encoder._default_to_infrequent_mappings[i]
        if mapping is not None:
            groups[: len(mapping)] = mapping
    return groups


def _infrequent_group(encoder: Any, i: int) -> int | None:
    if not encoder._infrequent_enabled or encoder._infrequent_indices[i] is None:
        return None
    return int(encoder._default_to_infrequent_mappings[i].max())


@reads_transformer("sklearn.OneHotEncoder")
def _one_hot_encoder(encoder: Any, graph: Graph, table: Table) -> Table:
    def rows_of(i: int, levels: Levels) -> _Rows:
        drop = encoder._drop_idx_after_grouping
        dropped = None if drop is None else drop[i]
        groups = _groups(encoder, i)
        one_hot = np.eye(int(groups.max()) + 1)
        if dropped is not None:
            one_hot = np.delete(one_hot, int(dropped), axis=1)
        infrequent = _infrequent_group(encoder, i)
        unknown: np.ndarray | None = np.zeros(one_hot.shape[1])
        if encoder.handle_unknown == "error":
            unknown = None
        elif encoder.handle_unknown != "ignore" and infrequent is not None:
            unknown = one_hot[infrequent]
        rows = one_hot[groups]
        return rows, None if levels.missing is None else rows[levels.missing], unknown

    return _encode(encoder, graph, table, rows_of).marked(sparse=encoder.sparse_output)


@reads_transformer("sklearn.OrdinalEncoder")
def _ordinal_encoder(encoder: Any, graph: Graph, table: Table) -> Table:
    def rows_of(i: int, levels: Levels) -> _Rows:
        codes = _groups(encoder, i).astype(np.float64)[:, None]
        missing = None if levels.missing is None else codes[levels.missing]
        if levels.missing_is_nan:
            missing = np.array([float(encoder.encoded_missing_value)])
        unknown = None
        if encoder.handle_unknown == "use_encoded_value":
            unknown = np.array([float(encoder.unknown_value)])
        return codes, missing, unknown

    return _encode(encoder, graph, table, rows_of)


@reads_transformer("sklearn.TargetEncoder")
def _target_encoder(encoder: Any, graph: Graph, table: Table) -> Table:
    n_classes = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
    mean = np.atleast_1d(np.asarray(encoder.target_mean_, dtype=np.float64))

    def rows_of(i: int, levels: Levels) -> _Rows:
        some = encoder.encodings_[i * n_classes : (i + 1) * n_classes]
        rows = np.column_stack(some).astype(np.float64)
        return rows, None if levels.missing is None else rows[levels.missing], mean

    return _encode(encoder, graph, table, rows_of)
