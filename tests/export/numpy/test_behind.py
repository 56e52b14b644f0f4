"""Tests for finding the raw columns behind each number."""

import numpy as np

from stackens.export.numpy._behind import columns_behind
from stackens.export.program import Graph


def test_columns_behind():
    graph = Graph(list("abcd"))
    numbers = graph.numbers([2, 0])
    town = graph.lookup(
        1, ("Oslo",), np.ones((1, 2)), missing=np.zeros(2), unknown=np.full(2, np.nan)
    )
    both = graph.concatenate([graph.over(numbers, [2.0, 3.0]), town])
    ratio = graph.arithmetic("divide", numbers, graph.select(numbers, [1]))
    total = graph.reduce("sum", both)
    ends = [both, ratio, total, graph.select(both, [3, 1])]
    program = graph.program(graph.concatenate(ends), "values", one_target=False)
    assert columns_behind(program, program.output) == [
        *([2], [0], [1], [1]),
        *([0, 2], [0]),
        [0, 1, 2],
        *([1], [0]),
    ]
