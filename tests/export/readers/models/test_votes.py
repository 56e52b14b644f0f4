"""Tests of votes of classifiers for pairs of classes."""

import numpy as np
from sklearn.utils.multiclass import _ovr_decision_function

from stackens.export.program import Graph, evaluate
from stackens.export.readers.models._votes import votes_and_confidence


def test_votes_and_confidence_are_those_of_the_source():
    rng = np.random.default_rng(0)
    second, confidence = rng.integers(0, 2, (50, 6)).astype(float), rng.normal(size=(50, 6)) * 9
    graph = Graph([f"x{i}" for i in range(12)])
    nodes = graph.numbers(range(6)), graph.numbers(range(6, 12))
    first = graph.arithmetic("equal", nodes[0], graph.constant(0.0))
    for given in (None, first):
        scores = graph.arithmetic("add", *votes_and_confidence(graph, *nodes, 4, given))
        columns = list(np.hstack([second, confidence]).T)
        ours = evaluate(graph.program(scores, "scores"), columns)[0]
        theirs = _ovr_decision_function(second, confidence, 4)
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_a_pair_may_have_no_vote():
    graph = Graph(["second", "confidence"])
    second, confidence = graph.numbers([0]), graph.numbers([1])
    first = graph.arithmetic("equal", second, graph.constant(0.0))
    votes, _ = votes_and_confidence(graph, second, confidence, 2, first)
    columns = [np.array([0.0, 1.0, 0.25]), np.zeros(3)]
    ours = evaluate(graph.program(votes, "scores"), columns)[0]
    np.testing.assert_array_equal(ours, [[1, 0], [0, 1], [0, 0.25]])
