"""Soft targets that exist already: taken as they are, from whatever made them."""

from __future__ import annotations

import numpy as np

from stackens.distillation.teachers._labelling import Labelling
from stackens.distillation.teachers._model import checked_targets
from stackens.distillation.teachers._teacher import (
    FittedTeacher,
    Teacher,
    TeacherRows,
    TeachingOptions,
)

__all__ = ["GivenTeacher"]


class GivenTeacher(Teacher):
    """Stands for the teacher that made ``rows.targets``; nothing is ever called.

    A row of NaN is one about which it says nothing.
    """

    fits = False

    def learn(self, rows: TeacherRows, options: TeachingOptions) -> FittedTeacher:
        """Check the targets and take them; see :meth:`Teacher.learn`."""
        if rows.targets is None:
            raise ValueError(
                "A student needs a teacher or soft targets. Got neither. Pass a model as teacher, "
                "or teacher_targets= of shape (n_samples, n_outputs)."
            )
        try:
            given = np.asarray(rows.targets, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"teacher_targets must be numbers. Got {np.asarray(rows.targets).dtype} values "
                f"({error}). Pass probabilities, or values for regression."
            ) from error
        given = given[:, None] if given.ndim == 1 else given
        if given.ndim != 2 or len(given) != len(rows):
            raise ValueError(
                "teacher_targets must have a row for each row of X, of shape (n_samples, "
                f"n_outputs). Got the shape {np.shape(rows.targets)} for {len(rows)} rows. Pass "
                "those of the same rows."
            )
        said = ~np.isnan(given).all(axis=1)
        if not said.any():
            raise ValueError(
                "teacher_targets must say something of at least one row. Got only NaN. Check how "
                "they were made."
            )
        soft = np.full((len(rows), rows.width), np.nan)
        soft[said] = checked_targets(given[said], int(said.sum()), rows.width, rows.task)
        return FittedTeacher(rows, soft, "as given", None, Labelling(verbose=options.verbose))
