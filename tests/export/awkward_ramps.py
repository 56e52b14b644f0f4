"""Programs of ramps that are hard to get right, and rows at whose numbers they turn."""

import numpy as np

from stackens.export.program import Graph

_EDGES = np.array([-3.0, -1.0, -0.2, 0.0, 0.1, 0.1 + 1e-7, 1.5, 40.0], dtype=np.float32)


def bins(edges):
    """Ramps from edge to edge, rounded to single precision as a network has them."""
    slope = (1 / np.diff(edges.astype(np.float64))).astype(np.float32)
    return edges[:-1].astype(np.float64), slope.astype(np.float64)


def _shapes():
    rng = np.random.default_rng(0)
    left, slope = bins(_EDGES)
    n = len(left)
    return {
        "one ramp": ([0], [0.25], [3.0], 1),
        "bins of one column": (np.zeros(n), left, slope, 5),
        "bins of two of three columns": (np.repeat([2, 0], n), np.tile(left, 2), [*slope] * 2, 33),
        "gaps": ([0, 0, 1], [0.0, 5.0, -1.0], [1.0, 1.0, 0.5], 2),
        "narrow": ([0, 0, 0], [1.0, 1.0 + 2e-7, 3.0], [1e7, 1e7, 1e-7], 64),
        "overlaps": (
            rng.integers(0, 3, 20),
            rng.normal(size=20),
            10.0 ** rng.uniform(-1, 2, 20),
            7,
        ),
        "at the ends of single precision": ([0, 1, 1], [-3e38, -1e-45, 3e38], [1e-38] * 3, 3),
        "lopsided": ([0, 2, *np.ones(n)], [0.5, 0.0, *left], [2.0, 1.0, *slope], 4),
    }


SHAPES = _shapes()


def ramp_program(shape, *, single_numbers, single_weights):
    """A program of the ramps alone, and its three columns."""
    column, left, slope, width = SHAPES[shape]
    column = np.asarray(column, dtype=np.int64)
    left, slope = np.array(left, dtype=np.float64), np.array(slope, dtype=np.float64)
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(len(left), width))
    if single_weights:
        weights = weights.astype(np.float32).astype(np.float64)
    graph = Graph(["a", "b", "c"])
    x = graph.numbers([0, 1, 2])
    if single_numbers:
        x = graph.elementwise("round_single", x)
    program = graph.program(graph.ramps(x, column, left, slope, weights), "values")
    turns = np.concatenate([left, left + 1 / slope, left + 0.5 / slope])
    with np.errstate(over="ignore"):
        singles = turns.astype(np.float32)
    near = [turns, np.nextafter(turns, np.inf), np.nextafter(turns, -np.inf)]
    near += [np.nextafter(singles, np.float32(end)) for end in (np.inf, -np.inf)]
    near += [singles, [np.inf, -np.inf, 0.0, -0.0, 5e-324, 1e300, -1e300]]
    numbers = np.concatenate(near).astype(np.float64)
    columns = [rng.permutation(numbers) for _ in range(3)]
    columns[2][::9] = np.nan
    return program, columns
