"""scikit-learn's estimators as teachers: cloned and cross-fitted, fitted before or not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sklearn.base import clone

from stackens._core._task import infer_task
from stackens._core._warning import warn
from stackens.distillation.teachers._calibration import Calibration, fitted_calibration
from stackens.distillation.teachers._cross_fitted import (
    CrossFittedTeacher,
    Pairs,
    Taught,
    in_sample,
)
from stackens.distillation.teachers._model import AskedModel, Model
from stackens.distillation.teachers._teacher import TeacherRows, TeachingOptions
from stackens.exceptions import LeakageWarning
from stackens.out_of_fold import (
    choose_response,
    frozen_parts,
    model_error,
    seeded_clone,
    weight_params,
)

__all__ = ["EstimatorTeacher", "QuantileTeacher"]

_NAME = "teacher"


class EstimatorTeacher(CrossFittedTeacher):
    """Any estimator with fit and predict, also a Pipeline, a search or a voting ensemble.

    Bagged forests are fitted once, with their out-of-bag rows, as :func:`stackens.cross_fit` does.

    Parameters
    ----------
    estimator : estimator
        It is cloned; what it learnt before is not used.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def pairs(self) -> Pairs:
        return [(_NAME, self.estimator)]

    def identity(self) -> Any:
        return clone(self.estimator)

    def teach(self, rows: TeacherRows, options: TeachingOptions) -> Taught:
        if options.soft_targets == "auto":
            given = frozen_parts(self.estimator)
            if not given:
                return super().teach(rows, options)
            if not rows.none_seen:
                warn(
                    f"Parts of the teacher are fitted already and stay as they are: {given}. If "
                    "they saw any of these rows, its labels and its score look better than they "
                    "are. Pass models that can be fitted again, say that they saw none with "
                    "seen_by_teacher=np.zeros(len(X), dtype=bool), or accept such labels with "
                    "soft_targets='in_sample'.",
                    LeakageWarning,
                )
            with warnings.catch_warnings():  # the cross-fit says it as well
                warnings.filterwarnings("ignore", "The models .* already fitted", LeakageWarning)
                taught = super().teach(rows, options)
            return replace(taught, source=f"{taught.source}, {', '.join(given)} as given")
        # Labels of the rows that it was fitted on need one fit and no folds.
        model = seeded_clone(_NAME, self.estimator, options.random_state)
        known, y = infer_task(rows.y, classification=rows.task.is_classification)
        weights = rows.sample_weight
        params = {} if weights is None else weight_params(model, weights)
        try:
            model.fit(rows.X, y, **params)
        except Exception as error:
            name = type(model).__name__
            raise model_error(
                f"The teacher ({name}) failed", error, "Fix it, or choose another."
            ) from error
        response = choose_response(_NAME, model, "auto", known)
        ask = AskedModel(model, response, known)
        calibration = Calibration(response)
        if response == "decision_function":
            calibration = fitted_calibration(ask(rows.X), response, known.encode(y), weights)
        return in_sample(
            Model(ask, known, rows.task, rows.width, calibration, len(rows)), rows, options
        )


class QuantileTeacher(CrossFittedTeacher):
    """Several regressors, one for each quantile of one target, cross-fitted together.

    Parameters
    ----------
    estimators : sequence of regressors
        In the order of the quantiles. They are cloned.
    """

    def __init__(self, estimators: Sequence[Any]) -> None:
        self.estimators = list(estimators)

    def pairs(self) -> Pairs:
        return [(f"output {i}", model) for i, model in enumerate(self.estimators, start=1)]

    def identity(self) -> Any:
        return [clone(model) for model in self.estimators]

    def n_outputs(self, rows: TeacherRows) -> int:
        return len(self.estimators) if rows.task.n_outputs == 1 else 0
