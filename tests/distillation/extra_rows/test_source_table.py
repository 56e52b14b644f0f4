"""The table that rows are made from: even draws, and a bound on its size."""

import numpy as np
import pandas as pd

from stackens.distillation.extra_rows import _source_table
from stackens.distillation.extra_rows._source_table import SourceTable, bounded_sample


def test_rows_are_drawn_evenly():
    table = SourceTable(np.arange(7.0)[:, None])
    counts = np.bincount(table.draw(17, np.random.default_rng(0)), minlength=7)
    assert counts.sum() == 17
    assert set(counts.tolist()) == {2, 3}


def test_points_are_those_of_the_rows():
    table = SourceTable(np.array([[1.0], [3.0]]))
    assert table.points.tolist() == [[-1.0], [1.0]]


def test_small_tables_are_taken_whole():
    X = pd.DataFrame({"a": range(100)})
    assert bounded_sample(X, np.random.default_rng(0)) is X


def test_large_tables_are_sampled(monkeypatch):
    monkeypatch.setattr(_source_table, "MOST_ROWS", 50)
    X = pd.DataFrame({"a": range(1000)})
    part = bounded_sample(X, np.random.default_rng(0))["a"]
    assert len(part) == 50
    assert part.is_unique
    assert part.is_monotonic_increasing
    assert part.max() > 800


def test_wide_tables_are_sampled_more(monkeypatch):
    monkeypatch.setattr(_source_table, "MOST_CELLS", 600)
    monkeypatch.setattr(_source_table, "FEWEST_ROWS", 20)
    rng = np.random.default_rng(0)
    assert bounded_sample(np.zeros((100, 10)), rng).shape == (60, 10)
    assert bounded_sample(np.zeros((100, 300)), rng).shape == (20, 300)
