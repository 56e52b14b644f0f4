"""What a comparison says in words."""

from dataclasses import replace

import numpy as np
import pandas as pd

from stackens.comparison._findings import (
    Findings,
    footnotes,
    leaderboard,
    recommended,
    scored_by,
    sentence,
)
from stackens.evaluation._scoring import Scoring


def findings(scores, paired, name="neg_log_loss", note="", single="forest", combos=("blend",)):
    frame = pd.DataFrame(
        {
            "score": scores,
            "score_se": 0.012,
            "oof_score": scores,
            "fit_s": 12.5,
            "batch_us_per_row": 3.2,
            "one_row_us": 4_321.0,
            "bytes": 1_234_567,
            "exported": True,
        }
    )
    table = pd.DataFrame.from_dict(
        paired, orient="index", columns=["difference", "se", "low", "high"], dtype=float
    )
    return Findings(
        frame,
        table,
        Scoring(name, lambda *_: 0.0, note),
        single,
        np.nan if single is None else scores.get(single, np.nan),
        n_held_out=1_408,
        n_outer=1,
        combinations=frozenset(combos),
    )


def test_a_gain_that_counts():
    said = sentence(
        findings(
            pd.Series({"blend": -0.402, "forest": -0.453}),
            {"blend": [0.051, 0.012, 0.028, 0.074], "forest": [0, 0, 0, 0]},
        )
    )
    assert said == (
        "Use 'blend': its log loss of 0.402 is 0.051 below that of 'forest', the best single "
        "model (95% interval 0.028 to 0.074, 1,408 rows set aside), at 1 times its time per row "
        "and 1 times its size."
    )


def test_large_ratios_are_written_out():
    found = findings(
        pd.Series({"blend": -0.402, "forest": -0.453}),
        {"blend": [0.051, 0.012, 0.028, 0.074], "forest": [0, 0, 0, 0]},
    )
    found.scores["bytes"] = [3_300_000, 1_000]
    found.scores["batch_us_per_row"] = [110.4, 1.0]
    assert "at 110 times its time per row and 3,300 times its size" in sentence(found)


def test_a_gain_within_noise():
    said = sentence(
        findings(
            pd.Series({"blend": 0.912, "forest": 0.905}),
            {"blend": [0.007, 0.005, -0.003, 0.017], "forest": [0, 0, 0, 0]},
            name="roc_auc",
        )
    )
    assert said.startswith("Use 'forest', the best single model (ROC AUC 0.9050)")
    assert "what 'blend' gains (0.9120, a difference of 0.0070) is within noise" in said


def test_a_gain_without_an_interval():
    said = sentence(
        findings(
            pd.Series({"blend": 0.912, "forest": 0.905}),
            {"blend": [0.007, np.nan, np.nan, np.nan], "forest": [0, 0, 0, 0]},
        )
    )
    assert said.startswith("Use 'forest', the best single model")
    assert said.endswith("cannot be told from noise (no interval, 1,408 rows set aside).")


def test_a_higher_score_is_above():
    said = sentence(
        findings(
            pd.Series({"blend": 0.95, "forest": 0.90}),
            {"blend": [0.05, 0.01, 0.03, 0.07]},
            name="accuracy",
        )
    )
    assert "accuracy of 0.950 is 0.050 above" in said


def test_a_single_model_wins():
    said = sentence(
        findings(pd.Series({"forest": -0.40, "blend": -0.41}), {"forest": [0, 0, 0, 0]})
    )
    assert said.startswith("Use 'forest' alone: no combination does better (log loss 0.400 ± 0.012")
    alone = sentence(findings(pd.Series({"forest": -0.40}), {"forest": [0, 0, 0, 0]}, combos=()))
    assert "it scores best" in alone


def test_no_single_model_has_a_score():
    said = sentence(findings(pd.Series({"blend": 0.9}), {}, name="accuracy", single=None))
    assert said == "Use 'blend': its accuracy is 0.900; no single model could be scored."


def test_the_leaderboard_has_units_and_natural_signs():
    scores = pd.Series({"blend": -0.4, "forest": np.nan})
    table = leaderboard(findings(scores, {"blend": [0.05, 0.01, 0.03, 0.07]}))
    row = table.loc["blend"]
    gain = "0.0500 (0.0300 to 0.0700)"
    costs = ["12.5 s", "3.2 µs", "4.32 ms", "1.23 MB"]
    assert row.tolist() == ["0.4000", "0.0120", gain, "0.4000", *costs]
    assert table.columns[0] == "log loss"
    assert table.columns[2] == "gain over 'forest' (95% interval)"
    assert table.loc["forest", "log loss"] == "-"
    assert table.loc["forest"].iloc[2] == ""


def test_gains_are_shown_where_there_are_combinations_and_single_models():
    scores = pd.Series({"blend": -0.4, "forest": -0.5})
    for found in (findings(scores, {}, combos=()), findings(scores, {}, single=None)):
        assert not any("gain" in column for column in leaderboard(found).columns)
    unscored = findings(scores, {"blend": [np.nan] * 4})
    assert leaderboard(unscored).loc["blend"].iloc[2] == "-"


def test_what_was_scored():
    found = findings(pd.Series({"blend": 0.9}), {}, name="roc_auc", note="Because.")
    assert scored_by(found) == (
        "ROC AUC (higher is better) on 1,408 rows set aside before any fit (one hold-out). Because."
    )


def test_what_was_timed():
    found = findings(pd.Series({"blend": 0.9, "tree": 0.7, "rows": 0.6}), {}, single=None)
    file = "Times and sizes to predict: of the file that export.to_numpy writes"
    assert footnotes(found) == [f"{file}."]
    some = replace(found, scores=found.scores.assign(exported=[False, True, False]))
    assert footnotes(some) == [f"{file}; as they are, in whole or part, of 'blend', 'rows'."]
    none = replace(found, scores=found.scores.assign(exported=False))
    assert footnotes(none) == ["Times and sizes to predict: of the models as they are."]


def test_why_there_is_no_out_of_fold_score():
    scores = pd.Series({"blend": 0.9, "soup": 0.8, "tree": 0.7})
    found = findings(scores, {}, name="accuracy", single=None)
    assert len(footnotes(found)) == 1
    apart = replace(found, without_table=frozenset({"soup", "blend"}))
    assert footnotes(apart)[1] == (
        "No out-of-fold score for 'blend', 'soup': trained on the rows, not on the table alone."
    )
    bare = replace(apart, scores=apart.scores.assign(oof_score=[np.nan, np.nan, 0.7]))
    assert leaderboard(bare)["out-of-fold"].tolist() == ["-", "-", "0.7000"]


def test_numbers_without_a_spread():
    found = findings(pd.Series({"blend": -1_234.5}), {}, name="neg_mean_squared_error", single=None)
    for spread in (np.nan, 0.0, 1e-13):  # the last is rounding
        bare = replace(found, scores=found.scores.assign(score_se=spread))
        assert leaderboard(bare)["mean squared error"].tolist() == ["1,234"]


def test_what_is_recommended():
    scores = pd.Series({"blend": -0.402, "forest": -0.453})
    clear = findings(scores, {"blend": [0.05, 0.01, 0.03, 0.07], "forest": [0, 0, 0, 0]})
    assert recommended(clear) == "blend"
    assert "at 1 times its time per row and 1 times its size" in sentence(clear)
    noise = findings(scores, {"blend": [0.05, 0.04, -0.03, 0.13], "forest": [0, 0, 0, 0]})
    assert recommended(noise) == "forest"
    assert sentence(noise).startswith("Use 'forest'")


def test_the_best_single_model_need_not_be_a_strategy():
    noise = {"blend": [0.05, 0.04, -0.03, 0.13]}
    found = replace(
        findings(pd.Series({"blend": -0.40}), noise, single="forest"), best_single_score=-0.45
    )
    assert recommended(found) == "forest"
    assert sentence(found).startswith(
        "Use 'forest', the best single model (log loss 0.450, not among the strategies): what "
        "'blend' gains"
    )
    worse = replace(
        findings(pd.Series({"blend": -0.50}), {"blend": [-0.05, 0.01, -0.07, -0.03]}),
        best_single_score=-0.45,
    )
    assert recommended(worse) == "forest"
    assert sentence(worse) == (
        "Use 'forest', the best single model (log loss 0.450, not among the strategies): no "
        "strategy does better (the best, 'blend', has 0.500)."
    )
    tree = replace(worse, scores=worse.scores.rename({"blend": "tree"}), combinations=frozenset())
    tree = replace(tree, paired=worse.paired.rename({"blend": "tree"}))
    assert recommended(tree) == "forest"
    assert "no strategy does better (the best, 'tree', has 0.500)" in sentence(tree)
