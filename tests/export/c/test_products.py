"""Products and ramps in C, written with vectors of the compiler and without."""

import numpy as np
import pytest

from stackens.export.c import write_c
from stackens.export.program import Graph, evaluate
from tests.export.awkward_ramps import SHAPES, ramp_program
from tests.export.c.built import needs_compiler, opened, run_c

MAIN = """
#include <stddef.h>
#include <stdio.h>
int model_predict_row(const double *numbers, const char *const *categories, double *out);
static const double rows[][%d] = {%s};
int main(void)
{
    static double out[%d];
    size_t r, c;
    for (r = 0; r < %d; r++) {
        model_predict_row(rows[r], NULL, out);
        for (c = 0; c < %d; c++)
            printf("%%a ", out[c]);
        printf("\\n");
    }
    return 0;
}
"""


def printed(folder, program, columns, *flags):
    """Build a plain C program, and return what it answers."""
    x = np.column_stack(columns)
    rows = ", ".join(f"{{{', '.join(float(v).hex() for v in row)}}}" for row in x)
    width = program.n_outputs
    lines = run_c(folder, program, MAIN % (x.shape[1], rows, width, len(x), width), "-O1", *flags)
    return np.array([[float.fromhex(word) for word in line.split()] for line in lines])


def layers(rng, n_in, dtype, *, infinite=False):
    """Two layers with a rectifier between them, beside the second one's answer in order."""
    graph = Graph([f"x{i}" for i in range(n_in)])
    x = graph.numbers(range(n_in))
    first = rng.normal(size=(n_in, 70)).astype(dtype)
    hidden = graph.arithmetic("maximum", graph.dense(x, first), graph.constant(0.0))
    second = rng.normal(size=(70, 37)).astype(dtype)
    if infinite:
        second[3, 5] = np.inf
    bias = rng.normal(size=37).astype(dtype)
    return graph.program(graph.dense(hidden, second, bias), "values"), hidden, second, bias


def in_order(x, weights, bias):
    """Add the products from the first input to the last."""
    total = np.zeros((len(x), weights.shape[1]), dtype=weights.dtype)
    for i in range(x.shape[1]):
        total = total + x[:, [i]].astype(weights.dtype) * weights[i]
    return (total + bias).astype(np.float64)


@needs_compiler
@pytest.mark.parametrize("n_in", [3, 300, 2500])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_have_one_order(tmp_path, dtype, n_in):
    rng = np.random.default_rng(n_in)
    program, hidden, second, bias = layers(rng, n_in, dtype)
    columns = [np.where(rng.random(20) < 0.5, 0.0, rng.normal(size=20)) for _ in range(n_in)]
    columns[2][0] = np.nan
    first = program.nodes[program.nodes[hidden].left]
    x = np.maximum(in_order(np.column_stack(columns), first.weights, first.bias), 0.0)
    wanted = in_order(x, second, bias)
    assert np.isnan(wanted[0]).all()
    np.testing.assert_array_equal(opened(program, tmp_path).outputs(columns), wanted)


@needs_compiler
def test_an_infinite_weight_is_not_left_out(tmp_path):
    rng = np.random.default_rng(0)
    program, *_ = layers(rng, 3, np.float64, infinite=True)
    assert "sparse_" not in write_c(program, "{}")
    columns = [rng.normal(size=20) for _ in range(3)]
    (wanted,) = evaluate(program, columns)
    assert np.isnan(wanted[:, 5]).any()
    np.testing.assert_allclose(opened(program, tmp_path).outputs(columns), wanted, rtol=1e-12)


@needs_compiler
@pytest.mark.parametrize("flags", [[], ["-DSTACKENS_NO_LANES"]])
def test_without_vectors_the_answers_are_the_same(tmp_path, flags):
    rng = np.random.default_rng(0)
    program, *_ = layers(rng, 40, np.float64)
    columns = [rng.normal(size=5) for _ in range(40)]
    answers = printed(tmp_path, program, columns, *flags)
    np.testing.assert_array_equal(answers, opened(program, tmp_path, "other.c").outputs(columns))


@needs_compiler
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_ramps(tmp_path, shape):
    for single in (False, True):
        program, columns = ramp_program(shape, single_numbers=single, single_weights=not single)
        (wanted,) = evaluate(program, columns)
        outputs = opened(program, tmp_path, f"model_{single}.c").outputs(columns)
        np.testing.assert_allclose(outputs, wanted, rtol=1e-13, atol=1e-13)


@needs_compiler
def test_ramps_without_vectors(tmp_path):
    program, columns = ramp_program("overlaps", single_numbers=False, single_weights=False)
    columns = [np.where(np.isfinite(column), column, 0.5) for column in columns]
    answers = printed(tmp_path, program, columns, "-DSTACKENS_NO_LANES")
    np.testing.assert_array_equal(answers, opened(program, tmp_path, "other.c").outputs(columns))


@needs_compiler
def test_ramps_of_many_columns(tmp_path, monkeypatch):
    monkeypatch.setattr("stackens.export.c._products._COLUMNS", 3)
    rng = np.random.default_rng(0)
    graph = Graph([f"x{i}" for i in range(8)])
    column = np.repeat(np.arange(8), 3)
    left, slope = rng.normal(size=24), 10 ** rng.uniform(-1, 1, 24)
    node = graph.ramps(graph.numbers(range(8)), column, left, slope, rng.normal(size=(24, 40)))
    program = graph.program(node, "values")
    columns = [rng.normal(size=100) for _ in range(8)]
    np.testing.assert_allclose(
        opened(program, tmp_path).outputs(columns), evaluate(program, columns)[0], atol=1e-13
    )
