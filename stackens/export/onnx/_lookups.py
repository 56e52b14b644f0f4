"""Looks many columns up at once: one step from values to rows of a table, one to read the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stackens.export.onnx._builder import Tensor
from stackens.export.onnx._forests import Steps, add_steps, before
from stackens.export.onnx._views import Layout, View

__all__ = ["Table", "look_up_numbers", "look_up_texts", "merged"]

# Tables may hold this many numbers for nothing, or four times what is needed.
_SPARE = 2**17


@dataclass(frozen=True, eq=False)
class Table:
    """A row of numbers for each key of one column.

    Attributes
    ----------
    keys : sequence of str or of float
    values : float64 array of shape (n_keys, width)
    missing, unknown : float64 array of shape (width,)
    """

    keys: Sequence[str | float]
    values: np.ndarray
    missing: np.ndarray
    unknown: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Return the rows of the keys, then of a missing value, then of an unknown one."""
        return np.vstack([self.values, self.missing, self.unknown])


def merged(tables: Sequence[Table]) -> Table:
    """Put tables of the same column side by side."""
    if len(tables) == 1:
        return tables[0]
    keys = list(dict.fromkeys(key for table in tables for key in table.keys))
    parts = []
    for table in tables:
        place = {key: i for i, key in enumerate(table.keys)}
        rows = [place.get(key, len(place) + 1) for key in keys]
        parts.append(table.rows[np.array(rows, dtype=np.intp)])
    return Table(
        keys,
        np.hstack(parts),
        np.concatenate([table.missing for table in tables]),
        np.concatenate([table.unknown for table in tables]),
    )


def look_up_texts(
    layout: Layout, source: Tensor, columns: Sequence[int], tables: Sequence[Table], missing: str
) -> list[View]:
    """Look up columns of a matrix of texts, each in its table; `missing` stands for no value."""
    views: dict[int, View] = {}
    for group in _groups(tables):
        chosen = [tables[i] for i in group]
        text = layout.whole(View.of(source, [columns[i] for i in group]), "string")
        found = _read_rows(layout, _rows_of_texts(layout, text, chosen, missing), chosen)
        views.update(zip(group, found, strict=True))
    return [views[i] for i in range(len(tables))]


def look_up_numbers(
    layout: Layout, source: Tensor, columns: Sequence[int], tables: Sequence[Table]
) -> list[View]:
    """Look up columns of a matrix of doubles, each in its table; NaN is a missing value."""
    views: dict[int, View] = {}
    for group in _groups(tables):
        chosen = [tables[i] for i in group]
        steps = [
            _steps_of_keys(columns[i], tables[i], start)
            for i, start in zip(group, _starts(chosen), strict=True)
        ]
        rows = layout.cast(add_steps(layout.builder, source, steps), "int64")
        views.update(zip(group, _read_rows(layout, rows.name, chosen), strict=True))
    return [views[i] for i in range(len(tables))]


def _groups(tables: Sequence[Table]) -> list[list[int]]:
    """Put tables together whose rows can have one width without much waste."""
    widths = np.array([table.values.shape[1] for table in tables])
    n_rows = np.array([len(table.keys) + 2 for table in tables])
    if n_rows.sum() * widths.max() <= 4 * (n_rows * widths).sum() + _SPARE:
        return [list(range(len(tables)))]
    sizes = np.ceil(np.log2(widths)).astype(int)
    return [np.flatnonzero(sizes == size).tolist() for size in np.unique(sizes)]


def _starts(tables: Sequence[Table]) -> np.ndarray:
    """Return the first row of each table in all of them, one below the other."""
    return np.cumsum([0] + [len(table.keys) + 2 for table in tables[:-1]])


def _rows_of_texts(layout: Layout, text: Tensor, tables: Sequence[Table], missing: str) -> str:
    """Return the name of the matrix of the rows that the texts stand for."""
    builder = layout.builder
    rows = [_numbered(t, s, missing) for t, s in zip(tables, _starts(tables), strict=True)]
    known = list(dict.fromkeys(key for found in rows for key in found))
    width = len(known) + 1
    if len(rows) > 1 and width * len(rows) <= 4 * sum(map(len, rows)) + _SPARE:
        codes = builder.label_encoder(text.name, known, np.arange(len(known)), len(known))
        by_code: list[int] = []
        for found, table, start in zip(rows, tables, _starts(tables), strict=True):
            unknown = int(start) + len(table.keys) + 1
            by_code += [found.get(key, unknown) for key in known] + [unknown]
        shifts = builder.constant(np.arange(len(rows)) * width)
        places = builder.node("Add", codes, shifts)
        name: str = builder.node("Gather", builder.constant(np.array(by_code)), places)
        return name
    parts = []
    for i, (found, table, start) in enumerate(zip(rows, tables, _starts(tables), strict=True)):
        column = layout.whole(View.of(text, [i]), "string").name
        numbers = np.array(list(found.values()))
        parts.append(
            builder.label_encoder(column, list(found), numbers, int(start) + len(table.keys) + 1)
        )
    return parts[0] if len(parts) == 1 else builder.node("Concat", *parts, axis=1)


def _numbered(table: Table, start: int, missing: str) -> dict[str, int]:
    rows = {str(key): int(start) + i for i, key in enumerate(table.keys)}
    rows[missing] = int(start) + len(table.keys)
    return rows


def _steps_of_keys(column: int, table: Table, start: int) -> Steps:
    """Find the row of a number: a key is all that is above the number before it, up to it."""
    keys = np.asarray(table.keys, dtype=np.float64)
    bounds: list[float] = []
    rows: list[int] = []
    unknown = int(start) + len(keys) + 1
    for i in np.argsort(keys):
        below = float(before(keys[i]))
        if below < keys[i] and (not bounds or bounds[-1] < below):
            bounds.append(below)
            rows.append(unknown)
        bounds.append(float(keys[i]))
        rows.append(int(start) + int(i))
    return Steps(column, np.array(bounds), np.array([*rows, unknown]), float(start + len(keys)))


def _read_rows(layout: Layout, rows: str, tables: Sequence[Table]) -> list[View]:
    """Read rows, given as a matrix with a column for each table, from all tables as one."""
    builder = layout.builder
    widths = [table.values.shape[1] for table in tables]
    width = max(widths)
    values = np.vstack(
        [np.pad(t.rows, ((0, 0), (0, width - w))) for t, w in zip(tables, widths, strict=True)]
    )
    if width == 1:
        found = builder.node("Gather", builder.constant(values.ravel()), rows)
    else:
        shape = builder.constant(np.array([0, width * len(tables)]))
        found = builder.node("Gather", builder.constant(values), rows)
        found = builder.node("Reshape", found, shape)
    padding = [i * width + j for i, w in enumerate(widths) for j in range(w, width)]
    tensor = Tensor(found, width * len(tables), always_zero=frozenset(padding))
    return [View.of(tensor, i * width + np.arange(w)) for i, w in enumerate(widths)]
