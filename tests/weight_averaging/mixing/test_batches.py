"""Tests of batches for learning."""

from collections import namedtuple

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
    table = pd.DataFrame({"a": [1.0, 2.0]}), pd.Series([0, 1])
    _, (X, y) = split_arrays(data, table, 0.2, np.random.default_rng(0))
    assert isinstance(X, np.ndarray)
    assert isinstance(y, np.ndarray)


@pytest.mark.parametrize("make", [list, iter, lambda batches: lambda: iter(batches)])
def test_batches_are_held_out_whole(make):
    batches = [(np.full(2, i), np.full(2, i)) for i in range(10)]
    training, held_out = split_arrays(make(batches), None, 0.2, np.random.default_rng(0))
    assert len(held_out) == 2
    assert sorted(int(X[0]) for X, _ in [*training, *held_out]) == list(range(10))
    for _ in range(2):  # epochs
        assert len(list(Batches(training, 5, LIKE).epoch())) == 8


def test_a_generator_is_kept_for_the_next_epochs():
    data, validation = split_arrays(iter([1, 2]), iter([3]), 0.2, np.random.default_rng(0))
    assert (data, validation) == ([1, 2], [3])


def test_data_that_can_not_be_learnt_from_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no 'validation'"):
        split_arrays([(np.zeros(2), np.zeros(2))], None, 0.2, rng)
    with pytest.raises(TypeError, match="'data' parameter must be a tuple of arrays.*Got ndarray"):
        split_arrays(np.zeros((3, 2)), None, 0.2, rng)
    with pytest.raises(TypeError, match="'validation' parameter must be.*Got int"):
        split_arrays((np.zeros(3),), 5, 0.2, rng)
    with pytest.raises(ValueError, match="'validation_fraction' parameter must be"):
        split_arrays((np.zeros(3),), None, 1.5, rng)
    with pytest.raises(ValueError, match=r"same number of rows.*Got \[3, 4\]"):
        split_arrays((np.zeros(3), np.zeros(4)), None, 0.2, rng)


def test_named_tuples_stay_so():
    Pair = namedtuple("Pair", "x y")
    (batch,) = Batches([Pair(np.zeros(2), 1)], 1, LIKE).epoch()
    assert isinstance(batch, Pair)
    assert batch.x.tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.complex64])
def test_numbers_in_arrays_get_the_precision_of_the_network(dtype):
    given = (np.zeros(2, np.float32), np.zeros(2, np.float64), np.zeros(2, np.int32))
    (batch,) = Batches(given, 2, torch.zeros(1, dtype=dtype)).epoch()
    wanted = torch.float32 if dtype.is_complex else dtype
    assert [part.dtype for part in batch] == [wanted, wanted, torch.int32]


def test_inference_tensors_are_copied():
    with torch.inference_mode():
        given = torch.zeros(2)
    (batch,) = Batches([given], 2, LIKE).epoch()
    assert not batch.is_inference()
