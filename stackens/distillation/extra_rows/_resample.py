"""Conditional resampling: real rows with one cell of a row that is like them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stackens.distillation.extra_rows._metric import HAIR, nearest
from stackens.distillation.extra_rows._source_table import SourceTable

__all__ = ["resample"]


def resample(
    table: SourceTable,
    n_new: int,
    rng: np.random.Generator,
    *,
    n_neighbors: int = 10,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Replace one cell of each row, drawn as its column is distributed given all the others.

    The cell comes from one of the rows that are nearest in the other columns: a step of Gibbs
    sampling, with the conditional distribution estimated by nearest neighbours.

    Parameters
    ----------
    table : SourceTable
    n_new : int
    rng : Generator
    n_neighbors : int, default=10
        Rows to choose from.

    Yields
    ------
    rows, drawn : for each column, what :meth:`SourceColumn.new` takes

    References
    ----------
    R. Fakoor et al. (2020), Fast, accurate, and simple models for tabular data via augmented
    distillation, arXiv:2006.14284, which draws whole rows by repeated steps from a network's
    estimate.
    """
    if n_neighbors < 1:
        raise ValueError(
            f"The number of neighbours to choose from must be at least 1. Got {n_neighbors!r} "
            "instead. The default is 10."
        )
    row = table.draw(n_new, rng)
    replaced = rng.integers(len(table.columns), size=n_new)
    points = np.column_stack([table.points, HAIR * rng.random(table.n_rows)])
    n_found = min(n_neighbors + 1, table.n_rows)
    for position in range(len(table.columns)):
        source = row.copy()
        here = np.flatnonzero(replaced == position)
        if len(here) and table.n_rows > 1:
            own = np.flatnonzero(table.space.owner == position)
            columns = points[:, own].copy()
            points[:, own] = 0.0
            found = nearest(points, points[row[here]], n_found)[1]
            points[:, own] = columns
            # the row itself goes last, or the farthest where copies crowd it out, and is not drawn
            order = np.argsort(found == row[here, None], axis=1, kind="stable")
            found = np.take_along_axis(found, order, axis=1)
            source[here] = found[np.arange(len(here)), rng.integers(n_found - 1, size=len(here))]
        yield source, None
