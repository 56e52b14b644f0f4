"""Where the weights are in the dict of a whole training checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackens.weight_averaging.adapters._containers import EXTRA_STATE
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
        Keys from the outside in, joined by dots; "" for the content itself. Under a key with
        several dicts of tensors, such as an encoder's and a decoder's, all are taken together,
        with names joined by dots, and with what stands beside them, such as the temperature of a
        contrastive model; but for those of optimizers. None looks for the one dict of tensors that
        is not the state of an optimizer, nor only of numbers such as scores.

    Raises
    ------
    ValueError
        If there is none under the key, or none or several without a key.
    """
    found = dict(_candidates(content, ""))
    if key is None:
        keys = [name for name in found if "optim" not in name.lower()]
        # The best scores that Lightning keeps of a callback, or the states of generators, are none.
        weights = [key for key in keys if not all(_is_note(t, 0) for t in found[key].values())]
        keys = weights or keys
        if len(keys) == 1:
            return found[keys[0]]
        listed = ", ".join(repr(name) for name in keys) or "none at all"
        raise ValueError(
            f"{path} must hold one dict of tensors, or the 'key' parameter must say which. Got "
            f"{listed}. Pass key=... with the keys from the outside in, joined by dots."
        )
    inside = _under(key, found)
    if not inside:
        raise ValueError(
            f"The 'key' parameter must name a dict of tensors in {path}. Got {key!r}. There are "
            f"{', '.join(map(repr, found)) or 'none'}."
        )
    if len(inside) == 1:
        return next(iter(inside.values()))
    together = _under(key, dict(_candidates(content, "", whole=key)))
    return {
        f"{part}.{name}" if part else name: tensor
        for part, tensors in together.items()
        for name, tensor in tensors.items()
    }


def _under(key: str, found: Mapping[str, dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    """Return the dict of tensors at a key and those inside it, by what follows the key."""
    start = f"{key}." if key else ""
    return {
        "" if name == key else name.removeprefix(start): tensors
        for name, tensors in found.items()
        if name == key or (name.startswith(start) and "optim" not in name.lower())
    }


def _candidates(
    value: Any, key: str, *, whole: str | None = None
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield the dicts with names that hold weights, the innermost first.

    In the one at the key ``whole``, single numbers are weights as well.
    """
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return
    inner = [
        candidate
        for name, item in value.items()
        if not name.endswith(EXTRA_STATE)
        for candidate in _candidates(item, f"{key}.{name}" if key else name, whole=whole)
    ]
    yield from inner
    tensors = {name: item for name, item in value.items() if isinstance(item, Tensor)}
    # A dict around others, with numbers of its own, such as a step counter, the weights of classes
    # or the state of a generator, is no model.
    most_axes = -1 if key == whole else 1
    if tensors and not (inner and all(_is_note(t, most_axes) for t in tensors.values())):
        yield key, tensors


def _is_note(tensor: Tensor, most_axes: int) -> bool:
    """Whether a tensor beside a dict of weights is a remark about the run rather than a weight."""
    return len(tensor.shape) <= most_axes or tensor.dtype.kind == "integer"
