"""Targets by the suffix of a file."""

from pathlib import Path

import pytest

from stackens.exceptions import ExportError
from stackens.export._targets import target_of


def test_suffixes():
    assert target_of(Path("model.onnx")) == "onnx"
    assert target_of(Path("MODEL.PY")) == "numpy"
    assert target_of(Path("model.cpython-311-x86_64-linux-gnu.so")) == "c"
    with pytest.raises(ExportError, match="model.pkl"):
        target_of(Path("model.pkl"))
