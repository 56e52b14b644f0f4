"""Tests of batches for learning."""

import numpy as np
import pandas as pd
import pytest

from stackens.weight_averaging.mixing._batches import Batches, split_arrays

torch = pytest.importorskip("torch")
LIKE = torch.zeros(1)


def test_arrays_are_cut_and_shuffled_together():
    X, y = np.arange(10.0)[:, None], np.arange(10)
    batches = list(Batches((X, y), 4, LIKE).epoch(np.random.default_rng(0)))
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    rows, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert rows[:, 0].tolist() == labels.tolist() != list(range(10))
    assert (rows.dtype, labels.dtype) == (torch.float32, torch.int64)


def test_without_a_generator_the_order_stays():
    (x,) = next(iter(Batches((torch.arange(3),), 4, LIKE).epoch()))
    assert x.tolist() == [0, 1, 2]


def test_batches_of_any_structure_are_taken_as_they_are():
    given = [{"x": np.zeros(2), "more": [np.ones(1), "text"]}]
    for data in (given, lambda: iter(given)):
        batches = Batches(data, 1, LIKE)
        for _ in range(2):
            (batch,) = batches.epoch()
            assert batch["x"].dtype == torch.float32
            assert batch["more"][1] == "text"


def test_rows_of_arrays_are_held_out():
    X = pd.DataFrame({"a": np.arange(10.0)})
    training, held_out = split_arrays((X, np.arange(10)), None, 0.2, np.random.default_rng(0))
    assert len(training[1]) == 8
    assert sorted([*training[1], *held_out[1]]) == list(range(10))
    assert held_out[0][:, 0].tolist() == held_out[1].tolist()


def test_held_out_rows_that_are_given_are_used():
    data, validation = (np.zeros(4), np.zeros(4)), [1]
    assert split_arrays(data, validation, 0.2, np.random.default_rng(0))[1] is validation
    loader = [(np.zeros(2), np.zeros(2))]
    assert split_arrays(loader, validation, 0.2, np.random.default_rng(0)) == (loader, validation)


def test_data_that_can_not_be_learnt_from_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="ends after one"):
        split_arrays(iter([]), None, 0.2, rng)
    with pytest.raises(ValueError, match="no 'validation'"):
        split_arrays([(np.zeros(2), np.zeros(2))], None, 0.2, rng)
    with pytest.raises(ValueError, match=r"same number of rows.*Got \[3, 4\]"):
        split_arrays((np.zeros(3), np.zeros(4)), None, 0.2, rng)
