"""Tests of optional packages: found, missing, or installed but broken."""

import math

import pytest

from stackens._core._optional import require
from stackens.exceptions import MissingExtraError


def test_an_installed_module_is_returned():
    assert require("math", extra="torch", purpose="The test") is math


def test_a_missing_package_names_the_extra_and_the_command():
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_package.part", extra="plot", purpose="report.plot()")
    message = str(caught.value)
    assert message.startswith("report.plot() needs the package 'no_such_package'")
    assert 'python -m pip install "stackens[plot]"' in message
    assert isinstance(caught.value, ImportError)


def test_an_installed_but_broken_package_counts_as_missing(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("raise ImportError('libgone.so: not found')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match="libgone.so: not found"):
        require("half_installed", extra="onnx", purpose="Export")
