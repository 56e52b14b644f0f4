"""Integer and bool buffers keep their type."""

import numpy as np
import pytest

from stackens.weight_averaging.rules import merge_buffer

EQUAL = np.full(3, 1 / 3)


@pytest.mark.parametrize("dtype", ["i8", "u1", "?", "i4"])
@pytest.mark.parametrize("how", ["newest", "majority"])
def test_type_and_shape_are_kept_and_the_result_is_a_copy(how, dtype):
    arrays = [np.ones((2, 3), dtype) for _ in range(3)]
    result = merge_buffer(arrays, EQUAL, how=how)
    assert result.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(result, arrays[0])
    assert not any(np.shares_memory(result, array) for array in arrays)


def test_newest():
    arrays = [np.array(i) for i in (10, 20, 30)]
    assert merge_buffer(arrays, EQUAL) == 30
    assert merge_buffer(arrays, EQUAL, newest="first") == 10
    assert merge_buffer(arrays, np.array([0.5, 0.5, 0.0])) == 30


def test_large_counters_lose_nothing():
    counter = np.array([2**63 - 1, 2**53 + 1])
    for how in ("newest", "majority"):
        np.testing.assert_array_equal(merge_buffer([counter] * 3, EQUAL, how=how), counter)


def test_majority_is_by_weight_and_the_newest_breaks_ties():
    arrays = [np.array([1, 1, 5]), np.array([1, 2, 6]), np.array([2, 3, 7])]
    np.testing.assert_array_equal(merge_buffer(arrays, EQUAL, how="majority"), [1, 3, 7])
    np.testing.assert_array_equal(
        merge_buffer(arrays, EQUAL, how="majority", newest="first"), [1, 1, 5]
    )
    heavy = np.array([0.2, 0.2, 0.6])
    np.testing.assert_array_equal(merge_buffer(arrays, heavy, how="majority"), [2, 3, 7])


def test_majority_of_bools():
    masks = [np.array([True, True]), np.array([True, False]), np.array([False, False])]
    np.testing.assert_array_equal(merge_buffer(masks, EQUAL, how="majority"), [True, False])


def test_majority_does_not_fall_for_rounding():
    # 0.1 + 0.2 is more than 0.3 by a unit in the last place, but is no majority over it.
    arrays = [np.array(1), np.array(1), np.array(2), np.array(3)]
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    assert merge_buffer(arrays[:3], weights[:3], how="majority") == 2
    assert merge_buffer(arrays, weights, how="majority") == 3


@pytest.mark.parametrize("arguments", [{"how": "mean"}, {"newest": "middle"}])
def test_unknown_choices(arguments):
    with pytest.raises(ValueError, match=f"Got '{next(iter(arguments.values()))}'"):
        merge_buffer([np.array(1)], np.ones(1), **arguments)
