"""The numbers of a report, and the front of all candidates."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error

import stackens as se
from stackens.distillation._candidates import PLAIN_MIX, Candidate, Mix
from stackens.distillation._findings import DISTILLED, PLAIN
from stackens.distillation._results import front_of
from stackens.distillation._trial import Measured
from stackens.distillation.students import TreeStudent


@pytest.fixture(scope="module")
def found():
    X, y = make_regression(400, 5, noise=5.0, random_state=0)
    return se.DistilledRegressor(
        Ridge(),
        student=[TreeStudent(max_depth=depth) for depth in (2, 4, 6)],
        augmentation=None,
        outer=0.4,
        guard=False,
        random_state=0,
    ).fit(X, y)


def test_scores_gap_and_gain_belong_together(found):
    findings, frame = found.report_.findings, found.report_.frame()
    scores = frame["score"]
    assert findings.gap == pytest.approx(scores["teacher"] - scores["plain student"])
    assert findings.gain == pytest.approx(scores["distilled student"] - scores["plain student"])
    assert findings.retention == pytest.approx(findings.gain / findings.gap)
    assert frame.loc["teacher", "agreement"] == pytest.approx(1.0)
    assert np.isfinite(frame[["one_row_us", "bytes", "fit_s"]]).all(axis=None)


def test_the_front_holds_every_size_twice_and_the_teacher(found):
    front = found.pareto_.frame()
    sizes = front[front["kind"] == "distilled"].index
    assert {f"plain {size}" for size in sizes} <= set(front.index)
    assert front["chosen"].sum() == 1
    assert front.loc["teacher", "kind"] == "teacher"
    assert front.loc[front["chosen"]].index[0] == found.student_.label


def test_the_student_taken_stands_for_its_size(found):
    """Another mix may score better and be too large for the budget."""
    depth = TreeStudent(max_depth=3)
    large, small = Candidate(depth, Mix(1.0, "resample")), Candidate(depth, Mix(0.9))
    plain = Candidate(depth, PLAIN_MIX)

    def candidates(**rows):
        columns = ["score", "score_se", "one_row_us", "one_row_p99_us", "bytes", "fit_s"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    taken = {
        DISTILLED: candidates(
            **{
                small.name: [-3.0, 0.1, 2.0, 3.0, 800.0, 0.1],
                large.name: [-2.0, 0.1, 2.0, 3.0, 1200.0, 0.1],
            }
        ),
        PLAIN: candidates(**{plain.name: [-4.0, 0.1, 2.0, 3.0, 700.0, 0.1]}),
    }
    every = {candidate.name: candidate for candidate in (large, small, plain)}
    findings = SimpleNamespace(chosen=DISTILLED, scores=found.report_.findings.scores)
    plan = SimpleNamespace(
        scoring=found.report_.findings.scoring, max_latency_us=None, max_bytes=1000
    )
    for own in (small, large):
        front = front_of(
            SimpleNamespace(candidates=every),
            taken,
            {DISTILLED: own, PLAIN: plain},
            findings,
            Measured(10.0, 11.0, 9000.0),
            plan,
        ).frame()
        row = front[front["chosen"]].iloc[0]
        assert row["bytes"] == taken[DISTILLED].loc[own.name, "bytes"]
        assert row["score"] == taken[DISTILLED].loc[own.name, "score"]


def test_the_final_student_is_about_as_good_as_its_score():
    X, y = make_regression(1_000, 5, noise=5.0, random_state=0)
    student = se.DistilledRegressor(
        Ridge(), student="tree", augmentation=None, outer=0.4, guard=False, random_state=0
    ).fit(X[:500], y[:500])
    fresh = root_mean_squared_error(y[500:], student.predict(X[500:]))
    claimed = -student.report_.frame().loc["distilled student", "score"]
    assert fresh == pytest.approx(claimed, rel=0.2)
