"""The front against brute force, the rules that choose, and what the object shows."""

import math
import pickle
import re

import numpy as np
import pandas as pd
import pytest

from stackens._core._task import infer_task
from stackens.distillation._pareto import (
    ParetoFront,
    best_within,
    pareto_mask,
    smallest_within_one_se,
)
from stackens.evaluation import resolve_scoring

SCORING = resolve_scoring(None, infer_task([0, 1])[0], {})


def dominated(i, score, costs):
    """Whether any other candidate is at least as good in all, and better or earlier."""
    for j in range(len(score)):
        as_good = score[j] >= score[i] and all(cost[j] <= cost[i] for cost in costs)
        better = score[j] > score[i] or any(cost[j] < cost[i] for cost in costs)
        if j != i and as_good and (better or j < i):
            return True
    return False


@pytest.mark.parametrize("n_costs", [0, 1, 2, 3])
@pytest.mark.parametrize("levels", [3, 1_000])  # with many ties, and with hardly any
def test_the_mask_is_that_of_brute_force(n_costs, levels):
    random = np.random.default_rng(levels + n_costs)
    for n in (1, 2, 40):
        score, *costs = random.integers(levels, size=(1 + n_costs, n)).astype(float)
        expected = [not dominated(i, score, costs) for i in range(n)]
        assert pareto_mask(score, *costs).tolist() == expected


def test_equal_candidates_are_kept_once():
    assert pareto_mask([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]).tolist() == [True, False, False]


def test_what_is_not_known_is_never_on_the_front_and_beats_nothing():
    nan = math.nan
    assert pareto_mask([0.9, 0.8, nan], [nan, 2.0, 1.0]).tolist() == [False, True, False]
    assert pareto_mask([nan], [1.0]).tolist() == [False]
    assert pareto_mask([], []).tolist() == []


def test_the_front_does_not_depend_on_order():
    random = np.random.default_rng(0)
    values = random.random((3, 300))
    order = random.permutation(300)
    assert (pareto_mask(*values)[order] == pareto_mask(*values[:, order])).all()


def candidates():
    columns = ["kind", "family", "score", "score_se", "one_row_us", "one_row_p99_us", "bytes"]
    rows = {
        "plain tree": ["plain", "tree", -0.52, 0.02, 2.0, 3.0, 5_000],
        "tree": ["distilled", "tree", -0.47, 0.02, 2.0, 3.0, 5_000],
        "small": ["distilled", "lightgbm", -0.43, 0.02, 12.0, 15.0, 20_000],
        "large": ["distilled", "lightgbm", -0.415, 0.02, 60.0, 70.0, 300_000],
        "unmeasured": ["distilled", "other", -0.42, 0.02, math.nan, math.nan, math.nan],
        "teacher": ["teacher", "teacher", -0.40, 0.01, 4_000.0, 5_000.0, 9_000_000],
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def students():
    return candidates().query("kind == 'distilled'")


def test_smallest_within_one_standard_error_of_the_best():
    frame = students()
    assert smallest_within_one_se(frame) == "small"
    assert smallest_within_one_se(frame.assign(score_se=0.001)) == "large"
    assert smallest_within_one_se(frame.assign(score_se=math.nan)) == "large"
    assert smallest_within_one_se(frame.assign(score_se=1.0)) == "tree"
    # Only the error of the best counts.
    frame.loc["large", "score_se"] = 0.001
    assert smallest_within_one_se(frame) == "large"


def test_of_equal_sizes_the_quickest_then_the_best_is_taken():
    frame = students().loc[["tree", "small", "large"]].assign(score_se=1.0, bytes=100)
    assert smallest_within_one_se(frame.iloc[::-1]) == "tree"
    assert smallest_within_one_se(frame.assign(one_row_us=1.0)) == "large"


@pytest.mark.parametrize(
    ("budget", "taken"),
    [
        ({}, "large"),
        ({"max_latency_us": 60}, "large"),
        ({"max_latency_us": 59.9}, "small"),
        ({"max_bytes": 19_999}, "tree"),
        ({"max_latency_us": 1_000, "max_bytes": 20_000}, "small"),
    ],
)
def test_the_best_within_a_budget(budget, taken):
    assert best_within(students(), **budget) == taken


def test_the_nearest_to_a_budget_that_nothing_meets():
    assert best_within(students(), max_bytes=1, or_nearest=True) == "tree"
    assert best_within(students(), max_bytes=19_999, or_nearest=True) == "tree"
    assert best_within(students(), max_latency_us=59.9, or_nearest=True) == "small"


def test_of_equal_scores_the_smallest_is_taken():
    assert best_within(students().assign(score=0.5)) == "tree"


def test_what_was_not_measured_meets_no_budget():
    frame = students().loc[["unmeasured"]]
    assert best_within(frame) == "unmeasured"
    with pytest.raises(ValueError, match="No student meets max_bytes=1e\\+09.*Measure"):
        best_within(frame, max_bytes=1e9)


@pytest.mark.parametrize(
    "budget",
    [
        {"max_latency_us": 1},
        {"max_bytes": 4_000},
        {"max_latency_us": 1.5, "max_bytes": 100},
        {"max_latency_us": 1.5, "max_bytes": 1e6},
    ],
)
def test_the_message_says_what_would_do(budget):
    with pytest.raises(ValueError, match="No student meets") as error:
        best_within(students(), **budget)
    message = str(error.value)
    assert "nearest are 'tree' (2 µs, 5 kB), 'small' (12 µs, 20 kB)" in message
    advice = message.split("Allow")[1]
    needed = {name: float(value) for name, value in re.findall(r"(max_\w+)=([\d_]+)", advice)}
    assert best_within(students(), **{**budget, **needed}) == "tree"


def test_a_score_is_needed():
    frame = students().assign(score=math.nan)
    for rule in (smallest_within_one_se, best_within):
        with pytest.raises(ValueError, match="Got no student that could be scored"):
            rule(frame)


def test_rules_leave_the_frame_alone():
    frame = students()
    smallest_within_one_se(frame)
    best_within(frame, max_bytes=30_000)
    pd.testing.assert_frame_equal(frame, students())


def front(**options):
    return ParetoFront(candidates(), SCORING, **{"chosen": "small", **options})


def test_the_frame_is_best_first_and_marks_the_front():
    frame = front().frame()
    order = ["teacher", "large", "unmeasured", "small", "tree", "plain tree"]
    assert frame.index.tolist() == order
    assert frame["on_front"].tolist() == [True, True, False, True, True, False]
    assert frame["chosen"].tolist() == [name == "small" for name in order]
    assert frame.columns.tolist() == [*candidates().columns, "on_front", "chosen"]


def test_frames_are_copies():
    found = front()
    frame = found.frame()
    frame["score"] = 0.0
    pd.testing.assert_frame_equal(found.frame(), front().frame())
    pd.testing.assert_frame_equal(found.candidates, candidates())


def test_nothing_need_be_chosen():
    assert not front(chosen=None).frame()["chosen"].any()


def test_texts():
    assert repr(front()) == "<ParetoFront of 6 candidates, 4 on the front, chosen: 'small'>"
    lines = str(front()).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["teacher", "large", "small", "tree"]
    assert lines[4].split() == ["small", "0.4300", "0.0200", "12", "µs", "20", "kB", "chosen"]
    assert "4 ms" in lines[2]


def test_it_survives_pickle():
    again = pickle.loads(pickle.dumps(front(max_bytes=100)))
    pd.testing.assert_frame_equal(again.frame(), front().frame())
    assert again.max_bytes == 100


def test_the_picture_shows_losses_as_losses_and_the_budget():
    pytest.importorskip("matplotlib")
    display = front(max_latency_us=20.0).plot()
    frame = display.frame()
    assert (frame["score"] == -front().frame()["score"]).all()
    assert (frame["error"] == front().frame()["score_se"]).all()
    assert display.lower_is_better
    assert len(display.axes_) == 2
    assert display.budgets == {"one_row_us": 20.0, "bytes": None}
