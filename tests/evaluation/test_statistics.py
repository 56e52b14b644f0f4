"""Standard errors and paired intervals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stackens._core._task import Task
from stackens.evaluation._scoring import Answers, resolve_scoring
from stackens.evaluation._statistics import Evaluation, HeldOut, differences, evaluate

NUMBERS = Task("regression", 1)
BINARY = Task("binary", 2, np.array([0, 1]))


def numbers(n=400, noise=(1.0, 1.2), seed=0, rows=None, weights=None):
    random = np.random.default_rng(seed)
    y = random.normal(size=n)
    shared = random.normal(size=n)
    answers = {
        f"m{i}": Answers((y + scale * shared)[:, None], "predict") for i, scale in enumerate(noise)
    }
    return HeldOut(np.arange(n) if rows is None else rows, y, weights, answers)


def test_standard_error_of_a_mean_is_the_textbook_one():
    part = numbers()
    scoring = resolve_scoring("neg_mean_squared_error", NUMBERS, {})
    found = evaluate([part], ["m0", "m1"], scoring, NUMBERS, random_state=0)
    squares = (part.answers["m0"].values[:, 0] - part.y) ** 2
    assert found.scores["m0"] == pytest.approx(-squares.mean())
    expected = squares.std(ddof=1) / np.sqrt(len(squares))
    assert found.standard_errors["m0"] == pytest.approx(expected, rel=0.1)


def test_scorers_may_read_the_rows():
    def paid(estimator, X, y):
        return -float((X["paid"].to_numpy() * (estimator.predict(X) - y) ** 2).mean())

    rows = np.arange(1, 301, 2)
    part = numbers(n=150, rows=rows)
    X = pd.DataFrame({"paid": np.random.default_rng(1).random(400)})
    scoring = resolve_scoring(paid, NUMBERS, {})
    found = evaluate([replace(part, X=X)], ["m0"], scoring, NUMBERS)
    squares = (part.answers["m0"].values[:, 0] - part.y) ** 2 * X["paid"].to_numpy()[rows]
    assert found.scores["m0"] == pytest.approx(-squares.mean())
    expected = squares.std(ddof=1) / np.sqrt(150)
    assert found.standard_errors["m0"] == pytest.approx(expected, rel=0.2)
    assert "NoneType" in evaluate([part], ["m0"], scoring, NUMBERS).reasons["m0"]
    assert part.features(resolve_scoring("r2", NUMBERS, {})) is None


def test_differences_are_paired():
    found = evaluate(
        [numbers()],
        ["m0", "m1"],
        resolve_scoring("neg_mean_squared_error", NUMBERS, {}),
        NUMBERS,
    )
    table = differences(found, "m0", ["m1"])
    assert table.loc["m0"].tolist() == [0.0, 0.0, 0.0, 0.0]
    row = table.loc["m1"]
    assert row["difference"] == pytest.approx(found.scores["m1"] - found.scores["m0"])
    assert row["low"] < row["difference"] < row["high"] < 0
    # The errors share a factor, so the pair is far more certain than its parts.
    assert row["se"] < 0.5 * found.standard_errors["m1"]


def test_any_scorer_and_row_means_agree():
    part = numbers(n=150)

    def mse(estimator, X, y):
        return -float(((estimator.predict(X) - y) ** 2).mean())

    scorings = ["neg_mean_squared_error", mse]
    fast, slow = (
        evaluate([part], ["m0"], resolve_scoring(scoring, NUMBERS, {}), NUMBERS)
        for scoring in scorings
    )
    assert fast.scores["m0"] == pytest.approx(slow.scores["m0"])
    assert fast.standard_errors["m0"] == pytest.approx(slow.standard_errors["m0"], rel=0.25)


def test_coverage_of_the_interval():
    scoring = resolve_scoring("neg_mean_absolute_error", NUMBERS, {})
    covered = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        y = np.zeros(200)
        answers = {name: Answers(random.normal(size=(200, 1)), "predict") for name in ("a", "b")}
        part = HeldOut(np.arange(200), y, None, answers)
        found = evaluate([part], ["a", "b"], scoring, NUMBERS)
        row = differences(found, "a", ["b"]).loc["b"]
        covered += row["low"] <= 0 <= row["high"]
    assert 89 <= covered <= 99


def gain_of_the_best(seed, n_singles, n_combinations, skewed):
    """Interval of the best combination over the best single model, when all are equally good."""
    random = np.random.default_rng(seed)
    n = 150
    errors = random.normal(size=(n, n_singles + n_combinations))
    if skewed:
        errors = np.exp(errors)
    names = [f"m{i}" for i in range(errors.shape[1])]
    answers = {name: Answers(errors[:, [i]], "predict") for i, name in enumerate(names)}
    scoring = resolve_scoring("neg_mean_absolute_error", NUMBERS, {})
    part = HeldOut(np.arange(n), np.zeros(n), None, answers)
    found = evaluate([part], names, scoring, NUMBERS, random_state=seed)
    single = found.scores[names[:n_singles]].idxmax()
    best = found.scores[names[n_singles:]].idxmax()
    return differences(found, single, names[n_singles:]).loc[best]


def test_the_best_of_many_combinations_seldom_seems_better():
    rows = [gain_of_the_best(seed, 1, 10, skewed=True) for seed in range(60)]
    plain = sum(row["difference"] > 1.96 * row["se"] for row in rows)
    adjusted = sum(row["low"] > 0 for row in rows)
    assert adjusted <= 6  # 3 are allowed on average
    assert plain >= adjusted + 5  # without the adjustment it would


@pytest.mark.nightly
@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("n_singles", [1, 4])
def test_false_gains_over_many_draws(skewed, n_singles):
    rows = [gain_of_the_best(seed, n_singles, 6, skewed) for seed in range(1_000)]
    assert np.mean([row["low"] > 0 for row in rows]) < 0.06


def test_alike_combinations_need_no_wider_interval():
    part = numbers(noise=(1.0, 1.2))
    base = part.answers["m1"].values
    random = np.random.default_rng(0)
    for i in range(5):
        part.answers[f"copy {i}"] = Answers(base, "predict")
        part.answers[f"apart {i}"] = Answers(base + random.normal(size=base.shape), "predict")
    scoring = resolve_scoring("neg_mean_squared_error", NUMBERS, {})
    found = evaluate([part], list(part.answers), scoring, NUMBERS)

    def width(*others):
        row = differences(found, "m0", ["m1", *others]).loc["m1"]
        return (row["high"] - row["low"]) / (2 * row["se"])

    assert width() == pytest.approx(1.96, abs=0.001)
    assert width(*(f"copy {i}" for i in range(5))) == pytest.approx(1.96, abs=0.04)
    # Six independent ones: 2.63 by Sidak.
    assert 2.3 < width(*(f"apart {i}" for i in range(5))) < 2.65


def test_a_combination_like_the_reference_does_no_harm():
    part = numbers()
    part.answers["same"] = part.answers["m0"]
    scoring = resolve_scoring("neg_mean_squared_error", NUMBERS, {})
    found = evaluate([part], ["m0", "m1", "same"], scoring, NUMBERS)
    table = differences(found, "m0", ["m1", "same"])
    assert table.loc["same"].tolist() == [0.0, 0.0, 0.0, 0.0]
    alone = differences(found, "m0", ["m1"])
    np.testing.assert_array_equal(table.loc["m1"], alone.loc["m1"])


def test_few_resamples_have_intervals_as_well():
    part = numbers(n=150)

    def mse(estimator, X, y):
        return -float(((estimator.predict(X) - y) ** 2).mean())

    scoring = resolve_scoring(mse, NUMBERS, {})
    found = evaluate([part], ["m0", "m1"], scoring, NUMBERS)
    assert len(found.resampled) == 200
    row = differences(found, "m0", ["m1"]).loc["m1"]
    exact = evaluate(
        [part], ["m0", "m1"], resolve_scoring("neg_mean_squared_error", NUMBERS, {}), NUMBERS
    )
    expected = differences(exact, "m0", ["m1"]).loc["m1"]
    assert row["low"] == pytest.approx(expected["low"], rel=0.1)


def test_groups_are_drawn_whole():
    part = numbers(n=400)
    repeated = HeldOut(
        np.arange(400),
        np.repeat(part.y[:40], 10),
        None,
        {"m0": Answers(np.repeat(part.answers["m0"].values[:40], 10, axis=0), "predict")},
    )
    scoring = resolve_scoring("neg_mean_squared_error", NUMBERS, {})
    plain = evaluate([repeated], ["m0"], scoring, NUMBERS)
    grouped = evaluate([repeated], ["m0"], scoring, NUMBERS, groups=np.repeat(np.arange(40), 10))
    ratio = grouped.standard_errors["m0"] / plain.standard_errors["m0"]
    assert ratio == pytest.approx(np.sqrt(10), rel=0.15)


def test_differences_that_vary_only_by_rounding_have_an_interval():
    random = np.random.default_rng(0)
    resampled = pd.DataFrame(random.normal(size=(1_000, 4)), columns=list("abcd"))
    resampled["c"], resampled["d"] = resampled["a"] - 0.7, resampled["a"] + 1e-200
    resampled["b"] = resampled["a"] * (1 + 1e-15)
    found = differences(Evaluation(resampled.mean(), resampled, {}), "a", ["b", "c", "d"])
    assert np.isfinite(found.to_numpy()).all()
    np.testing.assert_allclose(found.loc["c", ["low", "high"]].astype(float), -0.7)


def test_parts_of_one_group_each_vary_with_the_groups():
    random = np.random.default_rng(0)
    scoring = resolve_scoring("neg_mean_squared_error", NUMBERS, {})
    parts, groups = [], np.repeat(np.arange(12), 20)
    for group in range(12):
        y = np.zeros(20)
        answers = {"m0": Answers(np.full((20, 1), random.normal()), "predict")}
        parts.append(HeldOut(np.flatnonzero(groups == group), y, None, answers))
    errors = np.array([part.answers["m0"].values[0, 0] ** 2 for part in parts])
    found = evaluate(parts, ["m0"], scoring, NUMBERS, groups=groups)
    # The bootstrap's variance of a mean of n units is (n - 1) / n of the textbook's.
    assert found.standard_errors["m0"] == pytest.approx(errors.std() / np.sqrt(12), rel=0.1)


def test_one_group_alone_has_no_standard_error():
    scoring = resolve_scoring("neg_mean_squared_error", NUMBERS, {})
    found = evaluate([numbers()], ["m0", "m1"], scoring, NUMBERS, groups=np.zeros(400))
    assert found.standard_errors.isna().all()
    assert differences(found, "m0", ["m1"])[["low", "high"]].isna().all(axis=None)


def test_scores_are_means_over_splits_and_rows_may_be_scored_twice():
    scoring = resolve_scoring("neg_mean_squared_error", NUMBERS, {})
    first, second = numbers(seed=1), numbers(seed=2, rows=np.arange(400, 800))
    both = evaluate([first, second], ["m0"], scoring, NUMBERS)
    alone = [evaluate([part], ["m0"], scoring, NUMBERS) for part in (first, second)]
    assert both.scores["m0"] == pytest.approx(np.mean([one.scores["m0"] for one in alone]))
    assert both.standard_errors["m0"] < 0.8 * alone[0].standard_errors["m0"]
    # The same rows again say nothing new.
    twice = evaluate([first, first], ["m0"], scoring, NUMBERS)
    assert twice.standard_errors["m0"] == pytest.approx(alone[0].standard_errors["m0"])


def test_weights_count():
    weights = np.random.default_rng(0).integers(0, 3, size=400).astype(float)
    scoring = resolve_scoring("neg_mean_squared_error", NUMBERS, {})
    found = evaluate([numbers(weights=weights)], ["m0"], scoring, NUMBERS)
    part = numbers()
    squares = (part.answers["m0"].values[:, 0] - part.y) ** 2
    assert found.scores["m0"] == pytest.approx(-np.average(squares, weights=weights))
    assert found.resampled["m0"].mean() == pytest.approx(found.scores["m0"], rel=0.02)


def test_same_seed_same_bits():
    scoring = resolve_scoring("neg_root_mean_squared_error", NUMBERS, {})
    first, again, other = (
        evaluate([numbers()], ["m0"], scoring, NUMBERS, random_state=seed).resampled
        for seed in (1, 1, 2)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_strategies_without_a_score_have_a_reason():
    part = numbers()
    part.answers["margins"] = Answers(np.zeros((400, 2)), "decision_function")
    y = (part.y > 0).astype(int)
    half = Answers(np.full((400, 2), 0.5), "predict_proba")
    held_out = HeldOut(part.rows, y, None, {"half": half, "margins": part.answers["margins"]})
    other = HeldOut(part.rows + 400, y, None, {"half": half, "late": half})
    scoring = resolve_scoring("neg_log_loss", BINARY, {})
    found = evaluate([held_out, other], ["half", "margins", "late"], scoring, BINARY)
    assert found.scores["half"] == pytest.approx(-np.log(2))
    assert found.scores[["margins", "late"]].isna().all()
    assert found.reasons["margins"] == "it gives no probabilities"
    assert "at least one outer split" in found.reasons["late"]
    assert list(found.resampled.columns) == ["half", "margins", "late"]


def test_resamples_that_lack_a_class_are_left_out():
    y = np.array([1] + [0] * 29)
    scores = np.linspace(0, 1, 30)
    part = HeldOut(
        np.arange(30),
        y,
        None,
        {"a": Answers(np.column_stack([1 - scores, scores]), "predict_proba")},
    )
    found = evaluate([part], ["a"], resolve_scoring("average_precision", BINARY, {}), BINARY)
    assert np.isfinite(found.standard_errors["a"])
