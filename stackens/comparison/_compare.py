"""compare: every strategy on the same cross-fits, scored on rows that no fit has seen."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from stackens._core._parallel import single_threaded_blas
from stackens._core._rows import as_features, check_columns, check_same_rows, n_rows
from stackens._core._task import infer_task
from stackens._core._warning import warn
from stackens.comparison._findings import Findings
from stackens.comparison._inputs import Inputs
from stackens.comparison._outer_run import OuterRun, run_split
from stackens.comparison._progress import say
from stackens.comparison._refit import Refit
from stackens.comparison._report import ComparisonReport
from stackens.comparison._strategies import Strategy, resolve_strategies
from stackens.evaluation import (
    Answers,
    Cost,
    Evaluation,
    Scoring,
    check_scoring,
    differences,
    evaluate,
    listed_cv,
    outer_splits,
    resolve_scoring,
    score_answers,
)
from stackens.exceptions import RareClassWarning, StackensWarning
from stackens.out_of_fold import (
    Split,
    as_seed,
    check_options,
    checked_groups,
    checked_weights,
    choose_response,
    estimator_type,
    validate_estimators,
)

__all__ = ["compare"]


def compare(
    estimators: Any,
    X: Any,
    y: Any,
    *,
    strategies: Any = None,
    scoring: Any = None,
    cv: Any = 5,
    outer: Any = "auto",
    groups: Any = None,
    sample_weight: Any = None,
    final_fit: Any = "auto",
    out_of_bag: Any = "auto",
    n_jobs: int | None = None,
    on_error: str = "drop",
    random_state: Any = None,
    verbose: int = 0,
) -> ComparisonReport:
    """Compare base models and their combinations on rows set aside before anything is fitted.

    Each outer split costs one cross-fit, which serves every strategy but weight averages: they
    train their models once more, which ``fit_s`` shows. A base model alone is what the cross-fit
    makes of it: the mean of its fold models for boosted trees and neural networks, one model
    otherwise; ``final_fit="refit"`` compares single models.

    Parameters
    ----------
    estimators : list of (str, estimator) pairs, dict, or list of estimators
        Base models. See :func:`stackens.default_estimators` for a ready set.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Rows. Base models get them untouched, in the same kind of container.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    strategies : dict, list or None, default=None
        What to compare. None: every base model alone; uniform, simplex and greedy blends; a
        stack with a linear meta-learner; a stack with the automatic one; a ``"weight average"``
        of base models that share an architecture (see
        :func:`stackens.weight_averaging.averageable_groups`; where there are several such
        groups, one each, as ``"weight average (mlp_a, mlp_b)"``); and for tables
        ``"distilled"``, a small student that the automatic stack teaches. A list holds names:
        of base models, of combiners (such as ``"simplex"``), or of the usual strategies (such
        as ``"stack auto"``). A dict gives each a name of its own; its values are such names,
        unfitted Blended, Stacked, WeightAveraged or Distilled estimators, or combiners. An
        estimator brings its way of combining and the names of its base models (none means all,
        or those that share an architecture); how these are fitted is up to the comparison. A
        Distilled estimator brings its student; its teacher is None or a Blended or Stacked one.
    scoring : str, callable or None, default=None
        Any scikit-learn scorer; greater is better. A callable ``scorer(estimator, X, y)`` of your
        own gets the rows set aside, and may read them. None: RMSE for regression, log loss for
        classification if all models give probabilities, otherwise ROC AUC (two classes) or
        balanced accuracy. Greedy selection optimises it too, if given.
    cv : int, splitter or iterable of (train, test), default=5
        Folds of each cross-fit, as in :func:`stackens.cross_fit`.
    outer : "auto", int, float, splitter or iterable of (train, test), default="auto"
        How rows are set aside. ``"auto"``: one hold-out of a fifth from 5,000 rows on, 5
        folds below; the last fifth when ``cv`` keeps time order. An int is a number of
        folds, a float the fraction of one hold-out.
    groups : array-like of shape (n_samples,) or None, default=None
        Group of each row. Integers and fractions keep each group on one side of every split
        (of those that ignore time order), and the bootstrap draws whole groups. Other splits
        that do not are told by a :class:`~stackens.exceptions.LeakageWarning`.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights of the rows, for fitting and for scoring.
    final_fit, out_of_bag : default="auto"
        As in :func:`stackens.cross_fit`.
    n_jobs : int or None, default=None
        Jobs at the same time; -1 uses all cores.
    on_error : {"drop", "raise"}, default="drop"
        Whether a model or strategy that fails has no score and a warning says why, or
        stops everything.
    random_state : int, RandomState or None, default=None
        Seed of splits, bootstrap, and base models that have none. None: always the same
        splits.
    verbose : int, default=0
        Above 0 shows progress.

    Returns
    -------
    ComparisonReport

    Raises
    ------
    ValueError, TypeError
        For bad input, before anything is fitted; and if no strategy can be scored.

    Notes
    -----
    A score is the mean over outer splits; its standard error and the intervals of differences
    come from a bootstrap of the rows set aside: 1,000 resamples for log loss, (balanced)
    accuracy, ROC AUC, R² and squared or absolute error, 50 to 200 for other scorers. They do not
    cover what another draw of training rows would change. The intervals allow for picking the
    best of several combinations; see :meth:`ComparisonReport.differences`.

    References
    ----------
    Varma & Simon (2006). Bias in error estimation when using cross-validation for model
    selection. BMC Bioinformatics 7:91.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> models = {"rf": RandomForestClassifier(random_state=0), "nb": GaussianNB()}
    >>> report = se.compare(models, X, y, strategies=["rf", "nb", "simplex"], outer=0.3)
    >>> report.frame().columns.tolist()
    ['score', 'score_se', 'oof_score', 'fit_s', 'batch_us_per_row', 'one_row_us', 'bytes',
     'exported']
    >>> report.frame().index[-1]
    'nb'
    """
    pairs = validate_estimators(estimators)
    check_options(
        pairs,
        "compare",
        final_fit=final_fit,
        out_of_bag=out_of_bag,
        on_error=on_error,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    X = as_features(X)
    check_columns(X)
    check_same_rows(X=X, y=y, sample_weight=sample_weight, groups=groups)
    task, y = infer_task(y, classification=_classification([model for _, model in pairs]))
    groups, sample_weight = checked_groups(groups), checked_weights(sample_weight, n_rows(X))
    seed = as_seed(random_state)
    cv = listed_cv(cv, X, y, groups)
    responses: dict[str, str] = {
        name: choose_response(name, model, "auto", task) for name, model in pairs
    }
    metric = resolve_scoring(scoring, task, responses)
    check_scoring(metric, y, task, responses, sample_weight=sample_weight, X=X)
    tabular = np.ndim(X) == 2 and not sparse.issparse(X)
    chosen = resolve_strategies(
        strategies, pairs, task, responses, scoring, sample_weight, tabular=tabular
    )
    options = {
        "final_fit": final_fit,
        "out_of_bag": out_of_bag,
        "n_jobs": n_jobs,
        "on_error": on_error,
        "random_state": seed,
    }
    inputs = Inputs(pairs, X, y, task, groups, sample_weight, cv, options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RareClassWarning)  # the folds inside say it again
        splits = outer_splits(outer, X, y, task, cv=cv, groups=groups, random_state=seed)
    names = [name for name, _ in pairs]
    with single_threaded_blas:  # as in the cross-fit: threads round differently
        runs = _run_splits(inputs, chosen, splits, verbose)
        say(verbose, f"Scoring {len(chosen)} strategies by {metric.words}")
        evaluation = evaluate(
            [run.held_out for run in runs],
            list(dict.fromkeys([*names, *(strategy.name for strategy in chosen)])),
            metric,
            task,
            groups=groups,
            random_state=seed,
        )
    reasons = {**evaluation.reasons, **{k: v for run in runs for k, v in run.failures.items()}}
    frame = _frame(chosen, evaluation, runs, metric, inputs)
    _warn_unscored(frame, metric, reasons)
    best_single = _best_single(evaluation, names, chosen)
    combinations = [s.name for s in chosen if s.estimator is not None]
    paired = pd.DataFrame(columns=["difference", "se", "low", "high"], dtype=float)
    if best_single is not None:
        paired = differences(evaluation, best_single, combinations).reindex(frame.index)
    findings = Findings(
        frame,
        paired,
        metric,
        best_single,
        np.nan if best_single is None else float(evaluation.scores[best_single]),
        n_held_out=len(np.unique(np.concatenate([test for _, test in splits]))),
        n_outer=len(splits),
        combinations=frozenset(combinations),
        without_table=frozenset(s.name for s in chosen if s.fits_itself or s.distils),
    )
    # Any base model can be fitted afterwards: the best may be none of the strategies.
    by_name = {name: Strategy(name, (name,)) for name in names}
    by_name |= {strategy.name: strategy for strategy in chosen}
    return ComparisonReport(
        findings, Refit(inputs, by_name, frozenset(_always_failed(runs)), _bags(runs), verbose)
    )


def _best_single(
    evaluation: Evaluation, names: list[str], strategies: list[Strategy]
) -> str | None:
    """Return the base model with the best score, by the name it has among the strategies."""
    scores = evaluation.scores[names].dropna()
    if scores.empty:
        return None
    best = str(scores.idxmax())
    alone = [s.name for s in strategies if s.estimator is None and s.models == (best,)]
    return best if best in alone or not alone else alone[0]


def _classification(models: list[Any]) -> bool | None:
    """Whether the models classify; None when they do not say."""
    types = {estimator_type(model) for model in models}
    return True if "classifier" in types else False if types == {"regressor"} else None


def _run_splits(
    inputs: Inputs, strategies: list[Strategy], splits: list[Split], verbose: int
) -> list[OuterRun]:
    runs: list[OuterRun] = []
    for number, split in enumerate(splits):
        say(
            verbose,
            f"Outer split {number + 1} of {len(splits)}: {len(split[0]):,} rows to fit on, "
            f"{len(split[1]):,} set aside",
        )
        with warnings.catch_warnings():
            if number:  # what the first split warned about stays true in the others
                warnings.simplefilter("ignore", StackensWarning)
            runs.append(run_split(inputs, strategies, split, measure=number == 0, verbose=verbose))
    return runs


def _frame(
    strategies: list[Strategy],
    evaluation: Evaluation,
    runs: list[OuterRun],
    scoring: Scoring,
    inputs: Inputs,
) -> pd.DataFrame:
    """Return the leaderboard, best first."""
    unknown = Cost(np.nan, np.nan, np.nan)
    rows = {}
    for name in (strategy.name for strategy in strategies):
        cost = runs[0].costs.get(name, unknown)
        seconds = [run.fit_seconds[name] for run in runs if name in run.fit_seconds]
        rows[name] = {
            "score": evaluation.scores[name],
            "score_se": evaluation.standard_errors[name],
            "oof_score": _oof_score(name, runs, scoring, inputs),
            "fit_s": np.mean(seconds) if seconds else np.nan,
            "batch_us_per_row": cost.batch_us_per_row,
            "one_row_us": cost.one_row_us,
            "bytes": cost.n_bytes,
            "exported": cost.exported,
        }
    frame = pd.DataFrame.from_dict(rows, orient="index").astype(float)
    frame["exported"] = frame["exported"].astype(bool)
    frame.index.name = "strategy"
    if frame["bytes"].notna().all():
        frame["bytes"] = frame["bytes"].astype(np.int64)
    return frame.sort_values("score", ascending=False, kind="stable", na_position="last")


def _oof_score(name: str, runs: list[OuterRun], scoring: Scoring, inputs: Inputs) -> float:
    """Return the mean quick estimate, NaN where one of the cross-fits cannot give it."""
    scores = []
    for part in (run.in_sample for run in runs):
        answers = part.answers.get(name)
        if answers is None:
            return np.nan
        known = np.isfinite(answers.values).all(axis=1)
        weights = None if part.sample_weight is None else part.sample_weight[known]
        found, X = Answers(answers.values[known], answers.response), part.features(scoring, known)
        try:
            scores.append(score_answers(scoring, found, part.y[known], inputs.task, weights, X))
        except ValueError:
            return np.nan
    return float(np.mean(scores))


def _bags(runs: list[OuterRun]) -> frozenset[str]:
    return frozenset(name for run in runs for name, fit in run.final_fit.items() if fit == "bag")


def _always_failed(runs: list[OuterRun]) -> set[str]:
    return set.intersection(*(set(run.failures) for run in runs))


def _warn_unscored(frame: pd.DataFrame, scoring: Scoring, reasons: dict[str, str]) -> None:
    without = frame.index[frame["score"].isna()]
    listed = "; ".join(f"{name!r}: {reasons.get(name, 'it was left out')}" for name in without)
    if len(without) == len(frame):
        raise ValueError(
            f"At least one strategy must have a score. Got none by {scoring.words}: {listed}. "
            "Choose a scoring that suits the target and the models."
        )
    if len(without):
        warn(
            f"No score ({scoring.words}) for {listed}. They stand last, with NaN; another "
            "scoring or other models would help.",
            StackensWarning,
        )
