"""Rows to try an exported model on: random ones, cuts from both sides, and odd values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stackens.export.program import Lookup, Program
from stackens.export.verification._cuts import Cut, column_scales, cuts_of

__all__ = ["Probes", "make_probes", "ordinary_rows"]

_RANDOM_ROWS = 2_000
_CUTS = 4_000  # in all columns together; each gives three rows of its own
_FEW_CUTS = 100  # of one column, for its range
_MOST_CUTS = 20_000  # of one column; those without rows of their own share rows
_ODD_ROWS = 4  # rows of each odd value of each column
_ODD_COLUMNS = 200  # of wider tables this many columns, evenly spaced, get odd values
_IDLE_VALUES = 50  # different ones of each column that the program does not read
_UNKNOWN = "a category that fit has not seen"
_DAY = 86_400e6  # microseconds
_UNIT = {"datetime": 1.0, "timedelta": 1e6}  # of which times are whole numbers in a source
_LATEST = {"datetime": 3e15, "timedelta": 3e9}  # about a century, as columns hold them

# Besides NaN: signed zeros, denormal and tiny numbers, whole numbers that single precision or even
# double precision cannot tell from their neighbours, a time stamp, and numbers beyond single
# precision.
_ODD_NUMBERS = (
    0.0, -0.0, 5e-324, -1e-310, 1e-36, -1e-30, 0.5, 1.0, -1.0, 5.5, 16_777_217.0,
    1_700_000_000.5, 2.0**53, -(2.0**53), 2.0**53 - 1.0, 1e15 + 0.5, 3.5e38, -3.5e38, 1e300,
    -1e300, np.inf, -np.inf,
)  # fmt: skip
_FAR = 1e6  # how far odd numbers lie from zero where steps are computed in single precision


@dataclass(frozen=True)
class Probes:
    """Rows for a check, as columns of a program.

    Attributes
    ----------
    columns : list of arrays of shape (n_rows,)
        As :func:`stackens.export.program.evaluate` takes them.
    n_random, n_cuts, n_odd : int
        How many rows are ordinary, lie on a cut or beside it, and hold an odd value; in this
        order.
    n_cuts_tried : int, default=0
        Thresholds with rows on and beside them.
    n_cuts_left_out : int, default=0
        Thresholds without a row on or beside them, since there were too many.
    """

    columns: list[np.ndarray]
    n_random: int
    n_cuts: int
    n_odd: int
    n_cuts_tried: int = 0
    n_cuts_left_out: int = 0

    def __len__(self) -> int:
        return self.n_random + self.n_cuts + self.n_odd

    def rows(self, index: np.ndarray) -> list[np.ndarray]:
        """Return the columns of some rows."""
        return [column[index] for column in self.columns]

    def parts(self) -> list[np.ndarray]:
        """Return the positions of the ordinary rows, of those on cuts, and of the odd ones."""
        return np.split(np.arange(len(self)), np.cumsum([self.n_random, self.n_cuts]))

    def few(self, most: int) -> Probes:
        """Return at most so many rows of each sort, evenly spaced."""
        chosen = [part[:: -(-len(part) // most)] if len(part) else part for part in self.parts()]
        return Probes(self.rows(np.concatenate(chosen)), *map(len, chosen))


def make_probes(
    program: Program, given: Sequence[np.ndarray] | None = None, *, seed: int = 0
) -> Probes:
    """Make rows that try a program where exports go wrong.

    Parameters
    ----------
    program : Program
    given : sequence of arrays of shape (n_given,), default=None
        Real rows, as columns: ordinary rows are drawn from them. None: from what the program
        knows of its columns, which is where its cuts lie or what its scalers expect.
    seed : int, default=0
    """
    rng = np.random.default_rng(seed)
    found = cuts_of(program, _MOST_CUTS)
    cuts = _within_calendar(program, found)
    alone = _with_own_rows(cuts, rng)
    shared = {
        c: rng.permutation(_around(np.setdiff1d(values, alone[c]), program.columns[c].kind))
        for c, values in cuts.items()
    }
    n_shared = max(map(len, shared.values()), default=0)
    n_cuts = 3 * sum(map(len, alone.values())) + n_shared
    odd = _odd_values(program)
    n_odd = _ODD_ROWS * sum(map(len, odd.values()))
    n = _RANDOM_ROWS + n_cuts + n_odd
    if given is not None and len(given) and len(given[0]):
        index = rng.integers(0, len(given[0]), n)
        columns = [np.array(column[index]) for column in given]
    else:
        columns = _random_columns(program, cuts, n, rng)
    place = _RANDOM_ROWS
    for column, values in shared.items():
        if len(values):
            columns[column][place : place + n_shared] = np.resize(values, n_shared)
    place += n_shared
    for column, values in alone.items():
        around = _around(values, program.columns[column].kind)
        columns[column][place : place + len(around)] = around
        place += len(around)
    for column, some in odd.items():
        for value in some:
            columns[column][place : place + _ODD_ROWS] = value
            place += _ODD_ROWS
    n_tried = sum(map(len, cuts.values()))
    n_left_out = sum(cut.n_left_out for cut in found)
    return Probes(columns, _RANDOM_ROWS, n_cuts, n_odd, n_tried, n_left_out)


def ordinary_rows(program: Program, n: int, *, seed: int = 0) -> list[np.ndarray]:
    """Make rows from the ranges in which a program's cuts lie, or which its scalers expect.

    Parameters
    ----------
    program : Program
    n : int
    seed : int, default=0

    Returns
    -------
    list of arrays of shape (n,)
        Columns, as :func:`stackens.export.program.evaluate` takes them.
    """
    cuts = _within_calendar(program, cuts_of(program, _FEW_CUTS))
    return _random_columns(program, cuts, n, np.random.default_rng(seed))


def _within_calendar(program: Program, cuts: Sequence[Cut]) -> dict[int, np.ndarray]:
    """Return cuts by column; those of times only where a source can hold them as times."""
    found = {}
    for cut in cuts:
        latest = _LATEST.get(program.columns[cut.column].kind, np.inf)
        values = cut.values[np.abs(cut.values) <= latest]
        if len(values):
            found[cut.column] = values
    return found


def _with_own_rows(cuts: dict[int, np.ndarray], rng: np.random.Generator) -> dict[int, np.ndarray]:
    """Choose the cuts that get rows of their own, some of every column."""
    total = sum(map(len, cuts.values()))
    if total <= _CUTS:
        return cuts
    share = {c: max(1, len(values) * _CUTS // total) for c, values in cuts.items()}
    return {c: rng.choice(values, share[c], replace=False) for c, values in cuts.items()}


def _random_columns(
    program: Program, cuts: dict[int, np.ndarray], n: int, rng: np.random.Generator
) -> list[np.ndarray]:
    scales = column_scales(program)
    keys, read = _keys(program), set(program.read_columns())
    share_missing = min(0.02, 0.5 / len(program.columns))  # a source may refuse such rows
    columns = []
    for position, column in enumerate(program.columns):
        if column.kind == "category":
            pool = np.array([*keys.get(position, ()), None, _UNKNOWN], dtype=object)
            columns.append(pool[rng.integers(0, len(pool), n)])
            continue
        if position in cuts:
            low, high = _spread(cuts[position])
            values = rng.uniform(low, high, n)
            # many columns hold whole numbers, and their cuts lie between those
            whole = rng.random(n) < 0.3
            values[whole] = np.round(values[whole])
        elif position in scales:
            values = rng.uniform(*scales[position], n)
        elif column.kind == "datetime":
            values = rng.integers(-3_650, 25_000, n) * _DAY + rng.integers(0, 86_400, n) * 1e6
        else:
            values = rng.normal(0.0, 2.0, n)
        numeric = np.array(keys.get(position, ()), dtype=np.float64)
        if len(numeric):
            known = rng.random(n) < 0.8
            values[known] = rng.choice(numeric, known.sum())
        if position not in read:  # text to the source, perhaps: it reads a few values much faster
            values = rng.choice(values[:_IDLE_VALUES], n)
        values[rng.random(n) < share_missing] = np.nan
        unit = _UNIT.get(column.kind)
        columns.append(values if unit is None else np.round(values * unit) / unit)
    return columns


def _around(cuts: np.ndarray, kind: str) -> np.ndarray:
    """Return what lies below, on and above cuts: neighbouring doubles, or microseconds."""
    unit = _UNIT.get(kind)
    if unit is None:
        return np.concatenate([np.nextafter(cuts, -np.inf), cuts, np.nextafter(cuts, np.inf)])
    cuts = cuts * unit
    return np.concatenate([np.ceil(cuts) - 1.0, np.floor(cuts), np.floor(cuts) + 1.0]) / unit


def _spread(cuts: np.ndarray) -> tuple[float, float]:
    """Return a range that holds nearly all cuts and a little more."""
    low, high = np.quantile(cuts, [0.01, 0.99], method="nearest")
    with np.errstate(over="ignore"):  # cuts reach as far as doubles do
        room = 0.2 * (high - low) or max(1.0, 0.1 * abs(low))
        low, high = np.clip([low - room, high + room], -1e300, 1e300)
    return float(low), float(high)


def _keys(program: Program) -> dict[int, list]:
    keys: dict[int, list] = {}
    for _, node in program:
        if isinstance(node, Lookup):
            known = node.keys.tolist() if isinstance(node.keys, np.ndarray) else node.keys
            keys.setdefault(node.column, []).extend(known)
    return {column: list(dict.fromkeys(values)) for column, values in keys.items()}


def _odd_values(program: Program) -> dict[int, list]:
    """Return odd values by column, of those columns that the program reads."""
    numbers = np.array(_ODD_NUMBERS)
    if program.single_precision:
        numbers = numbers[np.abs(numbers) <= _FAR]
    read = program.read_columns()
    if len(read) > _ODD_COLUMNS:
        read = [read[i] for i in np.linspace(0, len(read) - 1, _ODD_COLUMNS).astype(int)]
    odd: dict[int, list] = {}
    for c in read:
        kind = program.columns[c].kind
        if kind == "category":
            odd[c] = [None, _UNKNOWN, "", "NaN", "1", "é ☃"]
        elif kind == "number":
            odd[c] = [np.nan, *numbers.tolist()]
        elif kind == "datetime":  # what a calendar has
            odd[c] = [np.nan, 0.0, -1.0, 951_782_400e6, -62_135_596_800e6, 4_102_444_799_999_999.0]
        else:
            odd[c] = [np.nan, 0.0, -1.0, 1e-6, -0.5, 86_399.999999, 3.2e9]
    return odd
