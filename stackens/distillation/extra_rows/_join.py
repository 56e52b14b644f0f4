"""Puts rows of the same kind below each other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from stackens._core._rows import n_rows
from stackens.preprocessing._reading import is_polars

__all__ = ["join_rows"]


def join_rows(parts: Sequence[Any]) -> Any:
    """Put tables of one kind below each other.

    Parameters
    ----------
    parts : sequence of arrays, sparse matrices, DataFrames or lists
        All of one kind and with the same columns; at least one. The result has the index 0, 1,
        ... where it has one.

    Examples
    --------
    >>> import pandas as pd
    >>> from stackens.distillation.extra_rows import join_rows
    >>> join_rows([pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2, 3]})])["a"].tolist()
    [1, 2, 3]
    """
    parts = [part for part in parts if n_rows(part)] or parts[:1]
    first = parts[0]
    if isinstance(first, pd.DataFrame):
        return pd.concat(parts, ignore_index=True)
    if is_polars(first):
        # relaxed: whole numbers below such with a fraction, or missing values, become floats
        return sys.modules["polars"].concat(parts, how="vertical_relaxed")
    if sparse.issparse(first):
        return sparse.vstack(parts, format="csr")
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)
    return list(chain.from_iterable(parts))
