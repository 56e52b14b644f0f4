"""The report of a one-shot merge: frame, words, picture."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from stackens.weight_averaging.one_shot import OneShotReport


def result(*, scored, task="classification", aligned=True, synthetic=True):
    names = ["north", "south", "ensemble", "naive average", "aligned average", "merged"]
    frame = pd.DataFrame(
        {"agreement": [0.8, 0.7, 1.0, 0.2, 0.5, 0.9], "distance": [0.3, 0.4, 0, 3, 1, 0.1]},
        index=names,
    )
    if scored:
        frame = frame.assign(score=[0.6, 0.7, 0.8, 0.1, 0.5, 0.75], score_se=0.01)
    if not aligned:
        frame = frame.drop(index="aligned average")
    curve = pd.DataFrame({"step": [0, 10], "distance": [1.0, 0.1]})
    return OneShotReport(
        frame, curve, np.array([0.5, 0.5]), task, ["north", "south"], "aligned average", synthetic
    )


def test_the_summary_names_what_happened():
    text = result(scored=True).summary()
    for part in ("2 networks", "75.0%", "20.0%", "aligned 50.0%", "90.0%", "0.65", "0.8", "0.75"):
        assert part in text


def test_without_scores_the_summary_asks_for_them():
    text = result(scored=False, task="regression", aligned=False).summary()
    assert "evaluate=" in text
    assert "aligned 50" not in text
    assert "variance" in text


def test_public_rows_are_not_called_synthetic():
    assert "synthetic" in result(scored=False).summary()
    text = result(scored=False, synthetic=False).summary()
    assert "synthetic" not in text
    assert "public rows" in text


def test_the_frame_is_a_copy():
    merged = result(scored=True)
    frame = merged.frame()
    frame.loc["merged", "score"] = -1
    assert merged.frame().loc["merged", "score"] == 0.75


@pytest.mark.parametrize("scored", [True, False])
def test_the_picture_has_a_bar_for_each_network(scored):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    merged = result(scored=scored)
    ax = merged.plot()
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == merged.frame()["score" if scored else "agreement"].tolist()
    pyplot.close(ax.figure)


def verdict(merged, ensemble, *, greater=True):
    report = result(scored=True)
    scores = {"merged": merged, "ensemble": ensemble}
    for name, score in scores.items():
        report.results.loc[name, "score"] = score
    return dataclasses.replace(report, greater_is_better=greater).summary()


def test_the_summary_counts_the_sites_that_are_beaten():
    assert "better than 2 of 2 sites" in verdict(0.75, 0.8)
    assert "better than 1 of 2 sites" in verdict(0.66, 0.8)
    assert "better than 1 of 2 sites" in verdict(0.64, 0.6, greater=False)
    assert "below the mean site" not in verdict(0.66, 0.8)


def test_the_summary_does_not_praise_what_is_worse_than_the_mean_site():
    below = verdict(0.5, 0.8)
    assert "better than 0 of 2 sites. That is below the mean site" in below
    assert "InputSchema.describe" in below
    hopeless = verdict(0.5, 0.5)
    assert "does not add up" in hopeless
    assert "does not add up" in verdict(0.9, 0.9, greater=False)


def test_the_summary_says_when_few_sites_have_a_say_and_classes_are_missing():
    report = dataclasses.replace(result(scored=False), sites_per_row=1.25, rare_classes=[3])
    assert "1.2 of 2 have a say" in report.summary()
    assert "hardly ever sees the classes [3]" in report.summary()
    assert "have a say" not in result(scored=False).summary()
    assert "hardly" not in result(scored=False).summary()
