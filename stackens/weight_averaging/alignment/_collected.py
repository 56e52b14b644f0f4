"""From what is known of a network's axes to the symmetry of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import (
    Factor,
    Run,
    Value,
    Variable,
    find,
    product_of,
)
from stackens.weight_averaging.alignment._labels import Form, free_forms, plus
from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, UnitMatrix, Units

__all__ = ["collected"]


def collected(
    axes: Axes, parameters: Mapping[str, Value], others: Mapping[str, Value] | None = None
) -> Symmetry:
    """Return the symmetry of parameters.

    Parameters
    ----------
    axes : Axes
        After all operators of the network.
    parameters : dict of str to Value
        In the order of their first use: units are named after the first that has them.
    others : dict of str to Value, default=None
        Tensors that are computed. They settle nothing, and are part of the layout where all that
        changes them are units, signs and scales of parameters.
    """
    leaders = _matrices(axes, parameters)
    moving = _names(parameters, lambda root: not root.pinned and root not in leaders)
    units = {root: name for root, (name, _) in moving.items()}
    mixed = _names(parameters, lambda root: root in leaders)
    matrices = {root: f"{name} matrix" for root, (name, _) in mixed.items()}
    covered = _covered(parameters, leaders)
    signs, scales = (_labels(axes, moving, covered, parameters, kind) for kind in ("sign", "scale"))
    plain = {
        name: value
        for name, value in (others or {}).items()
        if all(
            _is_plain(run, units, matrices, signs, scales) for axis in value.axes for run in axis
        )
    }
    layout = {
        name: tuple(
            _merged([_part(run, units, matrices, signs, scales) for run in axis])
            for axis in value.axes
        )
        for name, value in {**parameters, **plain}.items()
    }
    return Symmetry(
        {name: parts for name, parts in layout.items() if any(map(_changes, parts))},
        {name: Units(root.size, _blocks(root)) for root, name in units.items()},
        signs.owners,
        scales.owners,
        {name: _matrix(root, leaders[root], units) for root, name in matrices.items()},
        tuple(dict.fromkeys(axes.summed)),
        tuple(dict.fromkeys(axes.notes)),
    )


def _runs(parameters: Mapping[str, Value]) -> Iterator[tuple[str, int, int, Run]]:
    """Each run of each axis of each parameter: name, axis, where it starts, factors."""
    for name, value in parameters.items():
        for k, axis in enumerate(value.axes):
            start = 0
            for run in axis:
                yield name, k, start, run
                start += product_of(run)


def _root(factor: Factor) -> Variable:
    return find(factor.variable)[0]


# ---------------------------------------------------------------- what moves, and what is mixed


def _matrices(axes: Axes, parameters: Mapping[str, Value]) -> dict[Variable, Variable | None]:
    """Return the units that matrices may mix, each with those that have a matrix of their own.

    Of several free factors of one run only one can move: the others are pinned here.
    """
    runs = [[_root(factor) for factor in run] for *_, run in _runs(parameters)]
    places = [f"axis {k} of {name}" for name, k, *_ in _runs(parameters)]
    mixed = {(find(a)[0], find(b)[0]) for a, b in axes.mixed}
    leaders: dict[Variable, Variable | None] = dict.fromkeys(
        root for run in runs for root in run if not (root.pinned or root.rigid)
    )
    while True:
        for run, place in zip(runs, places, strict=True):
            free = [root for root in run if not root.pinned and root not in leaders]
            kept = max(free, key=lambda root: (root.leads, root.size), default=None)
            for root in free:  # units that stand twice in a run cannot be moved, either
                if (root is not kept or free.count(root) > 1) and not root.pinned:
                    root.pinned = True
                    sizes = " x ".join(str(factor.size) for factor in run)
                    axes.notes.append(f"{place}: units are {sizes}, of which one factor can move")
        wrong = set()
        before: dict[Variable, set[Variable | None]] = {root: set() for root in leaders}
        for run in runs:
            for k, root in enumerate(run):
                if root in leaders:
                    moving = [other for other in run[:k] if not other.pinned]
                    leader = moving[-1] if moving else None
                    if k < len(run) - 1 or moving[:-1] or leader in leaders:
                        wrong.add(root)
                    if leader is not None and leader is not run[k - 1]:
                        wrong.add(root)
                    before[root].add(leader)
        for root, found in before.items():
            leader = next(iter(found))
            if len(found) > 1 or (leader, root) in mixed:
                wrong.add(root)
            leaders[root] = leader
        if not wrong:
            return leaders
        leaders = {root: None for root in leaders if root not in wrong}


def _matrix(root: Variable, leader: Variable | None, units: Mapping[Variable, str]) -> UnitMatrix:
    kind: Literal["general", "orthogonal"] = "orthogonal" if root.orthogonal else "general"
    if leader is None:
        return UnitMatrix(None, 1, root.size, kind)
    return UnitMatrix(units[leader], leader.size, root.size, kind)


def _blocks(root: Variable) -> int:
    return 1 if root.blocks == root.size else root.blocks


# ---------------------------------------------------------------- names


def _names(
    parameters: Mapping[str, Value], wanted: Callable[[Variable], bool]
) -> dict[Variable, tuple[str, str]]:
    """Name the wanted units after the first weight that has them, or as their operator wants.

    Returns the name of the units and that of the parameter that they are named after.
    """
    names: dict[Variable, tuple[str, str]] = {}
    taken: set[str] = set()
    runs = sorted(_runs(parameters), key=lambda run: len(parameters[run[0]].axes) < 2)
    for name, k, start, run in runs:
        several = len(parameters[name].axes[k]) > 1
        inside = f"{name}[{start}:{start + product_of(run)}]" if several else name
        for factor in run:
            root = _root(factor)
            if root not in names and wanted(root):
                wishes = [root.hint, name, inside, f"{inside} axis {k}"]
                wishes += [f"{inside} axis {k} factor {n}" for n in range(2, len(run) + 2)]
                chosen = next(wish for wish in wishes if wish and wish not in taken)
                names[root] = chosen, name
                taken.add(chosen)
    used = dict.fromkeys(_root(factor) for *_, run in _runs(parameters) for factor in run)
    return {root: names[root] for root in used if root in names}


# ---------------------------------------------------------------- signs and scales


class _Solved:
    """Signs (or scales): for each unknown the names that it consists of, with their powers."""

    def __init__(
        self, forms: list[Form], names: dict[int, str], owners: dict[str, str], modulus: int
    ) -> None:
        self.forms = forms
        self.modulus = modulus  # 2 for signs
        self.names = names
        self.owners = owners  # name -> name of the units

    def of(self, factor: Factor) -> list[tuple[str, int]]:
        """Return the names that stand on a factor."""
        return [(self.names[u], power) for u, power in self._solved(factor).items()]

    def has(self, factor: Factor) -> bool:
        """Whether all that stands on a factor has a name: always so for a parameter."""
        return self.names.keys() >= self._solved(factor).keys()

    def _solved(self, factor: Factor) -> Form:
        total: Form = {}
        for unknown, count in factor.form.items():
            total = plus(total, self.forms[unknown], count)
        modulus = self.modulus
        return {u: c % modulus if modulus else c for u, c in total.items() if not modulus or c % 2}


def _covered(
    parameters: Mapping[str, Value], leaders: Mapping[Variable, Variable | None]
) -> list[Form]:
    """Signs and scales of units that have a matrix say nothing new: those where one works."""
    return [
        factor.form
        for *_, run in _runs(parameters)
        if run and leaders.get(_root(run[-1])) is not None
        for factor in run
    ]


def _labels(
    axes: Axes,
    moving: Mapping[Variable, tuple[str, str]],
    covered: list[Form],
    parameters: Mapping[str, Value],
    kind: str,
) -> _Solved:
    """Solve what the operators ask of signs or of scales, and name what stays free."""
    roots = [find(home)[0] for home in axes.homes]
    equations = [{unknown: 1} for unknown, root in enumerate(roots) if root not in moving]
    equations += covered
    equations += [form for form, *asked in axes.equations if asked[kind == "scale"]]
    modulus = 2 if kind == "sign" else 0
    forms = free_forms(equations, len(roots), modulus)
    first_place: dict[int, str] = {}
    for name, _, _, run in _runs(parameters):
        for unknown in (unknown for factor in run for unknown in factor.form):
            first_place[unknown] = name
    visible = {u: None for unknown in first_place for u in forms[unknown]}
    names: dict[int, str] = {}
    for unknown in visible:
        owner, source = moving[roots[unknown]]
        place = first_place.get(unknown, source)
        wanted = f"{owner if place == source else place} {kind}"
        count = sum(other.startswith(wanted) for other in names.values())
        names[unknown] = f"{wanted} {count + 1}" if count else wanted
    owners = {name: moving[roots[unknown]][0] for unknown, name in names.items()}
    return _Solved(forms, names, owners, modulus)


# ---------------------------------------------------------------- layout


def _part(
    run: Run,
    units: dict[Variable, str],
    matrices: dict[Variable, str],
    signs: _Solved,
    scales: _Solved,
) -> Part:
    roots = [_root(factor) for factor in run]
    matrix = None
    if roots and roots[-1] in matrices:
        power = run[-1].power * find(run[-1].variable)[1]
        matrix = (matrices[roots[-1]], power)
    for k, root in enumerate(roots):
        if root in units:
            return Part(
                root.size,
                product_of(run[:k]),
                product_of(run[k + 1 :]),
                units[root],
                tuple(name for name, _ in signs.of(run[k])),
                tuple(scales.of(run[k])),
                matrix,
            )
    if matrix is not None:
        return Part(1, product_of(run[:-1]), roots[-1].size, matrix=matrix)
    return Part(product_of(run))


def _is_plain(
    run: Run,
    units: dict[Variable, str],
    matrices: dict[Variable, str],
    signs: _Solved,
    scales: _Solved,
) -> bool:
    """Whether at most one factor of a run moves, and no matrix and nothing nameless changes it."""
    moving = [factor for factor in run if _root(factor) in units]
    return (
        len(moving) < 2
        and not any(_root(factor) in matrices or factor.choice is not None for factor in run)
        and all(signs.has(factor) and scales.has(factor) for factor in moving)
    )


def _merged(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Join neighbours that stay as they are."""
    merged: list[Part] = []
    for part in parts:
        if merged and not _changes([part]) and not _changes(merged[-1:]):
            merged[-1] = Part(merged[-1].length + part.length)
        else:
            merged.append(part)
    return tuple(merged)


def _changes(parts: Sequence[Part]) -> bool:
    return any(part.units is not None or part.matrix is not None for part in parts)
