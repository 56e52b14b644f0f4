"""Reads transformers that fill missing values, or say where they are."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import reads_transformer
from stackens.export.readers._table import Column, ComputedColumn, RawColumn, Table
from stackens.export.readers.preprocessing._levels import is_missing, map_column
from stackens.export.readers.preprocessing._refusal import (
    finite_numbers,
    refuse_infinite,
    refuse_not_finite,
)

__all__: list[str] = []


@reads_transformer("sklearn.SimpleImputer")
def _simple_imputer(imputer: Any, graph: Graph, table: Table) -> Table:
    fills = _fills(imputer)
    kept = np.array([i for i, fill in enumerate(fills) if fill is not None], dtype=np.int64)
    known = table.select(kept)
    marker = imputer.missing_values
    if is_missing(marker):
        columns = _filled(graph, known, [fills[i] for i in kept])
        _refuse_infinite_input(imputer, graph, table, Table(columns), len(kept) == len(table))
    else:
        columns = _replaced(imputer, graph, table, kept, [fills[i] for i in kept])
    out = Table(columns).marked(sparse=table.sparse)
    if not imputer.add_indicator:
        return out
    flagged = table.select(imputer.indicator_.features_)
    texts = [fills[i] is None or isinstance(fills[i], str) for i in imputer.indicator_.features_]
    return out.beside(_flags(graph, flagged, marker, texts))


def _fills(imputer: Any) -> list[Any]:
    """Return what replaces a missing value of each column; None: the column is left out."""
    fills: list[Any] = []
    for statistic in imputer.statistics_.tolist():
        if isinstance(statistic, float) and np.isnan(statistic) and not imputer.keep_empty_features:
            fills.append(None)
            continue
        # scikit-learn writes it in the type that the columns had in fit
        fill = np.array([statistic], dtype=object).astype(imputer._fill_dtype).tolist()[0]
        if not isinstance(fill, (str, Number)) or is_missing(fill):
            raise ExportError(
                f"A SimpleImputer must fill with text or numbers. Got {fill!r:.100} in "
                f"{imputer!r:.200}. Choose another fill_value."
            )
        fills.append(fill)
    return fills


def _filled(graph: Graph, table: Table, fills: list[Any]) -> tuple[Column, ...]:
    computed = [i for i, column in enumerate(table.columns) if isinstance(column, ComputedColumn)]
    place = {i: j for j, i in enumerate(computed)}
    node = -1
    if computed:
        numbers = [_as_number(fills[i]) for i in computed]
        node = graph.fill_missing(table.select(computed).numbers(graph), np.array(numbers))
    columns: list[Column] = []
    for i, (column, fill) in enumerate(zip(table.columns, fills, strict=True)):
        if isinstance(column, ComputedColumn):
            columns.append(ComputedColumn(node, place[i]))
        else:
            columns.append(column if column.fill is not None else RawColumn(column.position, fill))
    return tuple(columns)


def _as_number(fill: Any) -> float:
    if isinstance(fill, str):
        raise ExportError(
            f"A column that an earlier step computes must be filled with a number. Got {fill!r}. "
            "Impute the raw column instead."
        )
    return float(fill)


def _refuse_infinite_input(
    imputer: Any, graph: Graph, table: Table, filled: Table, all_kept: bool
) -> None:
    # scikit-learn does not look for infinities among objects
    if imputer._fit_dtype.kind == "O":
        return
    node = filled.numbers(graph) if len(filled) else graph.constant(0.0)
    refuse_not_finite(graph, node)
    if not all_kept:
        refuse_infinite(graph, table.numbers(graph))


def _replaced(
    imputer: Any, graph: Graph, table: Table, kept: np.ndarray, fills: list[Any]
) -> tuple[Column, ...]:
    """Replace a number that stands for a missing value; scikit-learn then refuses real ones."""
    marker = _number_marker(imputer)
    if any(isinstance(fill, str) for fill in fills):
        raise ExportError(
            f"A column of text must have None or NaN as missing value. Got {marker!r} in "
            f"{imputer!r:.200}. Replace it by NaN before fit."
        )
    node = graph.select(finite_numbers(graph, table), kept)
    row = graph.constant(np.array([float(fill) for fill in fills]))
    node = graph.choose(graph.arithmetic("equal", node, graph.constant(marker)), row, node)
    return Table.of_node(graph, node).columns


def _number_marker(transformer: Any) -> float:
    marker = transformer.missing_values
    if isinstance(marker, Number):
        return float(marker)  # type: ignore[arg-type]
    raise ExportError(
        "The missing_values that an export knows are None, NaN and numbers. Got "
        f"{marker!r} in {transformer!r:.200}. Replace that text by NaN before fit, for example "
        "with pandas.read_csv(na_values=...)."
    )


def _flags(graph: Graph, table: Table, marker: Any, texts: list[bool]) -> Table:
    """Say by 1 where a value is missing, in columns that may hold text or must hold numbers."""
    columns: list[Column] = []
    plain = [i for i, text in enumerate(texts) if not text or not is_missing(marker)]
    place = {i: j for j, i in enumerate(plain)}
    node = -1
    if plain:
        node = table.select(plain).numbers(graph)
        if is_missing(marker):
            node = graph.elementwise("is_missing", node)
        else:
            node = graph.arithmetic("equal", node, graph.constant(float(marker)))
    one, zero = np.ones(1), np.zeros(1)
    for i, column in enumerate(table.columns):
        if i in place:
            columns.append(ComputedColumn(node, place[i]))
        else:
            flag = map_column(graph, column, (), np.zeros((0, 1)), missing=one, unknown=zero)
            columns.append(ComputedColumn(flag, 0))
    return Table(tuple(columns), sparse=table.sparse)


@reads_transformer("sklearn.MissingIndicator")
def _missing_indicator(indicator: Any, graph: Graph, table: Table) -> Table:
    marker = indicator.missing_values
    wanted = np.asarray(indicator.features_)
    if not is_missing(marker):
        marker = _number_marker(indicator)
        refuse_not_finite(graph, table.numbers(graph))
    texts = [_may_be_text(graph, column) for column in table.columns]
    out = _flags(graph, table, marker, texts)
    if is_missing(marker):
        _refuse_infinities(graph, table, texts)
    new = np.setdiff1d(np.arange(len(table)), wanted)
    if indicator.features == "missing-only" and indicator.error_on_new and len(new):
        is_new = out.select(new).numbers(graph)
        nothing = graph.constant(np.nan)
        graph.refuse(graph.choose(is_new, nothing, graph.constant(0.0)))
    is_sparse = indicator.sparse is True or (indicator.sparse == "auto" and table.sparse)
    return out.select(wanted).marked(sparse=is_sparse)


def _may_be_text(graph: Graph, column: Column) -> bool:
    """Whether nothing says that a column holds numbers; the indicator knows it no more."""
    return isinstance(column, RawColumn) and "number" not in graph.reads_as(column.position)


def _refuse_infinities(graph: Graph, table: Table, texts: list[bool]) -> None:
    """Refuse what scikit-learn refuses among numbers: as a category, infinity is a text."""
    plain = [i for i, text in enumerate(texts) if not text]
    if plain:
        refuse_infinite(graph, table.select(plain).numbers(graph))
    refused, taken = np.full((2, 1), np.nan), np.zeros(1)
    for column, text in zip(table.columns, texts, strict=True):
        if text:
            keys = ("inf", "-inf")
            graph.refuse(map_column(graph, column, keys, refused, missing=taken, unknown=taken))
