"""Weights that differ between tensors: a regular expression on names for each group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from stackens.schedules import Newest, Weights, resolve

__all__ = ["group_weights"]


def group_weights(
    weights: Weights | Mapping[str, Weights],
    names: Iterable[str],
    n: int,
    *,
    default: Weights = "equal",
    newest: Newest = "last",
) -> dict[str, NDArray[np.float64]]:
    """Return the weights of the models for each tensor.

    Parameters
    ----------
    weights : array-like, str, callable, or mapping of str to these
        What `stackens.schedules.resolve` takes, for all tensors; or a mapping from regular
        expressions to it. An expression is searched for anywhere in a name (anchor it with ``^``
        and ``$``), and the first one in the mapping's order that is found counts: write the
        special before the general.
    names : iterable of str
        Names of the tensors.
    n : int
        Number of models.
    default : array-like, str or callable, default="equal"
        Weights of the tensors that no expression matches.
    newest : {"last", "first"}, default="last"
        Where the newest model stands, for schedules.

    Returns
    -------
    dict of str to ndarray of shape (n,)
        In the order of the names.

    Raises
    ------
    ValueError
        If an expression is not valid or is the first one for no name (it would do nothing), or
        weights are not valid.

    Examples
    --------
    >>> from stackens.weight_averaging import rules
    >>> groups = rules.group_weights({"^head": [0, 1]}, ["body.weight", "head.weight"], n=2)
    >>> groups["body.weight"], groups["head.weight"]
    (array([0.5, 0.5]), array([0., 1.]))
    """
    names = list(names)
    if not isinstance(weights, Mapping):
        same = resolve(weights, n, newest=newest)
        return dict.fromkeys(names, same)
    groups = [
        (expression, _compiled(expression), resolve(value, n, newest=newest))
        for expression, value in weights.items()
    ]
    others = resolve(default, n, newest=newest)
    unused = set(weights)
    result = {}
    for name in names:
        result[name] = others
        for expression, pattern, value in groups:
            if pattern.search(name):
                result[name] = value
                unused.discard(expression)
                break
    if unused:
        raise ValueError(
            f"Every expression of the 'weights' parameter must be the first that matches some "
            f"tensor. Got {sorted(unused)}, which no tensor is left for. The names begin with "
            f"{names[:20]}; write the special before the general."
        )
    return result


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except (re.error, TypeError) as error:
        raise ValueError(
            "The keys of the 'weights' parameter must be regular expressions on names of tensors. "
            f"Got {expression!r} ({error}). Escape special characters with re.escape."
        ) from error
