"""Tests of the bridge to scikit-learn's private names."""

import ast
import inspect
from pathlib import Path

import stackens
from stackens._core import _sklearn

ROOT = Path(stackens.__file__).parent


def test_every_name_is_there():
    for name in _sklearn.__all__:
        assert getattr(_sklearn, name) is not None
    assert inspect.isclass(_sklearn.StrOptions)


def private_imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
            parts = [*node.module.split("."), *(alias.name for alias in node.names)]
            if any(part.startswith("_") for part in parts):
                yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno}"


def test_no_other_file_imports_private_names_of_scikit_learn():
    found = {line for path in ROOT.rglob("*.py") for line in private_imports(path)}
    assert {line.split(":")[0] for line in found} == {"_core/_sklearn.py"}
