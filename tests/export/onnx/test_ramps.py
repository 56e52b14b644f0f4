"""Ramps in ONNX, against `evaluate`."""

import numpy as np
import onnx
import pytest

from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.program import evaluate
from tests.export.awkward_ramps import SHAPES, ramp_program


@pytest.mark.parametrize("single_numbers", [False, True])
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_ramps(shape, single_numbers):
    program, columns = ramp_program(shape, single_numbers=single_numbers, single_weights=True)
    content = write_onnx(program, "{}")
    outputs = open_onnx(content).outputs(columns)
    np.testing.assert_allclose(outputs, evaluate(program, columns)[0], rtol=1e-13, atol=1e-13)
    operators = [node.op_type for node in onnx.load_from_string(content).graph.node]
    assert operators.count("MatMul") == 1
