"""Which axes of a network must change together: units joined, divided and pinned."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from stackens.weight_averaging.alignment._factors import (
    Axis,
    Choice,
    Factor,
    Run,
    Value,
    Variable,
    bounds_of,
    factors_of,
    find,
    leaves,
    length,
    product_of,
    strides_of,
)
from stackens.weight_averaging.alignment._labels import Labels, plus

__all__ = ["Axes"]

_MOST_COPIES = 4096  # of runs, where an axis made of several is flattened behind another one


class Axes(Labels):
    """Everything known about the axes of one network, while its operators are walked through.

    Parameters
    ----------
    settled : bool
        Nothing is divided any further: units that would have to be are pinned.

    Attributes
    ----------
    divided : bool
        Free units were divided. Labels that were made before no longer hold: the walk starts again,
        with the parameters divided from the start.
    held : bool
        Units were pinned for want of a better way.
    mixed : list of (Variable, Variable)
        The first were summed over while the second stood on another axis.
    summed : list of (str, str, int, int)
        Names of two parameters of which only the sum matters, in the rows from start to stop.
    notes : list of str
    """

    def __init__(self, settled: bool = False) -> None:
        super().__init__()
        self.settled = settled
        self.divided = False
        self.held = False
        self.mixed: list[tuple[Variable, Variable]] = []
        self.summed: list[tuple[str, str, int, int]] = []
        self.notes: list[str] = []

    # ------------------------------------------------------------ new axes

    def pinned(self, size: int) -> Axis:
        """Return an axis that stays as it is."""
        return (((Factor(Variable(size, pinned=True), {}),) if size != 1 else ()),)

    def free(self, *sizes: int, labelled: bool = False) -> Axis:
        """Return an axis of one run, whose units are free.

        Without labels it is one along which all entries are the same: only their order is free.
        """
        variables = [Variable(size, rigid=not labelled) for size in sizes if size != 1]
        return (tuple(Factor(v, self.unknown(v) if labelled else {}) for v in variables),)

    def constant(self, shape: Iterable[int]) -> Value:
        """Return a tensor that never changes."""
        return Value(tuple(self.pinned(size) for size in shape))

    # ------------------------------------------------------------ facts about axes

    def pin(self, axis: Axis) -> None:
        """Let units stay where they are."""
        for factor in self._all_factors(axis):
            find(factor.variable)[0].pinned = True

    def hold(self, axis: Axis) -> None:
        """Let units stay where they are, although they might be expected to move."""
        self.held = self.held or not self.is_pinned(axis)
        self.pin(axis)

    def rigid(self, *axes: Axis) -> None:
        """Let no matrix mix the units."""
        for factor in (factor for axis in axes for factor in self._all_factors(axis)):
            find(factor.variable)[0].rigid = True

    def orthogonal(self, axis: Axis) -> None:
        """Let only orthogonal matrices mix the units."""
        for factor in self._all_factors(axis):
            find(factor.variable)[0].orthogonal = True

    def is_pinned(self, axis: Axis) -> bool:
        """Whether nothing on the axis can move."""
        return all(find(factor.variable)[0].pinned for factor in self._all_factors(axis))

    def fixed(self, *axes: Axis, sign: bool = True, scale: bool = True) -> None:
        """Let no sign or scale stand on axes."""
        for factor in (factor for axis in axes for factor in self._all_factors(axis)):
            self.is_zero(factor.form, sign=sign, scale=scale)

    def keep_blocks(self, axis: Axis, width: int) -> None:
        """Let so many neighbours stay together: channels that are normalised together."""
        end = 0
        for run in axis:
            inner = product_of(run)
            start, end = end, end + inner
            if start // width == (end - 1) // width:
                continue  # all in one block
            fits = start % width == 0 and end % width == 0
            for factor in run:
                outer, inner = inner, inner // factor.size
                if fits and inner < width < outer:
                    fits = width % inner == 0 and outer % width == 0
                    fits = fits and self._in_blocks(find(factor.variable)[0], outer // width)
            if not fits:
                self.hold((run,))

    def _in_blocks(self, variable: Variable, blocks: int) -> bool:
        if variable.blocks not in (1, blocks):
            return False
        variable.blocks = blocks
        return True

    def _all_factors(self, axis: Axis) -> Iterable[Factor]:
        for factor in (factor for run in axis for factor in run):
            yield from leaves(factor)

    # ------------------------------------------------------------ axes that must agree

    def unify(self, one: Axis, other: Axis, power: int = 1) -> Axis:
        """Let two axes change alike (power 1), or so that sums over both stay the same (-1)."""
        one, other = self.move_alike(one, other, power)
        for a, b in zip(factors_of(one), factors_of(other), strict=True):
            self.is_zero(plus(a.form, b.form, -power))
        return one

    def move_alike(self, one: Axis, other: Axis, power: int = 1) -> tuple[Axis, Axis]:
        """Let the same places of two axes hold the same units, whatever their signs and scales.

        Returns both, divided in the same places.
        """
        one, other = self.aligned(one, other)
        for a, b in zip(factors_of(one), factors_of(other), strict=True):
            self._join(a, b, power)
        return one, other

    def _join(self, a: Factor, b: Factor, power: int) -> None:
        (one, p), (other, q) = find(a.variable), find(b.variable)
        power *= a.power * b.power * p * q
        if one is other:
            one.orthogonal = one.orthogonal or power < 0
            return
        if 1 not in (one.blocks, other.blocks) and one.blocks != other.blocks:
            one.pinned = self.held = True
        other.parent, other.power = one, power
        one.pinned = one.pinned or other.pinned
        one.rigid = one.rigid or other.rigid
        one.orthogonal = one.orthogonal or other.orthogonal
        one.leads = one.leads or other.leads
        one.stacked = one.stacked or other.stacked
        one.blocks = max(one.blocks, other.blocks)
        one.hint = one.hint or other.hint

    def aligned(self, one: Axis, other: Axis) -> tuple[Axis, Axis]:
        """Return two axes of the same length, divided in the same places."""
        if len(one) > 1 or len(other) > 1:
            bounds = bounds_of(one) | bounds_of(other)
            one, other = self._cut_at(one, bounds), self._cut_at(other, bounds)
        pairs = [self._same_factors(a, b) for a, b in zip(one, other, strict=True)]
        return tuple(a for a, _ in pairs), tuple(b for _, b in pairs)

    def _same_factors(self, one: Run, other: Run) -> tuple[Run, Run]:
        if [f.size for f in one] == [f.size for f in other]:
            return one, other
        strides = strides_of(one) | strides_of(other)
        refined = self._refined(one, strides), self._refined(other, strides)
        if refined[0] is None or refined[1] is None:
            return self._pinned_run(one), self._pinned_run(other)
        return refined[0], refined[1]

    # ------------------------------------------------------------ axes divided and put together

    def resolved(self, value: Value, plain: bool = True) -> Value:
        """Return a tensor's axes in the units that are left after all divisions.

        Parameters
        ----------
        value : Value
        plain : bool, default=True
            Join what depends on a choice, so that nothing does.
        """
        axes = tuple(self._resolved(axis, plain) for axis in value.axes)
        return replace(value, axes=axes)

    def _resolved(self, axis: Axis, plain: bool) -> Axis:
        runs = (self.product([self._in_pieces(factor, plain) for factor in run]) for run in axis)
        return tuple(run for several in runs for run in several)

    def _in_pieces(self, factor: Factor, plain: bool) -> Axis:
        if factor.choice is not None:
            options = leaves(factor) if factor.options else [Factor(factor.variable, {})]
            divided = any(find(option.variable)[0].pieces for option in options)
            if not plain and not divided:
                return ((factor,),)
            factor = options[0]
            for option in options[1:]:
                self.unify(((factor,),), ((option,),))
        root, power = find(factor.variable)
        if not root.pieces:
            return ((factor,),)
        parts = [
            ((Factor(piece, {}, factor.power * power),) if piece.size > 1 else (),)
            for piece in root.pieces
        ]
        if root.side_by_side:
            return tuple(run for part in parts for run in self._resolved(part, plain))
        return self.product([self._resolved(part, plain) for part in parts])

    def product(self, axes: Sequence[Axis]) -> Axis:
        """Return the axis that axes become when they are flattened, the slowest first."""
        runs: Axis = ((),)
        for axis in axes:
            if len(axis) == 1:
                runs = tuple(run + axis[0] for run in runs)
            elif runs == ((),):
                runs = axis
            elif self.is_pinned(runs) and length(runs) * len(axis) <= _MOST_COPIES:
                runs = axis * length(runs)
            else:  # how the inner axis is made up cannot be written down behind units
                self.hold(axis)
                runs = tuple(run + self.pinned(length(axis))[0] for run in runs)
        return _without_choice(runs)

    def quotient(self, axis: Axis, sizes: Sequence[int]) -> list[Axis] | None:
        """Return the axes that an axis becomes when it is unflattened; None if it cannot be.

        As many runs of the same length as the first axis has places become a choice: what stands
        on the other axes depends on the index along the first, as for queries, keys and values.
        """
        if length(axis) in sizes:
            return [axis if size == length(axis) else ((),) for size in sizes]
        strides = [math.prod(sizes[k:]) for k in range(len(sizes))]
        if len(axis) == 1:
            divided = self._divided(axis[0], strides)
            return None if divided is None else [(part,) for part in divided]
        if self.is_pinned(axis):
            return [self.pinned(size) for size in sizes]
        first = next(k for k, size in enumerate(sizes) if size > 1)
        if len(axis) != sizes[first] or len({product_of(run) for run in axis}) != 1:
            return None
        axis = tuple(self._divided_alike(axis))
        runs = [self._divided(run, strides[first + 1 :] or [1]) for run in axis]
        if any(run is None for run in runs) or any(f.choice for f in factors_of(axis)):
            return None
        choice = Choice(len(axis))
        chosen: Axis = ((Factor(Variable(len(axis), pinned=True), {}, 1, choice),),)
        inner: list[Axis] = [
            (tuple(Factor(fs[0].variable, {}, 1, choice, fs) for fs in zip(*parts, strict=True)),)
            for parts in zip(*(run for run in runs if run is not None), strict=True)
        ]
        return [((),)] * first + [chosen] + (inner if sizes[first + 1 :] else [])

    def _divided_alike(self, axis: Axis) -> list[Run]:
        """Runs divided in the same places, as far as they can be."""
        strides = set().union(*(strides_of(run) for run in axis))
        refined = [self._refined(run, strides) for run in axis]
        return [
            self._pinned_run(run) if any(r is None for r in refined) else better or ()
            for run, better in zip(axis, refined, strict=True)
        ]

    def _divided(self, run: Run, strides: Sequence[int]) -> list[Run] | None:
        """Divide a product into products; each starts at one of the strides."""
        refined = self._refined(run, set(strides))
        if refined is None:
            return None
        parts: list[Run] = []
        for outer, inner in pairwise([*strides, 1]):
            taken: Run = ()
            while outer > inner:
                taken, refined = (*taken, refined[0]), refined[1:]
                outer //= taken[-1].size
            parts.append(taken)
        return parts

    def _refined(self, run: Run, strides: set[int]) -> Run | None:
        """Divide factors such that one ends at each stride; None if one cannot."""
        refined: list[Factor] = []
        inner = product_of(run)
        for factor in run:
            outer, inner = inner, inner // factor.size
            inside = sorted((s for s in strides if inner < s < outer), reverse=True)
            bounds = [outer, *inside, inner]
            if any(big % small for big, small in pairwise(bounds)):
                return None
            sizes = [big // small for big, small in pairwise(bounds)]
            pieces = self._split(factor, sizes) if inside else (factor,)
            if pieces is None:
                return None
            refined += pieces
        return tuple(refined)

    def _split(self, factor: Factor, sizes: list[int]) -> Run | None:
        if factor.options:
            options = [self._split(option, sizes) for option in factor.options]
            if any(option is None for option in options):
                return None
            columns = zip(*(option for option in options if option is not None), strict=True)
            return tuple(Factor(fs[0].variable, {}, 1, factor.choice, fs) for fs in columns)
        root, power = find(factor.variable)
        if root.pinned and factor.choice is None:
            return tuple(Factor(Variable(size, pinned=True), {}) for size in sizes)
        if self.settled or factor.choice is not None:
            return None
        pieces = [Variable(size) for size in sizes]
        self.divided = True
        root.pieces = tuple(pieces)
        return tuple(Factor(piece, {}, factor.power * power) for piece in pieces)

    def cut(self, axis: Axis, sizes: Sequence[int]) -> list[Axis]:
        """Return consecutive runs of an axis, of these sizes."""
        bounds = [0]
        for size in sizes:
            bounds.append(bounds[-1] + size)
        runs: list[list[Run]] = [[] for _ in sizes]
        start = 0
        for run in self._cut_at(axis, set(bounds)):
            k = next(k for k, (a, b) in enumerate(pairwise(bounds)) if a <= start < b)
            runs[k].append(run)
            start += product_of(run)
        return [tuple(run) or self.pinned(0) for run in runs]

    def _cut_at(self, axis: Axis, bounds: set[int]) -> Axis:
        runs: list[Run] = []
        start = 0
        for run in axis:
            size = product_of(run)
            inside = sorted(bound - start for bound in bounds if start < bound < start + size)
            sizes = [b - a for a, b in pairwise([0, *inside, size])]
            runs += self._cut_run(run, sizes) if inside else [run]
            start += size
        return tuple(runs)

    def _cut_run(self, run: Run, sizes: list[int]) -> list[Run]:
        first, rest = run[0], run[1:]
        inner = product_of(rest)
        root, power = find(first.variable)
        if any(size % inner for size in sizes) or (self.settled and not root.pinned):
            self.hold((run,))
            return [self.pinned(size)[0] for size in sizes]
        sizes = [size // inner for size in sizes]
        if root.pinned:
            variables = tuple(Variable(size, pinned=True) for size in sizes)
        else:
            variables = tuple(Variable(size) for size in sizes)
            self.divided = True
            root.pieces, root.side_by_side = variables, True
        power *= first.power
        return [((Factor(v, {}, power),) if v.size > 1 else ()) + rest for v in variables]

    def _pinned_run(self, run: Run) -> Run:
        self.hold((run,))
        return self.pinned(product_of(run))[0]


def _without_choice(axis: Axis) -> Axis:
    """Write a choice, followed by all that depends on it, as consecutive runs."""
    if len(axis) != 1 or not axis[0] or axis[0][0].choice is None or axis[0][0].options:
        return axis
    choice, *others = axis[0]
    found: list[Run] = []
    depend = [f.choice is choice.choice for f in others]
    if not any(depend) or not all(f.choice for f in others):
        return axis
    for k in range(choice.size):
        run = (f.options[k] if d else f for f, d in zip(others, depend, strict=True))
        found += _without_choice((tuple(run),))
    return tuple(found)
