"""The report of an alignment says what moved, what is proven and what to expect."""

import numpy as np
import pandas as pd
import pytest

from stackens.weight_averaging._evaluation import Score
from stackens.weight_averaging._interpolate import Interpolation
from stackens.weight_averaging.alignment._report import AlignedModels, AlignmentReport, Quality
from stackens.weight_averaging.alignment._symmetry import Symmetry


def score(value):
    return Score(np.array([value]))


def path(middle):
    return Interpolation([score(0.9), score(middle), score(0.8)], np.array([0.0, 0.5, 1.0]))


def quality(aligned, greater=True):
    models = [score(0.9), score(0.8)]
    return Quality(models, score(0.3), score(aligned), path(0.3), path(aligned), greater)


def report(found=None, notes=(), flipped=np.nan, **changes):
    units = pd.DataFrame(
        {
            "model": "a",
            "units": ["x", "y"],
            "size": [10, 30],
            "moved": [0.0, 1.0],
            "flipped": flipped,
        }
    )
    given = {"units": units, "similarity_before": [0.1], "similarity_after": [0.6], "changes": []}
    symmetry = Symmetry({}, {}, notes=notes)
    return AlignmentReport(
        **{**given, **changes}, deviation=3e-16, symmetry=symmetry, quality=found
    )


def test_shares_are_of_units_not_of_groups():
    summary = report().summary()
    assert "75% moved;" in summary
    assert "changed sign" not in summary
    assert "from 0.10 to 0.60" in summary
    assert "3e-16" in summary
    assert "50% changed sign" in report(flipped=0.5).summary()


@pytest.mark.parametrize(
    ("aligned", "greater", "enough"),
    [(0.84, True, True), (0.7, True, False), (0.7, False, True), (1.0, False, False)],
)
def test_enough_is_about_the_mean_model(aligned, greater, enough):
    found = quality(aligned, greater)
    assert found.mean_model.mean == pytest.approx(0.85)
    assert found.is_enough is enough
    said = report(found).summary()
    assert ("can be used" in said) is enough
    assert ("one_shot_merge" in said) is not enough


def test_what_was_held_still_is_said():
    assert "Held still" not in report().summary()
    assert report(notes=("a: sorted",)).summary().endswith("Held still: a: sorted.")
    assert "and 1 more" in report(notes=("a: sorted", "b: fft")).summary()


def test_the_picture_has_both_curves_and_the_chord():
    pytest.importorskip("matplotlib")
    drawn = report(quality(0.8)).plot().frame()
    curves = drawn.pivot_table(index="x", columns="series", values="score")
    assert curves.loc[0.5].to_dict() == pytest.approx(
        {"aligned": 0.8, "as trained": 0.3, "mean of the two": 0.85}
    )
    with pytest.raises(ValueError, match="evaluate="):
        report().plot()


def test_nothing_to_move():
    empty = pd.DataFrame(columns=["model", "units", "size", "moved", "flipped"])
    assert "nothing to move" in report(units=empty).summary()
    assert "nothing to move" in report(similarity_before=[], similarity_after=[]).summary()


def test_aligned_models_are_a_sequence():
    aligned = AlignedModels(["a", "b"], report())
    assert list(aligned) == ["a", "b"]
    assert (len(aligned), aligned[1], aligned[:1]) == (2, "b", ["a"])
    assert "2 models" in repr(aligned)
    frame = aligned.report.frame()
    frame["moved"] = 7
    assert aligned.report.frame()["moved"].max() == 1


def test_nothing_that_moved_is_said_in_a_whole_sentence():
    still = pd.DataFrame(
        {"model": ["a"], "units": ["x"], "size": [10], "moved": [np.nan], "flipped": [np.nan]}
    )
    assert report(units=still).summary().startswith("No unit moved; the cosine")
