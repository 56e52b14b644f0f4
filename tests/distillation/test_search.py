"""Choosing among candidates, and an honest score of what is chosen."""

from itertools import pairwise

import numpy as np
import pytest

from stackens._core._task import Task
from stackens.distillation._search import Search
from stackens.distillation._trial import Measured, Trial
from stackens.evaluation import Answers, HeldOut, resolve_scoring

BINARY = Task("binary", 2, np.array([0, 1]))
ACCURACY = resolve_scoring("accuracy", BINARY, {})


def best(frame):
    return str(frame["score"].idxmax())


def trial(rows, y, answers, **changes):
    """A trial in which every candidate has answered already."""
    said = {
        name: Answers(np.column_stack([1.0 - p, p]), "predict_proba")
        for name, p in ((name, np.asarray(p, dtype=float)) for name, p in answers.items())
    }
    found = Trial(None, None, HeldOut(rows, y, changes.get("weights"), said), 0)
    found.measured = {name: Measured(1.0, 2.0, 3.0) for name in answers}
    found.fit_seconds = dict.fromkeys(answers, 0.5)
    return found


def search(*trials, groups=None):
    return Search(trials, ACCURACY, BINARY, groups, 0)


def test_the_frame_has_scores_and_costs():
    y = np.array([0, 1, 1, 0])
    found = search(trial(np.arange(4), y, {"a": y, "b": 1 - y}))
    frame = found.frame(["a", "b"], found.evaluate(["a", "b"]))
    assert frame["score"].tolist() == [1.0, 0.0]
    assert frame.loc["a", ["one_row_us", "one_row_p99_us", "bytes", "fit_s"]].tolist() == [
        1.0,
        2.0,
        3.0,
        0.5,
    ]


def test_the_best_of_many_guesses_is_not_better_than_chance():
    """The maximum of 50 coin tosses per row is well above a half; what is taken is not."""
    maxima, taken = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 200)
        guesses = {f"c{i}": rng.integers(0, 2, 200) for i in range(50)}
        names = list(guesses)
        for parts in ([200], [40] * 5):
            stops = np.cumsum([0, *parts])
            found = search(
                *(
                    trial(np.arange(a, b), y[a:b], {n: g[a:b] for n, g in guesses.items()})
                    for a, b in pairwise(stops)
                )
            )
            found.add_taken("taken", names, best)
            scores = found.evaluate([*names, "taken"]).scores
            maxima.append(scores[names].max())
            taken.append(scores["taken"])
    assert np.mean(maxima) > 0.55
    assert np.mean(taken) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(20 * 200))


def test_a_clearly_better_candidate_is_taken_for_all_rows():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 100)
    found = search(trial(np.arange(100), y, {"good": y, "bad": 1 - y}))
    found.add_taken("taken", ["bad", "good"], best)
    assert found.evaluate(["taken"]).scores["taken"] == 1.0


def test_groups_are_not_torn_apart():
    groups = np.arange(60) // 20
    y = np.arange(60) % 2
    found = search(trial(np.arange(60), y, {"a": y}), groups=groups)
    for (mask,) in found._parts():
        assert all(len(set(mask[groups == group])) == 1 for group in range(3))


def test_what_cannot_be_scored_says_why():
    one_class = trial(np.arange(4), np.zeros(4, dtype=int), {"a": [0, 1, 1, 0]})
    odd = Search([one_class], resolve_scoring("roc_auc", BINARY, {}), BINARY, None, 0)
    with pytest.raises(ValueError, match=r"Every student must have a score.*'a'"):
        odd.evaluate(["a"])


def test_candidates_run_once_in_every_trial():
    ran = []

    class Ran(Trial):
        def run(self, candidate, *, measure):
            ran.append(measure)

    class Candidate:
        name = "a"

    found = search(
        Ran(None, None, HeldOut(np.arange(2), np.arange(2), None, {}), 0),
        Ran(None, None, HeldOut(np.arange(2), np.arange(2), None, {}), 0),
    )
    found.run([Candidate()])
    found.run([Candidate()])
    assert ran == [True, False]
