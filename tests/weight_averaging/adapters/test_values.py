"""Tensors become arrays exactly, and come back with one rounding."""

import numpy as np
import pytest

from stackens.weight_averaging.adapters._values import (
    from_array,
    is_tensor,
    round_to_odd,
    to_array,
)

torch = pytest.importorskip("torch")

FLOATS = ["bfloat16", "float16", "float32", "float64", "float8_e4m3fn", "float8_e5m2"]


@pytest.mark.parametrize("name", FLOATS)
def test_torch_floats_survive_the_way_there_and_back(name):
    dtype = getattr(torch, name)
    values = torch.linspace(-3, 3, 41).to(dtype)
    array = to_array(values)
    assert array.dtype.kind == "f"
    np.testing.assert_array_equal(array, values.to(torch.float64).numpy())
    back = from_array(array.astype(np.float64), like=values)
    assert back.dtype == dtype
    assert torch.equal(back.float(), values.float())
    assert back.data_ptr() != values.data_ptr()


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.uint8, torch.bool])
def test_integers_and_bools_are_copied_as_they_are(dtype):
    values = torch.tensor([0, 1, 1], dtype=dtype)
    array = to_array(values)
    assert array.dtype.kind in "iub"
    back = from_array(array, like=values)
    assert back.dtype == dtype
    assert torch.equal(back, values)
    back[0] = 1
    assert values[0] == 0


def test_complex_numbers_survive():
    for dtype in (torch.complex64, torch.complex128):
        values = torch.tensor([1 + 2j, -0.5j], dtype=dtype)
        assert to_array(values).dtype == values.numpy().dtype
        assert torch.equal(from_array(to_array(values).astype(complex), like=values), values)
    conjugate = torch.tensor([1 + 2j]).conj()
    np.testing.assert_array_equal(to_array(conjugate), [1 - 2j])


def nearest(values, dtype):
    """The closest value of a format, ties to even, found among all 65,536 bfloat16 numbers."""
    patterns = torch.arange(2**15, dtype=torch.int32).to(torch.int16)
    grid = patterns.view(torch.bfloat16).double()
    grid = torch.cat([-grid.flip(0), grid]).unique()
    grid = grid[grid.isfinite()].numpy()
    above = np.searchsorted(grid, values).clip(1, len(grid) - 1)
    low, high = grid[above - 1], grid[above]
    even_low = (torch.from_numpy(low).to(dtype).view(torch.int16).numpy() & 1) == 0
    tie = values - low == high - values
    return np.where(
        tie, np.where(even_low, low, high), np.where(values - low < high - values, low, high)
    )


def test_double_to_bfloat16_rounds_once():
    random = np.random.default_rng(0)
    exact = random.normal(size=2000).astype(np.float32)
    short = torch.from_numpy(exact).to(torch.bfloat16).double().numpy()
    ties = short + 2.0 ** (np.floor(np.log2(np.abs(short))) - 8)
    # A hair above a tie: through float32, as torch goes, the hair is lost.
    values = np.concatenate([exact, ties, ties * (1 + 2.0**-45), ties * (1 - 2.0**-45), [0.0]])
    rounded = from_array(values, like=torch.zeros(1, dtype=torch.bfloat16).expand(len(values)))
    expected = nearest(values, torch.bfloat16)
    np.testing.assert_array_equal(rounded.double().numpy(), expected)
    twice = torch.from_numpy(values).to(torch.bfloat16).double().numpy()
    assert (twice != expected).sum() > 100


def test_double_to_half_rounds_once():
    value = 1 + 2.0**-11 + 2.0**-40
    half = torch.tensor([1.0], dtype=torch.float16)
    assert from_array(np.array([value]), like=half).item() == 1 + 2.0**-10
    assert torch.tensor([value], dtype=torch.float64).half().item() == 1.0


def test_round_to_odd_keeps_what_float32_holds():
    values = np.array([0.0, -0.0, 1.5, -(2.0**-140), np.inf, -np.inf, np.nan])
    odd = round_to_odd(values)
    np.testing.assert_array_equal(odd, values.astype(np.float32))
    assert np.signbit(odd[1])
    inexact = round_to_odd(np.array([1 + 2.0**-30, -1 - 2.0**-30]))
    assert (inexact.view(np.uint32) & 1 == 1).all()


def test_numpy_tensors():
    array = np.arange(3, dtype=np.float32)
    assert to_array(array) is array
    assert from_array(array.astype(float), like=array).dtype == np.float32
    scalar = from_array(np.asarray(2.5), like=np.float64(1))
    assert scalar == 2.5
    assert isinstance(scalar, np.float64)
    assert is_tensor(array)
    assert is_tensor(torch.ones(1))
    assert not is_tensor([1.0])


def test_formats_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
        values = np.array([0.5, -1.25, 3.0]).astype(dtype)
        array = to_array(values)
        assert array.dtype == np.float32
        back = from_array(array.astype(float), like=values)
        assert back.dtype == dtype
        np.testing.assert_array_equal(back.astype(float), values.astype(float))


def test_read_only_arrays_are_fine():
    array = np.arange(3.0)
    array.flags.writeable = False
    assert torch.equal(from_array(array, like=torch.zeros(3)), torch.arange(3.0))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(2, device="meta"), "meta device"),
        (torch.nn.parameter.UninitializedParameter(), "run the model once"),
        (torch.eye(2).to_sparse(), "sparse"),
        (np.array(["a"]), "must be numbers"),
        (np.array([None]), "must be numbers"),
    ],
)
def test_what_holds_no_plain_numbers_is_refused(tensor, message):
    with pytest.raises(TypeError, match=message):
        to_array(tensor)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "bfloat16", "float16", "float32", "complex64"])
def test_numbers_beyond_the_range_are_no_infinities(name):
    like = torch.zeros(2, dtype=getattr(torch, name))
    limit = float(torch.finfo(like.dtype).max)
    assert (from_array(np.array([limit, -limit]), like=like).abs().double() == limit).all()
    likes = [like] if name.startswith(("b", "float8")) else [like, like.numpy()]
    for one in likes:
        with pytest.raises(ValueError, match=rf"too large for (torch\.)?{name}"):
            from_array(np.array([1.0, 1.5 * limit]), like=one)
    if name != "float8_e4m3fn":  # which has no infinity
        assert from_array(np.array([np.inf, 1.0]), like=like)[0] == torch.inf


def test_tensors_that_torch_cannot_turn_into_arrays_are_told():
    class Spread(torch.Tensor):
        def numpy(self, **_):
            raise RuntimeError(".numpy() is not supported for tensor subclasses.")

    with pytest.raises(TypeError, match=r"Got a Spread of torch.float32.*full_tensor\(\)"):
        to_array(torch.ones(2).as_subclass(Spread))
