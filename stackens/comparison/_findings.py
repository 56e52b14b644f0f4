"""What a comparison found, and how to say it: the printed leaderboard and the one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from stackens.evaluation import (
    Scoring,
    as_bytes,
    as_number,
    as_seconds,
    capitalised,
    decimals,
)

__all__ = ["Findings", "footnotes", "leaderboard", "recommended", "scored_by", "sentence"]


@dataclass(frozen=True, eq=False)
class Findings:
    """The numbers of a comparison.

    Parameters
    ----------
    scores : DataFrame
        The leaderboard, best first; the strategy is the index.
    paired : DataFrame
        Differences of the strategies to the best single model.
    scoring : Scoring
    best_single : str or None
        The base model with the best score, None when none has a score.
    best_single_score : float
    n_held_out : int
        Rows that were set aside and scored.
    n_outer : int
        Outer splits.
    combinations : frozenset of str
        Strategies that are not a base model alone.
    without_table : frozenset of str
        Those of them that are fitted on the rows and not on the out-of-fold table.
    """

    scores: pd.DataFrame
    paired: pd.DataFrame
    scoring: Scoring
    best_single: str | None
    best_single_score: float
    n_held_out: int
    n_outer: int
    combinations: frozenset[str]
    without_table: frozenset[str] = frozenset()


def scored_by(findings: Findings) -> str:
    """Return what the scores are and which rows they come from."""
    scoring = findings.scoring
    better = "lower" if scoring.sign < 0 else "higher"
    how = "one hold-out" if findings.n_outer == 1 else f"{findings.n_outer} outer splits"
    text = (
        f"{capitalised(scoring.words)} ({better} is better) on {findings.n_held_out:,} rows set "
        f"aside before any fit ({how})"
    )
    return f"{text}. {scoring.note}" if scoring.note else text


def leaderboard(findings: Findings) -> pd.DataFrame:
    """Return the leaderboard as text, with units."""
    frame = findings.scores
    sign = findings.scoring.sign
    digits = decimals(frame["score_se"].median() / 10.0, frame["score"].abs().median())
    columns = {
        findings.scoring.words: [as_number(sign * s, digits) for s in frame["score"]],
        "± se": [as_number(s, digits) for s in frame["score_se"]],
    }
    if findings.combinations and findings.best_single is not None:
        title = f"gain over {findings.best_single!r} (95% interval)"
        columns[title] = [_gain(findings, name, digits) for name in frame.index]
    columns |= {
        "out-of-fold": [as_number(sign * s, digits) for s in frame["oof_score"]],
        "fit": [as_seconds(s) for s in frame["fit_s"]],
        "batch, per row": [as_seconds(1e-6 * us) for us in frame["batch_us_per_row"]],
        "single row": [as_seconds(1e-6 * us) for us in frame["one_row_us"]],
        "size": [as_bytes(b) for b in frame["bytes"]],
    }
    return pd.DataFrame(columns, index=pd.Index(frame.index.tolist()))


def footnotes(findings: Findings) -> list[str]:
    """Return what was timed, and why some strategies have no out-of-fold score if any has none."""
    scores = findings.scores
    as_it_is = scores.index[~scores["exported"]].tolist()
    what = "Times and sizes to predict: of the file that export.to_numpy writes"
    if len(as_it_is) == len(scores):
        what = "Times and sizes to predict: of the models as they are"
    elif as_it_is:
        what += f"; as they are, in whole or part, of {', '.join(map(repr, as_it_is))}"
    notes = [f"{what}."]
    names = [name for name in scores.index if name in findings.without_table]
    if names:
        listed = ", ".join(map(repr, names))
        notes.append(
            f"No out-of-fold score for {listed}: trained on the rows, not on the table alone."
        )
    return notes


def _gain(findings: Findings, name: str, digits: int) -> str:
    """Return what a combination gains over the best single model, with its interval."""
    if name not in findings.combinations:
        return ""
    gain, low, high = map(float, findings.paired.loc[name, ["difference", "low", "high"]])
    if not math.isfinite(gain):
        return "-"
    return f"{as_number(gain, digits)} ({as_number(low, digits)} to {as_number(high, digits)})"


def recommended(findings: Findings) -> str:
    """Return the strategy to use: a combination only if its gain is clear of noise."""
    best, single = str(findings.scores.index[0]), findings.best_single
    if single is None:
        return best
    if best in findings.combinations:
        return best if float(findings.paired["low"].loc[best]) > 0 else single
    # The best single model need not be among the strategies.
    return best if findings.scores["score"].iloc[0] >= findings.best_single_score else single


def _cost(findings: Findings, name: str, other: str) -> str:
    """Return what one strategy takes in time and space of another, where both are known."""
    if other not in findings.scores.index:
        return ""
    columns = ["batch_us_per_row", "bytes"]
    ours, theirs = (findings.scores.loc[key, columns].to_numpy(float) for key in (name, other))
    if not ((ours > 0) & (theirs > 0)).all():
        return ""
    time, size = (f"{ratio:,.0f}" if ratio >= 99.5 else f"{ratio:.2g}" for ratio in ours / theirs)
    return f", at {time} times its time per row and {size} times its size"


def sentence(findings: Findings) -> str:
    """Return which strategy to use and what it gains over the best single model."""
    scoring, best = findings.scoring, str(findings.scores.index[0])
    score, se = map(float, findings.scores.loc[best, ["score", "score_se"]])
    digits = decimals(se, score)
    value = as_number(scoring.sign * score, digits)
    single = findings.best_single
    if single is None:
        return f"Use {best!r}: its {scoring.words} is {value}; no single model could be scored."
    if best not in findings.combinations and recommended(findings) == best:
        others = "no combination does better" if findings.combinations else "it scores best"
        return (
            f"Use {best!r} alone: {others} ({scoring.words} {value} ± {as_number(se, digits)} "
            f"on {findings.n_held_out:,} rows set aside)."
        )
    columns = ["difference", "se", "low", "high"]
    gain, spread, low, high = map(float, findings.paired.loc[best, columns])
    digits = max(digits, decimals(spread, gain))
    value, gained = as_number(scoring.sign * score, digits), as_number(gain, digits)
    of_single = as_number(scoring.sign * findings.best_single_score, digits)
    interval = f"95% interval {as_number(low, digits)} to {as_number(high, digits)}"
    if recommended(findings) == best:
        direction = "below" if scoring.sign < 0 else "above"
        return (
            f"Use {best!r}: its {scoring.words} of {value} is {gained} {direction} "
            f"that of {single!r}, the best single model ({interval}, {findings.n_held_out:,} rows "
            f"set aside){_cost(findings, best, single)}."
        )
    unlisted = "" if single in findings.scores.index else ", not among the strategies"
    text = f"Use {single!r}, the best single model ({scoring.words} {of_single}{unlisted})"
    if gain <= 0:
        return f"{text}: no strategy does better (the best, {best!r}, has {value})."
    if math.isnan(low):  # all rows set aside are of one group, say
        noise = "cannot be told from noise (no interval"
    else:
        noise = f"is within noise ({interval}"
    return (
        f"{text}: what {best!r} gains ({value}, a difference of {gained}) {noise}, "
        f"{findings.n_held_out:,} rows set aside)."
    )
