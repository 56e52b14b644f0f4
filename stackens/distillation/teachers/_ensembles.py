"""Blends, stacks and cross-fits as teachers: labels go through the whole ensemble, out of fold."""

from __future__ import annotations

from copy import deepcopy
from numbers import Integral
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from stackens.combiners import Combiner, combiner_for
from stackens.distillation.teachers._cross_fitted import CrossFittedTeacher, Pairs
from stackens.distillation.teachers._teacher import FittedTeacher, TeacherRows, TeachingOptions
from stackens.ensemble import OutOfFoldEnsemble
from stackens.out_of_fold import CrossFit, FoldBag, as_seed, validate_estimators

__all__ = ["CrossFitTeacher", "EnsembleTeacher"]

_DEFAULT_FOLDS = 5


class EnsembleTeacher(CrossFittedTeacher):
    """A blend or a stack, fitted before or not: its base models are cross-fitted once.

    Each row is labelled by the combiner of the other folds from out-of-fold predictions of the
    base models. The ensemble's own settings count; its folds only where they differ from the
    default of 5, and `n_jobs` and `random_state` where it has them.

    Parameters
    ----------
    ensemble : OutOfFoldEnsemble
        It is neither changed nor fitted.
    fitted : CrossFit or None, default=None
        A cross-fit of its base models. Asked to learn the very rows of its table the teacher
        fits nothing but the combiner. As in ``fit_from``, models that the ensemble does not name
        are left out, and one without estimators takes all.
    """

    def __init__(self, ensemble: OutOfFoldEnsemble, fitted: CrossFit | None = None) -> None:
        self.ensemble = ensemble
        self.fitted = fitted

    def pairs(self) -> Pairs:
        if self.fitted is not None and not self.ensemble.estimators:
            return _unfitted_pairs(self.fitted)
        return validate_estimators(self.ensemble.estimators)

    def existing(self, rows: TeacherRows) -> CrossFit | None:
        if self.fitted is None or not _is_of(rows, self.fitted):
            return None
        wanted = [name for name, _ in self.pairs()]
        names = [name for name in wanted if name in self.fitted.names]
        missing = sorted(set(wanted) - {*names, *self.fitted.failures})
        if missing or not names:
            raise ValueError(
                "The cross-fit must hold every model of the teacher. Got "
                f"{list(self.fitted.names)}, without {missing or wanted}. Add them to it, or leave "
                "them out of the teacher."
            )
        return self.fitted.select(names)

    def identity(self) -> Any:
        table = None if self.fitted is None else self.fitted.out_of_fold.values
        return clone(self.ensemble), table

    def settings(self, options: TeachingOptions) -> dict[str, Any]:
        ours, theirs = super().settings(options), self.ensemble
        cv = theirs.cv
        default = cv is None or (isinstance(cv, Integral) and cv == _DEFAULT_FOLDS)
        if not isinstance(cv, str | Integral | None) and not hasattr(cv, "split"):
            raise ValueError(
                "The folds of a teacher must suit any part of the rows. Got a list of splits as "
                f"cv of {type(theirs).__name__}. Give the list as cv of the distillation, and "
                f"leave that of the teacher at {_DEFAULT_FOLDS}."
            )
        seed = as_seed(deepcopy(theirs.random_state))  # a generator of the user is not drawn from
        return {
            "cv": ours["cv"] if default else cv,
            "n_jobs": ours["n_jobs"] if theirs.n_jobs is None else theirs.n_jobs,
            "random_state": ours["random_state"] if seed is None else seed,
            "verbose": max(int(ours["verbose"]), int(theirs.verbose)),
            "final_fit": theirs._final_fit_of(self.pairs()),
            "out_of_bag": theirs.out_of_bag,
            "stack_method": theirs.stack_method,
            "on_error": theirs.on_error,
            "check": theirs._check_table,
        }

    def combiner(self, fitted: CrossFit) -> Combiner:
        return self.ensemble._make_combiner(fitted.out_of_fold)

    def learn(self, rows: TeacherRows, options: TeachingOptions) -> FittedTeacher:
        """Cross-fit the base models and the combiner; see :meth:`Teacher.learn`."""
        self.ensemble._validate_params()
        self.ensemble._check_combiner(rows.sample_weight)
        return super().learn(rows, options)


class CrossFitTeacher(CrossFittedTeacher):
    """The models of a cross-fit, combined as a stack does by default.

    Asked to learn the very rows of its table it fits nothing but the combiner.

    Parameters
    ----------
    fitted : CrossFit
        From :func:`stackens.cross_fit`.
    """

    def __init__(self, fitted: CrossFit) -> None:
        self.fitted = fitted

    def pairs(self) -> Pairs:
        return _unfitted_pairs(self.fitted)

    def identity(self) -> Any:
        return self.pairs(), self.fitted.out_of_fold.values

    def combiner(self, fitted: CrossFit) -> Combiner | None:
        return None if len(fitted.names) == 1 else combiner_for("auto")

    def existing(self, rows: TeacherRows) -> CrossFit | None:
        return self.fitted if _is_of(rows, self.fitted) else None


def _unfitted_pairs(fitted: CrossFit) -> Pairs:
    """Return the models of a cross-fit as they were before it; frozen ones as they are."""
    pairs = []
    for name, model in fitted.models.items():
        frozen = fitted.final_fit[name] == "frozen"
        model = model.models[0] if isinstance(model, FoldBag) else model
        pairs.append((name, FrozenEstimator(model) if frozen else clone(model)))
    return pairs


def _is_of(rows: TeacherRows, fitted: CrossFit) -> bool:
    """Whether a cross-fit was made of these very rows."""
    table = fitted.out_of_fold
    return (
        table.n_samples == len(rows)
        and table.features is not None
        and _equal(table.y, rows.y)
        and _equal(table.sample_weight, rows.sample_weight)
        and (table.features is rows.X or joblib.hash(table.features) == joblib.hash(rows.X))
    )


def _equal(known: Any, given: Any) -> bool:
    if known is None or given is None:
        return known is given
    return np.array_equal(np.asarray(known), np.asarray(given))
