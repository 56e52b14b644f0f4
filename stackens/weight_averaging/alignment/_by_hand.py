"""A symmetry written down by hand, for networks that cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Units

__all__ = ["symmetry_from"]


def symmetry_from(
    spec: Mapping[str, Sequence[Any]], shapes: Mapping[str, tuple[int, ...]]
) -> Symmetry:
    """Return the symmetry that a dictionary describes, in the form of Git Re-Basin.

    The dictionary has an entry for each tensor that moves, and that an entry for each axis:

    - ``None``: the indices stay where they are.
    - ``"P"``: they move with the units named P. All axes that bear a name move together, so the
      name stands where a layer writes its units and wherever they are read.
    - ``"-P"``: they move with the units named P, and also change their signs with them: the rows
      before a tanh and the columns that read it.
    - ``("P", 9)``: each unit has 9 indices side by side, as after flattening channels-first images
      of 3 x 3; ``(9, "P")``: all units stand there 9 times, one time after the other, as after
      flattening channels-last images.
    - a list of these and of numbers, for runs of the axis from first to last, such as the gates
      of an LSTM or tensors that were concatenated; a number is a run of so many that stay.

    Sizes follow from the shapes of the tensors.

    Parameters
    ----------
    spec : dict of str to sequence
    shapes : dict of str to tuple of int
        Shapes of all tensors of the network.

    Returns
    -------
    Symmetry

    Raises
    ------
    TypeError
        If the dictionary has something else in the place of an axis.
    ValueError
        With all tensors that there are not, wrong numbers of axes, and sizes that contradict
        each other or do not follow.

    References
    ----------
    Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin", arXiv:2209.04836.

    Examples
    --------
    An LSTM of torch with a linear head:

    >>> gates = ["P", "P", "-P", "P"]
    >>> shapes = {"weight_ih": (12, 5), "weight_hh": (12, 3), "bias": (12,), "head": (2, 3)}
    >>> symmetry = symmetry_from(
    ...     {
    ...         "weight_ih": (gates, None),
    ...         "weight_hh": (gates, "-P"),
    ...         "bias": (gates,),
    ...         "head": (None, "-P"),
    ...     },
    ...     shapes,
    ... )
    >>> symmetry.units
    {'P': Units(size=3, blocks=1)}
    >>> symmetry.signs
    {'signs of P': 'P'}
    """
    problems: list[str] = []
    axes: dict[tuple[str, int], list[_Run]] = {}
    for name, entries in spec.items():
        if name not in shapes:
            problems.append(f"there is no tensor {name!r}")
        elif isinstance(entries, str) or len(entries) != len(shapes[name]):
            problems.append(f"{name!r} has shape {tuple(shapes[name])} and the entry {entries!r}")
        else:
            for axis, entry in enumerate(entries):
                axes[name, axis] = _runs(entry, shapes[name][axis], name)
    lengths = {(name, axis): shapes[name][axis] for name, axis in axes}
    sizes = _sizes(axes, lengths)
    for (name, axis), runs in axes.items():
        unknown = sorted({run.units for run in runs if run.units and run.units not in sizes})
        length = sum(run.length(sizes) for run in runs) if not unknown else None
        if unknown:
            problems.append(f"the size of {', '.join(unknown)} does not follow from any shape")
        elif length != lengths[name, axis]:
            known = {run.units: sizes[run.units] for run in runs if run.units}
            problems.append(
                f"axis {axis} of {name!r} has length {lengths[name, axis]}, not {length} (sizes "
                f"from other axes: {known})"
            )
    if problems:
        raise ValueError(
            "A symmetry must fit the tensors. Got "
            + "; ".join(dict.fromkeys(problems))
            + f". Correct the dictionary. The tensors are {dict(shapes)}."
        )
    signed = {run.units for runs in axes.values() for run in runs if run.signed}
    return Symmetry(
        {
            name: tuple(
                tuple(run.part(sizes) for run in axes[name, axis])
                for axis in range(len(shapes[name]))
            )
            for name in spec
        },
        {name: Units(size) for name, size in sizes.items()},
        signs={_signs(name): name for name in sizes if name in signed},
    )


class _Run(NamedTuple):
    """A run of an axis: units with the factors around them, or indices that stay."""

    units: str | None
    outer: int = 1
    inner: int = 1
    signed: bool = False

    def length(self, sizes: Mapping[str, int]) -> int:
        return self.outer * self.inner * (sizes[self.units] if self.units else 1)

    def part(self, sizes: Mapping[str, int]) -> Part:
        if self.units is None:
            return Part(self.inner)
        signs = (_signs(self.units),) if self.signed else ()
        return Part(sizes[self.units], self.outer, self.inner, self.units, signs)


def _signs(units: str) -> str:
    return f"signs of {units}"


def _runs(entry: Any, length: int, name: str) -> list[_Run]:
    if entry is None:
        return [_Run(None, inner=length)]
    if isinstance(entry, list):
        return [_run(one, name) for one in entry]
    return [_run(entry, name)]


def _run(entry: Any, name: str) -> _Run:
    match entry:
        case str():
            return _Run(entry.removeprefix("-"), signed=entry.startswith("-"))
        case (str(), int(inner)):
            return _run(entry[0], name)._replace(inner=inner)
        case (int(outer), str()):
            return _run(entry[1], name)._replace(outer=outer)
        case int():
            return _Run(None, inner=entry)
    raise TypeError(
        "An axis must be described by None, 'P', '-P', ('P', 9), (9, 'P'), or a list of these and "
        f"of numbers. Got {entry!r} for {name!r}. Name the units that stand along the axis."
    )


def _sizes(
    axes: Mapping[tuple[str, int], list[_Run]], lengths: Mapping[tuple[str, int], int]
) -> dict[str, int]:
    """Return the size of all units that follows from the length of an axis, one after another."""
    sizes: dict[str, int] = {}
    while True:
        found = len(sizes)
        for place, runs in axes.items():
            left, unknown = lengths[place], Counter[str]()
            for run in runs:
                if run.units is None or run.units in sizes:
                    left -= run.length(sizes)
                else:
                    unknown[run.units] += run.outer * run.inner
            if len(unknown) == 1:
                (units, times) = next(iter(unknown.items()))
                if times > 0 and left > 0 and left % times == 0:
                    sizes[units] = left // times
        if len(sizes) == found:
            return sizes
