"""Sums in double precision, rounded once."""

import itertools
import tracemalloc
import warnings

import numpy as np
import pytest

from stackens.weight_averaging.rules._arithmetic import (
    BLOCK,
    accumulation_dtype,
    difference,
    inner_products,
    is_averaged,
    real_parts,
    rounded,
    weighted_sum,
)

SIZES = [0, 1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7]
DTYPES = ["f2", "f4", "f8", "c8", "c16"]


def random_arrays(n, shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, *np.atleast_1d(shape)))
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.normal(size=values.shape)
    return list(values.astype(dtype))


def in_units_of_last_place(a, b):
    """How many numbers of the type lie between two finite arrays."""

    def ordered(values):
        bits = values.view(f"i{values.itemsize}").astype(np.int64)
        sign = np.int64(1) << (8 * values.itemsize - 1)
        return np.where(bits < 0, -(bits & (sign - 1)), bits)

    return np.abs(ordered(a) - ordered(b))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("f2", "f8"), ("f4", "f8"), ("f8", "f8"), ("c8", "c16"), ("c16", "c16"), (">f4", "f8")],
)
def test_accumulation_is_in_double_precision(dtype, expected):
    assert accumulation_dtype(np.zeros(1, dtype)) == np.dtype(expected)
    assert is_averaged(dtype)


@pytest.mark.parametrize("dtype", ["i8", "u1", "?"])
def test_integers_and_bools_are_not_averaged(dtype):
    assert not is_averaged(dtype)
    with pytest.raises(TypeError, match=r"Got .*\. Use merge_buffer"):
        accumulation_dtype(np.zeros(1, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_weighted_sum(size, dtype):
    arrays = random_arrays(4, size, dtype)
    weights = [0.5, 0.0, 0.75, -0.25]
    result = weighted_sum(arrays, weights)
    assert result.dtype == accumulation_dtype(arrays[0])
    expected = sum(w * a.astype(result.dtype) for w, a in zip(weights, arrays, strict=True))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-15 * 8)


@pytest.mark.parametrize("total", [0.0, 1e-3, 0.999, 2.5])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_weights_may_have_any_sum(dtype, total):
    arrays = random_arrays(3, 100, dtype)
    for weights in (np.array([0.2, 0.5, -0.7]) + total / 3, np.full(3, total / 3)):
        expected = np.tensordot(weights, np.array(arrays, dtype=float), 1)
        np.testing.assert_allclose(weighted_sum(arrays, weights), expected, rtol=0, atol=1e-14)


def test_all_weights_zero_give_zeros():
    np.testing.assert_array_equal(weighted_sum([np.ones((2, 3), "f4")], [0.0]), np.zeros((2, 3)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0, 3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_shapes_and_memory_order(shape, order):
    arrays = [
        np.asarray(a, order=order) for a in random_arrays(2, 1, "f4") for a in [np.full(shape, a)]
    ]
    result = weighted_sum(arrays, [0.25, 0.75])
    assert result.shape == shape
    expected = 0.25 * arrays[0].astype(float) + 0.75 * arrays[1].astype(float)
    np.testing.assert_allclose(result, expected, rtol=1e-15)


def test_strided_and_foreign_byte_order():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(6, 8)).astype("f4")
    arrays = [wide[::2, ::3], wide[1::2, ::3].astype(">f4"), wide[::2, 1::3].T.copy().T]
    expected = np.mean([a.astype("f8") for a in arrays], axis=0)
    np.testing.assert_allclose(weighted_sum(arrays, np.full(3, 1 / 3)), expected, rtol=1e-14)


@pytest.mark.parametrize("n", [2, 3, 7, 10])
@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_equal_arrays_in_double_precision_leave_no_rounding(dtype, n):
    # Adding up x / n would: for n = 3, 7 and 10 it is off by a unit in the last place here and
    # there, as the second assertion shows for one of them.
    array = random_arrays(1, 10_000, dtype)[0]
    weights = np.random.default_rng(n).dirichlet(np.ones(n))
    for shares in (np.full(n, 1 / n), weights):
        np.testing.assert_array_equal(weighted_sum([array] * n, shares), array)
    if n == 10:
        assert (sum(array * (1 / n) for _ in range(n)) != array).any()


def test_deviations_are_from_the_array_of_most_weight():
    # From the first array, of hardly any weight but huge, the other would be lost.
    arrays, weights = [np.array([1e17]), np.array([0.25])], [1e-17, 1.0]
    np.testing.assert_allclose(weighted_sum(arrays, weights), 1.25, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_shared_infinities_stay_and_weight_zero_hides_anything(dtype):
    mask = np.array([0, -np.inf, np.inf], dtype)
    np.testing.assert_array_equal(weighted_sum([mask] * 3, np.full(3, 1 / 3)), mask)
    broken = np.full(3, np.nan, dtype)
    np.testing.assert_array_equal(weighted_sum([broken, mask], [0.0, 1.0]), mask)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pieces_give_the_bits_of_the_whole(dtype):
    arrays = random_arrays(5, BLOCK + 1000, dtype)
    weights = np.random.default_rng(1).dirichlet(np.ones(5))
    whole = weighted_sum(arrays, weights)
    cuts = [0, 1, 7, 4096, 20_001, len(whole)]
    pieces = [weighted_sum([a[i:j] for a in arrays], weights) for i, j in itertools.pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("n", [2, 3, 8])
def test_half_precision_is_the_rounded_mean_for_a_million_entries(n):
    rng = np.random.default_rng(n)
    arrays = [rng.standard_normal(1_000_000, dtype="f4").astype("f2") for _ in range(n)]
    for weights in (np.full(n, 1 / n), rng.dirichlet(np.ones(n))):
        result = rounded(weighted_sum(arrays, weights), "f2")
        exact = np.zeros(1_000_000, np.longdouble)
        for array, weight in zip(arrays, weights, strict=True):
            exact += array.astype(np.longdouble) * weight
        assert in_units_of_last_place(result, exact.astype("f8").astype("f2")).max() <= 1
        # Half a unit is all that one rounding costs; what double precision adds is far below.
        unit = np.spacing(np.abs(result)).astype("f8")
        assert (np.abs(result - exact) <= (0.5 + 1e-6) * unit).all()


@pytest.mark.parametrize("n", [3, 10])
def test_equal_weights_round_ties_in_half_precision_to_even(n):
    # Many means lie halfway between two half-precision numbers; products with 1/n miss those.
    arrays = random_arrays(n, 100_000, "f2")
    exact = np.sum(arrays, axis=0, dtype="f8") / n
    result = rounded(weighted_sum(arrays, np.full(n, 1 / n)), "f2")
    np.testing.assert_array_equal(result, exact.astype("f2"))
    products = sum(array.astype("f8") * (1 / n) for array in arrays)
    assert (rounded(products, "f2") != result).sum() > 100


@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_single_and_half_precision_means_of_equal_arrays_round_to_them(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    array = np.concatenate([random_arrays(1, 10_000, dtype)[0], [tiny, 3 * tiny]]).astype(dtype)
    for n in (2, 3, 7, 10):
        mean = weighted_sum([array] * n, np.full(n, 1 / n))
        np.testing.assert_array_equal(rounded(mean, dtype), array)


def test_memory_beside_the_result_is_bounded():
    arrays = random_arrays(4, 40 * BLOCK, "f4")
    tracemalloc.start()
    try:
        result = weighted_sum(arrays, np.full(4, 0.25))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - result.nbytes < 4 * BLOCK * 8


# ---------------------------------------------------------------- rounding


def test_rounding_is_to_nearest_even_and_happens_once():
    ties = np.array([1 + 2**-11, 1 + 3 * 2**-11])
    np.testing.assert_array_equal(rounded(ties, "f2"), np.array([1, 1 + 2**-9], "f2"))
    # By way of single precision this would become the tie above and round down.
    assert rounded(np.array([1 + 2**-11 + 2**-40]), "f2")[0] == 1 + 2**-10
    assert rounded(np.array([1 + 2**-24 + 2**-50]), "f4")[0] == np.float32(1 + 2**-23)


def test_rounding_to_the_same_type_copies_nothing():
    array = np.ones(3)
    assert rounded(array, "f8") is array


@pytest.mark.parametrize(("dtype", "huge"), [("f2", 1e5), ("f4", 1e39), ("c8", 1e39 + 1j)])
def test_numbers_beyond_the_range_become_infinite_with_a_warning(dtype, huge):
    values = np.array([1.0, huge, -huge])
    with pytest.warns(RuntimeWarning, match="beyond the range of .* became infinite"):
        result = rounded(values, dtype)
    assert result.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(np.isinf(result), [False, True, True])


def test_what_was_infinite_before_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(rounded(np.array([np.inf, 1e-60]), "f4"), [np.inf, 0])


# ---------------------------------------------------------------- differences and products


def test_difference_takes_equal_infinities_as_equal():
    a, b = np.array([np.inf, -np.inf, np.inf, 3]), np.array([np.inf, -np.inf, -np.inf, 1])
    np.testing.assert_array_equal(difference(a, b), [0, 0, np.inf, 2])
    assert difference(np.float16([60000]), np.float16([-60000]))[0] == 120000


def test_real_parts_are_views():
    array = np.array([[1 + 2j, 3 + 4j]])
    np.testing.assert_array_equal(real_parts(array), [1, 2, 3, 4])
    assert np.shares_memory(real_parts(array), array)
    scalar = np.array(2.0)
    assert np.shares_memory(real_parts(scalar), scalar)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["f4", "c8"])
def test_inner_products(size, dtype):
    arrays = random_arrays(3, size, dtype)
    origin = random_arrays(1, size, dtype, seed=1)[0]
    rows = np.array([a - origin for a in np.array(arrays, "c16")]).reshape(3, size)
    expected = (rows.conj() @ rows.T).real
    np.testing.assert_allclose(inner_products(arrays, origin), expected, rtol=1e-10, atol=1e-10)
    plain = np.array(arrays, "c16").reshape(3, size)
    np.testing.assert_allclose(
        inner_products(arrays), (plain.conj() @ plain.T).real, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("weights", [[1.5, -0.5], [2.0, 2.0], [-1.0, -1.0], [0.7, 0.7]])
def test_shared_infinities_stay_beyond_the_models_too(dtype, weights):
    arrays = [np.array([value, -np.inf, np.inf], dtype) for value in (1, 3)]
    expected = [weights[0] + 3 * weights[1], -np.inf, np.inf]
    np.testing.assert_allclose(weighted_sum(arrays, weights), expected)


def test_large_finite_numbers_are_no_overflow():
    large = np.full(3, 1.5e308)
    np.testing.assert_array_equal(weighted_sum([large, large], [0.5, 0.5]), large)
