"""Tests for whole exported files: what they need, what they say, how they treat rows."""

import ast
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from stackens.exceptions import ExportError
from stackens.export.numpy import write_numpy
from stackens.export.program import Graph
from tests.export.numpy.grown import program_of, random_trees
from tests.export.numpy.opened import logistic, opened
from tests.export.random_programs import random_program

both = pytest.mark.parametrize("dependencies", ["numpy", "none"])

# Runs a file where nothing but the standard library (and what is allowed) can be imported.
ALONE = """
import sys

allowed = set(sys.argv[2].split(",")) | set(sys.stdlib_module_names)

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
scope = {"__name__": "model"}
exec(compile(open(sys.argv[1], encoding="utf-8").read(), "model.py", "exec"), scope)
print(scope["predict_proba"]({"town": "Oslo", "age": None, "income": 4e4}))
print(scope["predict"]([[30, 4e4, "Oslo"], [31, 1e5, "Rome"]]))
print("numpy" in sys.modules)
"""


@both
def test_a_file_runs_alone(tmp_path, dependencies):
    runner = opened(logistic(), tmp_path, dependencies)
    allowed = dependencies.replace("none", "")
    command = [sys.executable, "-I", "-c", ALONE, runner.module.__file__, allowed]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert result.returncode == 0, result.stderr
    answer, labels, numpy_loaded = result.stdout.splitlines()
    assert json.loads(answer) == runner.ask([None, 4e4, "Oslo"])
    assert "'yes'" in labels
    assert "'no'" in labels
    assert numpy_loaded == str(dependencies == "numpy")


@both
@pytest.mark.parametrize("seed", range(12))
def test_files_run_on_python_3_9(seed, dependencies):
    text = write_numpy(random_program(seed)[0], "{}", dependencies)
    ast.parse(text, feature_version=(3, 9))
    assert "strict=" not in text
    assert "stackens.export" not in text
    assert not text.count("\t")


def test_small_models_need_nothing_and_large_ones_numpy():
    def needs_numpy(program):
        return "import numpy" in write_numpy(program, "{}")

    assert not needs_numpy(logistic())
    graph = Graph([f"x{j}" for j in range(5)])
    numbers = graph[graph.numbers(range(5))]
    assert not needs_numpy(program_of(numbers, random_trees(0, n_trees=30, depth=4)))
    assert needs_numpy(program_of(numbers, random_trees(0, n_trees=100, depth=7)))
    graph = Graph([f"x{j}" for j in range(50)])
    layer = graph.dense(graph.numbers(range(50)), np.ones((50, 50)))
    assert needs_numpy(graph.program(layer, "values", one_target=False))


def test_models_that_are_too_large_for_plain_python_are_refused():
    graph = Graph(["x"])
    layer = graph.dense(graph.numbers([0]), np.ones((1, 100_001)))
    with pytest.raises(ExportError, match=r"up to 100,000 terms.*Got 100,002 terms"):
        write_numpy(graph.program(layer, "values", one_target=False), "{}", "none")
    with pytest.raises(ValueError, match="must be 'auto', 'numpy' or 'none'. Got 'pandas'"):
        write_numpy(logistic(), "{}", "pandas")


def test_the_manifest_is_the_last_line():
    manifest = json.dumps({"source": "a/b", "text": "é\n*/"})
    text = write_numpy(logistic(), manifest)
    last = text.splitlines()[-1]
    assert last.startswith("# stackens-manifest: ")
    assert "*/" not in last
    assert json.loads(last.partition(": ")[2]) == json.loads(manifest)


@both
@pytest.mark.parametrize(
    "names",
    [
        ['"""\nraise SystemExit\n"""', "'); raise SystemExit #", "\\"],
        ["TABLE_8", "PLACES_8", "t7_0"],
        ["math", "sigmoid", "values"],
        ["float", "answer_row", "INPUT"],
    ],
)
def test_names_of_columns_are_no_code(tmp_path, dependencies, names):
    runner = opened(logistic(names), tmp_path, dependencies)
    assert names == runner.module.COLUMNS
    assert runner.ask(dict(zip(names, [30, 4e4, "Oslo"], strict=True))) == runner.ask(
        [30, 4e4, "Oslo"]
    )


@both
def test_rows_of_all_forms(tmp_path, dependencies):
    module = opened(logistic(), tmp_path, dependencies).module
    frame = pd.DataFrame({"town": ["Oslo", None], "more": [1, 2], "age": [3, None], "income": 5e4})
    wanted = [module.predict_proba([3, 5e4, "Oslo"]), module.predict_proba((None, 5e4, None))]
    in_order = frame[["age", "income", "town"]]
    rows = (frame, pl.from_pandas(frame), frame.to_dict("records"), in_order.to_numpy(object))
    for many in (*rows, in_order.astype(object).to_numpy().tolist()):
        np.testing.assert_allclose(module.predict_proba(many), wanted, rtol=1e-15)
    assert module.predict_proba(frame.iloc[0]) == wanted[0]
    assert module.predict_proba(frame.to_dict("records")[0]) == wanted[0]
    assert len(module.predict([])) == 0


@both
def test_wrong_rows_are_told_apart(tmp_path, dependencies):
    module = opened(logistic(refuse=True), tmp_path, dependencies).module
    good = [30, 4e4, "Oslo"]
    for rows, message in [
        ([good, [None, 4e4, "Oslo"]], "Row 1 must be one that the model takes. Got age=nan"),
        ([good, good, [30, 4e4, "Bern"]], "Row 2 must be .* Got town='Bern'"),
        ([30, np.inf, "Oslo"], "The row must be .* Got income=inf"),
        ({"age": 1, "town": "Oslo"}, "The row lacks the column 'income'"),
        (pd.DataFrame({"age": [1]}), "The frame lacks the columns 'income', 'town'"),
        (["30", 4e4, "Oslo"], "Column 'age' must hold numbers. Got '30'"),
        ([good, [30, 4e4]], "Row 1 must have 3 values"),
    ]:
        with pytest.raises(ValueError, match=message):
            module.predict_proba(rows)
        with pytest.raises(ValueError, match=message):
            module.predict(rows)
    with pytest.raises(TypeError, match="Rows must be a dict"):
        module.predict("Oslo")


@both
def test_a_column_that_nobody_reads_may_hold_anything(tmp_path, dependencies):
    graph = Graph(["a", "b"])
    module = opened(graph.program(graph.numbers([1]), "values"), tmp_path, dependencies).module
    assert module.predict(["text", 2]) == 2.0
    assert module.predict({"b": 2}) == 2.0
    assert list(module.predict(pl.DataFrame({"b": [2.0]}))) == [2.0]
    assert list(module.predict([[object(), 2], [None, 3]])) == [2.0, 3.0]


def test_texts_are_written_for_people():
    text = write_numpy(logistic(), "{}")
    assert ast.get_docstring(ast.parse(text)).startswith("A trained model as one Python file")
    assert text.index("def predict_proba") < text.index("def answer_row") < text.index("def read")
    assert max(map(len, text.splitlines()[:-1])) <= 110
