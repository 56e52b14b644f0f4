"""Votes of classifiers for pairs of classes, and their sum of confidence."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from stackens.export.program import Graph

__all__ = ["votes_and_confidence"]


def votes_and_confidence(
    graph: Graph, second: int, confidence: int, n_classes: int, first: int | None = None
) -> tuple[int, int]:
    """Return the votes for each class, and a number between -1/3 and 1/3 that breaks ties.

    Parameters
    ----------
    graph : Graph
    second : int
        1 where the second class of a pair has the vote; a column for each pair, in the order
        (0, 1), (0, 2), ..., (1, 2), ...
    confidence : int
        Scores of the second class of each pair.
    n_classes : int
    first : int or None, default=None
        1 where the first class of a pair has the vote. None: where the second has it not.
    """
    pairs = list(combinations(range(n_classes), 2))
    for_first, for_second = np.zeros((2, len(pairs), n_classes))
    for k, (i, j) in enumerate(pairs):
        for_first[k, i] = for_second[k, j] = 1.0
    if first is None:
        votes = graph.dense(second, for_second - for_first, for_first.sum(axis=0))
    else:
        both = graph.concatenate([first, second])
        votes = graph.dense(both, np.vstack([for_first, for_second]))
    sums = graph.dense(confidence, for_second - for_first)
    size = graph.plus(graph.elementwise("absolute", sums), 1.0)
    return votes, graph.arithmetic("divide", sums, graph.times(size, 3.0))
