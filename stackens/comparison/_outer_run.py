"""One outer split: one cross-fit, every strategy from it, answers for the rows set aside."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from stackens._core._rows import n_rows, take_rows
from stackens._core._task import Task
from stackens.comparison._cost import measure_costs
from stackens.comparison._fit_on_rows import fit_on_rows, what_predicts
from stackens.comparison._fit_on_table import (
    FittedStrategy,
    check_strategies,
    distil_table,
    fit_strategy,
)
from stackens.comparison._inputs import Inputs
from stackens.comparison._progress import say
from stackens.comparison._strategies import Strategy
from stackens.evaluation import Answers, Cost, HeldOut, inner_cv
from stackens.exceptions import OtherBasinWarning
from stackens.out_of_fold import (
    CrossFit,
    PredictionTable,
    Split,
    choose_response,
    cross_fit,
    respond,
)

__all__ = ["OuterRun", "run_split"]


@dataclass(frozen=True, eq=False)
class OuterRun:
    """What one outer split gives.

    Parameters
    ----------
    held_out : HeldOut
        Answers for the rows set aside.
    in_sample : HeldOut
        Out-of-fold answers for the training rows, for the quick estimate.
    fit_seconds : dict of str -> float
    costs : dict of str -> Cost
        Only where they were asked for.
    failures : dict of str -> str
        Strategies without answers, and why.
    final_fit : dict of str -> str
        How the cross-fit made each base model.
    """

    held_out: HeldOut
    in_sample: HeldOut
    fit_seconds: dict[str, float] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    final_fit: dict[str, str] = field(default_factory=dict)


def run_split(
    inputs: Inputs,
    strategies: list[Strategy],
    split: Split,
    *,
    measure: bool,
    verbose: int = 0,
) -> OuterRun:
    """Cross-fit the training part once and let every strategy answer for the rows set aside.

    Parameters
    ----------
    inputs : Inputs
    strategies : list of Strategy
    split : (train, test) pair of index arrays
    measure : bool
        Whether to measure what predicting costs as well.
    verbose : int, default=0
    """
    train, test = split
    known, X_test = inputs.part(train), take_rows(inputs.X, test)
    fitted = cross_fit(
        inputs.pairs,
        known.X,
        known.y,
        cv=inner_cv(inputs.cv, train, n_rows(inputs.X), inputs.groups),
        groups=known.groups,
        sample_weight=known.sample_weight,
        classification=inputs.task.is_classification,
        verbose=verbose,
        check=partial(check_strategies, strategies, scorers=inputs.options["on_error"] == "raise"),
        **inputs.options,
    )
    run = OuterRun(
        _rows(inputs, test),
        _rows(inputs, train),
        failures=dict(fitted.failures),
    )
    table = fitted.predict(X_test)
    for name in fitted.names:
        _record_model(run, name, fitted, table)
    combinations, models = {}, dict(fitted.models)
    say(verbose, f"Fitting {sum(s.estimator is not None for s in strategies)} combinations")
    for strategy in strategies:
        if strategy.estimator is None:
            continue
        try:
            if strategy.fits_itself:
                start = time.perf_counter()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", OtherBasinWarning)  # its score will tell
                    estimator = fit_on_rows(strategy, known, fitted.failures, verbose)
                seconds = time.perf_counter() - start
                _record_estimator(run, strategy.name, estimator, seconds, X_test, fitted.task)
                models[strategy.name] = what_predicts(estimator)
            elif strategy.distils:
                say(verbose, f"{strategy.name}: training a student on {n_rows(known.X):,} rows")
                start = time.perf_counter()
                estimator = distil_table(strategy, fitted, inputs.options)
                seconds = time.perf_counter() - start
                seconds += sum(fitted.fit_seconds[m] for m in fitted.names if m in strategy.models)
                _record_estimator(run, strategy.name, estimator, seconds, X_test, fitted.task)
                models[strategy.name] = what_predicts(estimator)
            else:
                found = fit_strategy(strategy, fitted, inputs.options["random_state"])
                _record_strategy(run, strategy.name, found, fitted, table)
                combinations[strategy.name] = found
        except Exception as error:
            if inputs.options["on_error"] == "raise":
                raise
            run.failures[strategy.name] = f"{type(error).__name__}: {error}"
    if measure:
        n_measured = len(models) + len(combinations)
        say(verbose, f"Measuring what {n_measured} models and combinations cost to predict with")
        run.costs.update(measure_costs(models, combinations, X_test, table))
    for strategy in strategies:
        if strategy.estimator is None:
            _record_alias(run, strategy)
    _widen(run, fitted.task, inputs.task, len(train))
    return run


def _record_model(run: OuterRun, name: str, fitted: CrossFit, table: PredictionTable) -> None:
    """Record a base model alone, as the cross-fit made it: a bag of folds or a fit on all rows."""
    one, known = table.select([name]), fitted.out_of_fold.select([name])
    run.held_out.answers[name] = Answers(one.values[:, 0], one.response[0])
    run.in_sample.answers[name] = Answers(known.values[:, 0], known.response[0])
    run.fit_seconds[name] = _seconds_alone(name, fitted)
    run.final_fit[name] = fitted.final_fit[name]


def _seconds_alone(name: str, fitted: CrossFit) -> float:
    """Time to make what predicts; a model fitted on all rows needs no folds to stand alone."""
    total = fitted.fit_seconds[name]
    if fitted.final_fit[name] != "refit":
        return total
    n_samples = fitted.out_of_fold.n_samples
    in_folds = sum(len(train) for train, _ in fitted.out_of_fold.splits)
    return total * n_samples / (n_samples + in_folds)


def _record_alias(run: OuterRun, strategy: Strategy) -> None:
    """Let a base model stand under the name that its strategy has."""
    (model,) = strategy.models
    records: list[dict[str, Any]] = [
        run.held_out.answers,
        run.in_sample.answers,
        run.fit_seconds,
        run.costs,
        run.failures,
    ]
    for record in records:
        if model in record:
            record[strategy.name] = record[model]


def _record_strategy(
    run: OuterRun, name: str, found: FittedStrategy, fitted: CrossFit, table: PredictionTable
) -> None:
    run.held_out.answers[name] = found.answers(table)
    run.in_sample.answers[name] = found.out_of_fold
    run.fit_seconds[name] = found.seconds + sum(fitted.fit_seconds[model] for model in found.names)


def _record_estimator(
    run: OuterRun, name: str, estimator: Any, seconds: float, X_test: Any, task: Task
) -> None:
    """Record what was fitted on rows; there is nothing that it says of them out of fold."""
    response = choose_response(name, estimator, "auto", task)
    values = respond(estimator, X_test, response, task, n_train=len(run.in_sample.rows))
    run.held_out.answers[name] = Answers(values, response)
    run.fit_seconds[name] = seconds


def _rows(inputs: Inputs, rows: np.ndarray) -> HeldOut:
    weights = None if inputs.sample_weight is None else inputs.sample_weight[rows]
    return HeldOut(rows, np.asarray(take_rows(inputs.y, rows)), weights, {}, inputs.X)


def _widen(run: OuterRun, seen: Task, task: Task, n_train: int) -> None:
    """Give classes that the training part does not hold a column of their own.

    Their probability is 1 / (n_train + n_classes), Laplace's rule; a margin is the row's lowest.
    """
    if not task.has_classes or seen.n_outputs == task.n_outputs:
        return
    columns = np.searchsorted(task.classes, seen.classes)  # type: ignore[arg-type]
    floor = 1.0 / (n_train + task.n_outputs)
    for part in (run.held_out, run.in_sample):
        for name, answers in part.answers.items():
            values = answers.values
            full = np.empty((len(values), task.n_outputs))
            if answers.response == "predict_proba":
                full[:] = floor
                values = values * (1.0 - floor * (task.n_outputs - len(columns)))
            else:
                full[:] = values.min(axis=1, keepdims=True)
            full[:, columns] = values
            part.answers[name] = Answers(full, answers.response)
