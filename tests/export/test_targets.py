"""Targets by the suffix of a file."""

from pathlib import Path

import pytest

from stackens.exceptions import ExportError
from stackens.export._targets import manifest_in, target_of


def test_suffixes():
    assert target_of(Path("model.onnx")) == "onnx"
    assert target_of(Path("MODEL.PY")) == "numpy"
    assert target_of(Path("model.cpython-311-x86_64-linux-gnu.so")) == "c"
    with pytest.raises(ExportError, match="model.pkl"):
        target_of(Path("model.pkl"))


def test_manifests_are_read_from_files_of_ours(tmp_path):
    with pytest.raises(ExportError, match="must exist"):
        manifest_in(tmp_path / "model.py")
    (tmp_path / "model.cpython-311.so").touch()
    with pytest.raises(ExportError, match=r"Got no 'model\.c'"):
        manifest_in(tmp_path / "model.cpython-311.so")
