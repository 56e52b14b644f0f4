"""Paths that were sorted as text are told; no other order is."""

import warnings
from pathlib import Path

import pytest

from stackens.exceptions import StackensWarning
from stackens.weight_averaging.files._order import warn_if_sorted_as_text


@pytest.mark.parametrize(
    "names",
    [
        ["checkpoint-1000", "checkpoint-900"],
        ["run/ckpt-1.pt", "run/ckpt-10.pt", "run/ckpt-2.pt"],
        ["epoch=10-step=4.ckpt", "epoch=9-step=3.ckpt"],
    ],
)
def test_sorted_as_text_is_told(names):
    with pytest.warns(StackensWarning, match=r"'\S*10\S*' before '\S*[29]\S*', as sorted\(\)"):
        warn_if_sorted_as_text([Path(name) for name in names])
    with pytest.warns(StackensWarning, match="training order"):
        warn_if_sorted_as_text(names[::-1], newest="first")


@pytest.mark.parametrize(
    "names",
    [
        ["checkpoint-900", "checkpoint-1000"],
        ["c-09.pt", "c-10.pt"],
        ["c-10.pt", "c-9.pt", "c-8.pt"],
        ["model-12ab", "model-3f2a"],
        ["accuracy0.85.pt", "accuracy0.9.pt"],
        ["a.pt", "b.pt"],
        ["only-1.pt"],
        [{"w": 1}, {"w": 2}],
        [],
    ],
)
def test_any_other_order_is_not(names):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_sorted_as_text(names)
