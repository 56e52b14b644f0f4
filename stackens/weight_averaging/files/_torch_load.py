"""torch's files that can't be read in place: torch loads them, and the tensors are taken over."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackens._core._optional import require
from stackens.exceptions import StackensWarning
from stackens.weight_averaging.files._dtypes import by_name
from stackens.weight_averaging.files._sources import InMemory, Tensor

__all__ = ["load_with_torch"]


def load_with_torch(path: Path, *, trusted: bool) -> Any:
    """Return the object in a file of torch.save, with a `Tensor` in the place of each tensor.

    Parameters
    ----------
    path : Path
    trusted : bool
        Whether the file may run any code. If not, torch unpickles tensors and plain containers
        only.

    Raises
    ------
    ValueError
        If torch refuses the file.
    MissingExtraError
        If there is no torch.

    Warns
    -----
    StackensWarning
        If the file is of torch before 1.6, and therefore held in memory.
    """
    torch = require("torch", extra="torch", purpose=f"Reading {path.name}")
    mapped = zipfile.is_zipfile(path)
    if not mapped:
        warnings.warn(
            f"{path} is in the format of torch before 1.6, which can't be read in place: all its "
            "tensors are held in memory. Load and save it with a newer torch to save that.",
            StackensWarning,
            stacklevel=2,
        )
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=not trusted, mmap=mapped)
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, ImportError) as error:
        raise ValueError(
            f"{path} must be a file that torch.load can read, and one of tensors and plain "
            f"containers unless trusted=True. Got: {error} Write or fetch it again, or ask who "
            "wrote it."
        ) from error
    return _taken_over(loaded, torch, path)


def _taken_over(value: Any, torch: Any, path: Path) -> Any:
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_quantized or value.is_meta:
            kind = "quantised" if value.is_quantized else f"{value.layout} on {value.device}"
            raise ValueError(
                f"{path} must hold dense tensors. Got one that is {kind}. Load the file, call "
                "to_dense() or dequantize() on such tensors, and save it again."
            )
        dtype = by_name(value.dtype)
        tensor = value.detach().resolve_conj().resolve_neg()
        raw = tensor if dtype.native else tensor.view(getattr(torch, dtype.storage.name))
        place = (path, value.data_ptr(), tuple(value.stride()))
        return Tensor(dtype, tuple(value.shape), InMemory(raw.numpy(), place))
    if isinstance(value, Mapping):
        return {key: _taken_over(item, torch, path) for key, item in value.items()}
    return value
