"""Tables of every kind of column, for the tests of extra rows."""

import numpy as np
import pandas as pd
import pytest


def mixed_table(seed, n):
    """A pandas DataFrame with a column of each kind, some with missing values."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2020-01-01")
    gaps = rng.random(n) < 0.2
    return pd.DataFrame(
        {
            "float": rng.normal(size=n),
            "single": rng.lognormal(size=n).astype("float32"),
            "gaps": np.where(gaps, np.nan, rng.normal(size=n)),
            "infinite": np.where(rng.random(n) < 0.1, np.inf, rng.normal(size=n)),
            "count": rng.poisson(3, n),
            "tens": 10 * rng.integers(-5, 5, n).astype("int16"),
            "whole": np.where(gaps, np.nan, rng.integers(0, 9, n)),
            "nullable": pd.array(np.where(gaps, None, rng.integers(0, 9, n)), dtype="Int64"),
            "huge": rng.integers(2**63, 2**63 + 50, n, dtype="uint64"),
            "wide": np.where(rng.random(n) < 0.5, -(2**62), 2**62),
            "flag": rng.random(n) < 0.3,
            "maybe": pd.array(np.where(gaps, None, rng.random(n) < 0.3), dtype="boolean"),
            "category": pd.Categorical(rng.choice(["a", "b"], n), categories=["b", "a", "never"]),
            "text": np.where(gaps, None, rng.choice(["red", "green"], n)),
            "objects": np.array(rng.integers(0, 9, n).tolist(), dtype=object),
            "day": start + pd.to_timedelta(rng.integers(0, 400, n), "D"),
            "zoned": (start + pd.to_timedelta(rng.integers(0, 10**6, n), "s")).tz_localize("UTC"),
            "hours": pd.to_timedelta(rng.integers(0, 99, n), "h"),
            "empty": np.full(n, np.nan),
            "constant": np.full(n, 7),
        }
    )


@pytest.fixture(name="mixed_table")
def mixed_table_fixture():
    return mixed_table
