"""Asking exported files."""

import datetime
import decimal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from stackens.exceptions import ExportError, MissingExtraError
from stackens.export.onnx import manifest_text, open_onnx, write_onnx
from stackens.export.program import Graph
from stackens.export.verification import raw_rows
from tests.export.random_programs import random_program


def mixed():
    """One column for each kind, and one that counts for nothing."""
    graph = Graph(["number", "unread", "town", "date", "span"])
    town = graph.lookup(2, ["Oslo", "3"], [[1.0], [2.0]], missing=[0.5], unknown=[-1.0])
    parts = [
        graph.numbers([0]),
        town,
        graph.numbers([3], "datetime"),
        graph.numbers([4], "timedelta"),
    ]
    return graph.program(graph.concatenate(parts), "values", one_target=False)


@pytest.mark.parametrize("inputs", ["blocks", "columns"])
def test_raw_rows(inputs):
    runner = open_onnx(write_onnx(mixed(), '{"named": true}', inputs=inputs))
    start = datetime.datetime(1970, 1, 1)
    assert runner.ask([1.5, "text", "Oslo", start, 3.0]).tolist() == [1.5, 1.0, 0.0, 3.0]
    assert runner.ask((7, None, "", "1970-01-01", 1)).tolist() == [7.0, -1.0, 0.0, 1.0]
    day, span = datetime.datetime(1970, 1, 2), datetime.timedelta(minutes=1)
    row = [decimal.Decimal("0.25"), 1, 3, day, span]
    assert runner.ask(row).tolist() == [0.25, 2.0, 86_400e6, 60.0]
    row = {"span": 1.0, "number": True, "town": None, "date": pd.Timestamp(day)}
    assert runner.ask(row).tolist() == [1.0, 0.5, 86_400e6, 1.0]
    np.testing.assert_array_equal(
        runner.ask([None, None, None, np.nan, pd.NaT]), [np.nan, 0.5, np.nan, np.nan]
    )


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        (["1.5", 0.0, "Oslo", None, 0.0], ValueError, "number"),
        ([10**400, 0.0, "Oslo", None, 0.0], ValueError, "number"),
        ([1.5, 0.0, ["Oslo"], None, 0.0], TypeError, "town"),
        ([1.5, 0.0, "Oslo", 1.5e9, 0.0], ValueError, "Column 'date' must hold moments"),
        ([1.5, 0.0, "Oslo", 0.0], ValueError, "5"),
        ([1.5, 0.0, "Oslo", 0.0, 0.0, 0.0], ValueError, "5"),
    ],
)
def test_values_that_are_none_of_their_columns(row, error, message):
    runner = open_onnx(write_onnx(mixed(), "{}"))
    with pytest.raises(error, match=message):
        runner.ask(row)


@pytest.mark.parametrize("seed", range(0, 30, 3))
def test_a_row_alone_is_answered_as_in_a_batch(seed):
    program, columns = random_program(seed)
    runner = open_onnx(write_onnx(program, "{}"))
    outputs = runner.outputs(columns)
    for i in range(10):
        (row,) = raw_rows(program, [column[i : i + 1] for column in columns])
        np.testing.assert_allclose(np.ravel(runner.ask(row)), outputs[i], rtol=1e-6, atol=1e-15)
        np.testing.assert_array_equal(runner.run(runner.prepared(row))[0], runner.ask(row))


def test_halves_of_characters_are_unknown_categories():
    runner = open_onnx(write_onnx(mixed(), "{}"))
    assert runner.ask([1.0, None, "\ud800", None, 3.0])[1] == -1.0
    assert runner.ask([1.0, None, "Ålesund", None, 3.0])[1] == -1.0
    columns = [np.zeros(1), np.zeros(1), np.array(["\udfff"], dtype=object), *np.zeros((2, 1))]
    assert runner.outputs(columns)[0, 1] == -1.0


def test_plain_numbers_of_one_matrix_are_no_moments():
    graph = Graph(["age", "seen"])
    both = graph.concatenate([graph.numbers([0]), graph.numbers([1], "datetime")])
    program = graph.program(both, "values", one_target=False)
    runner = open_onnx(write_onnx(program, "{}", inputs="matrix"))
    for row in ([1.0, 2.0], (1, 2), np.ones(2), {"age": 1.0, "seen": True}):
        with pytest.raises(ValueError, match="Column 'seen' must hold moments"):
            runner.ask(row)
    assert runner.ask([1.0, "1970-01-02"]).tolist() == [1.0, 86_400e6]
    # columns that are read already are microseconds
    assert runner.outputs([np.ones(1), np.array([7.0])]).tolist() == [[1.0, 7.0]]


def test_text_that_stands_for_a_missing_value_in_the_file_is_an_unknown_one_in_a_row():
    runner = open_onnx(write_onnx(mixed(), "{}"))
    columns = [np.zeros(2), np.zeros(2), np.array(["", None], dtype=object), *np.zeros((2, 2))]
    assert runner.outputs(columns)[:, 1].tolist() == [-1.0, 0.5]


def test_rows_of_plain_numbers_are_one_matrix():
    graph = Graph(["a", "b", "c"])
    program = graph.program(graph.numbers([2, 0]), "values", one_target=False)
    runner = open_onnx(write_onnx(program, "{}"))
    feed = runner.prepared([1, np.float32(0.5), None])
    assert list(feed) == ["X"]
    np.testing.assert_array_equal(feed["X"], [[1.0, np.nan, np.nan]])
    with pytest.raises(ValueError, match="'a'"):
        runner.ask(["1", 2, 3])


def test_manifest_and_files(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(write_onnx(mixed(), '{"format": 1}'))
    assert manifest_text(path) == '{"format": 1}'
    assert manifest_text(str(path)) == manifest_text(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ExportError, match="must be ONNX that onnxruntime"):
        open_onnx(path)
    with pytest.raises(ExportError, match="missing"):
        open_onnx(tmp_path / "missing.onnx")


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b'"format": 1', b'"format"; 1'),
        (b'"format": 1', b'"form\xe9t": 1'),
        (b"unknown_text", b"unknown_tex_"),
        (b'"kind"', b'"kinb"'),
    ],
)
def test_damaged_metadata_is_told(part, other):
    content = write_onnx(mixed(), '{"format": 1}')
    assert part in content
    with pytest.raises(ExportError, match="metadata of an ONNX file must be whole"):
        open_onnx(content.replace(part, other))


def test_files_of_others_are_refused():
    from onnx import TensorProto, helper

    described = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "g", *zip(described))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    with pytest.raises(ExportError, match=r"written by stackens\.export\.to_onnx"):
        open_onnx(model.SerializeToString())


def test_a_file_runs_where_onnx_is_not_installed(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(write_onnx(mixed(), "{}"))
    code = """
import sys
sys.modules["onnx"] = None
from stackens.export.onnx import open_onnx
print(open_onnx(sys.argv[1]).ask([1.5, None, "Oslo", "1970-01-01", 3.0]).tolist())
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, encoding="utf-8", check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[1.5, 1.0, 0.0, 3.0]"


def test_a_missing_runtime_is_named(monkeypatch):
    content = write_onnx(mixed(), "{}")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"stackens\[onnx\]"):
        open_onnx(content)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"stackens\[onnx\]"):
        write_onnx(mixed(), "{}")
