"""MUNGE: new rows between a row and its nearest neighbour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stackens.distillation.extra_rows._metric import nearest_others
from stackens.distillation.extra_rows._source_table import SourceTable

__all__ = ["munge"]


def munge(
    table: SourceTable,
    n_new: int,
    rng: np.random.Generator,
    *,
    p: float = 0.5,
    s: float = 1.0,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Exchange values between rows and their nearest neighbours.

    A row e and its nearest neighbour e' give two new rows. For each column, with probability p, a
    number of the first becomes a draw from N(e', |e - e'| / s), that of the second one from
    N(e, |e - e'| / s); levels, and numbers of which one is missing, are swapped.

    Differs from Algorithm 1 of the paper in that each pair begins with the real rows, where the
    paper walks through a working copy that earlier pairs have changed already.

    Parameters
    ----------
    table : SourceTable
    n_new : int
    rng : Generator
    p : float, default=0.5
        Probability that a column is exchanged.
    s : float, default=1.0
        Divides the standard deviation of the draws: the larger, the nearer to plain swaps.

    Yields
    ------
    rows, drawn : for each column, what :meth:`SourceColumn.new` takes

    References
    ----------
    C. Bucila, R. Caruana & A. Niculescu-Mizil (2006), Model compression, KDD,
    doi:10.1145/1150402.1150464, Algorithm 1.
    """
    if not 0.0 <= p <= 1.0 or s <= 0.0:
        raise ValueError(
            "The probability p of an exchange must be between 0 and 1, the divisor s of the "
            f"deviation above 0. Got p={p!r} and s={s!r}. The defaults are 0.5 and 1."
        )
    row = table.draw(-(-n_new // 2), rng)
    asked, inverse = np.unique(row, return_inverse=True)
    partner = nearest_others(table.points, asked, rng)[1][inverse]
    # alternately the two rows of a pair, so that an odd number leaves out one partner only
    one, other = (
        np.stack(pair, axis=1).ravel()[:n_new] for pair in ((row, partner), (partner, row))
    )
    for column in table.columns:
        exchanged = np.repeat(rng.random(len(row)) < p, 2)[:n_new]
        drawn = None
        if column.numbers is not None:
            here, there = column.numbers[one], column.numbers[other]
            deviation = np.abs(here - there) / s
            drawn = np.where(exchanged, there + deviation * rng.standard_normal(n_new), np.nan)
        yield np.where(exchanged, other, one), drawn
