"""SPUNGE: real rows with a few cells from elsewhere in their columns, and noise on numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stackens.distillation.extra_rows._source_table import SourceTable

__all__ = ["spunge"]


def spunge(
    table: SourceTable,
    n_new: int,
    rng: np.random.Generator,
    *,
    fraction: float = 0.1,
    noise: float = 0.1,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Replace some cells of each row by cells of random rows, and add noise to all numbers.

    Parameters
    ----------
    table : SourceTable
    n_new : int
    rng : Generator
    fraction : float, default=0.1
        Share of the cells of each new row that are replaced, at least one.
    noise : float, default=0.1
        Standard deviation of the noise, in standard deviations of the column.

    Yields
    ------
    rows, drawn : for each column, what :meth:`SourceColumn.new` takes

    References
    ----------
    The default augmentation of AutoGluon's distillation: R. Fakoor et al. (2020), Fast, accurate,
    and simple models for tabular data via augmented distillation, arXiv:2006.14284. The cells are
    chosen column by column: D. E. Knuth (1997), Seminumerical algorithms, 3.4.2, algorithm S.
    """
    if not 0.0 <= fraction <= 1.0 or noise < 0.0:
        raise ValueError(
            "The fraction of cells to replace must be between 0 and 1, the noise at least 0. Got "
            f"fraction={fraction!r} and noise={noise!r}. The defaults are 0.1 and 0.1."
        )
    row = table.draw(n_new, rng)
    n_columns = len(table.columns)
    left = np.full(n_new, max(1, round(fraction * n_columns)))  # cells still to replace
    for position, column in enumerate(table.columns):
        replaced = rng.random(n_new) * (n_columns - position) < left
        left -= replaced
        source = np.where(replaced, rng.integers(table.n_rows, size=n_new), row)
        drawn = None
        if column.numbers is not None:
            with np.errstate(over="ignore"):  # numbers too large to be squared are copied
                deviation = noise * np.nanstd(column.numbers)
            drawn = column.numbers[source] + deviation * rng.standard_normal(n_new)
        yield source, drawn
