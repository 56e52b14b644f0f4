"""What a model or transformer reads while its pipeline is followed: raw and computed columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Graph

__all__ = ["Column", "ComputedColumn", "RawColumn", "Table"]


@dataclass(frozen=True)
class RawColumn:
    """A column of the raw rows that nothing has touched, but for a value in place of missing ones.

    Attributes
    ----------
    position : int
        Among the columns of the raw rows.
    fill : object or None
        The value that stands for a missing one (an imputed category); None: missing stays missing.
    """

    position: int
    fill: Any = None


@dataclass(frozen=True)
class ComputedColumn:
    """A column of a node's matrix.

    Attributes
    ----------
    node : int
    position : int
    """

    node: int
    position: int


Column = RawColumn | ComputedColumn


@dataclass(frozen=True)
class Table:
    """Columns at one place of a pipeline.

    Attributes
    ----------
    columns : tuple of RawColumn or ComputedColumn
    names : tuple of str or None
        Their names there, where the step that made them gave names (frames, ``set_output``);
        None for arrays.
    sparse : bool
        Whether the source holds them in a sparse matrix there, which some of scikit-learn's
        transformers work on in other steps than on a dense one.
    """

    columns: tuple[Column, ...]
    names: tuple[str, ...] | None = None
    sparse: bool = False

    @classmethod
    def of_raw_rows(cls, graph: Graph) -> Table:
        """Return the table of all raw columns."""
        columns = tuple(RawColumn(i) for i in range(len(graph.names)))
        return cls(columns, graph.names if graph.named else None)

    @classmethod
    def of_node(cls, graph: Graph, node: int, names: Sequence[str] | None = None) -> Table:
        """Return the table of a node's columns."""
        columns = tuple(ComputedColumn(node, j) for j in range(graph.width(node)))
        return cls(columns, None if names is None else tuple(names))

    def __len__(self) -> int:
        return len(self.columns)

    def select(self, positions: Sequence[int] | np.ndarray) -> Table:
        """Take columns by position."""
        names = None if self.names is None else tuple(self.names[i] for i in positions)
        return Table(tuple(self.columns[i] for i in positions), names, self.sparse)

    def renamed(self, names: Sequence[str] | None) -> Table:
        """Return the same columns under other names."""
        return replace(self, names=None if names is None else tuple(names))

    def marked(self, *, sparse: bool) -> Table:
        """Return the same columns, held in a sparse matrix or not."""
        return replace(self, sparse=sparse)

    def beside(self, other: Table) -> Table:
        """Put the columns of another table after these."""
        both = self.names is not None and other.names is not None
        names = (*self.names, *other.names) if both else None  # type: ignore[misc]
        return Table((*self.columns, *other.columns), names, self.sparse or other.sparse)

    def numbers(self, graph: Graph) -> int:
        """Return the node of all columns as a matrix of numbers, raw ones read as numbers."""
        parts = []
        for source, run in groupby(self.columns, _source_of):
            members = list(run)
            if source is None:
                node = graph.numbers([c.position for c in members])
                node = graph.fill_missing(node, np.array([_fill_of(c) for c in members]))
            else:
                node = graph.select(source, [c.position for c in members])
            parts.append(node)
        return graph.concatenate(parts)


def _source_of(column: Column) -> int | None:
    return None if isinstance(column, RawColumn) else column.node


def _fill_of(column: Column) -> float:
    fill = getattr(column, "fill", None)
    if fill is None:
        return np.nan
    if isinstance(fill, str):
        raise ExportError(
            f"A column must be a number here. Got one whose missing values are filled with "
            f"{fill!r}. Encode it before a step that reads numbers."
        )
    return float(fill)
