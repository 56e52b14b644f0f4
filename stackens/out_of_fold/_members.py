"""Base models as a list of (name, estimator) pairs, whatever form they were given in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

__all__ = ["as_seed", "estimator_pairs", "is_dropped", "seeded_clone", "validate_estimators"]


def is_dropped(estimator: Any) -> bool:
    """Whether an entry of ``estimators`` is switched off."""
    return isinstance(estimator, str) and estimator == "drop"


def estimator_pairs(estimators: Any) -> list[tuple[Any, Any]]:
    """Return ``estimators`` as (name, estimator) pairs, without checking them.

    A dict gives its items; estimators without a name are called after their class, with a
    number where a class stands more than once.
    """
    if isinstance(estimators, Mapping):
        return list(estimators.items())
    items = list(estimators)
    if all(isinstance(item, tuple | list) and len(item) == 2 for item in items):
        return [(name, estimator) for name, estimator in items]
    if any(isinstance(item, tuple | list | str) for item in items):
        raise ValueError(
            "Invalid 'estimators' attribute, 'estimators' should be a non-empty list of "
            "(string, estimator) tuples, a dict, or a list of estimators. Got a mix: "
            f"{items!r:.200}. Give each an estimator and a name, or none a name."
        )
    classes = [type(item).__name__.lower() for item in items]
    repeated = {name for name, count in Counter(classes).items() if count > 1}
    seen: Counter[str] = Counter()
    pairs = []
    for name, estimator in zip(classes, items, strict=True):
        seen[name] += 1
        pairs.append((f"{name}-{seen[name]}" if name in repeated else name, estimator))
    return pairs


def validate_estimators(estimators: Any) -> list[tuple[str, Any]]:
    """Return the checked (name, estimator) pairs that are not switched off.

    Raises
    ------
    ValueError
        If the list is empty, all are dropped, or names repeat, clash or are not text.
    TypeError
        If an entry is a class, or has no ``fit``.
    """
    if not isinstance(estimators, Mapping | list | tuple) or len(estimators) == 0:
        raise ValueError(
            "Invalid 'estimators' attribute, 'estimators' should be a non-empty list of "
            "(string, estimator) tuples, a dict, or a list of estimators. Got "
            f"{estimators!r:.200}. Give at least one, in a list."
        )
    pairs = estimator_pairs(estimators)
    names = [name for name, _ in pairs]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            "Invalid 'estimators' attribute, 'estimators' should be a non-empty list of "
            f"(string, estimator) tuples. Got names that are not text: {names}. Use text."
        )
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(
            f"Names of estimators must be unique. Got {repeated} more than once. Rename them."
        )
    if any("__" in name for name in names):
        raise ValueError(
            "Names of estimators must not contain '__', which scikit-learn uses for nested "
            f"parameters. Got {[name for name in names if '__' in name]}. Rename them."
        )
    kept = [(name, estimator) for name, estimator in pairs if not is_dropped(estimator)]
    if not kept:
        raise ValueError("All estimators are dropped. At least one is required to be an estimator.")
    for name, estimator in kept:
        if isinstance(estimator, type) or not hasattr(estimator, "fit"):
            hint = "Create it first, with brackets"
            if not isinstance(estimator, type):
                network = "; a network that is trained already goes into stackens.FrozenNetwork"
                hint = f"Pass one{network if callable(estimator) else ''}"
            raise TypeError(
                f"Every estimator must be an object with a fit method. Got {name!r}: "
                f"{estimator!r:.200}. {hint}."
            )
    return kept


def as_seed(random_state: Any) -> int | None:
    """Return a seed for everything that one call does: None stays None, a generator gives one."""
    if random_state is None or isinstance(random_state, int | np.integer):
        check_random_state(random_state)
        return None if random_state is None else int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def seeded_clone(name: str, estimator: Any, random_state: int | None) -> Any:
    """Clone an estimator and give it a seed where it has none.

    Seeds depend on the given seed, the name of the model and the name of the parameter, so
    that adding or reordering models changes nothing for the others.
    """
    copy = clone(estimator)
    if random_state is None or not hasattr(copy, "get_params"):
        return copy
    unseeded = {
        key: _seed(random_state, name, key)
        for key, value in copy.get_params(deep=True).items()
        if value is None and (key == "random_state" or key.endswith("__random_state"))
    }
    return copy.set_params(**unseeded) if unseeded else copy


def _seed(random_state: int, name: str, key: str) -> int:
    entropy = [random_state, crc32(name.encode()), crc32(key.encode())]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0] >> 1)
