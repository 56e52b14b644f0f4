"""Whether models are alike: all that differs in one error, or else their arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from stackens.weight_averaging.adapters._adapter import Adapter
from stackens.weight_averaging.adapters._values import to_array
from stackens.weight_averaging.rules import check_not_quantised, check_same, is_averaged

__all__ = ["Arrays", "alike"]


class Arrays(Mapping[str, NDArray]):
    """Tensors that become arrays when they are asked for, so that few are converted at a time."""

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self.tensors = tensors

    def __getitem__(self, name: str) -> NDArray:
        return to_array(self.tensors[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


def alike(
    adapter: Adapter, models: Sequence[Any], labels: Sequence[str], like: Any
) -> list[Arrays]:
    """Return the arrays of each model in the terms of ``like``, if all models are alike.

    Parameters
    ----------
    adapter : Adapter
        That of ``like``.
    models : sequence
    labels : sequence of str
        What the models are called in the error.
    like : object
        The model that gives the terms: order of classes, names, scaling.

    Raises
    ------
    ValueError
        Listing all differences in settings, names, shapes and types.
    TypeError
        If a model is of another kind than ``like``.
    """
    named = zip(labels, models, strict=True)
    others = [label for label, model in named if not adapter.accepts(model)]
    if others:
        kinds = sorted({type(model).__name__ for model in models})
        raise TypeError(
            f"Models must be of one kind to be averaged. Got {', '.join(kinds)}: "
            f"{', '.join(others)} are no {adapter.kind}. Give models of one kind."
        )
    facts = [adapter.facts(model, like) for model in models]
    differences = []
    for fact in dict.fromkeys(fact for known in facts for fact in known):
        having: dict[str, list[str]] = {}
        for label, known in zip(labels, facts, strict=True):
            having.setdefault(repr(known[fact]) if fact in known else "missing", []).append(label)
        if len(having) > 1:
            parts = [f"{value} in {', '.join(where)}" for value, where in having.items()]
            differences.append(f"{fact}: {'; '.join(parts)}")
    tensors = [adapter.tensors(model, like) for model in models]
    try:
        check_same(tensors, labels)
    except ValueError as error:
        if not differences:
            raise
        differences += str(error).splitlines()[1:-1]
    if differences:
        raise ValueError(
            "Models must do the same with their weights to be averaged. Got:\n  "
            + "\n  ".join(line.strip() for line in differences)
            + "\nGive models of one architecture that know the same classes and features, behind "
            "one and the same preprocessing; or blend them (BlendedClassifier, BlendedRegressor)."
        )
    if not any(is_averaged(to_array(tensor).dtype) for tensor in tensors[0].values()):
        raise ValueError(
            f"Models must hold floating numbers to be averaged. Got only integers and bools in "
            f"{labels[0]}. Turn them into floats if they are weights; average before quantising."
        )
    check_not_quantised(tensors, labels, to_array)
    return [Arrays(one) for one in tensors]
