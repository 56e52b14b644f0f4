"""The run of a cross-fit: one flat list of jobs out of members and folds, and back to a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens._core._parallel import Job, n_workers, run_jobs, thread_budget
from stackens._core._rows import n_rows
from stackens._core._warning import warn
from stackens.exceptions import BaseModelError, BaseModelWarning, ConstantPredictionWarning
from stackens.out_of_fold._fold_bag import FoldBag
from stackens.out_of_fold._folds import Folds
from stackens.out_of_fold._jobs import (
    Data,
    Fitted,
    Member,
    fit_fold,
    fit_full,
    fit_out_of_bag,
    predict_frozen,
)
from stackens.out_of_fold._policy import expected_cost

__all__ = ["final_model", "out_of_fold_values", "run_members", "split_failures", "warn_constant"]

# Boosted trees fit fewer rows than these as fast on one thread as on two, and many times as fast
# while the cores are busy: their threads wait for each other by spinning.
_FEW_ROWS = 2_000


def run_members(
    members: list[Member], data: Data, folds: Folds, n_jobs: int | None, on_error: str, verbose: int
) -> dict[str, list[Fitted]]:
    """Run all fits as one flat list and return the results of each member, in job order."""
    n_folds = len(folds.splits)
    n_tasks = sum(
        1 if m.policy in ("out_of_bag", "frozen") else n_folds + (m.policy == "refit")
        for m in members
    )
    few = n_rows(data.X) < _FEW_ROWS
    threads = 1 if few else thread_budget(n_workers(n_jobs, n_tasks))
    jobs: list[Job] = []
    owners: list[str] = []
    failed: set[str] = set()

    def add(member: Member, fit: Any, label: str, *args: Any) -> None:
        cost = expected_cost(member.estimator, member.policy, n_folds)
        call = (failed, fit, member, data, *args, threads, on_error)
        jobs.append(Job(_unless_failed, call, f"{member.name} {label}", cost))
        owners.append(member.name)

    for member in members:
        if member.policy == "frozen":
            add(member, predict_frozen, "")
        elif member.policy == "out_of_bag":
            add(member, fit_out_of_bag, "out of bag")
        else:
            for fold, (train, test) in enumerate(folds.splits, start=1):
                label = f"fold {fold} of {n_folds}"
                add(member, fit_fold, label, train, test, label)
            if member.policy == "refit":
                add(member, fit_full, "all rows")
    results = run_jobs(
        jobs, n_jobs=n_jobs, threads=threads, verbose=verbose, description="cross-fit"
    )
    by_member: dict[str, list[Fitted]] = {member.name: [] for member in members}
    for owner, result in zip(owners, results, strict=True):
        by_member[owner].append(result)
    return by_member


def _unless_failed(failed: set[str], fit: Any, member: Member, *args: Any) -> Fitted:
    """Run a fit, except of a member that has failed already and is left out anyway.

    Jobs in other processes have a set of their own, and are run.
    """
    if member.name in failed:
        return Fitted()
    result = fit(member, *args)
    if result.error:
        failed.add(member.name)
    return result


def split_failures(
    members: list[Member], fitted: dict[str, list[Fitted]]
) -> tuple[list[Member], dict[str, str]]:
    """Return the members whose fits all went well, and why the others did not.

    Raises
    ------
    BaseModelError
        If none is left.
    """
    failures = {
        name: str(next(result.error for result in results if result.error))
        for name, results in fitted.items()
        if any(result.error for result in results)
    }
    kept = [member for member in members if member.name not in failures]
    if not kept:
        raise BaseModelError("All base models failed. " + " | ".join(failures.values()))
    for message in failures.values():
        warn(f"Left out: {message}", BaseModelWarning)
    return kept, failures


def out_of_fold_values(
    members: list[Member], fitted: dict[str, list[Fitted]], folds: Folds, data: Data
) -> np.ndarray:
    """Return the predictions of all members, shape (n_samples, n_models, n_outputs).

    Predictions of a row by several splits are averaged; a row without any is NaN.
    """
    n_samples = n_rows(data.X)
    values = np.zeros((n_samples, len(members), data.task.n_outputs))
    times_held_out = np.zeros(n_samples)
    for _, test in folds.splits:
        times_held_out[test] += 1
    for i, member in enumerate(members):
        results = fitted[member.name]
        if member.policy in ("out_of_bag", "frozen"):
            values[:, i] = results[0].values
            continue
        for (_, test), result in zip(folds.splits, results, strict=False):
            values[test, i] += result.values
        if times_held_out.max() > 1:
            values[:, i] /= np.maximum(times_held_out, 1)[:, None]
        values[times_held_out == 0, i] = np.nan
    return values


def warn_constant(members: list[Member], values: np.ndarray) -> None:
    """Warn about models that predict the same for every row."""
    if len(values) < 2:
        return
    constant = (np.ptp(values, axis=0) == 0).all(axis=1)
    names = [member.name for member, same in zip(members, constant, strict=True) if same]
    if names:
        warn(
            f"The base models {names} predict the same value for every row. They add nothing; "
            "check their parameters and columns, or remove them.",
            ConstantPredictionWarning,
        )


def final_model(member: Member, results: list[Fitted], folds: Folds, data: Data) -> Any:
    """Return what predicts new rows."""
    if member.policy != "bag":
        return results[-1].model
    models = [result.model for result in results]
    n_train = [len(train) for train, _ in folds.splits]
    return FoldBag(models, member.response, data.task, n_train)
