"""cross_fit: fit every base model once over the folds, for all strategies together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import joblib
import numpy as np
import pandas as pd

from stackens._core._html import html_of
from stackens._core._parallel import Job, n_workers, run_jobs, thread_budget
from stackens._core._rows import (
    as_features,
    check_columns,
    check_same_rows,
    is_frame,
    n_rows,
)
from stackens._core._task import Task, infer_task
from stackens._core._warning import warn
from stackens.exceptions import LeakageWarning
from stackens.out_of_fold._checks import (
    check_fitted,
    check_names,
    check_options,
    checked_groups,
    checked_weights,
)
from stackens.out_of_fold._fold_bag import respond_model
from stackens.out_of_fold._folds import Folds, make_folds
from stackens.out_of_fold._jobs import Data, Member
from stackens.out_of_fold._members import as_seed, seeded_clone, validate_estimators
from stackens.out_of_fold._policy import choose_policies, frozen_parts, is_frozen
from stackens.out_of_fold._responses import choose_response, estimator_type
from stackens.out_of_fold._routing import route_fit
from stackens.out_of_fold._run import (
    final_model,
    out_of_fold_values,
    run_members,
    split_failures,
    warn_constant,
)
from stackens.out_of_fold._table import OutOfFoldTable, PredictionTable, Response

__all__ = ["CrossFit", "cross_fit"]

# Starting threads costs more than predicting this many rows.
_FEW_ROWS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class CrossFit:
    """Base models fitted over folds: honest predictions for training rows, models for new ones.

    Parameters
    ----------
    out_of_fold : OutOfFoldTable
        Predictions for the training rows, by models that did not see them.
    models : dict of str -> fitted model
        What predicts new rows: for each name a :class:`FoldBag` of the fold models, a model
        fitted on all rows, or the model as given when it was already fitted.
    final_fit : dict of str -> {"bag", "refit", "out_of_bag", "frozen"}
        How each model was made.
    fit_seconds : dict of str -> float
        Wall time of all fits of each model, in seconds.
    failures : dict of str -> str
        Models that were left out (``on_error="drop"``), and why.
    n_jobs : int or None
        Models that predict at the same time.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {"bayes": GaussianNB(), "tree": DecisionTreeClassifier(random_state=0)}
    >>> fitted = se.cross_fit(models, X, y)
    >>> fitted
    <CrossFit with <OutOfFoldTable of bayes, tree: multiclass, 150 rows, 5 folds>>
    >>> fitted.frame()[["response", "final_fit"]]
                response final_fit
    model
    bayes  predict_proba     refit
    tree   predict_proba     refit
    >>> fitted.predict(X[:3])
    <PredictionTable of bayes, tree: multiclass, 3 rows>
    """

    out_of_fold: OutOfFoldTable
    models: dict[str, Any]
    final_fit: dict[str, str]
    fit_seconds: dict[str, float]
    failures: dict[str, str] = field(default_factory=dict)
    n_jobs: int | None = None

    def __repr__(self) -> str:
        left_out = f", left out: {list(self.failures)}" if self.failures else ""
        return f"<CrossFit with {self.out_of_fold!r}{left_out}>"

    def _repr_html_(self) -> str:
        return html_of(repr(self)[1:-1], self.frame())

    def frame(self) -> pd.DataFrame:
        """Return how each model was fitted.

        Returns
        -------
        DataFrame
            Index: names of the models. ``response``: what it answers with; ``final_fit``: how what
            predicts new rows was made; ``fit_s``: seconds of all its fits, added up.
        """
        return pd.DataFrame(
            {
                "response": dict(zip(self.names, self.out_of_fold.response, strict=True)),
                "final_fit": self.final_fit,
                "fit_s": self.fit_seconds,
            },
            index=pd.Index(self.names, name="model"),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models, in the order of the table."""
        return self.out_of_fold.names

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self.out_of_fold.task

    def predict(self, X: Any, *, skip: Collection[str] = ()) -> PredictionTable:
        """Predict new rows with every model.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            New rows, in the form the models were fitted on.
        skip : collection of str, default=()
            Models that are not asked; their values are 0. For combiners that give them no weight.

        Returns
        -------
        PredictionTable

        Raises
        ------
        ValueError
            If the columns of a frame are not those of the training rows, in their order.
        """
        check_names(skip)
        X = as_features(X)
        table = self.out_of_fold
        if is_frame(X) and is_frame(table.features):
            _check_columns(list(X.columns), list(table.features.columns))
        values = np.zeros((n_rows(X), len(table.names), table.n_outputs))
        asked = [i for i, name in enumerate(table.names) if name not in skip]
        asked_models = [(self.models[table.names[i]], X, table.response[i]) for i in asked]
        if len(values) <= _FEW_ROWS:
            with joblib.parallel_config(backend="sequential"):  # forests with n_jobs=-1 included
                answers = [respond_model(*args, table.task) for args in asked_models]
        else:
            threads = thread_budget(n_workers(self.n_jobs, len(asked)))
            jobs = [Job(respond_model, (*args, table.task, threads)) for args in asked_models]
            answers = run_jobs(jobs, n_jobs=self.n_jobs)
        for i, answer in zip(asked, answers, strict=True):
            values[:, i] = answer
        return PredictionTable(values, table.names, table.task, table.response, X)

    def compact(self) -> CrossFit:
        """Return the same models without the training rows' table, which prediction never needs."""
        return replace(self, out_of_fold=self.out_of_fold.rows(np.arange(0)))

    def select(self, names: Collection[str]) -> CrossFit:
        """Return the same cross-fit with only these models, without fitting anything."""
        check_names(names)
        return replace(
            self,
            out_of_fold=self.out_of_fold.select(list(names)),
            models={name: self.models[name] for name in names},
            final_fit={name: self.final_fit[name] for name in names},
            fit_seconds={name: self.fit_seconds[name] for name in names},
        )


def cross_fit(
    estimators: Any,
    X: Any,
    y: Any,
    *,
    cv: Any = 5,
    groups: Any = None,
    sample_weight: Any = None,
    final_fit: str | Mapping[str, str] = "auto",
    out_of_bag: bool | str = "auto",
    stack_method: str = "auto",
    classification: bool | None = None,
    n_jobs: int | None = None,
    on_error: str = "raise",
    random_state: Any = None,
    verbose: int = 0,
    params: dict[str, Any] | None = None,
    check: Callable[[OutOfFoldTable], object] | None = None,
) -> CrossFit:
    """Fit every base model over the folds, once, for every way of combining them.

    All fits form one flat list of jobs, the longest first. While jobs run side by side, each
    base model's own threads are held at its share of the cores.

    Parameters
    ----------
    estimators : list of (str, estimator) pairs, dict, or list of estimators
        Base models. They are cloned; ``"drop"`` in place of an estimator leaves it out.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Training rows. Base models get them untouched, in the same kind of container.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target. Labels reach base models as they are.
    cv : int, splitter, iterable of (train, test), or "prefit", default=5
        An integer makes shuffled folds: stratified by class, by the order of the target for
        regression, by group when ``groups`` are given. A splitter is never written to; repeated
        predictions of a row are averaged and rows never held out are not used. ``"prefit"``
        takes fitted models as they are.
    groups : array-like of shape (n_samples,) or None, default=None
        Group of each row. An integer ``cv`` keeps each group on one side of every split; other
        splits that do not are told by a :class:`~stackens.exceptions.LeakageWarning`.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights of the rows, for base models (also inside a Pipeline) and combiners.
    final_fit : {"auto", "bag", "refit"} or dict of name -> one of these, default="auto"
        What predicts new rows: the mean of the fold models, or one model fitted again on all
        rows. ``"auto"`` keeps the bag for boosted trees and neural networks and refits others;
        under time order or partial coverage everything is refitted.
    out_of_bag : {"auto", True, False}, default="auto"
        Whether random forests and bagging with ``bootstrap=True`` are fitted once, with
        their out-of-bag predictions as out-of-fold ones. ``"auto"`` asks for 50 trees or
        more, and in regression for 50,000 rows or no models beside them that need folds: with
        fewer rows, a forest that is held out in another way gets too much weight. Switched off
        with groups, a splitter, or steps before the forest that may read y.
    stack_method : {"auto", "predict_proba", "decision_function", "predict"}, default="auto"
        What to ask of classifiers. ``"auto"`` takes the first that a model has.
    classification : bool or None, default=None
        Whether y holds classes. None: yes if one of the estimators is a classifier, no if all
        are regressors, else as y looks.
    n_jobs : int or None, default=None
        Jobs at the same time; -1 uses all cores. Threads, unless ``joblib.parallel_config``
        says otherwise.
    on_error : {"raise", "drop"}, default="raise"
        Whether a failing base model stops everything or is left out with a warning.
    random_state : int, RandomState or None, default=None
        Seed of the folds (None: always the same folds), and of base models that have none.
    verbose : int, default=0
        Above 0 shows progress with model names and remaining time.
    params : dict or None, default=None
        More metadata for base models, with scikit-learn's metadata routing switched on.
    check : callable or None, default=None
        Called before anything is fitted with the table to come, its values all 0 (and not in
        memory): for combiners, to raise on models, columns or scorers that they cannot use.

    Returns
    -------
    CrossFit

    Raises
    ------
    BaseModelError
        If a base model fails; the message names model, fold and cause. It is a ``ValueError``,
        and also a ``TypeError`` when the cause is one.
    ValueError, TypeError
        For bad input, before anything is fitted.

    References
    ----------
    Wolpert (1992). Stacked generalization. Neural Networks 5(2), 241-259.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> models = {"tree": DecisionTreeClassifier(random_state=0), "nb": GaussianNB()}
    >>> fitted = se.cross_fit(models, X, y)
    >>> fitted.out_of_fold.values.shape
    (178, 2, 3)
    >>> fitted.predict(X[:5]).names
    ('tree', 'nb')
    """
    pairs = validate_estimators(estimators)
    check_options(
        pairs,
        "cross_fit",
        final_fit=final_fit,
        out_of_bag=out_of_bag,
        stack_method=stack_method,
        on_error=on_error,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    X = as_features(X)
    check_same_rows(X=X)
    check_columns(X)
    if classification is None:
        types = {estimator_type(model) for _, model in pairs}
        classification = (
            True if "classifier" in types else False if types == {"regressor"} else None
        )
    task, y = infer_task(y, classification=classification)
    check_same_rows(X=X, y=y, sample_weight=sample_weight, groups=groups)
    groups, sample_weight = checked_groups(groups), checked_weights(sample_weight, n_rows(X))
    if isinstance(cv, str) and cv == "prefit":
        responses = _responses(pairs, stack_method, task)
        members = [Member(name, m, responses[name], "frozen") for name, m in pairs]
        check_fitted(pairs)
        folds = Folds((), np.ones(n_rows(X), dtype=bool), shuffled=False)
        _warn_prefit([name for name, _ in pairs])
    else:
        fit_params, split_params = route_fit(pairs, cv, sample_weight, groups, params)
        responses = _responses(pairs, stack_method, task)
        seed = as_seed(random_state)
        folds = make_folds(
            cv, X, y, task, groups=groups, random_state=seed, split_params=split_params
        )
        policies = choose_policies(pairs, final_fit, out_of_bag, folds, task)
        members = [
            Member(
                name,
                seeded_clone(name, model, seed),
                responses[name],
                policies[name],
                fit_params[name],
            )
            for name, model in pairs
        ]
        _warn_prefit([name for pair in pairs for name in _prefit_names(*pair)])
    if check is not None:
        names, kinds = zip(*((m.name, m.response) for m in members), strict=True)
        zeros = np.broadcast_to(0.0, (n_rows(X), len(members), task.n_outputs))
        weights, splits, covered = sample_weight, folds.splits, folds.covered
        check(OutOfFoldTable(zeros, names, task, kinds, X, y, weights, splits, covered))
    data = Data(X, y, task)
    fitted = run_members(members, data, folds, n_jobs, on_error, verbose)
    members, failures = split_failures(members, fitted)
    values = out_of_fold_values(members, fitted, folds, data)
    covered = np.isfinite(values).all(axis=(1, 2))
    warn_constant(members, values if covered.all() else values[covered])
    table = OutOfFoldTable(
        values,
        tuple(member.name for member in members),
        task,
        tuple(member.response for member in members),
        y=y,
        sample_weight=sample_weight,
        splits=folds.splits,
        covered=covered,
        features=X,
    )
    table._warn_sums()
    return CrossFit(
        table,
        {m.name: final_model(m, fitted[m.name], folds, data) for m in members},
        {m.name: m.policy for m in members},
        {m.name: sum(result.seconds for result in fitted[m.name]) for m in members},
        failures,
        n_jobs,
    )


def _responses(pairs: list[tuple[str, Any]], stack_method: str, task: Task) -> dict[str, Response]:
    return {name: choose_response(name, model, stack_method, task) for name, model in pairs}


def _check_columns(columns: list[Any], expected: list[Any]) -> None:
    if columns == expected:
        return
    missing = [column for column in expected if column not in columns]
    new = [column for column in columns if column not in expected]
    got = f"missing columns {missing} and new ones {new}" if missing or new else "another order"
    raise ValueError(
        f"X must have the columns of the training rows, in their order. Got {got}. Use "
        "X[columns] with the columns that cross_fit had."
    )


def _prefit_names(name: str, model: Any) -> list[str]:
    """Return the name of a model that is never fitted again, or those of such models inside."""
    return [name] if is_frozen(model) else [f"{name}__{part}" for part in frozen_parts(model)]


def _warn_prefit(names: list[str]) -> None:
    if names:
        warn(
            f"The models {names} are already fitted and are used as they are. If they saw any of "
            "these rows, their predictions look too good and the combination trusts them too "
            "much: fit it on rows that they have never seen.",
            LeakageWarning,
        )
