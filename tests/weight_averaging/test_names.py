"""The public names of weight averaging: all there, and torch only loaded for those that need it."""

import subprocess
import sys

import pytest

from stackens import weight_averaging as wa


def test_all_names_are_there():
    pytest.importorskip("torch")
    assert [name for name in wa.__all__ if not hasattr(wa, name)] == []
    with pytest.raises(AttributeError, match="has no attribute 'meen'"):
        wa.meen  # noqa: B018


def test_importing_loads_no_framework():
    code = (
        "import sys; from stackens import weight_averaging; "
        "print([name for name in ('torch', 'keras', 'h5py', 'matplotlib') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert result.stdout.strip() == "[]"
