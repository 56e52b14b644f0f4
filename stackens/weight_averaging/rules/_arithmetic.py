"""Sums and products of large arrays, block by block, in double precision, with one rounding.

Everything is accumulated in 64-bit floats, half precisions too: for them 32 bits were measured to
be up to 2 units in the last place off where models cancel out, and not to be faster.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = [
    "BLOCK",
    "accumulation_dtype",
    "difference",
    "inner_products",
    "is_averaged",
    "real_parts",
    "rounded",
    "weighted_sum",
]

# Elements worked on at a time: small enough for the processor's cache, large enough that the
# interpreter does not count.
BLOCK = 1 << 15


def is_averaged(dtype: DTypeLike) -> bool:
    """Whether a rule applies to tensors of this type: floating or complex, no integers or bools."""
    return np.dtype(dtype).kind in "fc"


def accumulation_dtype(*arrays: NDArray) -> np.dtype:
    """Return the type that rules compute in and return: float64, or complex128.

    Raises
    ------
    TypeError
        If the arrays are neither floating nor complex.
    """
    dtype = np.result_type(*arrays)
    if not is_averaged(dtype):
        raise TypeError(
            f"Averaging rules take floating and complex arrays. Got {dtype}. Use merge_buffer for "
            "integers and bools."
        )
    return np.promote_types(dtype, np.float64)


def rounded(result: NDArray, dtype: DTypeLike) -> NDArray:
    """Round what a rule returned to the type that is stored: to nearest, ties to even.

    Numbers beyond the range of the type become infinite, as IEEE 754 says. A mean never gets
    there, but rules that extrapolate or rescale can.

    Parameters
    ----------
    result : ndarray
        Floating or complex numbers.
    dtype : dtype
        Floating or complex type to store.

    Returns
    -------
    ndarray of this type
        The same array where it has this type already.

    Warns
    -----
    RuntimeWarning
        If a finite number became infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> rules.rounded(np.array([1 / 3]), np.float16)
    array([0.3333], dtype=float16)
    """
    dtype = np.dtype(dtype)
    try:
        with np.errstate(over="raise"):
            return result.astype(dtype, copy=False)
    except FloatingPointError:
        warnings.warn(
            f"Averaged weights are beyond the range of {dtype} and became infinite. Store a wider "
            "type, or use a rule or a scale that stays near the models.",
            RuntimeWarning,
            stacklevel=2,
        )
        with np.errstate(over="ignore"):
            return result.astype(dtype, copy=False)


def real_parts(array: NDArray) -> NDArray:
    """Return the elements in one row; a complex number as its real and its imaginary part."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def weighted_sum(arrays: Sequence[NDArray], weights: Sequence[float] | NDArray) -> NDArray:
    """Return the sum of arrays times weights, in double precision.

    Equal arrays under weights with a sum of one (up to rounding) give exactly that array, even
    in double precision, where adding up ``x / 3`` three times would not. Infinities that all
    arrays share stay, whatever the weights. Arrays of weight zero do not count, whatever they hold.
    Beside the result, two blocks of memory are used.

    Parameters
    ----------
    arrays : sequence of ndarray of one shape
        Floating or complex.
    weights : sequence of float
        One for each array, of any sum.

    Returns
    -------
    ndarray of float64 or complex128

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> rules.weighted_sum([np.float32([1, 2]), np.float32([3, 6])], [0.5, 0.5])
    array([2., 4.])
    """
    out = np.zeros(arrays[0].shape, accumulation_dtype(*arrays))
    pairs = [(real_parts(a), float(w)) for a, w in zip(arrays, weights, strict=True) if w != 0]
    if not pairs:
        return out
    total = real_parts(out)
    mass = sum(weight for _, weight in pairs)
    if max(array.itemsize for array, _ in pairs) == total.itemsize:
        add = _deviations  # half and single precision have bits to spare in the sum, double none
    elif len({weight for _, weight in pairs}) == 1 and _is_one(mass, len(pairs)):
        add = _plain_mean
    else:
        add = _products
    # positive ones never take an infinity from itself, nor turn its sign
    negative = any(weight < 0 for _, weight in pairs)
    scratch = np.empty(min(BLOCK, total.size), total.dtype)
    for start in range(0, total.size, BLOCK):
        part = slice(start, start + BLOCK)
        block = total[part]
        pieces = [(array[part], weight) for array, weight in pairs]
        if not negative:
            add(pieces, block, scratch[: len(block)])
            continue
        with np.errstate(invalid="ignore"):
            add(pieces, block, scratch[: len(block)])
        if not np.isfinite(block).all():
            first = pieces[0][0]
            shared = np.isinf(first) & np.all([array == first for array, _ in pieces], axis=0)
            block[shared] = first[shared]
    return out


def _is_one(mass: float, n: int) -> bool:
    """Whether a sum of n weights is one, up to rounding."""
    return abs(mass - 1) <= 4 * n * float(np.finfo(np.float64).eps)


def _plain_mean(pairs: list[tuple[NDArray, float]], block: NDArray, term: NDArray) -> None:
    """Write the mean into a block: a sum without rounding and one division, so exact to a tie."""
    np.copyto(block, pairs[0][0])
    for array, _ in pairs[1:]:
        block += array
    block /= len(pairs)


def _products(pairs: list[tuple[NDArray, float]], block: NDArray, term: NDArray) -> None:
    """Write the sum of products into a block, with ``term`` as scratch memory."""
    np.copyto(block, pairs[0][0])
    block *= pairs[0][1]
    for array, weight in pairs[1:]:
        np.copyto(term, array)
        term *= weight
        block += term


def _deviations(pairs: list[tuple[NDArray, float]], block: NDArray, term: NDArray) -> None:
    """Do the same by deviations from the array of most weight: equal arrays leave no rounding."""
    centre, _ = max(pairs, key=lambda pair: abs(pair[1]))
    for array, weight in pairs:
        if array is not centre:
            difference(array, centre, out=term)
            term *= weight
            block += term
    mass = sum(weight for _, weight in pairs)
    if _is_one(mass, len(pairs)):
        block += centre
    else:
        block += np.multiply(centre, mass, out=term)


def difference(array: NDArray, origin: NDArray, *, out: NDArray | None = None) -> NDArray:
    """Return array minus origin in double precision; equal infinities differ by zero."""
    if out is None:
        out = np.empty(array.shape, accumulation_dtype(array, origin))
    with np.errstate(invalid="ignore", over="ignore"):
        np.subtract(array, origin, out=out, dtype=out.dtype)
    if not np.isfinite(out).all():
        out[array == origin] = 0
    return out


def inner_products(arrays: Sequence[NDArray], origin: NDArray | None = None) -> NDArray[np.float64]:
    """Return the inner products of arrays, or of their differences from an origin.

    A complex array counts as the real vector of its real and imaginary parts.

    Parameters
    ----------
    arrays : sequence of ndarray of one shape
    origin : ndarray of that shape or None, default=None

    Returns
    -------
    ndarray of shape (n_arrays, n_arrays)
    """
    rows = [real_parts(array) for array in arrays]
    zero = None if origin is None else real_parts(origin)
    products = np.zeros((len(rows), len(rows)))
    stack = np.empty((len(rows), min(BLOCK, rows[0].size)))
    for start in range(0, rows[0].size, BLOCK):
        part = slice(start, start + BLOCK)
        block = stack[:, : len(rows[0][part])]
        for row, values in zip(rows, block, strict=True):
            if zero is None:
                np.copyto(values, row[part])
            else:
                difference(row[part], zero[part], out=values)
        products += block @ block.T
    return products
