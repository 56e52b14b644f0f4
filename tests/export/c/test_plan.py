"""Tests for the plan of the memory: nothing that is still read is written over."""

import numpy as np
import pytest

from stackens.export.c._plan import is_run, plan_of, scratch_of_trees
from stackens.export.program import Graph, Select
from tests.export.c.built import some_trees
from tests.export.random_programs import random_program


def readers_of(program, plan):
    """Positions at which each node's matrix is read, through the expressions between them."""
    last = {}
    ends = [(program.output, len(program.nodes)), (program.refused, len(program.nodes))]

    def reach(source, when):
        last[source] = max(last.get(source, 0), when)
        if source not in plan.offset and source != program.output:
            for inner in program.nodes[source].sources:
                reach(inner, when)

    for i, node in program:
        if i in plan.offset or i == program.output:
            for source in node.sources:
                reach(source, i)
    for end, when in ends:
        if end is not None and end not in plan.offset:
            for source in program.nodes[end].sources if end != program.output else ():
                reach(source, when)
        elif end is not None:
            reach(end, when)
    return last


@pytest.mark.parametrize("seed", range(30))
def test_matrices_that_are_read_do_not_overlap(seed):
    program, _ = random_program(seed)
    plan = plan_of(program)
    last = readers_of(program, plan)
    taken = [(o, program.nodes[i].width, i, last.get(i, i)) for i, o in plan.offset.items()]
    taken += [(o, scratch_of_trees(program.nodes[i]), i, i) for i, o in plan.trees_offset.items()]
    assert all(o >= 0 and o + width <= plan.width for o, width, _, _ in taken)
    for k, (a, a_width, a_first, a_last) in enumerate(taken):
        for b, b_width, b_first, b_last in taken[:k]:
            together = a_first <= b_last and b_first <= a_last
            apart = a + a_width <= b or b + b_width <= a
            assert apart or not together


def test_places_are_used_again():
    graph = Graph(["a", "b"])
    node = graph.numbers([0, 1])
    for _ in range(20):
        node = graph.softmax(node)
    assert plan_of(graph.program(node, "values")).width == 4


def test_chains_of_functions_need_one_matrix():
    graph = Graph(["a", "b"])
    node = graph.over(graph.minus(graph.fill_missing(graph.numbers([0, 1]), 1.0), 2.0), 3.0)
    plan = plan_of(graph.program(graph.softmax(node), "values"))
    assert len(plan.offset) == 1


def test_what_two_read_is_computed_once():
    graph = Graph(["a"])
    shared = graph.elementwise("exp", graph.numbers([0]))
    both = graph.concatenate([graph.plus(shared, 1.0), graph.plus(shared, 2.0)])
    program = graph.program(both, "values")
    (kept,) = plan_of(program).offset
    assert program.nodes[kept].function == "exp"


def test_a_column_that_meets_many_is_computed_once_for_each_row():
    graph = Graph(["a", "b", "c"])
    narrow = graph.elementwise("exp", graph.numbers([0]))
    program = graph.program(graph.arithmetic("add", narrow, graph.numbers([1, 2])), "values")
    assert len(plan_of(program).offset) == 1


def test_matrix_products_read_columns_where_they_are():
    graph = Graph(["a", "b", "c"])
    run = graph.program(graph.dense(graph.numbers([1, 2]), np.ones((2, 5))), "values")
    assert plan_of(run).width == 0
    assert is_run(run.nodes[0])
    gap = graph.program(graph.dense(graph.numbers([0, 2]), np.ones((2, 5))), "values")
    assert plan_of(gap).width == 2
    assert not is_run(gap.nodes[0])
    assert not is_run(Select(1, 0, np.array([0])))


def test_trees_have_room_for_their_columns():
    rng = np.random.default_rng(0)
    trees = some_trees(rng, 0, 3)
    assert scratch_of_trees(trees) == 7
