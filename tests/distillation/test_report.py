"""The report that users hold."""

import math
import pickle

import pandas as pd
import pytest

from stackens.distillation._findings import PLAIN
from stackens.distillation._report import DistillationReport
from tests.distillation.found import findings


def report(**changes):
    known = {
        "recipe": "<tree> d6",
        "label_source": "out-of-fold & honest",
        "n_outer": 1,
        "gain": 0.028,
        "teacher_temperature": None,
    }
    return DistillationReport(findings(**known | changes))


def blind():
    return report(scores=None, gap=math.nan, gap_se=math.nan, gain=math.nan, gain_se=math.nan)


def test_the_frame_is_a_copy():
    found = report()
    frame = found.frame()
    frame["score"] = 0.0
    assert found.frame()["score"].tolist() == [-0.395, -0.430, -0.404]
    assert blind().frame() is None


def test_whether_it_pays():
    assert report().pays
    assert report().retention == pytest.approx(0.8)
    assert not report(gap=0.011).pays
    assert report(gap=0.011).retention is None
    assert not blind().pays
    assert blind().retention is None


def test_texts():
    found = report()
    assert found.summary().startswith("Distilling pays: the teacher's log loss")
    assert "keeps 80% of that gap" in found.summary()
    assert repr(found) == (
        "<DistillationReport of '<tree> d6' by log loss, pays: True, retention: 0.80, given: "
        "distilled student>"
    )
    lines = str(found).splitlines()
    assert lines[:4] == found.summary().replace(". ", ".\n").splitlines()
    assert lines[4].split()[:2] == ["log", "loss"]
    assert lines[7].startswith("distilled student")
    assert lines[8].startswith("Log loss (lower is better) on 2,400 rows")


def test_html_is_escaped():
    html = report()._repr_html_()
    assert "&lt;tree&gt; d6" in html
    assert "out-of-fold &amp; honest" in html
    assert "<tree>" not in html
    assert "<table" in html


def test_nothing_set_aside_is_said_and_not_drawn():
    found = blind()
    assert "it is not known whether distilling pays" in str(found)
    assert "retention: none" in repr(found)
    assert "<table" not in found._repr_html_()
    with pytest.raises(ValueError, match="Got none, as outer=None. Fit again with outer='auto'"):
        found.plot()


def test_it_survives_pickle():
    again = pickle.loads(pickle.dumps(report()))
    assert str(again) == str(report())
    pd.testing.assert_frame_equal(again.frame(), report().frame())


def test_the_picture_shows_whether_it_pays():
    pytest.importorskip("matplotlib")
    display = report().plot()
    frame = display.frame()
    assert frame["score"].tolist() == [0.395, 0.430, 0.404]
    assert frame["kind"].tolist() == ["teacher", "plain", "distilled"]
    assert frame["chosen"].tolist() == [False, False, True]
    # The gate itself: the teacher's bar is clear of the plain student's score.
    assert frame["error"].tolist() == [0.012, 0.0, 0.010]
    (ax,) = display.axes_
    assert ax.yaxis_inverted()
    assert ax.get_title(loc="left").startswith("Distilling pays: the student keeps 80%")
    assert {text.get_text() for text in ax.texts} == {
        "teacher",
        "plain student",
        "distilled student, chosen",
    }
    colours = {"#333333": 0.395, "#4c72b0": 0.430}
    dotted = [line for line in ax.get_lines() if line.get_linestyle() == ":"]
    assert {line.get_color(): line.get_ydata()[0] for line in dotted} == colours
    poor = report(gap=0.002, chosen=PLAIN).plot()
    assert poor.frame()["chosen"].tolist() == [False, True, False]
    assert poor.axes_[0].get_title(loc="left").startswith("Distilling does not pay")
