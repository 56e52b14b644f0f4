"""Compares a transformer with the program that is read from it, row by row."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from stackens.export.program import Graph, Lookup, Numbers
from stackens.export.readers import Table, read_transform
from stackens.preprocessing._reading import level_text
from tests.export.readers.programs import run_columns

EXTREMES = (0.0, -0.0, 5e-324, -1e-310, 1e-9, -1e-9, 0.1, 1e8 + 0.1, 2.0**53, -1e17, 1e300, -1e300)


def program_of(transformer, names, *, named=True):
    """Read a fitted transformer of raw rows into a program."""
    graph = Graph(names, named=named)
    table = read_transform(transformer, graph, Table.of_raw_rows(graph))
    return graph.program(table.numbers(graph), "values", one_target=False)


def columns_of(frame, program):
    """Turn raw rows into the columns that a program reads; NaN for those that it does not."""
    read = set()
    for _, node in program:
        if isinstance(node, Numbers):
            read.update(node.columns.tolist())
        elif isinstance(node, Lookup):
            read.add(node.column)
    return [
        _column(frame.iloc[:, i].tolist(), column.kind)
        if i in read
        else np.full(len(frame), np.nan)
        for i, column in enumerate(program.columns)
    ]


def _column(values, kind):
    missing = [bool(pd.isna(v)) for v in values]
    if kind == "category":
        texts = [None if m else level_text(v, "") for v, m in zip(values, missing, strict=True)]
        return np.array(texts, dtype=object)
    if kind == "datetime":
        return np.array(
            [
                np.nan if m else float(np.datetime64(pd.Timestamp(v), "us").astype(int))
                for v, m in zip(values, missing, strict=True)
            ]
        )
    if kind == "timedelta":
        return np.array(
            [
                np.nan if m else pd.Timedelta(v) / pd.Timedelta("1s")
                for v, m in zip(values, missing, strict=True)
            ]
        )
    return np.array([np.nan if m else float(v) for v, m in zip(values, missing, strict=True)])


def run(program, frame):
    """Return the output for raw rows, and whether the program refuses each of them."""
    return run_columns(program, columns_of(frame, program))


def largest_difference(transformer, rows, *, relative=False, as_array=False):
    """Compare a transformer with its export, and return by how much their answers differ.

    The transformer must refuse each row that the export refuses, and take all others. Missing
    and infinite answers must be the same.
    """
    program = program_of(transformer, [str(c) for c in rows.columns], named=not as_array)
    ours, refused = run(program, rows)
    for i in np.flatnonzero(refused):
        with pytest.raises(ValueError):  # noqa: PT011 - the texts are scikit-learn's
            _answers(transformer, rows.iloc[[i]], as_array)
    assert not refused.all()
    expected = _answers(transformer, rows[~refused], as_array)
    ours = ours[~refused]
    assert ours.shape == expected.shape
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(ours[~finite], expected[~finite])
    with np.errstate(over="ignore"):
        gap = np.abs(ours[finite] - expected[finite])
    if relative:
        gap = gap / np.maximum(np.abs(expected[finite]), 1.0)
    return float(gap.max(initial=0.0))


def _answers(transformer, rows, as_array):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = transformer.transform(rows.to_numpy() if as_array else rows)
    out = pd.DataFrame(out.toarray() if sparse.issparse(out) else np.asarray(out))
    return out.to_numpy(dtype=float, na_value=np.nan)


def number_rows(n, n_columns, *, missing=0.2, extremes=True, infinite=True, seed=0):
    """Draw rows of numbers: missing, very large, very small and infinite ones among them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, n_columns)) * 10.0 ** rng.integers(-2, 4, n_columns)
    values[rng.random(values.shape) < missing] = np.nan
    rows = [values]
    if extremes:
        rows.append(np.array([np.roll(EXTREMES, i)[:n_columns] for i in range(len(EXTREMES))]))
    if infinite:
        rows.append(np.full((2, n_columns), 1.0) + np.diag([np.inf, -np.inf])[:, :1])
        rows.append(np.where(np.eye(n_columns) == 1, np.inf, 1.0))
    return pd.DataFrame(np.vstack(rows), columns=[f"c{i}" for i in range(n_columns)])
