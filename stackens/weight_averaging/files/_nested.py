"""Where the weights are in the dict of a whole training checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stackens.weight_averaging.adapters._containers import EXTRA_STATE
from stackens.weight_averaging.files._sources import Tensor, Unread

__all__ = ["state_dict_in"]

_MOST_KEYS = 10  # that an error lists
# What optimizers keep of each weight, wherever their state stands.
_MOMENTS = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg"}


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
        several dicts of tensors, such as an encoder's and a decoder's, or with one and floating
        numbers beside it, such as the temperature of a contrastive model, all are taken together,
        with names joined by dots; but for those of optimizers. None looks for the one dict of
        tensors that is not the state of an optimizer, nor only of numbers such as scores.

    Raises
    ------
    ValueError
        If there is none under the key, or none or several without a key; or if numbers in it were
        not read.
    """
    chosen = _chosen(content, path, key)
    unread = [name for name, item in chosen.items() if isinstance(item, Unread)]
    if unread:
        raise ValueError(
            f"{path} must hold its weights as tensors. Got arrays of numpy: {_listed(unread)}. "
            "Turn them into tensors or leave them out, and save it again."
        )
    return chosen


def _chosen(content: Any, path: Path, key: str | None) -> dict[str, Any]:
    found = dict(_candidates(content, ""))
    if key is None:
        keys = [name for name in found if "optim" not in name.lower()]
        # The best scores that Lightning keeps of a callback, or the states of generators, are none.
        weights = [key for key in keys if not all(_is_note(t, 0) for t in found[key].values())]
        keys = weights or keys
        if len(keys) == 1:
            return found[keys[0]]
        if not keys:
            raise ValueError(
                f"{path} must hold a dict from names to tensors. Got none at all in "
                f"{_described(content)}. Save the model's state_dict()."
            )
        raise ValueError(
            f"{path} must hold one dict of tensors, or the 'key' parameter must say which. Got "
            f"{_listed(keys)}. Pass key=... with the keys from the outside in, joined by dots."
        )
    if not _under(key, found):
        raise ValueError(
            f"The 'key' parameter must name a dict of tensors in {path}. Got {key!r}. There are "
            f"{_listed(found)}."
        )
    together = _under(key, dict(_candidates(content, "", whole=key)))
    if len(together) == 1:
        return next(iter(together.values()))
    return {
        f"{part}.{name}" if part else name: tensor
        for part, tensors in together.items()
        for name, tensor in tensors.items()
    }


def _listed(keys: Iterable[str]) -> str:
    """Name the first few."""
    shown = [repr(key) for key in keys]
    more = [f"and {len(shown) - _MOST_KEYS} more"] if len(shown) > _MOST_KEYS else []
    return ", ".join([*shown[:_MOST_KEYS], *more]) or "none"


def _described(content: Any) -> str:
    """Say what a file holds in place of a dict of tensors."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    return f"a dict with the keys {_listed(map(str, content))}"


def _under(key: str, found: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the dict of tensors at a key and those inside it, by what follows the key."""
    start = f"{key}." if key else ""
    return {
        "" if name == key else name.removeprefix(start): tensors
        for name, tensors in found.items()
        if name == key or (name.startswith(start) and "optim" not in name.lower())
    }


def _candidates(
    value: Any, key: str, *, whole: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
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
    tensors = {name: item for name, item in value.items() if isinstance(item, Tensor | Unread)}
    if _MOMENTS & tensors.keys() or not any(isinstance(t, Tensor) for t in tensors.values()):
        return
    # A dict around others, with numbers of its own, such as a step counter, the weights of classes
    # or the state of a generator, is no model.
    most_axes = -1 if key == whole else 1
    if not (inner and all(_is_note(t, most_axes) for t in tensors.values())):
        yield key, tensors


def _is_note(tensor: Tensor | Unread, most_axes: int) -> bool:
    """Whether a tensor beside a dict of weights is a remark about the run rather than a weight."""
    if isinstance(tensor, Unread):
        return True
    return len(tensor.shape) <= most_axes or tensor.dtype.kind == "integer"
