"""Tests for opened extensions: rows of all forms, answers, refusals, and other files."""

import datetime
import subprocess
import sys
import threading
from collections import UserDict
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import polars as pl
import pytest

from stackens.exceptions import ExportError
from stackens.export.c import compile_extension, open_c, write_c
from stackens.export.program import Graph
from tests.export.c.built import mixed, needs_compiler, opened, ratio
from tests.export.random_programs import expected_outputs

pytestmark = needs_compiler

NAMES = ["age", "city", "unread", "seen"]
MOMENT = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
ROW = [30.0, "Oslo", None, MOMENT]


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    return opened(mixed(), tmp_path_factory.mktemp("mixed"))


def answer(values):
    """What the program says of one row that is read already."""
    columns = [np.array([v], dtype=object if i == 1 else float) for i, v in enumerate(values)]
    return expected_outputs(mixed(), columns)[0]


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        tuple(ROW),
        dict(zip(NAMES, ROW, strict=True)),
        {"seen": MOMENT, "city": "Oslo", "age": 30, "more": "x"},
        MappingProxyType({"seen": MOMENT, "city": "Oslo", "age": 30}),
        [np.float32(30), np.str_("Oslo"), "x", "2020-01-01T00:00:00Z"],
        [np.int64(30), b"Oslo", object(), np.datetime64("2020-01-01")],
        [30, "Oslo", [], pd.Timestamp(MOMENT)],
        np.array(ROW, dtype=object),
        pd.Series(ROW, index=NAMES, dtype=object),
    ],
    ids=lambda row: type(row).__name__,
)
def test_one_row_of_any_form(runner, row):
    found = runner.ask(row)
    assert type(found) is list
    assert found == pytest.approx(
        answer([30.0, "Oslo", np.nan, MOMENT.timestamp() * 1e6]), rel=1e-12
    )
    assert runner.module.predict(row) == "yes"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (float("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (3, "3"),
        (3.0, "3"),
        (np.int8(3), "3"),
        (True, "True"),
        (np.bool_(True), "True"),
        (3.5, "3.5"),
        ("oslo", "oslo"),
        ("Łódź", "Łódź"),
    ],
    ids=repr,
)
def test_categories(runner, value, text):
    wanted = answer([1.0, text, np.nan, np.nan])
    assert runner.ask([1.0, value, 0, None]) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["old", "Oslo", 0, 0], "Column 'age' must hold numbers. Got 'old'"),
        ([1.0, ["Oslo"], 0, 0], "Column 'city' must hold .*Got \\['Oslo'\\]"),
        ([1.0, "Oslo", 0, "soon"], "Column 'seen' must hold moments. Got 'soon'"),
        (
            [1.0, "Oslo", 0, 1.5e9],
            "Column 'seen' must hold moments. Got 1500000000.0 of type float",
        ),
        ({"age": 1.0, "city": "Oslo", "seen": 15}, "'seen' must hold moments. Got 15 of type int"),
        ([ROW, (1.0, "Oslo", 0, True)], "'seen' must hold moments. Got True of type bool"),
        (np.array([1.0, "Oslo", 0, 1.5e9], dtype=object), "'seen' must hold moments. Got 15"),
        (pd.DataFrame([[*ROW[:3], 10**18]], columns=NAMES), "'seen' must hold moments. Got 10"),
        ([1.0, "Oslo"], "must have 4 values"),
        ({"age": 1.0, "city": "Oslo"}, "lacks the column 'seen'"),
        ([ROW, [None, "Oslo", 0, None]], "Row 1 must be one that the model takes. Got age=nan"),
        ([float("inf"), "Oslo", 0, None], "The row must be one that the model takes. Got age=inf"),
        ([10**400, "Oslo", 0, 0], "Column 'age' must hold numbers"),
        ([ROW] * 50 + [[1.0, "Oslo"]], "Row 50 must have 4 values"),
        (5, "Rows must be"),
        (pd.DataFrame({"age": [1.0]}), "lacks the columns 'city', 'seen'"),
    ],
)
def test_mistakes_are_named(runner, row, message):
    with pytest.raises((ValueError, TypeError), match=message):
        runner.ask(row)


def test_many_rows_of_any_form(runner):
    start = MOMENT.replace(tzinfo=None)
    moments = [start + datetime.timedelta(weeks=i) for i in range(40)]
    rows = [[float(i), "Oslo" if i % 2 else None, None, moments[i]] for i in range(40)]
    wanted = np.array([runner.ask(row) for row in rows])
    frame = pd.DataFrame(rows, columns=NAMES)
    forms = [
        rows,
        tuple(map(tuple, rows)),
        [dict(zip(NAMES, row, strict=True)) for row in rows],
        frame[["seen", "city", "age"]],
        pl.from_pandas(frame.drop(columns="unread")),
        [UserDict(zip(NAMES, row, strict=True)) for row in rows],
        np.array(rows, dtype=object),
        [np.array(row, dtype=object) for row in rows],
    ]
    for form in forms:
        found = runner.module.predict_proba(form)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, wanted)
    labels = runner.module.predict(frame)
    assert labels.dtype.kind == "U"
    assert labels.tolist() == [["no", "yes"][int(b > a)] for a, b in wanted]
    assert runner.module.predict_proba([]).shape == (0, 2)
    frame["seen"] = frame["seen"].to_numpy("M8[us]").astype(int)
    columns = [frame[name].to_numpy(object if name == "city" else float) for name in NAMES]
    columns[1] = np.where(pd.isna(columns[1]), None, columns[1])
    np.testing.assert_array_equal(runner.outputs(columns), wanted)


def test_a_table_of_arrow(runner):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"seen": [MOMENT, None], "age": [30, 1], "city": ["Oslo", None]})
    wanted = [runner.ask(ROW), runner.ask([1, None, None, None])]
    assert runner.module.predict_proba(table).tolist() == wanted
    with pytest.raises(ValueError, match="lacks the columns 'city', 'seen'"):
        runner.module.predict(table.select(["age"]))


def test_a_matrix_of_numbers_has_no_moments(tmp_path):
    graph = Graph(["age", "seen"])
    both = graph.concatenate([graph.numbers([0]), graph.numbers([1], "datetime")])
    runner = opened(graph.program(both, "values", one_target=False), tmp_path)
    for rows in (np.ones((3, 2)), np.ones((3, 2), order="F"), np.ones(2), np.ones((3, 2), int)):
        with pytest.raises(ValueError, match="Column 'seen' must hold moments"):
            runner.module.predict(rows)
    gaps = np.array([[1.0, np.nan], [2.0, np.nan]])
    np.testing.assert_array_equal(runner.module.predict(gaps), gaps)
    times = np.array([["1970-01-01", "1970-01-02"]], dtype="M8[s]")
    with pytest.raises(ValueError, match="Column 'age' must hold numbers"):
        runner.module.predict(times)


def test_matrices(tmp_path):
    module = opened(ratio(), tmp_path).module
    X = np.arange(1.0, 81.0).reshape(40, 2)
    wanted = X[:, 0] / X[:, 1]
    for form in (X, np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2], X.astype(int)):
        np.testing.assert_array_equal(module.predict(form), wanted)
    np.testing.assert_array_equal(module.predict(X[::-1]), wanted[::-1])
    np.testing.assert_allclose(module.predict(X.astype(np.float32)), wanted)
    assert module.predict(X[3]) == wanted[3]
    assert module.predict(memoryview(X[3])) == wanted[3]
    assert not hasattr(module, "predict_proba")
    for wrong in (np.ones((2, 3)), np.ones((2, 2, 2)), np.ones(3)):
        with pytest.raises((ValueError, TypeError), match="must"):
            module.predict(wrong)
    with pytest.raises(TypeError, match="one argument"):
        module.predict()


@pytest.mark.parametrize(
    "labels",
    [
        np.array([-3, 7]),
        np.array([False, True]),
        np.array(["a", 5], dtype=object),
        np.array([0.5, 2]),
    ],
    ids=lambda labels: labels.dtype.name,
)
def test_scores_and_labels_of_all_types(tmp_path, labels):
    module = opened(ratio(response="scores", classes=labels), tmp_path).module
    assert module.decision_function([1, 2]) == 0.5
    assert labels.tolist() == module.CLASSES
    found = [module.predict([score, 1]) for score in (-1, 0, 1, float("inf"))]
    assert found == [labels.tolist()[i] for i in (0, 0, 1, 1)]
    assert type(found[0]) is type(labels.tolist()[0])
    many = module.predict([[-1, 1], [1, 1]])
    assert many.dtype == labels.dtype
    assert many.tolist() == labels.tolist()
    assert module.decision_function([[-1, 1], [1, 1]]).tolist() == [-1, 1]


def test_the_largest_of_several_scores_wins(tmp_path):
    graph = Graph(["a", "b", "c"])
    program = graph.program(graph.numbers(range(3)), "scores", np.array(["x", "y", "z"]))
    module = opened(program, tmp_path).module
    assert [module.predict(row) for row in ([1, 3, 3], [0, 0, 0], [-1, -2, -0.5])] == [
        "y",
        "x",
        "z",
    ]


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = tmp_path / "model.c"
    path.write_text(write_c(ratio(), "{}"))
    built = compile_extension(path)
    first = open_c(built)
    graph = Graph(["a", "b"])
    path.write_text(write_c(graph.program(graph.numbers([0]), "values"), "{}"))
    second = open_c(compile_extension(path))
    assert first.ask([3.0, 4.0]) == 0.75
    assert second.ask([3.0, 4.0]) == 3.0


def test_nothing_is_left_behind(tmp_path):
    before = set(sys.modules)
    path = tmp_path / "my model.c"
    path.write_text(write_c(ratio(), "{}"))
    assert open_c(path).ask([1.0, 2.0]) == 0.5
    assert set(sys.modules) == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.so"
    path.write_bytes(b"not a library")
    with pytest.raises(ExportError, match="that this Python can import"):
        open_c(path)
    other = next(iter(Path(np.__file__).parent.rglob("_multiarray_tests*.so")), None)
    if other is not None:
        with pytest.raises(ExportError, match="was not written by"):
            open_c(other)


def test_a_file_whose_name_ends_in_capitals_is_c_all_the_same(tmp_path):
    path = tmp_path / "MODEL.C"
    path.write_text(write_c(ratio(), "{}"))
    assert open_c(path).ask([3.0, 4.0]) == 0.75


def test_threads_share_nothing(runner):
    rows = [[float(i % 60), "Oslo", None, MOMENT] for i in range(3_000)]
    wanted = runner.module.predict_proba(rows)
    found = [None] * 4

    def work(place):
        found[place] = runner.module.predict_proba(rows)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answers in found:
        np.testing.assert_array_equal(answers, wanted)


def test_numpy_is_not_needed(tmp_path):
    path = tmp_path / "model.c"
    path.write_text(write_c(mixed(), "{}"))
    compile_extension(path)
    code = """
import sys
sys.modules["numpy"] = None
import model
rows = [[30.0, "Oslo", 0, None], {"age": 1, "city": None, "seen": "2020-01-01"}]
many = model.predict_proba(rows)
assert many == [model.predict_proba(row) for row in rows], many
assert model.predict(rows) == [model.predict(row) for row in rows]
assert model.predict([]) == []
try:
    model.predict([None, "Oslo", 0, None])
except ValueError as error:
    assert "age=nan" in str(error)
else:
    raise SystemExit("not refused")
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
