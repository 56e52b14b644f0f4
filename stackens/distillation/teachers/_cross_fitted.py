"""Teachers that are fitted here: labels of each row come from models that never saw its answer."""

from __future__ import annotations

import time
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from stackens.combiners import Combiner, cross_fitted_predictions
from stackens.distillation.teachers._calibration import Calibration, fitted_calibration
from stackens.distillation.teachers._label_store import LabelStore, hash_of_teacher
from stackens.distillation.teachers._labelling import Labelling
from stackens.distillation.teachers._model import CombinedModels, Model
from stackens.distillation.teachers._teacher import (
    FittedTeacher,
    Teacher,
    TeacherRows,
    TeachingOptions,
)
from stackens.exceptions import LeakageWarning
from stackens.out_of_fold import CrossFit, cross_fit, seeded_clone

__all__ = [
    "CrossFittedTeacher",
    "Pairs",
    "Taught",
    "in_sample",
    "remark_on",
    "source_of",
    "temperature_of",
]

Pairs = list[tuple[str, Any]]


@dataclass(frozen=True, eq=False)
class Taught:
    """Soft targets of rows, the model that answers for others, and words for a report."""

    soft: np.ndarray
    model: Model
    source: str


class CrossFittedTeacher(Teacher):
    """A teacher whose models are cloned and fitted over folds, and combined if they are several.

    A subclass says which models, with what settings, and what combines them.
    """

    fits = True

    @abstractmethod
    def pairs(self) -> Pairs:
        """Return names and models; they are cloned."""

    @abstractmethod
    def identity(self) -> Any:
        """Return what decides how it learns, for a hash: parameters without an earlier fit."""

    def settings(self, options: TeachingOptions) -> dict[str, Any]:
        """Return the parameters of the cross-fit."""
        return {
            "cv": options.cv,
            "n_jobs": options.n_jobs,
            "random_state": options.random_state,
            "verbose": options.verbose,
        }

    def combiner(self, fitted: CrossFit) -> Combiner | None:
        """Return what combines the models, unfitted; None for one, or for one each output."""
        del fitted
        return None

    def n_outputs(self, rows: TeacherRows) -> int:
        """Return the columns of its answers."""
        return rows.task.n_outputs

    def existing(self, rows: TeacherRows) -> CrossFit | None:
        """Return a cross-fit of these very rows, where there is one already."""
        del rows
        return None

    def learn(self, rows: TeacherRows, options: TeachingOptions) -> FittedTeacher:
        """Cross-fit, or read labels made before and fit only if it is asked about other rows."""
        if rows.width != self.n_outputs(rows):
            raise ValueError(
                f"The teacher must answer with {rows.width} values for each row. Got one that is "
                f"fitted here and answers with {self.n_outputs(rows)}. For quantiles pass a list "
                "of regressors, one for each, or a function that returns all of them."
            )
        start = time.perf_counter()
        if options.cache is None:
            taught = self.teach(rows, options)
            labelling = Labelling(verbose=options.verbose)
            return _fitted(rows, taught, labelling, time.perf_counter() - start)
        store = LabelStore(options.cache)
        key = store.key(
            "taught",
            teacher=hash_of_teacher(self.identity(), options.cache_key),
            X=rows.X,
            y=np.asarray(rows.y),
            others=(rows.sample_weight, rows.groups, rows.task.output_names()),
            options=replace(options, n_jobs=None, verbose=0, cache=None),
        )
        labelling = Labelling(store, key, options.verbose)
        stored = store.get(key, soft=(len(rows), rows.width), source=(), temperature=())
        if stored is not None:
            said = float(stored["temperature"])
            return FittedTeacher(
                rows,
                stored["soft"],
                str(stored["source"]),
                partial(self._model, rows, options),
                labelling,
                temperature=None if np.isnan(said) else said,
                seconds=time.perf_counter() - start,
            )
        taught = self.teach(rows, options)
        temperature = temperature_of(taught.model.calibration)
        store.put(
            key,
            soft=taught.soft,
            source=taught.source,
            temperature=np.nan if temperature is None else temperature,
        )
        return _fitted(rows, taught, labelling, time.perf_counter() - start)

    def _model(self, rows: TeacherRows, options: TeachingOptions) -> Model:
        """Fit only the model for other rows, with the seeds that the stored labels had."""
        return self.teach(rows, replace(options, n_repeats=1)).model

    def teach(self, rows: TeacherRows, options: TeachingOptions) -> Taught:
        """Fit on the rows and label them."""
        settings = self.settings(options)
        honest = options.soft_targets == "auto"
        if options.n_repeats > 1 and honest:
            _check_repeatable(settings["cv"])
        fitted = self.existing(rows)
        if fitted is None:
            fitted = _cross_fit(self.pairs(), rows, settings)
        calibrate = options.calibrate and honest
        taught = self._taught(fitted, rows, settings["random_state"], calibrate)
        if not honest:
            return in_sample(taught.model, rows, options)
        if options.n_repeats == 1:
            return taught
        return self._repeated(taught, fitted, rows, settings, options)

    def _repeated(
        self,
        taught: Taught,
        fitted: CrossFit,
        rows: TeacherRows,
        settings: dict[str, Any],
        options: TeachingOptions,
    ) -> Taught:
        """Average the labels with those of more cross-fits, without their refits."""
        known = np.isfinite(taught.soft)
        total, count = np.where(known, taught.soft, 0.0), known.astype(np.float64)
        pairs = [(name, model) for name, model in self.pairs() if name in fitted.names]
        no_refit = {
            name: "bag" if kind in ("bag", "refit") else "auto"
            for name, kind in fitted.final_fit.items()
        }
        for seed in _seeds(settings["random_state"], options.n_repeats - 1):
            again = _cross_fit(
                [(name, _reseeded(model, seed)) for name, model in pairs],
                rows,
                {**settings, "random_state": seed, "final_fit": no_refit},
            )
            soft = self._taught(again, rows, seed, options.calibrate).soft
            known = np.isfinite(soft)
            total += np.where(known, soft, 0.0)
            count += known
        soft = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
        return replace(taught, soft=soft, source=f"{taught.source}, {options.n_repeats} repeats")

    def _taught(
        self, fitted: CrossFit, rows: TeacherRows, seed: int | None, calibrate: bool
    ) -> Taught:
        """Label the rows of a cross-fit, each by what did not see it, and calibrate."""
        table, combiner = fitted.out_of_fold, self.combiner(fitted)
        if combiner is None:
            values, response = table.values.reshape(len(rows), -1), str(table.response[0])
        else:
            combiner = seeded_clone("combiner", combiner, seed)
            if hasattr(combiner, "fit_cross_fitted"):  # both at the price of the fit
                values = combiner.fit_cross_fitted(table)
            else:
                values = cross_fitted_predictions(combiner.fit(table), table)
            usual = "predict_proba" if fitted.task.is_classification else "predict"
            response = getattr(combiner, "response_", usual)
        calibration = Calibration(response)
        if fitted.task.has_classes:
            calibration = fitted_calibration(
                values, response, table.target, table.sample_weight, calibrate=calibrate
            )
        ask = CombinedModels(fitted.compact(), combiner)
        model = Model(ask, fitted.task, rows.task, rows.width, calibration, len(rows))
        covered = np.isfinite(values).all(axis=1)
        soft = np.full((len(rows), rows.width), np.nan)
        soft[covered] = model.finished(values[covered], int(covered.sum()))
        source = source_of(fitted, whole=combiner is not None)
        return Taught(soft, model, source + remark_on(model))


def in_sample(model: Model, rows: TeacherRows, options: TeachingOptions) -> Taught:
    """Let a model label the rows that it was fitted on."""
    soft = Labelling(verbose=options.verbose).label(model, rows.X, rows.width)
    return Taught(soft, model, "in-sample (asked for by name)" + remark_on(model))


def source_of(fitted: CrossFit, *, whole: bool) -> str:
    """Return where the labels of a cross-fit come from, in words."""
    n_folds = len(fitted.out_of_fold.splits)
    kinds = fitted.final_fit
    frozen = [name for name, kind in kinds.items() if kind == "frozen"]
    bagged = [name for name, kind in kinds.items() if kind == "out_of_bag"]
    if len(bagged) == len(kinds):
        words = "out-of-bag"
    elif len(frozen) == len(kinds):
        words = "of models as they are"
    else:
        words = f"out-of-fold, {n_folds} folds"
        words += f", out-of-bag for {', '.join(bagged)}" if bagged else ""
        words += f", {', '.join(frozen)} as given" if frozen else ""
    return f"{words}, through the whole ensemble" if whole else words


def remark_on(model: Model) -> str:
    """Say what became of answers that are no probabilities."""
    response = model.calibration.response
    if not model.task.is_classification or response == "predict_proba":
        return ""
    if response == "decision_function":
        return ", margins turned into probabilities"
    if model.calibration.temperature is not None:
        return ", votes turned into probabilities"
    return ", one-hot (the teacher has no probabilities)"


def temperature_of(calibration: Calibration) -> float | None:
    """Return what calibrated probabilities; margins have none that means something elsewhere."""
    return calibration.temperature if calibration.response == "predict_proba" else None


def _fitted(
    rows: TeacherRows, taught: Taught, labelling: Labelling, seconds: float
) -> FittedTeacher:
    return FittedTeacher(
        rows,
        taught.soft,
        taught.source,
        taught.model,
        labelling,
        temperature=temperature_of(taught.model.calibration),
        seconds=seconds,
    )


def _cross_fit(pairs: Pairs, rows: TeacherRows, settings: dict[str, Any]) -> CrossFit:
    with warnings.catch_warnings():
        if rows.none_seen:
            warnings.filterwarnings("ignore", "The models .* already fitted", LeakageWarning)
        return cross_fit(
            pairs,
            rows.X,
            rows.y,
            groups=rows.groups,
            sample_weight=rows.sample_weight,
            classification=rows.task.is_classification,
            **settings,
        )


def _check_repeatable(cv: Any) -> None:
    """Raise unless another seed gives other folds."""
    drawn = getattr(cv, "random_state", 0) is None and getattr(cv, "shuffle", True)
    if cv is None or isinstance(cv, Integral) or drawn:
        return
    raise ValueError(
        "Labels of several cross-fits need folds that can be drawn again. Got n_repeats above 1 "
        f"and cv={cv!r:.100}. Pass a number of folds or a shuffled splitter without a "
        "random_state, or a splitter that repeats by itself, with n_repeats=1."
    )


def _seeds(random_state: int | None, n: int) -> Sequence[int]:
    sequence = np.random.SeedSequence([0 if random_state is None else random_state, n])
    return [int(state >> 1) for state in sequence.generate_state(n)]


def _reseeded(estimator: Any, seed: int) -> Any:
    """Return a clone whose seeds differ, so that repeats draw other trees and weights as well."""
    copy = clone(estimator)
    if copy is estimator or not hasattr(copy, "get_params"):
        return copy
    seeds = {
        key: (int(value) + seed) % 2**31
        for key, value in copy.get_params(deep=True).items()
        if isinstance(value, int | np.integer) and key.rpartition("__")[2] == "random_state"
    }
    return copy.set_params(**seeds) if seeds else copy
