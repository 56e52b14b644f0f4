"""Score against latency and size: which candidates are worth having, and which one to choose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stackens.displays import ParetoDisplay
from stackens.evaluation import Scoring, as_bytes, as_number, as_seconds, decimals

__all__ = ["ParetoFront", "best_within", "pareto_mask", "smallest_within_one_se", "within_budget"]

_COSTS = ["one_row_us", "bytes"]
_COLUMNS = ["kind", "family", "score", "score_se", "one_row_us", "one_row_p99_us", "bytes"]
_NEAREST = 3  # candidates that a message names


def pareto_mask(score: ArrayLike, *costs: ArrayLike) -> np.ndarray:
    """Return which candidates no other one beats.

    Parameters
    ----------
    score : array-like of shape (n_candidates,)
        Greater is better.
    *costs : array-like of shape (n_candidates,)
        Less is better.

    Returns
    -------
    ndarray of bool of shape (n_candidates,)
        True where no other candidate is at least as good in everything and better in something.
        Of candidates that are equal in everything the first is kept. What is NaN in anything is
        left out: it neither stands on the front nor beats anything.

    Examples
    --------
    >>> from stackens.distillation._pareto import pareto_mask
    >>> pareto_mask([0.9, 0.8, 0.7, 0.7], [10.0, 2.0, 5.0, 1.0]).tolist()
    [True, True, False, True]
    """
    loss = -np.asarray(score, dtype=float)
    table = np.column_stack([np.asarray(cost, dtype=float) for cost in costs] or [0.0 * loss])
    mask = np.zeros(len(loss), dtype=bool)
    front: list[int] = []
    # In this order nothing is beaten by what comes later, and what comes earlier scores at least
    # as well: whether it costs no more is all there is to ask.
    for i in np.lexsort((*table.T[::-1], loss)):
        known = not (math.isnan(loss[i]) or np.isnan(table[i]).any())
        if known and not (table[front] <= table[i]).all(axis=1).any():
            front.append(int(i))
    mask[front] = True
    return mask


def smallest_within_one_se(frame: pd.DataFrame) -> str:
    """Return the smallest candidate whose score is within one standard error of the best.

    Parameters
    ----------
    frame : DataFrame
        The candidates to choose from, by label; columns ``score``, ``score_se``, ``bytes`` and
        ``one_row_us``. ``score_se`` of the best counts; where it is not known, nothing but the
        best score will do.

    Returns
    -------
    str
        Label of the one with the fewest bytes, of equals the quickest, then the best.

    Raises
    ------
    ValueError
        If no candidate has a score.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984). Classification and regression trees, section 3.4.3
    (the one-standard-error rule).
    """
    best = _scored(frame).sort_values("score", ascending=False, kind="stable").iloc[0]
    spread = 0.0 if math.isnan(best["score_se"]) else float(best["score_se"])
    near = frame[frame["score"] >= best["score"] - spread]
    return str(_by(near, bytes=True, one_row_us=True, score=False).index[0])


def best_within(
    frame: pd.DataFrame,
    *,
    max_latency_us: float | None = None,
    max_bytes: float | None = None,
    or_nearest: bool = False,
) -> str:
    """Return the candidate with the best score within a budget.

    Parameters
    ----------
    frame : DataFrame
        The candidates to choose from, by label; columns ``score``, ``one_row_us`` and ``bytes``.
    max_latency_us : float or None, default=None
        Microseconds for a single row (median); None for any.
    max_bytes : float or None, default=None
        Bytes; None for any.
    or_nearest : bool, default=False
        Whether the one that exceeds the budget least will do if none meets it.

    Returns
    -------
    str
        Label of the best, of equals the smallest, then the quickest.

    Raises
    ------
    ValueError
        If no candidate meets the budget; the message says which come nearest, and which budget
        they need. Also if no candidate has a score.
    """
    frame = _scored(frame)
    within = frame[within_budget(frame, max_latency_us, max_bytes)]
    if within.empty:
        budget = _budget(max_latency_us, max_bytes)
        nearest = _by_excess(frame, budget)
        if not or_nearest:
            raise ValueError(_no_candidate(nearest, budget))
        return str(nearest.index[0])
    return str(_by(within, score=False, bytes=True, one_row_us=True).index[0])


def within_budget(
    frame: pd.DataFrame, max_latency_us: float | None, max_bytes: float | None
) -> pd.Series:
    """Return which candidates meet a budget; those whose cost is not known do not."""
    budget = _budget(max_latency_us, max_bytes)
    return (frame[budget.index] <= budget).all(axis=1)


def _budget(max_latency_us: float | None, max_bytes: float | None) -> pd.Series:
    limits = dict(zip(_COSTS, (max_latency_us, max_bytes), strict=True))
    return pd.Series({cost: limit for cost, limit in limits.items() if limit is not None})


def _by_excess(frame: pd.DataFrame, budget: pd.Series) -> pd.DataFrame:
    """Sort candidates by how far they exceed a budget, those of unknown cost last."""
    excess = (frame[budget.index] / budget).max(axis=1, skipna=False)
    return frame.loc[excess.sort_values(kind="stable").index]


def _scored(frame: pd.DataFrame) -> pd.DataFrame:
    scored = frame.dropna(subset=["score"])
    if scored.empty:
        raise ValueError(
            "A student is chosen by its score on rows set aside. Got no student that could be "
            "scored. Check 'scoring', and why the students failed."
        )
    return scored


def _by(frame: pd.DataFrame, **ascending: bool) -> pd.DataFrame:
    """Sort by these columns in turn; unknown costs come last, and of equals the first stays so."""
    columns = list(ascending)
    keys = [frame[name] if ascending[name] else -frame[name] for name in reversed(columns)]
    return frame.iloc[np.lexsort(keys)]


def _no_candidate(frame: pd.DataFrame, budget: pd.Series) -> str:
    """Return the message for a budget that nothing meets: what comes nearest and what it needs."""
    nearest = frame[:_NEAREST]
    said = ", ".join(
        f"{label!r} ({as_seconds(1e-6 * row['one_row_us'])}, {as_bytes(row['bytes'])})"
        for label, row in nearest.iterrows()
    )
    first = nearest.iloc[0]
    asked, needed = [], []
    for cost, name in zip(_COSTS, ("max_latency_us", "max_bytes"), strict=True):
        if cost in budget.index:
            asked.append(f"{name}={budget[cost]:_g}")
            if first[cost] > budget[cost]:
                needed.append(f"{name}={math.ceil(first[cost]):_}")
    advice = f"Allow {' and '.join(needed)} for the first" if needed else "Measure their costs"
    return (
        f"No student meets {' and '.join(asked)}. Got {len(frame)} candidates, nearest are "
        f"{said}. {advice}, or try a smaller kind of student, such as 'tree' or 'linear'."
    )


@dataclass(frozen=True, eq=False, repr=False)
class ParetoFront:
    """Students, plain students and teacher by score, latency and size; ``pareto_``.

    Parameters
    ----------
    candidates : DataFrame
        Index: distinct labels, such as ``"lightgbm 50x15"`` and ``"teacher"``. Columns: ``kind``
        (``"distilled"``, ``"plain"`` or ``"teacher"``), ``family``, ``score`` (greater is better),
        ``score_se``, ``one_row_us``, ``one_row_p99_us`` and ``bytes``.
    scoring : Scoring
    chosen : str or None, default=None
        Label of the one that was chosen.
    max_latency_us, max_bytes : float or None, default=None
        The budget.

    Examples
    --------
    >>> import pandas as pd
    >>> from stackens._core._task import infer_task
    >>> from stackens.distillation._pareto import ParetoFront
    >>> from stackens.evaluation import resolve_scoring
    >>> candidates = pd.DataFrame(
    ...     {
    ...         "kind": ["distilled", "plain", "teacher"],
    ...         "family": ["tree", "tree", "teacher"],
    ...         "score": [0.92, 0.90, 0.93],
    ...         "score_se": 0.01,
    ...         "one_row_us": [2.0, 2.0, 4000.0],
    ...         "one_row_p99_us": [3.0, 3.0, 4500.0],
    ...         "bytes": [5e3, 5e3, 4e6],
    ...     },
    ...     index=["tree d6", "plain tree d6", "teacher"],
    ... )
    >>> scoring = resolve_scoring("roc_auc", infer_task([0, 1])[0], {})
    >>> front = ParetoFront(candidates, scoring, chosen="tree d6")
    >>> front.frame()["on_front"].to_dict()
    {'teacher': True, 'tree d6': True, 'plain tree d6': False}
    """

    candidates: pd.DataFrame
    scoring: Scoring
    chosen: str | None = None
    max_latency_us: float | None = None
    max_bytes: float | None = None

    def frame(self) -> pd.DataFrame:
        """Return all candidates, best score first.

        Returns
        -------
        DataFrame
            Index: labels. Columns: ``kind``, ``family``, ``score`` on rows set aside (greater is
            better), ``score_se``, ``one_row_us`` and ``one_row_p99_us`` (microseconds for a single
            row, median and 99th percentile), ``bytes``; ``on_front``: nothing else is at least as
            good in score, median latency and bytes, and better in one of them; ``chosen``.
        """
        frame = self.candidates[_COLUMNS].copy()
        frame["on_front"] = pareto_mask(frame["score"], *(frame[cost] for cost in _COSTS))
        frame["chosen"] = frame.index == self.chosen
        return frame.sort_values("score", ascending=False, kind="stable")

    def plot(self, axes: Any = None) -> ParetoDisplay:
        """Draw score against latency and against size.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes or None, default=None
            Where to draw. None makes a new figure, ``figure_`` of the result.

        Returns
        -------
        ParetoDisplay
        """
        frame = self.frame()
        frame["score"] *= self.scoring.sign
        display = ParetoDisplay(
            frame.rename(columns={"score_se": "error"}),
            costs=tuple(_COSTS),
            score_name=self.scoring.words,
            lower_is_better=self.scoring.sign < 0,
            budgets={"one_row_us": self.max_latency_us, "bytes": self.max_bytes},
        )
        return display.plot(axes)

    def __str__(self) -> str:
        frame = self.frame()
        frame = frame[frame["on_front"] | frame["chosen"]]
        digits = decimals(frame["score_se"].median() / 10.0, frame["score"].abs().median())
        shown = pd.DataFrame(
            {
                self.scoring.words: [
                    as_number(self.scoring.sign * score, digits) for score in frame["score"]
                ],
                "± se": [as_number(se, digits) for se in frame["score_se"]],
                "single row": [as_seconds(1e-6 * us) for us in frame["one_row_us"]],
                "size": [as_bytes(n) for n in frame["bytes"]],
                "": ["chosen" if chosen else "" for chosen in frame["chosen"]],
            },
            index=pd.Index(frame.index.tolist()),
        )
        return f"{self!r}\n{shown.to_string()}"

    def __repr__(self) -> str:
        return (
            f"<ParetoFront of {len(self.candidates)} candidates, "
            f"{int(self.frame()['on_front'].sum())} on the front, chosen: {self.chosen!r}>"
        )
