"""Rows below each other, in every container."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from stackens.distillation.extra_rows import join_rows


def test_frames():
    one = pd.DataFrame({"a": [1, 2], "k": pd.Categorical(["x", "y"])}, index=[7, 8])
    joined = join_rows([one.iloc[:0], one, one.iloc[:1]])
    assert joined.index.tolist() == [0, 1, 2]
    assert joined.dtypes.tolist() == one.dtypes.tolist()
    frames = [pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2.5]})]
    assert join_rows(frames)["a"].to_list() == [1.0, 2.5]


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 4)])
def test_arrays(shape):
    assert join_rows([np.ones(shape), np.zeros(shape)]).shape == (4, *shape[1:])


def test_sparse_and_lists():
    joined = join_rows([sparse.eye_array(2, format="csr"), sparse.eye_array(2, format="csc")])
    assert joined.format == "csr"
    assert joined.shape == (4, 2)
    assert join_rows([["a"], ["b", "c"]]) == ["a", "b", "c"]
