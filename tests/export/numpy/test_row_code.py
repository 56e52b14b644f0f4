"""Tests for programs as functions of plain numbers: the answers of many rows, one at a time."""

import numpy as np
import pytest

from stackens.export.numpy._row_code import row_function
from stackens.export.program import Graph, evaluate
from tests.export.awkward_ramps import SHAPES, ramp_program
from tests.export.numpy.grown import chain, program_of, random_trees, rows_for_trees, sums_of
from tests.export.numpy.opened import logistic, one_by_one, opened
from tests.export.random_programs import assert_agrees, random_program


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed, tmp_path):
    program, columns = random_program(seed)
    plain = one_by_one(opened(program, tmp_path, "none"), columns, program.n_outputs)
    assert_agrees(program, columns, plain)
    beside_numpy = one_by_one(opened(program, tmp_path, "numpy"), columns, program.n_outputs)
    assert_agrees(program, columns, beside_numpy)


def test_a_small_model_reads_as_if_written_by_hand():
    assert row_function(logistic(), numpy=False) == [
        "def answer_row(values):",
        '    """Answer one row, given as its values."""',
        "    age, income, town = values",
        "    t8_0, t8_1 = (0.0, 0.0) if town is None else TABLE_8.get(town, (nan, nan))",
        "    t7_0 = ((30.0 if age != age else age) - 31.2) / 10.0",
        "    t7_1 = ((50000.0 if income != income else income) - 40000.0) / 20000.0",
        "    t11 = sigmoid(0.5 * t7_0 - 0.3 * t7_1 + t8_0 - 2.0 * t8_1 + 0.25)",
        "    return [1.0 - t11, t11]",
    ]


def wide_program(n_levels=60, seed=0):
    """Wide lookups and products, and every step that numpy does on a wide row."""
    rng = np.random.default_rng(seed)
    graph = Graph([f"n{j}" for j in range(10)] + ["c0", "c1"])
    levels = tuple(f"level {k}" for k in range(n_levels))
    ends = {"missing": np.zeros(n_levels), "unknown": np.full(n_levels, 0.5)}
    one_hot = graph.lookup(10, levels, np.eye(n_levels), **ends)
    by_number = graph.lookup(0, np.arange(9.0), rng.normal(size=(9, n_levels)), **ends)
    x = graph.concatenate([graph.numbers(range(10)), one_hot, by_number])
    graph.refuse(graph.select(x, range(5, 80)))
    x = graph.fill_missing(x, 0.25)
    x = graph.over(graph.minus(x, rng.normal(size=graph.width(x))), 3.0)
    hidden = graph.dense(x, rng.normal(size=(graph.width(x), 20)) / 20, rng.normal(size=20))
    relu = graph.arithmetic("maximum", hidden, graph.constant(0.0))
    row = graph.constant(rng.normal(size=20))
    parts = [graph.elementwise(f, relu) for f in ("tanh", "erf", "softplus", "sigmoid", "exp")]
    parts += [graph.arithmetic("less", hidden, row), graph.arithmetic("power", relu, row)]
    parts += [graph.elementwise("is_finite", hidden), graph.elementwise("round_single", relu)]
    mixed = graph.weighted_sum(parts[:-1], rng.normal(size=len(parts) - 1))
    chosen = graph.choose(parts[5], graph.select(mixed, [1]), hidden)
    tails = [graph.softmax(mixed), graph.sort(hidden), graph.argmax(hidden), chosen, parts[-1]]
    tails += [graph.select(hidden, [3, 1, 2]), graph.reduce("maximum", relu)]
    return graph.program(graph.concatenate(tails), "values", one_target=False)


def test_wide_steps_are_left_to_numpy(tmp_path):
    program = wide_program()
    rng = np.random.default_rng(1)
    columns = list(rng.integers(0, 12, size=(10, 80)).astype(float))
    columns[3][::5] = np.nan  # before the columns that must be finite
    columns[7][::9] = np.inf  # among them
    texts = np.array([f"level {k}" for k in range(70)] + [None], dtype=object)
    columns += [rng.choice(texts, 80), rng.choice(texts, 80)]
    runner = opened(program, tmp_path, "numpy")
    text = "\n".join(row_function(program, numpy=True))
    assert "@ WEIGHTS_" in text
    assert '@np.errstate(all="ignore")' in text
    wanted = evaluate(program, columns)[0]
    wanted[::9] = np.nan
    for outputs in (runner.outputs(columns), one_by_one(runner, columns, program.n_outputs)):
        np.testing.assert_allclose(outputs, wanted, rtol=1e-10, atol=1e-12)
    plain = one_by_one(opened(program, tmp_path, "none"), columns, program.n_outputs)
    np.testing.assert_allclose(plain, wanted, rtol=1e-10, atol=1e-12)


def test_sums_of_many_terms(tmp_path):
    n = 3000
    graph = Graph([f"x{j}" for j in range(n)])
    weights = np.random.default_rng(0).normal(size=(n, 1))
    program = graph.program(graph.dense(graph.numbers(range(n)), weights), "values")
    row = np.random.default_rng(1).normal(size=n)
    got = opened(program, tmp_path, "none").ask(row.tolist())
    assert got == pytest.approx(float(row @ weights[:, 0]), rel=1e-10)


def test_awkward_numbers_do_not_raise(tmp_path):
    graph = Graph(["a", "b"])
    a, b = graph.numbers([0]), graph.numbers([1])
    functions = ["exp", "log", "sqrt", "sigmoid", "softplus", "floor", "truncate", "round_single"]
    parts = [graph.elementwise(f, a) for f in functions]
    parts += [graph.arithmetic(f, a, b) for f in ("divide", "power", "minimum", "maximum")]
    program = graph.program(graph.concatenate(parts), "values", one_target=False)
    numbers = [0.0, -0.0, 1.0, -2.5, 1e308, -1e308, 1e5, -1e5, np.inf, -np.inf, np.nan, 5e-324]
    columns = [column.ravel() for column in np.meshgrid(numbers, numbers)]
    np.testing.assert_allclose(
        opened(program, tmp_path, "none").outputs(columns),
        evaluate(program, columns)[0],
        rtol=1e-14,
    )


@pytest.mark.parametrize(("width", "leaf_width"), [(1, 1), (3, 1), (3, 2)])
def test_trees_are_branches(width, leaf_width, tmp_path):
    trees = random_trees(4, width=width, leaf_width=leaf_width)
    x = rows_for_trees(4)
    graph = Graph([f"x{j}" for j in range(5)])
    program = program_of(graph[graph.numbers(range(5))], trees)
    runner = opened(program, tmp_path, "none")
    np.testing.assert_array_equal(runner.outputs(list(x.T)), sums_of(trees, x))


def test_deep_trees_are_branches(tmp_path):
    trees, x = chain(90), np.array([[0.0], [-1.0], [-45.5], [-1e9], [np.nan]])
    graph = Graph(["x"])
    program = program_of(graph[graph.numbers([0])], trees)
    runner = opened(program, tmp_path, "none")
    assert runner.outputs([x[:, 0]])[:, 0].tolist() == [0.0, 1.0, 45.0, 90.0, 0.0]


@pytest.mark.parametrize("dependencies", ["numpy", "none"])
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_ramps(shape, dependencies, tmp_path):
    for single in (False, True):
        program, columns = ramp_program(shape, single_numbers=single, single_weights=not single)
        (wanted,) = evaluate(program, columns)
        runner = opened(program, tmp_path, dependencies)
        alone = one_by_one(runner, columns, wanted.shape[1])
        np.testing.assert_allclose(alone, wanted, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(runner.outputs(columns), wanted, rtol=1e-13, atol=1e-13)
