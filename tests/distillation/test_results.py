"""The numbers of a report, and the front of all candidates."""

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error

import stackens as se
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


def test_the_final_student_is_about_as_good_as_its_score():
    X, y = make_regression(1_000, 5, noise=5.0, random_state=0)
    student = se.DistilledRegressor(
        Ridge(), student="tree", augmentation=None, outer=0.4, guard=False, random_state=0
    ).fit(X[:500], y[:500])
    fresh = root_mean_squared_error(y[500:], student.predict(X[500:]))
    claimed = -student.report_.frame().loc["distilled student", "score"]
    assert fresh == pytest.approx(claimed, rel=0.2)
