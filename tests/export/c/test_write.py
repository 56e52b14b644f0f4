"""Tests for C files: they agree with the program, compile without a warning, and harm nothing."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from stackens.export.c import _compile, write_c
from stackens.export.c._compile import find_compiler
from stackens.export.program import Graph
from tests.export.c.built import mixed, needs_compiler, opened, ratio, run_c
from tests.export.random_programs import assert_agrees, expected_outputs, random_program

MAIN = r"""
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
int model_predict_row(const double *numbers, const char *const *categories, double *out);
int model_predict(size_t n, const double *numbers, const char *const *categories, double *out);
int model_predict_codes(size_t n, const double *numbers, const int32_t *codes, double *out);
int32_t model_code(int category, const char *text);
int model_best(const double *out);
const char *model_class_name(int place);
extern const int model_n_numbers, model_n_categories, model_n_outputs, model_n_classes;

int main(void)
{
    const double numbers[] = {ROWS};
    const char *const texts[] = {TEXTS};
    double out[2 * 50], again[2 * 50];
    int32_t codes[50], wrong[1] = {6};
    int i, worst = 0;
    printf("%d %d %d %d\n", model_n_numbers, model_n_categories, model_n_outputs, model_n_classes);
    printf("%d\n", model_predict(50, numbers, texts, out));
    for (i = 0; i < 50; i++) {
        const int status = model_predict_row(numbers + 3 * i, texts + i, again);
        codes[i] = model_code(0, texts[i]);
        printf("%d %a %a %s\n", status, out[2 * i], out[2 * i + 1],
            model_class_name(model_best(out + 2 * i)));
        worst |= status == 0 && (again[0] != out[2 * i] || again[1] != out[2 * i + 1]);
    }
    printf("%d %d\n", worst, model_predict_codes(50, numbers, codes, again));
    printf("%d\n", model_predict_codes(1, numbers, wrong, again));
    return model_class_name(2) != NULL || model_class_name(-1) != NULL;
}
"""


def columns_of_mixed(n=50):
    rng = np.random.default_rng(0)
    cities = np.array(["Oslo", "Łódź", "3", "True", "Łódż", "Osl", "Oslo ", "", None], dtype=object)
    age = np.where(rng.random(n) < 0.1, np.nan, rng.normal(40, 9, n))
    return [age, rng.choice(cities, n), rng.random(n), rng.random(n) * 2e15]


@needs_compiler
@pytest.mark.parametrize("flags", [["-O2"], ["-O1", "-g", "-fsanitize=address,undefined"]])
def test_a_c_program_agrees(tmp_path, flags):
    program, columns = mixed(), columns_of_mixed()
    numbers = np.stack([columns[0], columns[2], columns[3]], axis=1).ravel()
    rows = ", ".join("NAN" if np.isnan(v) else v.hex() for v in numbers.tolist())
    texts = ", ".join("NULL" if t is None else f'"{t}"' for t in columns[1])
    main = MAIN.replace("ROWS", rows).replace("TEXTS", texts)
    try:
        sizes, any_refused, *lines, again, wrong = run_c(tmp_path, program, main, *flags)
    except AssertionError as error:
        if "sanitize" in flags[-1] and "cannot find" in str(error):
            pytest.skip("the compiler has no sanitizers")
        raise
    wanted = expected_outputs(program, columns)
    found = [line.split(maxsplit=3) for line in lines]
    answers = np.array([[float.fromhex(a), float.fromhex(b)] for _, a, b, _ in found])
    np.testing.assert_allclose(answers, wanted, rtol=1e-12)
    assert sizes == "3 1 2 2"
    assert (any_refused, again, wrong) == ("1", "0 1", "-2")
    assert [int(status) for status, *_ in found] == np.isnan(wanted[:, 0]).astype(int).tolist()
    labels = [label for _, _, _, label in found]
    assert labels == ["no" if a >= b or np.isnan(a) else "yes" for a, b in wanted]


@needs_compiler
@pytest.mark.parametrize("seed", range(12))
def test_random_programs(tmp_path, seed):
    program, columns = random_program(seed)
    assert_agrees(program, columns, opened(program, tmp_path).outputs(columns))


@needs_compiler
@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(12, 1_000))
def test_many_random_programs(tmp_path, seed):
    program, columns = random_program(seed)
    runner = opened(program, tmp_path)
    assert_agrees(program, columns, runner.outputs(columns))
    one = [runner.outputs([column[i : i + 1] for column in columns])[0] for i in range(5)]
    assert_agrees(program, [column[:5] for column in columns], np.array(one))


@needs_compiler
@pytest.mark.parametrize("seed", range(5))
def test_no_warning(tmp_path, seed):
    path = tmp_path / "model.c"
    path.write_text(write_c(random_program(seed)[0], "{}"), encoding="ascii")
    warn = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
    command = [*find_compiler(), *warn, "-DSTACKENS_PREFIX=churn", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_compiler
@pytest.mark.skipif(sys.platform == "win32", reason="needs a compiler with flags as gcc has them")
def test_the_extension_is_strict_c99(tmp_path):
    path = tmp_path / "model.c"
    path.write_text(write_c(mixed(), "{}"), encoding="ascii")
    strict = ["-std=c99", "-Wall", "-Wextra", "-pedantic-errors", "-Werror", "-fsyntax-only"]
    python = ["-isystem", sysconfig.get_paths()["include"], "-DSTACKENS_PYTHON=model"]
    command = [*find_compiler(), *strict, *python, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_compiler
def test_names_and_labels_cannot_break_the_file(tmp_path):
    awkward = ['*/ "', "a\nb", "??/", "\\", "日本", "%s", "x\0y"]
    graph = Graph(awkward)
    program = graph.program(graph.numbers(range(7)), "scores", np.array(awkward, dtype=object))
    runner = opened(program, tmp_path)
    assert awkward == runner.module.COLUMNS
    assert awkward == runner.module.CLASSES
    row = dict(zip(awkward, [0, 0, 0, 5, 0, 0, 0], strict=True))
    assert runner.module.predict(row) == "\\"
    assert runner.ask(row) == [0, 0, 0, 5, 0, 0, 0]


def test_the_manifest_stands_at_the_end():
    manifest = json.dumps({"name": '*/ int x; /* " ??/ \u2028'})
    written = write_c(ratio(), manifest)
    line = written.splitlines()[-1]
    assert line.startswith("/* stackens-manifest: ")
    inside = line.removeprefix("/* stackens-manifest: ").removesuffix(" */")
    assert "*/" not in inside
    assert "??" not in inside
    assert json.loads(inside) == json.loads(manifest)


def test_numbers_as_labels():
    written = write_c(mixed(classes=(-3, 7)), "{}")
    assert "_class_numbers)[] = {\n    -3.0, 7.0,\n}" in written
    assert "_class_numbers)[] = {" not in write_c(mixed(), "{}")


def test_only_what_is_called_is_there():
    written = write_c(ratio(), "{}")
    assert "softplus" not in written
    assert "struct forest" not in written


def has_avx2():
    """Whether gcc is here, and a processor with the wider vectors of x86."""
    processor = Path("/proc/cpuinfo")
    return shutil.which("gcc") and processor.exists() and " avx2 " in processor.read_text()


@pytest.mark.skipif(not has_avx2(), reason="needs gcc and AVX2")
@pytest.mark.parametrize("flags", ["-O3 -mavx2", "-O3 -mavx", "-O3 -march=native"])
def test_wider_vectors_change_no_answer(flags, tmp_path, monkeypatch):
    # GCC 12 makes wrong vectors of the choices, and of rounded quotients, for widths such as 5.
    rng = np.random.default_rng(0)
    graph = Graph([f"x{i}" for i in range(11)])
    parts = []
    for width in (3, 5, 11):
        x = graph.numbers(list(range(width)))
        sides = [graph.arithmetic("less", x, graph.constant(-1.0))]
        sides.append(graph.arithmetic("less", graph.constant(1.0), x))
        for _ in range(2):
            chosen = x
            for side in sides:
                chosen = graph.choose(side, graph.constant(rng.normal(size=width)), chosen)
            scaled = graph.over(graph.minus(chosen, rng.normal(size=width)), rng.random(width) + 1)
            rounded = graph.elementwise("round_single", scaled)
            parts += [chosen, rounded, graph.dense(rounded, np.eye(width))]
    program = graph.program(graph.concatenate(parts), "values", one_target=False)
    columns = [rng.normal(size=200) for _ in range(11)]
    expected = expected_outputs(program, columns)
    monkeypatch.setenv("CC", f"gcc {flags}")
    monkeypatch.setattr(_compile, "_FLAGS", ("-fPIC",))
    runner = opened(program, tmp_path)
    np.testing.assert_array_equal(runner.outputs(columns), expected)
    rows = np.stack(columns, axis=1).tolist()
    np.testing.assert_array_equal([runner.ask(row) for row in rows], expected)
