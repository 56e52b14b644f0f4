"""Which tensors share their mixing weights: all, those of a layer, or those of a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["groups_of"]

_SEPARATOR = re.compile(r"[./]")


def groups_of(names: Iterable[str], per: str | Sequence[str]) -> dict[str, list[str]]:
    """Divide tensors into groups that are mixed with the same weights.

    Parameters
    ----------
    names : iterable of str
        Names of the tensors, in the order of the model.
    per : {"model", "layer", "tensor"} or list of str
        ``"model"``: one group. ``"layer"``: a group for each module that holds tensors, which
        is the name up to its last dot or slash. ``"tensor"``: each one alone. A list of regular
        expressions: a tensor belongs to the first that is found in its name, and those that
        match none form the group ``"(rest)"``.

    Returns
    -------
    dict of str -> list of str
        Names of the tensors of each group.

    Raises
    ------
    ValueError
        If `per` is something else, or a pattern is none or matches no tensor.

    Examples
    --------
    >>> groups_of(["body.0.weight", "body.0.bias", "head.weight"], "layer")
    {'body.0': ['body.0.weight', 'body.0.bias'], 'head': ['head.weight']}
    >>> groups_of(["body.0.weight", "body.0.bias", "head.weight"], ["bias"])
    {'bias': ['body.0.bias'], '(rest)': ['body.0.weight', 'head.weight']}
    """
    names = list(names)
    if isinstance(per, str):
        if per not in ("model", "layer", "tensor"):
            raise ValueError(
                "The 'per' parameter must be 'model', 'layer', 'tensor' or a list of regular "
                f"expressions. Got {per!r} instead."
            )
        keys = [_key(name, per) for name in names]
    else:
        try:
            patterns = [re.compile(pattern) for pattern in per]
        except (re.error, TypeError) as error:
            raise ValueError(
                f"The 'per' parameter must hold regular expressions. Got {per!r} ({error}). Escape "
                "special characters with re.escape."
            ) from error
        keys = [
            next((found.pattern for found in patterns if found.search(name)), "(rest)")
            for name in names
        ]
        idle = [found.pattern for found in patterns if found.pattern not in keys]
        if idle:
            raise ValueError(
                f"Patterns of 'per' must each match a tensor that no earlier one takes. Got "
                f"{idle} without any. The tensors are {names[:20]}{' ...' * (len(names) > 20)}."
            )
    groups: dict[str, list[str]] = {} if isinstance(per, str) else {key: [] for key in per}
    for key, name in zip(keys, names, strict=True):
        groups.setdefault(key, []).append(name)
    return groups


def _key(name: str, per: str) -> str:
    if per == "model":
        return "(all)"
    if per == "tensor":
        return name
    ends = [found.start() for found in _SEPARATOR.finditer(name)]
    return name[: ends[-1]] if ends else name
