"""Keras runs on torch, which is what the tests install; pictures are closed after each test."""

import os
import sys

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")


@pytest.fixture(autouse=True)
def _close_pictures():
    """Pyplot, once a test has imported it, keeps every picture, and warns of many."""
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")
