"""Reads stackens' own encoder, of which the learnt records say everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import reads_transformer
from stackens.export.readers._table import Column, ComputedColumn, RawColumn, Table
from stackens.export.readers.preprocessing._functions import floor_divide, remainder
from stackens.export.readers.preprocessing._levels import map_column
from stackens.preprocessing import CategoricalColumn, NumericColumn, NumericFeature
from stackens.preprocessing._columns import LARGEST

__all__: list[str] = []

_HOUR, _DAY = 3_600_000_000.0, 86_400_000_000.0  # microseconds


@reads_transformer("stackens.TabularEncoder")
def _tabular_encoder(encoder: Any, graph: Graph, table: Table) -> Table:
    numeric = [
        (column, record)
        for column, record in zip(table.columns, encoder.columns_, strict=True)
        if isinstance(record, NumericColumn)
    ]
    encoded = iter(_numeric_columns(graph, numeric))
    columns: list[ComputedColumn] = []
    for column, record in zip(table.columns, encoder.columns_, strict=True):
        if isinstance(record, NumericColumn):
            columns.extend(next(encoded))
        else:
            node = _categorical(graph, column, record)
            columns.extend(ComputedColumn(node, j) for j in range(graph.width(node)))
    return Table(tuple(columns))


def _numeric_columns(
    graph: Graph, numeric: Sequence[tuple[Column, NumericColumn]]
) -> list[list[ComputedColumn]]:
    """Encode the features of all numeric columns side by side, and return those of each."""
    if not numeric:
        return []
    raw = Table(tuple(_raw_features(graph, numeric))).numbers(graph)
    features = [feature for _, record in numeric for feature in record.features]
    ends = np.cumsum([len(record.features) for _, record in numeric]).tolist()
    # the first feature of a column is missing where the column is
    flagged = [end - len(r.features) for end, (_, r) in zip(ends, numeric, strict=True)
               if r.indicator]  # fmt: skip
    flags = graph.elementwise("is_missing", graph.select(raw, flagged)) if flagged else -1
    node = _encoded(graph, raw, features)
    columns = []
    for end, (_, record) in zip(ends, numeric, strict=True):
        start = end - len(record.features)
        own = [ComputedColumn(node, j) for j in range(start, end)]
        if record.indicator:
            own.append(ComputedColumn(flags, flagged.index(start)))
        columns.append(own)
    return columns


def _encoded(graph: Graph, raw: int, features: Sequence[NumericFeature]) -> int:
    def row(read: Callable[[NumericFeature], float]) -> np.ndarray:
        return np.array([read(feature) for feature in features])

    above = graph.arithmetic("less", graph.constant(LARGEST), raw)
    node = graph.choose(above, graph.constant(row(lambda f: f.high)), raw)
    below = graph.arithmetic("less", raw, graph.constant(-LARGEST))
    node = graph.choose(below, graph.constant(row(lambda f: f.low)), node)
    node = graph.fill_missing(node, row(lambda f: f.fill))
    return graph.over(graph.minus(node, row(lambda f: f.mean)), row(lambda f: f.scale))


def _raw_features(
    graph: Graph, numeric: Sequence[tuple[Column, NumericColumn]]
) -> list[RawColumn | ComputedColumn]:
    """Return the features of all columns before they are filled and scaled."""
    times = [column for column, record in numeric if record.kind == "datetime"]
    parts = _date_parts(graph, [_position(c, "datetime") for c in times]) if times else {}
    columns: list[RawColumn | ComputedColumn] = []
    n_times = 0
    for column, record in numeric:
        if record.kind == "datetime":
            columns.extend(ComputedColumn(parts[f.part], n_times) for f in record.features)
            n_times += 1
        elif record.kind == "timedelta":
            node = graph.numbers([_position(column, "timedelta")], "timedelta")
            columns.append(ComputedColumn(node, 0))
        else:
            columns.append(column)
    return columns


def _position(column: Column, kind: str) -> int:
    if isinstance(column, RawColumn) and column.fill is None:
        return column.position
    raise ExportError(
        f"A {kind} column of TabularEncoder must come from the raw rows. Got one that an earlier "
        "step made. Let the encoder read the raw column."
    )


def _date_parts(graph: Graph, positions: Sequence[int]) -> dict[str, int]:
    """Compute the parts of dates, a matrix for each with a column for each date.

    References
    ----------
    Hinnant, chrono-compatible low-level date algorithms, civil_from_days: years begin in March,
    so that the leap day is the last, and eras of 400 years are alike.
    """
    microseconds = graph.numbers(positions, "datetime")
    day = floor_divide(graph, microseconds, _DAY)
    shifted = graph.plus(day, 719_468.0)
    era = floor_divide(graph, shifted, 146_097.0)
    day_of_era = remainder(graph, shifted, 146_097.0)
    leap_days = [
        graph.times(floor_divide(graph, day_of_era, every), sign)
        for every, sign in ((1_460.0, -1.0), (36_524.0, 1.0), (146_096.0, -1.0))
    ]
    year_of_era = floor_divide(graph, _total(graph, day_of_era, *leap_days), 365.0)
    days_before = _total(
        graph,
        graph.times(year_of_era, 365.0),
        floor_divide(graph, year_of_era, 4.0),
        graph.times(floor_divide(graph, year_of_era, 100.0), -1.0),
    )
    day_of_year = graph.arithmetic("subtract", day_of_era, days_before)
    month = floor_divide(graph, graph.plus(graph.times(day_of_year, 5.0), 2.0), 153.0)
    next_year = graph.arithmetic("less_equal", graph.constant(10.0), month)
    return {
        "days": graph.over(microseconds, _DAY),
        "year": _total(graph, year_of_era, graph.times(era, 400.0), next_year),
        "month": _total(graph, graph.plus(month, 3.0), graph.times(next_year, -12.0)),
        "weekday": remainder(graph, graph.plus(day, 3.0), 7.0),
        "hour": remainder(graph, floor_divide(graph, microseconds, _HOUR), 24.0),
    }


def _total(graph: Graph, *parts: int) -> int:
    total = parts[0]
    for part in parts[1:]:
        total = graph.arithmetic("add", total, part)
    return total


def _categorical(graph: Graph, column: Column, record: CategoricalColumn) -> int:
    codes = np.arange(len(record.levels))
    values, missing, unknown = (
        _code_rows(record, np.asarray(some))
        for some in (codes, [record.missing_code], [record.unknown_code])
    )
    return map_column(graph, column, record.levels, values, missing=missing[0], unknown=unknown[0])


def _code_rows(record: CategoricalColumn, codes: np.ndarray) -> np.ndarray:
    """Return the output for each code."""
    if not record.one_hot:
        return codes.astype(np.float64).reshape(-1, 1)
    # a negative code equals no column: a row of zeros
    return (codes.reshape(-1, 1) == np.arange(record.width)).astype(np.float64)
