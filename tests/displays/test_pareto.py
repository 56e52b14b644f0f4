"""The picture of a front, as the frame behind it and the artists in it."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from stackens.displays import ParetoDisplay

Figure = pytest.importorskip("matplotlib.figure").Figure
Text = pytest.importorskip("matplotlib.text").Text


def frame():
    return pd.DataFrame(
        {
            "score": [0.80, 0.85, 0.90, 0.93, 0.88, math.nan],
            "error": [0.01, 0.01, 0.01, 0.01, math.nan, 0.01],
            "kind": ["distilled", "plain", "distilled", "teacher", "distilled", "plain"],
            "family": ["tree", "lightgbm", "lightgbm", "teacher", "mlp", "tree"],
            "chosen": [False, False, True, False, False, False],
            "one_row_us": [2.0, 20.0, 20.0, 4_000.0, 30.0, 1.0],
            "bytes": [1e3, 2e4, 2e4, 5e6, math.nan, 1e3],
        },
        index=["tree d3", "plain", "distilled", "teacher", "mlp 16", "unscored"],
    )


def names(ax):
    return {text.get_text() for text in ax.texts}


def step_line(ax):
    """Corners of the front."""
    (line,) = [line for line in ax.get_lines() if line.get_drawstyle() == "steps-post"]
    return line.get_xydata()


def test_a_panel_for_each_cost():
    display = ParetoDisplay(frame(), score_name="accuracy", title="On new rows").plot()
    latency, size = display.axes_
    assert latency.get_xlabel() == "time to predict a single row"
    assert size.get_xlabel() == "size of the model"
    assert latency.get_xscale() == size.get_xscale() == "log"
    assert latency.xaxis.get_major_formatter()(2e-6) == "2 µs"
    assert size.xaxis.get_major_formatter()(2e4) == "20 kB"
    assert latency.get_ylabel() == "accuracy ± one standard error\n(higher is better)"
    assert latency.get_title(loc="left") == "On new rows"
    assert latency.get_ylim() == pytest.approx(size.get_ylim())
    assert not latency.yaxis_inverted()


def test_what_has_no_score_or_cost_is_left_out():
    latency, size = ParetoDisplay(frame()).plot().axes_
    everything = {"tree d3", "plain", "distilled, chosen", "teacher", "mlp 16"}
    assert names(latency) == everything
    assert names(size) == everything - {"mlp 16"}


def test_the_front_is_the_best_score_to_be_had_at_a_cost():
    latency, size = ParetoDisplay(frame()).plot().axes_
    for ax, xs in ((latency, [2e-6, 2e-5, 4e-3]), (size, [1e3, 2e4, 5e6])):
        corners = step_line(ax)
        np.testing.assert_allclose(corners[:-1], np.column_stack([xs, [0.80, 0.90, 0.93]]))
        np.testing.assert_allclose(corners[-1], [ax.get_xlim()[1], 0.93])
    without = ParetoDisplay(frame(), front=False).plot().axes_[0]
    assert not any(line.get_drawstyle() == "steps-post" for line in without.get_lines())


def test_of_losses_the_lowest_is_the_best():
    losses = frame().assign(score=1.0 - frame()["score"])
    display = ParetoDisplay(losses, lower_is_better=True).plot()
    ax = display.axes_[0]
    assert ax.yaxis_inverted()
    assert "lower is better, axis turned" in ax.get_ylabel()
    np.testing.assert_allclose(step_line(ax)[:-1, 1], [0.20, 0.10, 0.07])


def levels(ax):
    """Heights of lines across the whole axes, by colour."""
    lines = [line for line in ax.get_lines() if line.get_linestyle() == ":"]
    return {line.get_color(): line.get_ydata()[0] for line in lines}


def test_levels_of_teacher_and_best_plain_student():
    more = pd.concat([frame(), frame().loc[["plain"]].assign(score=0.81).rename(lambda _: "worse")])
    found = levels(ParetoDisplay(more).plot().axes_[0])
    assert found == {"#333333": 0.93, "#4c72b0": 0.85}
    distilled = frame().query("kind == 'distilled'")
    assert levels(ParetoDisplay(distilled).plot().axes_[0]) == {}


def test_the_chosen_one_has_a_ring():
    for ax, x in zip(ParetoDisplay(frame()).plot().axes_, (2e-5, 2e4), strict=True):
        (ring,) = [line for line in ax.get_lines() if line.get_markerfacecolor() == "none"]
        np.testing.assert_allclose(ring.get_xydata(), [[x, 0.90]])
        (bold,) = [text for text in ax.texts if text.get_fontweight() == "bold"]
        assert bold.get_text() == "distilled, chosen"


def test_a_budget_is_a_line_and_always_in_sight():
    display = ParetoDisplay(frame(), budgets={"one_row_us": 1e6, "bytes": None}).plot()
    latency, size = display.axes_
    (line,) = [line for line in latency.get_lines() if line.get_linestyle() == "--"]
    assert line.get_xdata()[0] == 1.0  # second
    assert latency.get_xlim()[0] < 2e-6 < 1.0 < latency.get_xlim()[1]
    assert not any(line.get_linestyle() == "--" for line in size.get_lines())


def test_what_is_behind_the_front_is_pale_but_not_the_teacher():
    poor = frame().assign(chosen=False)
    poor.loc["teacher", "score"] = 0.5
    ax = ParetoDisplay(poor, costs=("one_row_us",)).plot().axes_[0]
    shown = {y: line.get_alpha() for line in ax.get_lines() for y in line.get_ydata()}
    assert [shown[y] for y in (0.80, 0.85, 0.88)] == [1.0, 0.35, 0.35]
    (star,) = [line for line in ax.get_lines() if line.get_marker() == "*"]
    assert star.get_alpha() == 1.0


def crowd(n=30):
    """A front of many small steps, each with a plain student below it."""
    steps = np.arange(n)
    distilled = pd.DataFrame(
        {
            "score": 0.80 + 0.002 * steps,
            "error": 0.005,
            "kind": "distilled",
            "family": np.where(steps % 2, "tree", "mlp"),
            "chosen": steps == 7,
            "one_row_us": 2.0 * 1.2**steps,
            "bytes": 1e3 * 1.3**steps,
        },
        index=[f"model {step}" for step in steps],
    )
    plain = distilled.assign(score=distilled["score"] - 0.01, kind="plain", chosen=False)
    return pd.concat([distilled, plain.rename(lambda name: f"plain {name}")])


def test_of_many_points_those_that_matter_have_names():
    for ax in ParetoDisplay(crowd()).plot().axes_:
        found = names(ax)
        assert {"model 29", "model 7, chosen", "plain model 29"} < found
        assert 5 < len(found) <= 13
        assert sum(name.startswith("plain") for name in found) == 1


def test_names_never_overlap():
    display = ParetoDisplay(crowd()).plot()
    display.figure_.draw_without_rendering()
    for ax in display.axes_:
        boxes = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda box: box.y0)
        assert len(boxes) > 5
        assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))


def test_the_legend_explains_kinds_families_and_lines():
    display = ParetoDisplay(crowd(), budgets={"bytes": 1e4}).plot()
    (legend,) = display.figure_.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["distilled student", "plain student", "tree", "mlp", "front", "budget"]
    assert ParetoDisplay(frame()).plot().figure_.legends == []  # every point has a name
    given = Figure().subplots(1, 2)
    drawn = ParetoDisplay(crowd()).plot(given)
    assert drawn.figure_.legends == []
    assert given[0].get_legend() is not None


def test_what_is_very_bad_does_not_squeeze_the_rest():
    bad = frame().loc[["tree d3"]].assign(score=-7.0).rename(lambda _: "bad")
    rest = frame().assign(score=0.90 + 0.1 * (frame()["score"] - 0.90))
    without = ParetoDisplay(rest).plot().axes_[0]
    ax = ParetoDisplay(pd.concat([rest, bad])).plot().axes_[0]
    assert ax.get_ylim() == pytest.approx(without.get_ylim())
    assert "bad (-7)" in names(ax)
    edge = [line for line in ax.get_lines() if line.get_marker() == "v"]
    assert edge[0].get_ydata()[0] == pytest.approx(ax.get_ylim()[0])


def test_costs_that_round_to_nothing_have_a_place():
    quick = frame().assign(one_row_us=0.0)
    ax = ParetoDisplay(quick, costs=("one_row_us",)).plot().axes_[0]
    assert ax.get_xlim()[0] > 0
    assert len(names(ax)) == 5


def test_it_draws_into_given_axes():
    figure = Figure()
    ax = figure.add_subplot()
    display = ParetoDisplay(frame(), costs=("bytes",)).plot(ax)
    assert display.axes_ == (ax,)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="one Axes for each of the costs"):
        ParetoDisplay(frame()).plot(ax)


def test_nothing_scored_is_an_empty_picture():
    for ax in ParetoDisplay(frame().assign(score=math.nan)).plot().axes_:
        assert ax.texts[:] == []
