"""Every format is widened exactly and rounded once, to the nearest with ties to even."""

import numpy as np
import pytest

from stackens.weight_averaging.files._dtypes import (
    DTYPES,
    SCRATCH,
    by_name,
    round_into,
    widen,
    widen_into,
)

SHORT = ["BF16", "F8_E4M3", "F8_E5M2"]


def every_pattern(code):
    storage = DTYPES[code].storage
    return np.arange(1 << (8 * storage.itemsize), dtype=np.uint64).astype(storage)


def widened(raw, code):
    out = np.empty(raw.size * (2 if DTYPES[code].kind == "complex" else 1))
    with np.errstate(invalid="ignore"):
        widen_into(raw, DTYPES[code], out, np.empty(len(raw), np.uint32))
    return out


def rounded(values, code):
    out = np.empty(len(values), DTYPES[code].storage)
    round_into(np.asarray(values), DTYPES[code], out, np.empty(SCRATCH, np.uint32))
    return out


@pytest.mark.parametrize("code", ["F16", *SHORT])
def test_every_value_survives(code):
    raw = (
        every_pattern(code).view(DTYPES[code].storage)
        if code != "F16"
        else (np.arange(1 << 16, dtype=np.uint16).view("<f2"))
    )
    values = widened(raw, code)
    back = widened(rounded(values, code), code)
    np.testing.assert_array_equal(back, values)
    np.testing.assert_array_equal(np.signbit(back), np.signbit(values), strict=True)


def float16_in_pieces():
    """Every finite float16 among others of its size: the large ones alone, else in thousands."""
    raw = np.arange(0x7C00, dtype=np.uint16)
    large = raw[raw >= 0x6400]
    pieces = [*large.reshape(-1, 1), *raw[: -len(large)].reshape(-1, 1 << 10)]
    return [(piece | sign).view("<f2") for piece in pieces for sign in (np.uint16(0), 0x8000)]


def test_float16_is_widened_as_numpy_does():
    for raw in float16_in_pieces():
        bits = widened(raw, "F16").view(np.uint64)
        np.testing.assert_array_equal(bits, raw.astype(np.float64).view(np.uint64))


@pytest.mark.parametrize("large", [np.inf, -np.inf, np.nan, 65504])
def test_float16_beside_infinity_or_nan(large):
    raw = np.array([1.5, large, -0.0, 2.0**-24, large], "<f2")
    np.testing.assert_array_equal(widened(raw, "F16"), [1.5, large, -0.0, 2.0**-24, large])


def test_float16_keeps_subnormal_numbers_where_the_processor_does_not():
    torch = pytest.importorskip("torch")
    raw = np.array([2.0**-24, -(2.0**-15), 1.0], "<f2")
    if not torch.set_flush_denormal(True):
        pytest.skip("the processor always keeps them")
    try:
        values = widened(raw, "F16")
    finally:
        torch.set_flush_denormal(False)
    np.testing.assert_array_equal(values, [2.0**-24, -(2.0**-15), 1.0])


@pytest.mark.parametrize("code", SHORT)
def test_values_are_those_of_torch(code):
    torch = pytest.importorskip("torch")
    raw = every_pattern(code)
    theirs = torch.from_numpy(raw.copy()).view(getattr(torch, DTYPES[code].name)).float().numpy()
    np.testing.assert_array_equal(widen(raw, DTYPES[code]), theirs)
    with np.errstate(invalid="ignore"):  # signalling NaN
        np.testing.assert_array_equal(widened(raw, code), theirs.astype(float))


@pytest.mark.parametrize("code", SHORT)
def test_rounding_goes_to_the_nearest_with_ties_to_even(code):
    values = np.sort(widened(every_pattern(code), code))
    values = np.unique(values[np.isfinite(values)])
    low, high = values[:-1], values[1:]
    middle = (low + high) / 2  # exact in double precision
    for points, expected in [
        (np.nextafter(middle, -np.inf), low),
        (np.nextafter(middle, np.inf), high),
    ]:
        np.testing.assert_array_equal(widened(rounded(points, code), code), expected)
    ties = rounded(middle, code)
    np.testing.assert_array_equal(ties & 1, 0)
    even = np.where(rounded(low, code) & 1, high, low)
    np.testing.assert_array_equal(widened(ties, code), even)


def test_bfloat16_rounds_once_and_not_by_way_of_float32():
    # Just above a tie of bfloat16, by less than float32 can tell.
    value = 1 + 2.0**-8 + 2.0**-40
    assert widened(rounded([value], "BF16"), "BF16") == 1 + 2.0**-7
    assert np.float32(value) == np.float32(1 + 2.0**-8)


def nearest_bfloat16(values):
    """Slowly find the nearest pattern of doubles in the format's range, ties to even."""
    ordered = np.arange(0x7F80, dtype=np.uint16)  # all that are not negative and finite
    lows = widened(ordered, "BF16")
    size = np.abs(values)
    low = np.searchsorted(lows, size, side="right") - 1
    high = np.minimum(low + 1, len(lows) - 1)
    middle = (lows[low] + lows[high]) / 2  # exact
    up = (size > middle) | ((size == middle) & (low % 2 == 1))
    return np.where(up, high, low).astype(np.uint16) | np.signbit(values).astype(np.uint16) << 15


def test_bfloat16_is_the_nearest_of_any_double():
    random = np.random.default_rng(0)
    stored = random.integers(0, 0x7F80, 200_000, dtype=np.uint16)
    middle = widened(stored, "BF16")
    middle += widened(np.maximum(stored, 1) - np.uint16(1), "BF16")
    middle /= 2
    tiny = np.nextafter(0, 1)
    points = [
        random.normal(size=200_000),
        10.0 ** random.uniform(-50, 38, 200_000),  # from below the smallest subnormal number
        middle,
        np.nextafter(middle, 0),
        np.nextafter(middle, np.inf),
        middle * (1 + 2.0**-30),  # a float32 would not tell these from the middle
        middle * (1 - 2.0**-30),
        [0.0, tiny, 2.0**-134, np.nextafter(2.0**-134, 1), 2.0**-133, 2.0**-126],
    ]
    values = np.concatenate(points)
    values *= np.where(random.random(len(values)) < 0.5, -1, 1)
    np.testing.assert_array_equal(rounded(values, "BF16"), nearest_bfloat16(values))


def test_bfloat16_beside_infinities_and_nan():
    values = [np.inf, 1 + 2.0**-8 + 2.0**-40, np.nan, -np.inf, 1 + 2.0**-8, 2.0**127]
    values.append(np.uint64((1 << 63) - 1).view(np.float64))  # the last pattern of NaN
    expected = [np.inf, 1 + 2.0**-7, np.nan, -np.inf, 1.0, 2.0**127, np.nan]
    np.testing.assert_array_equal(widened(rounded(values, "BF16"), "BF16"), expected)


@pytest.mark.parametrize("code", ["F32", "F16", *SHORT])
def test_too_large_numbers_raise(code):
    largest = np.nanmax(np.where(np.isinf(v := _all(code)), np.nan, v))
    rounded([largest], code)
    with pytest.raises(FloatingPointError):
        rounded([largest * 1.5], code)


def _all(code):
    if code == "F32":
        return np.array([float(np.finfo(np.float32).max)])
    if code == "F16":
        return np.array([float(np.finfo(np.float16).max)])
    return widened(every_pattern(code), code)


@pytest.mark.parametrize("code", ["F64", "F32", "F16", "BF16", "F8_E5M2"])
def test_infinities_and_nan_stay(code):
    back = widened(rounded([np.inf, -np.inf, np.nan], code), code)
    np.testing.assert_array_equal(back, [np.inf, -np.inf, np.nan])


def test_complex_numbers_count_as_two():
    raw = np.array([1 + 2j, 3 - 4j], "<c8")
    parts = widened(raw, "C64")
    np.testing.assert_array_equal(parts, [1, 2, 3, -4])
    out = np.empty(2, "<c8")
    round_into(parts, DTYPES["C64"], out, np.empty(0, np.uint32))
    np.testing.assert_array_equal(out, raw)
    round_into(raw.astype(complex) * 2, DTYPES["C64"], out, np.empty(0, np.uint32))
    np.testing.assert_array_equal(out, raw * 2)


@pytest.mark.parametrize(
    ("name", "code"),
    [("BF16", "BF16"), ("bfloat16", "BF16"), (np.float32, "F32"), ("float8_e4m3", "F8_E4M3")],
)
def test_names(name, code):
    assert by_name(name) is DTYPES[code]


def test_torch_dtypes_are_names():
    torch = pytest.importorskip("torch")
    assert by_name(torch.float8_e5m2) is DTYPES["F8_E5M2"]
    assert by_name(torch.bool) is DTYPES["BOOL"]


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"Got 'float7'"):
        by_name("float7")
