"""What cannot be averaged: integer and bool buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stackens.schedules import Newest

__all__ = ["Buffer", "check_buffer", "merge_buffer"]

Buffer: TypeAlias = Literal["newest", "majority"]


def check_buffer(how: Buffer) -> None:
    """Raise unless this says where integers and bools come from."""
    if how not in ("newest", "majority"):
        raise ValueError(
            f"The 'buffer' parameter must be 'newest' or 'majority'. Got {how!r}. Integer and bool "
            "tensors are not averaged; choose where they come from."
        )


def merge_buffer(
    arrays: Sequence[NDArray],
    weights: NDArray[np.float64],
    *,
    how: Buffer = "newest",
    newest: Newest = "last",
) -> NDArray:
    """Return the buffer of the merged model, of the same type: counters, indices, masks.

    Parameters
    ----------
    arrays : sequence of ndarray of one shape
        One for each model, or a piece of each; of any type.
    weights : ndarray of shape (n_models,)
        How much each model's vote counts, for ``"majority"``.
    how : {"newest", "majority"}, default="newest"
        ``"newest"``: the newest model's, whatever its weight. ``"majority"``: for each element the
        value with most weight; of equally good ones, that of the newest model.
    newest : {"last", "first"}, default="last"
        Where the newest model stands.

    Returns
    -------
    ndarray
        A new array.

    Raises
    ------
    ValueError
        If ``how`` or ``newest`` is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> steps = [np.array([7, 1]), np.array([7, 2]), np.array([9, 3])]
    >>> rules.merge_buffer(steps, np.full(3, 1 / 3))
    array([9, 3])
    >>> rules.merge_buffer(steps, np.full(3, 1 / 3), how="majority")
    array([7, 3])
    """
    if newest not in ("last", "first"):
        raise ValueError(
            f"The 'newest' parameter must be 'last' or 'first'. Got {newest!r}. Say where the "
            "newest model stands."
        )
    check_buffer(how)
    from_newest = list(zip(arrays, weights, strict=True))
    if newest == "last":
        from_newest.reverse()
    merged = from_newest[0][0].copy()
    if how == "majority":
        most = np.full(merged.shape, -np.inf)
        for candidate, _ in from_newest:
            votes = np.zeros(merged.shape)
            for array, weight in from_newest:
                votes += weight * (array == candidate)
            better = votes > most + 1e-12  # more than by rounding
            np.copyto(merged, candidate, where=better)
            np.copyto(most, votes, where=better)
    return merged
