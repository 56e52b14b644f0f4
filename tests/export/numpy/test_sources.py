"""Tests for taking definitions out of our own modules."""

import ast
import builtins

import pytest

from stackens.export.numpy import _branches, _forest, _rows, _scalars, _steps, _values
from stackens.export.numpy._sources import defined_names, definitions

MODULES = (_values, _scalars, _steps, _rows, _branches, _forest)


def test_only_what_is_needed_is_taken():
    imports, texts = definitions("answer = sigmoid(0.5)", MODULES)
    assert imports == ["import math", "from math import inf"]
    assert [text.split("(")[0] for text in texts] == ["def exponential", "def sigmoid"]
    scope = {}
    exec("\n".join([*imports, *texts, "answer = sigmoid(0.5)"]), scope)
    assert scope["answer"] == _scalars.sigmoid(0.5)


def test_text_has_no_types_but_keeps_comments_and_defaults():
    _, texts = definitions("row_values, READERS", MODULES)
    text = "\n".join(texts)
    assert '    row, columns, where="The row", named=True\n):' in text
    assert "# How a value of each kind of column is read.\nREADERS = {" in text
    assert "# not a number after all" in text
    assert "noqa" not in text
    for node in ast.walk(ast.parse(text)):
        assert getattr(node, "annotation", None) is None
        assert getattr(node, "returns", None) is None


@pytest.mark.parametrize("name", ["Forest", "columns_of", "rows_of", "lookup", "is_one_row"])
def test_what_is_taken_stands_by_itself(name):
    imports, texts = definitions(name, MODULES)
    code = "\n\n\n".join([*imports, *texts])
    ast.parse(code, feature_version=(3, 9))
    assert "strict=" not in code  # of zip, since Python 3.10
    scope = {}
    exec(code, scope)
    tree = ast.parse(code)
    known = set(scope) | set(dir(builtins)) | {"error"}  # of `except ... as error`
    for node in ast.walk(tree):
        known |= {node.arg} if isinstance(node, ast.arg) else set()
        known |= {node.name} if isinstance(node, ast.FunctionDef) else set()
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    known |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    assert {node.id for node in names} <= known


def test_defined_names():
    names = defined_names(MODULES)
    assert {"Forest", "sigmoid", "READERS", "_FLOATS"} <= names
    assert "__all__" not in names
