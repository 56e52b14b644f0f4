"""Which matrices must be looked at to know the refused rows."""

import numpy as np
import pytest

from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.onnx._refusal import refusing_nodes
from stackens.export.program import Graph
from tests.export.random_programs import expected_outputs


def scaled(scale=2.0, fill=0.0):
    """A scaler that refuses infinities before a model that refuses missing values as well."""
    graph = Graph(["x", "y"])
    raw = graph.numbers([0, 1])
    graph.refuse(graph.fill_missing(raw, fill))
    answer = graph.over(graph.minus(raw, [1.0, 2.0]), [scale, 3.0])
    graph.refuse(answer)
    return graph.program(answer, "values", one_target=False)


def test_what_the_model_reads_says_it_all():
    program = scaled()
    assert refusing_nodes(program) == [program.output]


@pytest.mark.parametrize("program", [scaled(scale=0.0), scaled(fill=np.inf)])
def test_what_is_not_implied_stays(program):
    assert len(refusing_nodes(program)) == 2


def test_equal_conditions_are_not_dropped_with_each_other():
    graph = Graph(["x"])
    raw = graph.numbers([0])
    graph.refuse(graph.fill_missing(raw, 0.0))
    graph.refuse(graph.fill_missing(raw, 1.0))
    program = graph.program(raw, "values")
    assert len(refusing_nodes(program)) == 2
    assert refusing_nodes(graph.program(raw, "values")) != []
    alone = Graph(["x"])
    assert refusing_nodes(alone.program(alone.numbers([0]), "values")) == []


@pytest.mark.parametrize("program", [scaled(), scaled(scale=0.0), scaled(fill=np.inf)])
def test_refused_rows_are_those_of_the_program(program):
    values = [0.0, 1.0, np.nan, np.inf, -np.inf, 1e308, -1e308]
    columns = [np.repeat(values, 7), np.tile(values, 7)]
    outputs = open_onnx(write_onnx(program, "{}")).outputs(columns)
    np.testing.assert_array_equal(outputs, expected_outputs(program, columns))
