"""Ramps: what they mean, the pieces that they make, and what is no ramp."""

import numpy as np
import pytest

from stackens.export.program import Graph, evaluate, pieces_of
from tests.export.awkward_ramps import SHAPES, bins, ramp_program


def added(pieces, x):
    """Add the pieces that rows lie in."""
    total = 0.0
    for i, column in enumerate(pieces.columns):
        value = x[:, [column]]
        place = pieces.start[i] + (pieces.padded_knots()[i] < value).sum(axis=1)
        assert np.all(place - pieces.start[i] <= len(pieces.knots[i]))
        with np.errstate(over="ignore"):
            into = (value[:, 0] - pieces.left[place]) * pieces.slope[place]
        total = total + pieces.base[place] + np.clip(into, 0, 1)[:, None] * pieces.rise[place]
    return total


def test_meaning():
    graph = Graph(["a", "b"])
    weights = np.array([[1.0, 10.0], [2.0, 0.0], [0.0, 0.5]])
    node = graph.ramps(
        graph.numbers([0, 1]), np.array([0, 0, 1]), np.array([0.0, 1.0, -2.0]),
        np.array([1.0, 0.5, 4.0]), weights,
    )  # fmt: skip
    columns = [
        np.array([-1.0, 0.5, 2.0, np.inf, 0.0, np.nan]),
        np.array([-9, -1.875, 0, 0, -np.inf, 0]),
    ]
    (answers,) = evaluate(graph.program(node, "values"), columns)
    expected = [[0, 0], [0.5, 5.25], [2, 10.5], [3, 10.5], [0, 0], [np.nan, np.nan]]
    np.testing.assert_array_equal(answers, expected)


@pytest.mark.parametrize("single_weights", [False, True])
@pytest.mark.parametrize("single_numbers", [False, True])
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_pieces_say_the_same(shape, single_numbers, single_weights):
    program, columns = ramp_program(
        shape, single_numbers=single_numbers, single_weights=single_weights
    )
    node = program.nodes[program.output]
    x, wanted = evaluate(program, columns, [node.source, program.output])
    pieces = pieces_of(program, node)
    np.testing.assert_allclose(added(pieces, x), wanted, rtol=1e-13, atol=1e-13)
    assert np.all(pieces.start == np.cumsum([0, *(len(k) + 1 for k in pieces.knots)])[:-1])


def test_bins_of_single_precision_are_a_piece_each():
    edges = np.linspace(0.3, 2.1, 17, dtype=np.float32)
    left, slope = bins(edges)
    assert np.any(left[:-1] + 1 / slope[:-1] > left[1:])  # by rounding, some overlap
    graph = Graph(["a"])
    single = graph.elementwise("round_single", graph.numbers([0]))
    for source, most in ((single, 16), (graph.numbers([0]), 31)):
        node = graph.ramps(source, np.zeros(16, dtype=int), left, slope, np.ones((16, 1)))
        program = graph.program(node, "values")
        pieces = pieces_of(program, program.nodes[program.output])
        assert 16 <= len(pieces.left) <= most
        assert (len(pieces.left) == 16) == (source == single)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_by_column(shape):
    program, columns = ramp_program(shape, single_numbers=False, single_weights=False)
    node = program.nodes[program.output]
    x, wanted = evaluate(program, columns, [node.source, program.output])
    own, left, slope, weights = node.by_column()
    assert left.shape == slope.shape == (len(own), len(weights) / len(own))
    assert len(weights) <= 2 * len(node.weights)
    assert (len(set(own.tolist())) == len(own)) == (shape != "lopsided")
    with np.errstate(over="ignore"):
        shares = np.clip((x[:, own, None] - left) * slope, 0.0, 1.0)
    np.testing.assert_allclose(shares.reshape(len(x), -1) @ weights, wanted, 1e-13, 1e-13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slope": np.array([1.0, 0.0])}, "Got a slope of 0.0"),
        ({"slope": np.array([1.0, np.inf])}, "Got slope that are not"),
        ({"left": np.array([np.nan, 0.0])}, "Got left that are not"),
        ({"weights": np.array([[1.0], [np.inf]])}, "Got weights that are not"),
        ({"left": np.zeros(3)}, "arrays of the same length"),
        ({"weights": np.ones(2)}, "arrays of the same length"),
    ],
)
def test_what_is_no_ramp(change, message):
    graph = Graph(["a"])
    given = {"left": np.zeros(2), "slope": np.ones(2), "weights": np.ones((2, 1)), **change}
    with pytest.raises(ValueError, match=message):
        graph.ramps(graph.numbers([0]), np.zeros(2, dtype=int), **given)
