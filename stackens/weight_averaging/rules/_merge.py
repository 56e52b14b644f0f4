"""A whole model at once: every rule applied to models that are mappings of names to arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stackens.schedules import Newest, Weights
from stackens.weight_averaging.rules._arithmetic import is_averaged, rounded
from stackens.weight_averaging.rules._buffers import Buffer, merge_buffer, tied
from stackens.weight_averaging.rules._checks import check_finite, check_same, model_labels
from stackens.weight_averaging.rules._groups import group_weights
from stackens.weight_averaging.rules._registry import rule_for
from stackens.weight_averaging.rules._rule import Rule, State

__all__ = ["merge_states"]


def merge_states(
    states: Sequence[State],
    *,
    weights: Weights | Mapping[str, Weights] = "equal",
    rule: str | Rule = "mean",
    base: State | None = None,
    buffer: Buffer = "newest",
    newest: Newest = "last",
    labels: Sequence[str] | None = None,
) -> dict[str, NDArray]:
    """Merge models that are mappings of names to arrays, whatever framework they come from.

    Names, shapes and types are compared first. Floating and complex tensors are merged by the
    rule in double precision and rounded once to their own type; integers and bools are taken
    over. Names that stand for the same memory in all models do so in the result.

    Parameters
    ----------
    states : sequence of mapping of str to ndarray
        One for each model.
    weights : array-like, str, callable, or mapping of str to these, default="equal"
        See `stackens.schedules.resolve`; a mapping is from regular expressions on names, see
        `group_weights`.
    rule : str or Rule, default="mean"
        See `rule_for`.
    base : mapping of str to ndarray or None, default=None
        The model that all were fine-tuned from, for rules that need it.
    buffer : {"newest", "majority"}, default="newest"
        Where integer and bool tensors come from, see `merge_buffer`.
    newest : {"last", "first"}, default="last"
        Where the newest model stands.
    labels : sequence of str or None, default=None
        What the models are called in errors.

    Returns
    -------
    dict of str to ndarray
        New arrays under the names, in the order and of the types of the first model.

    Raises
    ------
    ValueError
        If the models differ, hold NaN, do not fit the rule, or the weights are not valid.

    Warns
    -----
    RuntimeWarning
        If a merged weight is beyond the range of its type.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> first = {"w": np.float16([1, 2]), "steps": np.array(10)}
    >>> second = {"w": np.float16([2, 4]), "steps": np.array(20)}
    >>> rules.merge_states([first, second], weights=[0.25, 0.75])
    {'w': array([1.75, 3.5 ], dtype=float16), 'steps': array(20)}
    """
    merger = rule_for(rule)
    names = model_labels(labels, len(states))
    ancestors = [] if base is None or not merger.needs_base else [base]
    check_same([*states, *ancestors], [*names, *["base"] * len(ancestors)])
    shares = group_weights(weights, states[0], len(states), newest=newest)
    leaders = _leaders([*states, *ancestors], shares)
    merger = merger.bind(states)
    result: dict[str, NDArray] = {}
    for name, first in states[0].items():
        leader = leaders.get(name, name)
        arrays = [np.asarray(state[name]) for state in states]
        if leader in result:
            result[name] = result[leader]
        elif not is_averaged(first.dtype):
            result[name] = merge_buffer(arrays, shares[name], how=buffer, newest=newest)
        else:
            counted = [i for i, share in enumerate(shares[name]) if share]
            check_finite([arrays[i] for i in counted], name, [names[i] for i in counted])
            origin = None
            for ancestor in ancestors:
                origin = np.asarray(ancestor[name])
                check_finite([origin], name, ["base"])
            merged = merger(arrays, shares[name], base=origin, name=name)
            result[name] = rounded(merged, first.dtype)
    return result


def _leaders(states: Sequence[State], shares: Mapping[str, NDArray]) -> dict[str, str]:
    """Return the first name of its group for every name that is tied in all models alike."""
    groups = set.intersection(*(set(tied(state)) for state in states))
    leaders = {name: group[0] for group in groups for name in group}
    for name, leader in leaders.items():
        if not np.array_equal(shares[name], shares[leader]):
            raise ValueError(
                "Tied tensors must have the same weights, as they stay one tensor. Got "
                f"{shares[leader]} for {leader!r} and {shares[name]} for {name!r}. Give their "
                "names one expression."
            )
    return leaders
