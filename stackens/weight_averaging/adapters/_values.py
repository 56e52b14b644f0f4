"""A tensor of any framework as a numpy array, exactly, and back with one rounding."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_array", "is_tensor", "to_array"]


def is_tensor(value: Any) -> bool:
    """Whether the value is a numpy array (or scalar) or a torch tensor."""
    return isinstance(value, np.ndarray | np.generic) or _is_torch(value)


def to_array(value: Any) -> NDArray:
    """Return the tensor as a numpy array, without a copy where there need not be one.

    Formats that numpy does not know (bfloat16, the 8-bit floats) become float32, which holds each
    of their values exactly.

    Raises
    ------
    TypeError
        For tensors without plain numbers: on the meta device, lazy, sparse or quantised ones, and
        numpy arrays of objects or text.
    """
    if _is_torch(value):
        return _from_torch(value)
    array = np.asarray(value)
    if _is_half_like(array.dtype):
        return array.astype(np.float32)
    if array.dtype.kind not in "fciub":
        raise TypeError(
            "Weights must be numbers. "
            f"Got an array of dtype {array.dtype}. Leave it out, or turn it into numbers."
        )
    return array


def from_array(array: NDArray, like: Any) -> Any:
    """Return the array as a tensor of the type, dtype and device of ``like``, rounded once.

    Parameters
    ----------
    array : array
        In double precision, or whatever an averaging rule accumulates in.
    like : numpy array or scalar, torch tensor, or anything with a ``dtype``

    Raises
    ------
    ValueError
        If a finite number is too large for the dtype.
    """
    array = np.require(array, requirements=["C", "W"])
    try:
        with np.errstate(over="raise"):
            if _is_torch(like):
                return _to_torch(array, like)
            dtype = np.asarray(like).dtype
            rounded = (round_to_odd(array) if _is_half_like(dtype) else array).astype(dtype)
    except FloatingPointError as error:
        raise ValueError(
            f"Averages must fit the dtype of the models. Got a number that is too large for "
            f"{like.dtype}. Turn the models into a wider dtype, or use weights or a rule that stay "
            "near them."
        ) from error
    return rounded[()] if isinstance(like, np.generic) else rounded


def round_to_odd(array: NDArray) -> NDArray[np.float32]:
    """Return float32 such that rounding it further is the only rounding that can be seen.

    Going from double through float32 to a shorter format rounds twice, and a value just above a
    tie can fall to the wrong side. Values that float32 cannot hold therefore go to the neighbour
    whose last bit is set; it remembers on which side of a tie they were.

    References
    ----------
    Boldo & Melquiond (2008), "Emulation of FMA and correctly rounded sums: proved algorithms using
    rounding to odd", IEEE Transactions on Computers 57(4), theorem 1.
    """
    nearest = array.astype(np.float32)
    wide = nearest.astype(array.dtype)
    even = (nearest.view(np.uint32) & 1) == 0
    up, down = even & (array > wide), even & (array < wide)
    np.nextafter(nearest, np.float32(np.inf), out=nearest, where=up)
    np.nextafter(nearest, np.float32(-np.inf), out=nearest, where=down)
    return nearest


def _is_half_like(dtype: np.dtype) -> bool:
    """Whether this is bfloat16 or an 8-bit float of the package ml_dtypes (JAX, Keras)."""
    return dtype.kind not in "fciub" and dtype.name.startswith(("bfloat16", "float8"))


def _is_torch(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _from_torch(tensor: Any) -> NDArray:
    torch = sys.modules["torch"]
    unusable = (
        ("has no data (it is on the meta device)", tensor.is_meta),
        ("has no shape yet (run the model once)", torch.nn.parameter.is_lazy(tensor)),
        ("is sparse", tensor.layout != torch.strided),
        ("is quantised", tensor.is_quantized),
    )
    for reason, found in unusable:
        if found:
            raise TypeError(
                f"Only dense tensors with plain numbers can be averaged. Got one that {reason}. "
                "Load or convert the model first."
            )
    try:
        tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
        if tensor.is_floating_point() and tensor.dtype not in _numpy_floats(torch):
            tensor = tensor.to(torch.float32)
        return tensor.numpy()
    except (RuntimeError, TypeError) as error:
        raise TypeError(
            f"Only tensors with plain numbers can be averaged. Got a {type(tensor).__name__} of "
            f"{tensor.dtype}, which torch does not turn into an array ({error}). Gather what is "
            "spread over devices (full_tensor() of a DTensor), and dequantise what is packed."
        ) from error


def _to_torch(array: NDArray, like: Any) -> Any:
    torch = sys.modules["torch"]
    if like.is_floating_point() and like.dtype not in _numpy_floats(torch):
        info = torch.finfo(like.dtype)  # what is half a unit or more above the largest is too large
        beyond = info.max + info.eps * 2.0 ** math.floor(math.log2(info.max)) / 2
        if (np.isfinite(array) & (np.abs(array) >= beyond)).any():
            raise FloatingPointError(f"overflow in {like.dtype}")
        tensor = torch.from_numpy(round_to_odd(array)).to(like.dtype)
    elif like.dtype in (torch.float16, torch.float32, torch.complex64):
        # torch would make float16 by way of float32, and does not tell of overflows.
        tensor = torch.from_numpy(array.astype(str(like.dtype).removeprefix("torch.")))
    else:
        tensor = torch.from_numpy(array).to(like.dtype, copy=True)
    return tensor.reshape(like.shape).to(like.device)


def _numpy_floats(torch: Any) -> tuple[Any, ...]:
    return torch.float16, torch.float32, torch.float64
