"""Runs test files of the installed scikit-learn against other classes."""

from __future__ import annotations

import importlib.util
from contextlib import ExitStack
from types import FunctionType
from unittest.mock import patch

import sklearn.ensemble


def load_tests(module: str, classes: dict[str, type]) -> dict[str, FunctionType]:
    """Return the test functions of a scikit-learn test module, with classes replaced.

    The module is executed anew under another name, while ``sklearn.ensemble`` shows the
    replacements, because tests are parametrised with instances when their file is read.
    """
    found = importlib.util.find_spec(module)
    spec = importlib.util.spec_from_file_location(f"replaced_{found.name}", found.origin)
    loaded = importlib.util.module_from_spec(spec)
    with ExitStack() as stack:
        for name, cls in classes.items():
            stack.enter_context(patch.object(sklearn.ensemble, name, cls))
        spec.loader.exec_module(loaded)
    return {name: value for name, value in vars(loaded).items() if name.startswith("test_")}
