"""What a search found, as the numbers of a report and the front of all candidates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stackens.distillation._candidates import Candidate
from stackens.distillation._fidelity import agreement, expected_calibration_error, mean_kl
from stackens.distillation._findings import DISTILLED, PLAIN, TEACHER, Findings, is_clear
from stackens.distillation._pareto import ParetoFront
from stackens.distillation._plan import Plan
from stackens.distillation._search import Search
from stackens.distillation._trial import Measured
from stackens.distillation.teachers import FittedTeacher
from stackens.evaluation import differences

__all__ = ["findings_of", "front_of"]

_PLAIN_TOO_LARGE = "no plain student meets the budget; the nearest is the one compared with"
_COSTS = ["one_row_us", "one_row_p99_us", "bytes"]


def findings_of(
    search: Search,
    taken: dict[str, pd.DataFrame],
    best: dict[str, Candidate],
    teacher: FittedTeacher,
    teacher_cost: Measured,
    plan: Plan,
) -> Findings:
    """Return the numbers of the report.

    Parameters
    ----------
    search : Search
        With the answers of teacher, plain and distilled student.
    taken : dict of str to DataFrame
        Candidates of the plain and of the distilled student.
    best : dict of str to Candidate
        What is taken of them.
    teacher : FittedTeacher
        Of the first outer split.
    teacher_cost : Measured
    plan : Plan
    """
    names = [TEACHER, PLAIN, DISTILLED]
    evaluation = search.evaluate(names)
    against_plain = differences(evaluation, PLAIN, [TEACHER, DISTILLED])
    rows = {}
    for name in names:
        row = {
            "score": evaluation.scores[name],
            "score_se": evaluation.standard_errors[name],
            **_fidelity(search, name),
        }
        if name == TEACHER:
            row |= {**_cost_columns(teacher_cost), "fit_s": teacher.seconds}
        else:
            costs = taken[name].loc[best[name].name, [*_COSTS, "fit_s"]].astype(float)
            row |= dict(zip(costs.index, costs, strict=True))
        rows[name] = row
    gap, gap_se = map(float, against_plain.loc[TEACHER, ["difference", "se"]])
    gain, gain_se = map(float, against_plain.loc[DISTILLED, ["difference", "se"]])
    plain_fits = bool(plan.meets_budget(taken[PLAIN]).loc[best[PLAIN].name])
    # nor is a student worth its teacher that scores below the plain one
    guarded = plan.guard and plain_fits and (gain < 0 or not is_clear(gap, gap_se))
    candidate = best[PLAIN if guarded else DISTILLED]
    mix = best[DISTILLED].mix
    return Findings(
        scoring=plan.scoring,
        task=search.task,
        scores=pd.DataFrame.from_dict(rows, orient="index"),
        chosen=PLAIN if guarded else DISTILLED,
        guard=plan.guard,
        recipe=candidate.recipe.label,
        soft_weight=mix.soft_weight,
        temperature=plan.temperature,
        path="",
        label_source=teacher.source,
        n_held_out=len(np.unique(np.concatenate([t.held_out.rows for t in search.trials]))),
        n_outer=len(search.trials),
        gap=gap,
        gap_se=gap_se,
        gain=gain,
        gain_se=gain_se,
        augmentation=mix.extra or None,
        teacher_temperature=teacher.temperature_,
        budget=_budget_words(plan),
        notes=() if plain_fits else (_PLAIN_TOO_LARGE,),
    )


def _fidelity(search: Search, name: str) -> dict[str, float]:
    """Return agreement with the teacher, KL and calibration over all rows set aside."""
    said = {
        key: np.concatenate([trial.held_out.answers[key].values for trial in search.trials])
        for key in (name, TEACHER)
    }
    parts = [trial.held_out for trial in search.trials]
    weights = None
    if parts[0].sample_weight is not None:
        weights = np.concatenate([part.sample_weight for part in parts])
    task, student, teacher = search.task, said[name], said[TEACHER]
    ece = np.nan
    if task.has_classes:
        codes = task.encode(np.concatenate([part.y for part in parts]))
        ece = expected_calibration_error(student, codes, weights)
    return {
        "agreement": agreement(student=student, teacher=teacher, task=task, weights=weights),
        "kl": mean_kl(teacher=teacher, student=student, task=task, weights=weights),
        "ece": ece,
    }


def _budget_words(plan: Plan) -> str | None:
    limits = []
    if plan.max_latency_us is not None:
        limits.append(f"at most {plan.max_latency_us:g} µs for one row")
    if plan.max_bytes is not None:
        limits.append(f"at most {plan.max_bytes:,.0f} bytes")
    return " and ".join(limits) or None


def _cost_columns(cost: Measured) -> dict[str, float]:
    return dict(zip(_COSTS, (cost.one_row_us, cost.one_row_p99_us, cost.n_bytes), strict=True))


def front_of(
    search: Search,
    taken: dict[str, pd.DataFrame],
    best: dict[str, Candidate],
    findings: Findings,
    teacher_cost: Measured,
    plan: Plan,
) -> ParetoFront:
    """Return all sizes, distilled and plain, and the teacher on the same axes.

    Of the mixes that one size was taught by, the best stands for it; of the size that is taken,
    the mix that is.
    """
    rows, chosen = {}, ""
    for kind, name in (("distilled", DISTILLED), ("plain", PLAIN)):
        own = best[name].name
        ranked = taken[name].sort_values("score", kind="stable").index.drop(own)
        for key in [*ranked, own]:
            recipe = search.candidates[key].recipe
            label = recipe.label if kind == "distilled" else f"plain {recipe.label}"
            rows[label] = {"kind": kind, "family": recipe.family, **taken[name].loc[key]}
            if name == findings.chosen and recipe == best[name].recipe:
                chosen = label
    scores = findings.scores
    if scores is not None:
        said = scores.loc[TEACHER, ["score", "score_se"]].to_dict()
        rows[TEACHER] = {"kind": TEACHER, "family": TEACHER, **said, **_cost_columns(teacher_cost)}
    return ParetoFront(
        pd.DataFrame.from_dict(rows, orient="index"),
        plan.scoring,
        chosen=chosen,
        max_latency_us=plan.max_latency_us,
        max_bytes=plan.max_bytes,
    )
