"""Tests for opening exported Python files."""

import sys

import numpy as np
import pytest

from stackens.exceptions import ExportError
from stackens.export.numpy import open_numpy
from tests.export.numpy.opened import logistic, opened


@pytest.mark.parametrize("dependencies", ["numpy", "none"])
def test_nothing_is_left_behind(tmp_path, dependencies):
    before = set(sys.modules)
    runner = opened(logistic(), tmp_path, dependencies)
    assert runner.ask([30, 4e4, "Oslo"]) == runner.module.predict_proba([30.0, 4e4, "Oslo"])
    assert set(sys.modules) == before
    assert [path.name for path in tmp_path.iterdir()] == [f"model_{dependencies}.py"]


@pytest.mark.parametrize("dependencies", ["numpy", "none"])
def test_outputs(tmp_path, dependencies):
    runner = opened(logistic(refuse=True), tmp_path, dependencies)
    columns = [
        np.array([30.0, np.nan, 30.0, 1.0]),
        np.full(4, 4e4),
        np.array(["Oslo", "Rome", "Bern", None], dtype=object),
    ]
    outputs = runner.outputs(columns)
    assert outputs.dtype == np.float64
    assert np.isnan(outputs).all(axis=1).tolist() == [False, True, True, False]
    assert outputs[0] == pytest.approx(runner.ask([30, 4e4, "Oslo"]), rel=1e-15)
    assert runner.outputs([column[:0] for column in columns]).shape == (0, 2)
    assert np.isnan(runner.outputs([column[1:3] for column in columns])).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def predict(:", "fails with SyntaxError"),
        ("raise RuntimeError('no')", "fails with RuntimeError: no"),
        ("x = 1", "was not written by stackens"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "model.py"
    path.write_text(text)
    with pytest.raises(ExportError, match=message):
        open_numpy(path)
