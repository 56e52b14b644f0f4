"""New rows like the real ones, in the container that these came in."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from stackens._core._rows import as_features, is_frame, n_rows, take_rows
from stackens.distillation.extra_rows._columns import write_table
from stackens.distillation.extra_rows._join import join_rows
from stackens.distillation.extra_rows._mixup import mixup
from stackens.distillation.extra_rows._munge import munge
from stackens.distillation.extra_rows._resample import resample
from stackens.distillation.extra_rows._source_table import SourceTable, bounded_sample
from stackens.distillation.extra_rows._spunge import spunge

__all__ = ["check_table", "make_rows"]

ROUNDS = 8  # of making rows anew for those that turned out to be copies of others
METHODS: dict[str, Callable[..., Any]] = {
    "mixup": mixup,
    "munge": munge,
    "resample": resample,
    "spunge": spunge,
}


def make_rows(
    method: str,
    X: Any,
    n_new: int,
    *,
    random_state: int | np.random.Generator | None = None,
    **settings: float,
) -> Any:
    """Make rows for a teacher to label.

    Columns keep their types. Whole numbers stay whole, dates keep their resolution, levels are
    among those seen, numbers and dates within the range seen, and a cell is missing only where
    that cell of a row it is made from is. No row is a copy of a real one, on which a teacher would
    repeat the answer that it was given, or of another new one. Of tables with more than 20,000
    rows (fewer beyond 500 columns) a random part is read.

    Parameters
    ----------
    method : {"mixup", "munge", "resample", "spunge"}
        "mixup": average two random rows, mostly near to one of them. "munge": exchange values
        between nearest neighbours. "resample": replace one cell by that of a row that is like it
        in all others. "spunge": replace a tenth of the cells by those of random rows, and add
        noise to numbers.
    X : DataFrame (pandas or polars) or array-like of shape (n_samples, n_features)
        Real rows. They are not changed.
    n_new : int
        Number of rows to make, at least 1; it may exceed the number of real rows.
    random_state : int, Generator or None, default=None
        Seed of the draws.
    **settings
        For "mixup" ``alpha=0.4`` (shares are drawn from Beta(alpha, alpha)); for "munge" ``p=0.5``
        (probability of exchanging a column) and ``s=1.0`` (divides the deviation of the draws);
        for "spunge" ``fraction=0.1`` and ``noise=0.1``; for "resample" ``n_neighbors=10``.

    Returns
    -------
    X_new : as X, of shape (n_made, n_features)
        `n_made` is `n_new`, or less for tables of few levels that have not so many other rows,
        possibly 0. A list of rows gives an array; the index of a DataFrame starts anew.

    Raises
    ------
    ValueError
        If the method is not known, X has not two dimensions, or no row or column.
    TypeError
        If X is sparse.

    Examples
    --------
    >>> import pandas as pd
    >>> from stackens.distillation.extra_rows import make_rows
    >>> X = pd.DataFrame(
    ...     {"rooms": [2, 3, 5], "rent": [910.0, 1480.0, 2150.5], "town": ["Bern", "Bern", "Rome"]}
    ... )
    >>> make_rows("munge", X, 4, random_state=4)
       rooms    rent  town
    0      3  2150.5  Bern
    1      2  1480.0  Bern
    2      5   910.0  Bern
    3      3   910.0  Bern
    """
    if method not in METHODS:
        raise ValueError(
            f"The method to make rows must be one of {sorted(METHODS)}. Got {method!r} instead. "
            "Choose one of them."
        )
    if not isinstance(n_new, Integral) or n_new < 1:
        raise ValueError(
            f"The number of rows to make must be a whole number from 1. Got {n_new!r} instead. "
            "Five times the number of real rows is a good start."
        )
    rows = as_features(X)
    check_table(rows)
    rng = np.random.default_rng(random_state)
    table = SourceTable(bounded_sample(rows, rng))
    made = take_rows(table.X, np.arange(0))
    for _ in range(ROUNDS):
        recipe = METHODS[method](table, n_new - n_rows(made), rng, **settings)
        cells = [column.new(*new) for column, new in zip(table.columns, recipe, strict=True)]
        made = _without_copies(join_rows([made, write_table(cells, table.X)]), table)
        if n_rows(made) == n_new:
            break
    return made


def _without_copies(made: Any, table: SourceTable) -> Any:
    """Drop real rows and repetitions."""
    if n_rows(made) == 0:
        return made
    points = np.concatenate([table.points, table.space.points(made)])
    seen = pd.DataFrame(points).duplicated().to_numpy()[table.n_rows :]
    return take_rows(made, np.flatnonzero(~seen))


def check_table(X: Any) -> None:
    """Raise unless new rows can be made from X."""
    if sparse.issparse(X):
        raise TypeError(
            f"Rows can be made from DataFrames and dense arrays. Got a sparse {X.format} matrix. "
            "Pass X.toarray(), or real rows without labels as X_unlabeled."
        )
    if not is_frame(X) and getattr(X, "ndim", 1) != 2:
        shape = getattr(X, "shape", f"({len(X)},)")
        raise ValueError(
            "Rows can be made from tables only, of shape (n_samples, n_features). Got data of "
            f"shape {shape}. Pass real images, series or texts without labels as X_unlabeled, or "
            "do without extra rows."
        )
    if 0 in X.shape:
        raise ValueError(
            f"Rows can be made from at least one row and one column. Got shape {X.shape}. "
            "Check the selection that made X."
        )
