"""Inputs without the sites' data: drawn from a schema, or public rows without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stackens.neural._modules import device_of
from stackens.weight_averaging.adapters._values import to_array
from stackens.weight_averaging.one_shot._schemas import Declaration, draw_inputs

__all__ = ["DrawRows", "as_tensors", "input_source"]

Rows = list[NDArray[Any]]  # one array for each input of the network
DrawRows = Callable[[int], Rows]

_HELD_BACK = 1024  # rows
_FEWEST = 10  # public rows
_FEWEST_HELD = 2  # one row has no deviation


def input_source(
    declared: Declaration | None, data: Any, rng: np.random.Generator
) -> tuple[DrawRows, Rows]:
    """Return a function that draws fresh inputs, and inputs that are held back from it.

    Parameters
    ----------
    declared : sequence of (share, list of InputSchema), or None
    data : array, tensor or tuple of them, or None
        Public rows; a tenth of them, at most 1024, is held back.
    rng : numpy Generator

    Raises
    ------
    ValueError
        If both are given, or none, or the rows are too few or not finite.
    """
    if (declared is None) == (data is None):
        raise ValueError(
            "one_shot_merge needs inputs to distil on: either 'input_schema' or 'data'. Got "
            f"{'none' if data is None else 'both'}. Declare what inputs look like with "
            "InputSchema(shape=..., low=..., high=...), let all sites send theirs, or give public "
            "rows without labels."
        )
    if declared is not None:
        held_back = draw_inputs(declared, _HELD_BACK, rng)
        return lambda n: draw_inputs(declared, n, rng), held_back
    rows = [_array(part) for part in (data if isinstance(data, tuple) else (data,))]
    lengths = {len(part) for part in rows}
    if len(lengths) != 1 or min(lengths) < _FEWEST:
        raise ValueError(
            f"'data' must be at least {_FEWEST} public rows, as many of each input. Got "
            f"{sorted(lengths)}. Give more rows, or an 'input_schema'."
        )
    order = rng.permutation(min(lengths))
    n_held = min(_HELD_BACK, max(_FEWEST_HELD, len(order) // 10))
    held, rest = order[:n_held], order[n_held:]

    def draw(n: int) -> Rows:
        chosen = rng.choice(rest, size=n)
        return [part[chosen] for part in rows]

    return draw, [part[held] for part in rows]


def _array(part: Any) -> NDArray[Any]:
    array = to_array(part) if isinstance(part, torch.Tensor) else np.asarray(part)
    if array.ndim < 1 or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise ValueError(
            "'data' must be finite numbers, or a tuple of such arrays for several inputs. Got an "
            f"array of {array.dtype} of shape {array.shape}, or with missing values. Prepare the "
            "rows as the networks get them."
        )
    return array


def as_tensors(rows: Sequence[NDArray[Any]], network: nn.Module) -> list[torch.Tensor]:
    """Return inputs in the precision and on the device of a network; whole numbers as int64."""
    floats = (p.dtype for p in network.parameters() if p.is_floating_point())
    precision = next(floats, torch.float32)
    return [
        torch.as_tensor(
            part,
            dtype=precision if part.dtype.kind == "f" else torch.int64,
            device=device_of(network),
        )
        for part in rows
    ]
