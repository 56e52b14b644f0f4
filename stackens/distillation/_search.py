"""The search: which candidate to take, and an honest score of whatever is taken that way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from tqdm import tqdm

from stackens._core._task import Task
from stackens.distillation._candidates import Candidate
from stackens.distillation._trial import Trial
from stackens.evaluation import Answers, Evaluation, Scoring, evaluate, score_answers

__all__ = ["Search"]

# A frame of candidates, index their names, to the name of the one that is taken.
Rule = Callable[[pd.DataFrame], str]
_PARTS = 5


@dataclass(eq=False)
class Search:
    """Candidates tried on every outer split.

    The best of several scores is too good: it was picked for its luck too. So the score of what
    is *taken* is found by taking again without the rows that are scored: the rows set aside are
    cut into parts (the outer folds, or five parts of one hold-out), for each part the rule sees
    only the scores on the others, and the answers of what it takes count for that part.

    Parameters
    ----------
    trials : sequence of Trial
    scoring : Scoring
    task : Task
        Of the answers.
    groups : ndarray of shape (n_samples,) or None
    random_state : int or None
    verbose : int
    """

    trials: Sequence[Trial]
    scoring: Scoring
    task: Task
    groups: np.ndarray | None
    random_state: int | None
    verbose: int = 0
    candidates: dict[str, Candidate] = field(default_factory=dict)

    def run(self, candidates: Iterable[Candidate]) -> None:
        """Try candidates that were not tried yet."""
        new = [c for c in candidates if c.name not in self.candidates]
        total = len(new) * len(self.trials)
        with tqdm(total=total, desc="students", unit="fit", disable=not self.verbose) as progress:
            for candidate in new:
                for number, trial in enumerate(self.trials):
                    progress.set_postfix_str(candidate.name, refresh=False)
                    trial.run(candidate, measure=number == 0)
                    progress.update()
                self.candidates[candidate.name] = candidate

    def frame(self, names: Sequence[str], evaluation: Evaluation) -> pd.DataFrame:
        """Return candidates with their scores and costs, one row each."""
        first = self.trials[0]
        rows = {
            name: {
                "score": evaluation.scores[name],
                "score_se": evaluation.standard_errors[name],
                "one_row_us": first.measured[name].one_row_us,
                "one_row_p99_us": first.measured[name].one_row_p99_us,
                "bytes": first.measured[name].n_bytes,
                "fit_s": float(np.mean([trial.fit_seconds[name] for trial in self.trials])),
            }
            for name in names
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def evaluate(self, names: Sequence[str]) -> Evaluation:
        """Return the scores of these names on the rows set aside, with resampled ones."""
        found = evaluate(
            [trial.held_out for trial in self.trials],
            list(names),
            self.scoring,
            self.task,
            groups=self.groups,
            random_state=self.random_state,
        )
        if found.reasons:
            listed = "; ".join(f"{name!r}: {reason}" for name, reason in found.reasons.items())
            raise ValueError(
                f"Every student must have a score. Got none by {self.scoring.words}: {listed}. "
                "Choose a scoring that suits the target, or give more rows."
            )
        return found

    def add_taken(self, name: str, names: Sequence[str], rule: Rule) -> None:
        """Add, under a name, the answers of whatever the rule takes without seeing their score."""
        frame = self.frame(names, self.evaluate(names))
        for trial in self.trials:
            like = trial.held_out.answers[names[0]]
            trial.held_out.answers[name] = Answers(np.empty_like(like.values), like.response)
        parts = self._parts()
        for judged in parts:
            scores = self._scores_without(judged, parts, names)
            taken = rule(frame.assign(score=scores.fillna(frame["score"])))
            for trial, mask in zip(self.trials, judged, strict=True):
                trial.held_out.answers[name].values[mask] = trial.held_out.answers[taken].values[
                    mask
                ]

    def _parts(self) -> list[list[np.ndarray]]:
        """Return masks: for each part, which rows of each trial belong to it."""
        sizes = [len(trial.held_out.rows) for trial in self.trials]
        if len(self.trials) > 1:
            return [
                [np.full(size, own == part) for own, size in enumerate(sizes)]
                for part in range(len(self.trials))
            ]
        rows = self.trials[0].held_out.rows
        units = rows if self.groups is None else self.groups[rows]
        _, position = np.unique(units, return_inverse=True)
        seed = 0 if self.random_state is None else self.random_state
        part_of = np.random.default_rng(seed).permutation(position.max() + 1) % _PARTS
        parts = [[part_of[position] == part] for part in range(_PARTS)]
        return [part for part in parts if part[0].any()]

    def _scores_without(
        self, judged: list[np.ndarray], parts: list[list[np.ndarray]], names: Sequence[str]
    ) -> pd.Series:
        """Return scores on all rows set aside but these; NaN where they cannot be scored."""
        scores = {}
        for name in names:
            found = []
            for trial, mask in zip(self.trials, judged, strict=True):
                held, rest = trial.held_out, ~mask
                if not rest.any() or len(parts) < 2:
                    continue
                answers = held.answers[name]
                weights = None if held.sample_weight is None else held.sample_weight[rest]
                try:
                    found.append(
                        score_answers(
                            self.scoring,
                            Answers(answers.values[rest], answers.response),
                            held.y[rest],
                            self.task,
                            weights,
                            held.features(self.scoring, rest),
                        )
                    )
                except ValueError:  # too few rows for this metric, such as one class only
                    found.append(np.nan)
            scores[name] = float(np.mean(found)) if found else np.nan
        return pd.Series(scores)
