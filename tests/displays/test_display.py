"""What all pictures share."""

import subprocess
import sys

import pandas as pd
import pytest

from stackens.displays import (
    ParetoDisplay,
    ScoreLatencyDisplay,
    WeightBarsDisplay,
    WeightCurvesDisplay,
)

FRAMES = {
    ParetoDisplay: {
        "score": [0.9],
        "error": [0.1],
        "kind": ["plain"],
        "family": ["tree"],
        "chosen": [True],
        "one_row_us": [1.0],
        "bytes": [9.0],
    },
    ScoreLatencyDisplay: {
        "score": [0.9],
        "score_se": [0.1],
        "batch_us_per_row": [1.0],
        "combination": [True],
    },
    WeightBarsDisplay: {"score": [1.0]},
    WeightCurvesDisplay: {
        "x": [1.0],
        "series": ["a"],
        "kind": ["single"],
        "score": [1.0],
        "se": [0.1],
    },
}
displays = pytest.mark.parametrize("display", list(FRAMES))


@displays
def test_notebooks_show_it_once_it_is_drawn(display):
    picture = display(pd.DataFrame(FRAMES[display]))
    assert picture._repr_png_() is None
    assert picture.plot()._repr_png_().startswith(b"\x89PNG")


@displays
def test_it_says_how_to_draw_or_write_it(display):
    picture = display(pd.DataFrame(FRAMES[display]))
    assert repr(picture) == f"<{display.__name__} of 1 rows: plot() draws it>"
    assert "figure_.savefig(path)" in repr(picture.plot())


@displays
def test_pyplot_knows_it_where_pyplot_is_used(display):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.close("all")
    picture = display(pd.DataFrame(FRAMES[display])).plot()
    assert pyplot.gcf() is picture.figure_
    assert picture._repr_png_() is not None  # shown, since this backend shows nothing itself
    pyplot.close("all")


def test_a_notebook_shows_it_once(monkeypatch):
    """The inline backend shows what pyplot knows at the end of a cell, and closes it."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(pyplot, "get_backend", lambda: "inline")
    picture = WeightBarsDisplay(pd.DataFrame({"a": [1.0]})).plot()
    assert picture._repr_png_() is None
    pyplot.close("all")
    assert picture._repr_png_() is not None


@displays
def test_the_frame_is_a_copy_and_left_alone(display):
    given = pd.DataFrame(FRAMES[display])
    picture = display(given).plot()
    changed = picture.frame()
    changed["score"] = 0.0
    pd.testing.assert_frame_equal(picture.frame(), pd.DataFrame(FRAMES[display]))
    pd.testing.assert_frame_equal(given, pd.DataFrame(FRAMES[display]))


@displays
def test_pyplot_is_not_touched(display):
    code = f"""
import sys
import pandas as pd
from stackens.displays import {display.__name__}
assert "matplotlib" not in sys.modules
{display.__name__}(pd.DataFrame({FRAMES[display]})).plot()
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
