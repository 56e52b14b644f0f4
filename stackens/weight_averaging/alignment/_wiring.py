"""Axes that must change together, collected while a network is read from input to output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Units

__all__ = ["Wiring", "read_by"]

Axis = tuple[Part, ...]


def read_by(parts: Iterable[Part]) -> Axis:
    """Return how weights change that read a value: the scales of the value are taken back."""
    return tuple(
        replace(part, scales=tuple((name, -power) for name, power in part.scales)) for part in parts
    )


class Wiring:
    """Collects tensors and equalities, then says what remains free.

    Parts describe a value that runs through the network as they do an axis of a tensor: which units
    stand there, and which signs and scales the value is multiplied by. Names in them are
    provisional until :meth:`symmetry`.
    """

    def __init__(self) -> None:
        self._layout: dict[str, tuple[Axis, ...]] = {}
        self._same: dict[str, str] = {}  # name -> another name of the same thing
        self._held: set[str] = set()
        self._blocks: list[tuple[str, int]] = []
        self._units_of: dict[str, str] = {}
        self._notes: list[str] = []

    def new(self, name: str, size: int) -> Axis:
        """Return units of their own with signs and scales."""
        return self.rescaled((Part(size, units=name),), name)

    def rescaled(self, parts: Sequence[Part], name: str) -> Axis:
        """Return the same units with signs and scales of their own, as behind a norm's gain."""
        axis = []
        for i, part in enumerate(parts):
            ending = f"{name} {i}" if len(parts) > 1 else name
            signs, scales = f"signs of {ending}", f"scales of {ending}"
            if part.units is not None:
                self._units_of |= {signs: part.units, scales: part.units}
                part = replace(part, signs=(signs,), scales=((scales, 1),))
            axis.append(part)
        return tuple(axis)

    def tensor(self, name: str, *axes: Sequence[Part]) -> None:
        """Say how a tensor changes. A tensor that is used twice must do so in one way."""
        new = tuple(map(tuple, axes))
        for old, again in zip(self._layout.setdefault(name, new), new, strict=True):
            self.tie(old, again)

    def tie(self, first: Sequence[Part], second: Sequence[Part]) -> None:
        """Let two axes or values change in the same way, or hold both where they do not fit."""
        if [_form(part) for part in first] != [_form(part) for part in second]:
            self.hold((*first, *second))
            return
        for one, other in zip(first, second, strict=True):
            if one.units is None or other.units is None:
                self.hold((one, other))
                continue
            self._unite(one.units, other.units)
            self._equate(self._signs(one), self._signs(other))
            self._equate(self._scales(one), self._scales(other))

    def hold(self, parts: Iterable[Part]) -> None:
        """Let nothing change here."""
        for part in parts:
            if part.units is not None:
                self._held.add(self._root(part.units))
            self.hold_signs((part,))
            self.hold_scales((part,))

    def hold_signs(self, parts: Iterable[Part]) -> None:
        """Let the value keep its signs, as before a function that is not odd."""
        self._held.update(name for part in parts for name in self._signs(part))

    def hold_scales(self, parts: Iterable[Part]) -> None:
        """Let the value keep its scale, as before a function that is not homogeneous."""
        self._held.update(name for part in parts for name in self._scales(part))

    def blocks(self, parts: Sequence[Part], count: int) -> None:
        """Let units trade places only within blocks, and whole blocks."""
        if len(parts) == 1 and parts[0].units is not None and _form(parts[0])[1:] == (1, 1):
            self._blocks.append((parts[0].units, count))
        else:
            self.hold(parts)

    def note(self, text: str) -> None:
        """Say what was left alone, and why."""
        self._notes.append(text)

    def symmetry(self) -> Symmetry:
        """Return what is free once everything has been said."""
        blocks: dict[str, int] = {}
        for name, count in self._blocks:
            root = self._root(name)
            if blocks.setdefault(root, count) != count:
                self._held.add(root)
        layout = {
            name: tuple(tuple(self._final(part) for part in parts) for parts in axes)
            for name, axes in self._layout.items()
        }
        parts = [part for axes in layout.values() for parts in axes for part in parts]
        return Symmetry(
            layout,
            {
                part.units: Units(part.size, blocks.get(part.units, 1))
                for part in parts
                if part.units is not None and part.units not in self._held
            },
            signs={name: self._owner(name) for part in parts for name in part.signs},
            scales={name: self._owner(name) for part in parts for name, _ in part.scales},
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _final(self, part: Part) -> Part:
        signs, scales = tuple(self._signs(part)), tuple(self._scales(part).items())
        units = self._root(part.units) if part.units is not None else None
        if units in self._held and not signs and not scales:
            units = None
        return replace(part, units=units, signs=signs, scales=scales)

    def _owner(self, name: str) -> str:
        return self._root(self._units_of[name])

    def _signs(self, part: Part) -> dict[str, int]:
        """Return the free signs of a part; a sign that stands there twice cancels."""
        times = Counter(self._root(name) for name in part.signs)
        return {name: 1 for name, n in times.items() if n % 2 and name not in self._held}

    def _scales(self, part: Part) -> dict[str, int]:
        """Return the free scales of a part with their powers."""
        powers = Counter[str]()
        for name, power in part.scales:
            powers[self._root(name)] += power
        return {name: n for name, n in powers.items() if n and name not in self._held}

    def _equate(self, first: Mapping[str, int], second: Mapping[str, int]) -> None:
        """Let two products of signs or scales, name -> power, be one."""
        if first == second:
            return
        if len(first) == 1 and [*first.values()] == [*second.values()]:
            self._unite(*first, *second)
        else:
            self._held.update((*first, *second))

    def _root(self, name: str) -> str:
        while name in self._same:
            name = self._same[name]
        return name

    def _unite(self, first: str, second: str) -> None:
        root, other = self._root(first), self._root(second)
        if root != other:
            self._same[other] = root
            if other in self._held:
                self._held.add(root)


def _form(part: Part) -> tuple[int, int, int]:
    return part.size, part.outer, part.inner
