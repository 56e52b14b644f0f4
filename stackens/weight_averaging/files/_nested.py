"""Where the weights are in the dict of a whole training checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackens.weight_averaging.files._sources import Tensor

__all__ = ["state_dict_in"]


def state_dict_in(content: Any, path: Path, key: str | None) -> dict[str, Tensor]:
    """Return the dict of tensors among all that a checkpoint holds.

    Parameters
    ----------
    content : object
        What the file holds, such as ``{"state_dict": {...}, "optimizer": {...}, "epoch": 3}``.
    path : Path
        For errors.
    key : str or None
        Keys from the outside in, joined by dots; "" for the content itself. None looks for the one
        dict of tensors that is not the state of an optimizer.

    Raises
    ------
    ValueError
        If there is none under the key, or none or several without a key.
    """
    found = dict(_candidates(content, ""))
    if key is None:
        keys = [name for name in found if "optim" not in name.lower()]
        if len(keys) == 1:
            return found[keys[0]]
        listed = ", ".join(repr(name) for name in keys) or "none at all"
        raise ValueError(
            f"{path} must hold one dict of tensors, or the 'key' parameter must say which. Got "
            f"{listed}. Pass key=... with the keys from the outside in, joined by dots."
        )
    if key not in found:
        raise ValueError(
            f"The 'key' parameter must name a dict of tensors in {path}. Got {key!r}. There are "
            f"{', '.join(map(repr, found)) or 'none'}."
        )
    return found[key]


def _candidates(value: Any, key: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield the innermost dicts with names that hold tensors."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return
    inner = [
        candidate
        for name, item in value.items()
        for candidate in _candidates(item, f"{key}.{name}" if key else name)
    ]
    yield from inner
    tensors = {name: item for name, item in value.items() if isinstance(item, Tensor)}
    # A dict around others, with a tensor or two of its own, such as a step counter, is no model.
    if tensors and not inner:
        yield key, tensors
