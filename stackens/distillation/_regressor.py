"""DistilledRegressor: any teacher of numbers into one small student."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import RegressorMixin

from stackens._core._sklearn import Interval
from stackens._core._task import Task
from stackens.distillation._distilled import Distilled
from stackens.distillation._lesson import Loss
from stackens.distillation._pinball import PinballScorer, pinball_scoring
from stackens.evaluation import Scoring

__all__ = ["DistilledRegressor"]


class DistilledRegressor(RegressorMixin, Distilled):
    """Distil a regressor, or an ensemble of them, into one small student that keeps its gain.

    The student learns what the teacher predicts for each row, by models that did not see the
    row's value. Beside it a plain student of the same kind learns the values alone; on rows set
    aside before anything was fitted it is told whether the teacher is better than that at all,
    and what the distilled student keeps of it.

    Parameters
    ----------
    teacher : estimator, CrossFit, callable, torch module, Keras model, or None
        What is to be distilled: a stackens ensemble (fitted or not), any scikit-learn estimator,
        the result of :func:`stackens.cross_fit`, or anything that gives numbers for
        rows. Estimators are cloned and cross-fitted, so that each row is labelled by a teacher that
        has not seen its answer; what cannot be fitted labels rows as it is. None with
        `teacher_targets` in ``fit``.
    student : str, estimator, torch module, Keras model or list of them, default="lightgbm"
        ``"lightgbm"`` (100 trees of 31 leaves), ``"tree"``, ``"linear"``, ``"mlp"`` (two layers
        of 64; needs torch), or ``"auto"``, which tries all of these in several sizes. With a
        budget the sizes of a named kind are tried too. An estimator of scikit-learn learns from
        soft targets as well as its kind can; ``report_`` says how.
    soft_weight : "auto" or float, default="auto"
        Share of the teacher in the loss, above 0 and up to 1, which is the teacher alone; the rest
        are the true values. ``"auto"`` tries 1, 0.9 and 0.5 on rows set aside, and with extra rows
        1, 0.5 and 0: the true values for the rows that have one, the teacher for the others.
        With nothing set aside it is 0.5, and 0 with synthetic rows.
    temperature : float, default=1.0
        Without effect on numbers; here so that both estimators take the same parameters.
    augmentation : {"auto", "mixup", "munge", "resample", "spunge"} or None, default="auto"
        Synthetic rows for the teacher to label. ``"auto"`` tries with and without on rows set
        aside: rows given as ``X_unlabeled``, else on small tables those that mixup makes,
        and with the best of these weights those that resample makes.
        A kind by name is always made, and added to the rows of ``X_unlabeled``.
    max_bytes, max_latency_us : float or None, default=None
        What the student may take: bytes of the file that :func:`stackens.export.to_numpy` writes
        (of which some 15 kB read rows), and microseconds that it needs for a single raw row on one
        thread (median over distinct rows). A student that cannot be exported counts as it is. The
        student that is given, fitted on all rows, meets both.
    quantiles : float, sequence of float or None, default=None
        Levels between 0 and 1 that the teacher predicts. The student learns the teacher's
        quantiles by the squared error, the true values by the pinball loss, and is scored by it.
    soft_targets : {"auto", "in_sample"}, default="auto"
        ``"in_sample"`` lets the teacher label rows that it was fitted on, or may have been. That
        hurts wherever the teacher fits its rows closely.
    teacher_output : {"auto", "logits", "probabilities"}, default="auto"
        What a network or function answers; ``"auto"`` where that can be told.
    calibrate : bool, default=True
        Whether the teacher's probabilities get a temperature, learnt from out-of-fold ones.
    n_repeats : int, default=1
        Cross-fits of the teacher whose labels are averaged: less label noise, more time.
    cv : int, splitter or iterable of (train, test), default=5
        Folds of the teacher, unless it has its own.
    outer : "auto", int, float, splitter, iterable of (train, test) or None, default="auto"
        Rows that are set aside before anything is fitted, to choose and to judge by: all of
        them in 5 folds up to 1,000 rows, 3 up to 5,000 and 2 up to 20,000; above, one hold-out
        of a fifth. None sets nothing aside: nothing is chosen, guarded or scored.
    scoring : str, callable or None, default=None
        Any scikit-learn scorer; None means RMSE, or the
        pinball loss for quantiles.
    guard : bool, default=True
        Whether the plain student (same kind and size, taught by the true values alone) is given
        where the teacher is not better than it by two standard errors, with a warning.
    max_unlabeled : int, default=200_000
        Largest number of rows kept of ``X_unlabeled``.
    cache : path or None, default=None
        Folder for the teacher's labels: an interrupted run goes on where it stopped.
    cache_key : str or None, default=None
        Stands for the teacher in the cache, where its code or weights cannot be hashed.
    n_jobs : int or None, default=None
        Fits of the teacher at the same time; -1 uses all cores.
    random_state : int, RandomState or None, default=None
        Seed of folds, students and extra rows, and of teachers that have none. None: always
        the same, except what a teacher without a seed draws.
    verbose : int, default=0
        Above 0 shows stages, rows and remaining time.

    Attributes
    ----------
    student_ : FittedStudent
        The small model, fitted on all rows. ``student_.predict`` needs nothing else.
    teacher_ : FittedTeacher
        The teacher that labelled; ``teacher_.soft`` are the targets of its rows.
    report_ : DistillationReport
        Whether it pays: scores, gated retention, fidelity, calibration, size and latency.
    pareto_ : ParetoFront
        Students, plain students and teacher by score, latency and bytes.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Bucila, Caruana & Niculescu-Mizil (2006), Model compression, KDD, doi:10.1145/1150402.1150464.

    Dao, Kamath, Syrgkanis & Mackey (2021), Knowledge distillation as semiparametric inference,
    arXiv:2104.09732, for out-of-fold targets.

    See Also
    --------
    DistilledClassifier : The same for classes.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> forest = RandomForestRegressor(random_state=0)
    >>> student = se.DistilledRegressor(
    ...     forest, student="tree", augmentation=None, random_state=0
    ... ).fit(X, y)
    >>> student.report_.frame().index.tolist()
    ['teacher', 'plain student', 'distilled student']
    >>> student.predict(X[:2]).shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Distilled._parameter_constraints,
        "quantiles": [None, Interval(Real, 0, 1, closed="neither"), "array-like"],
    }
    quantiles: float | Sequence[float] | None

    def __init__(
        self,
        teacher: Any,
        *,
        student: Any = "lightgbm",
        soft_weight: Any = "auto",
        temperature: float = 1.0,
        augmentation: str | None = "auto",
        max_bytes: float | None = None,
        max_latency_us: float | None = None,
        quantiles: float | Sequence[float] | None = None,
        soft_targets: Literal["auto", "in_sample"] = "auto",
        teacher_output: Literal["auto", "logits", "probabilities"] = "auto",
        calibrate: bool = True,
        n_repeats: int = 1,
        cv: Any = 5,
        outer: Any = "auto",
        scoring: Any = None,
        guard: bool = True,
        max_unlabeled: int = 200_000,
        cache: Any = None,
        cache_key: str | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.soft_weight = soft_weight
        self.temperature = temperature
        self.augmentation = augmentation
        self.max_bytes = max_bytes
        self.max_latency_us = max_latency_us
        self.quantiles = quantiles
        self.soft_targets = soft_targets
        self.teacher_output = teacher_output
        self.calibrate = calibrate
        self.n_repeats = n_repeats
        self.cv = cv
        self.outer = outer
        self.scoring = scoring
        self.guard = guard
        self.max_unlabeled = max_unlabeled
        self.cache = cache
        self.cache_key = cache_key
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _levels(self) -> tuple[float, ...]:
        if self.quantiles is None:
            return ()
        given = np.atleast_1d(np.asarray(self.quantiles))
        levels = tuple(given.tolist())
        if (
            given.ndim != 1
            or given.dtype.kind not in "fiu"
            or not levels
            or not all(0.0 < level < 1.0 for level in levels)
        ):
            raise ValueError(
                "The 'quantiles' parameter of DistilledRegressor must hold levels between 0 and "
                f"1. Got {self.quantiles!r} instead. Use 0.9 or (0.1, 0.5, 0.9)."
            )
        return levels

    def _loss(self) -> Loss:
        return "pinball" if self._levels else "squared_error"

    def _student_task(self, task: Task) -> Task:
        levels = self._levels
        if not levels:
            return task
        if task.n_outputs > 1:
            raise ValueError(
                f"Quantiles are those of one target. Got y with {task.n_outputs} columns. Distil "
                "each column by itself."
            )
        return task if len(levels) == 1 else Task("regression", len(levels), y_ndim=2)

    def _hard(self, y: Any, task: Task) -> np.ndarray:
        values = task.encode(y)
        return np.repeat(values, len(self._levels), axis=1) if self._levels else values

    def _scoring(self, task: Task) -> Scoring:
        if self._levels and self.scoring is None:
            return pinball_scoring(self._levels)
        return super()._scoring(task)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² of the student; with quantiles their mean pinball loss, negative.

        Parameters
        ----------
        X : like the X of fit
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values.
        sample_weight : array-like of shape (n_samples,) or None, default=None

        Returns
        -------
        float
            Greater is better.
        """
        if self._levels:
            return PinballScorer(self._levels)(self, X, y, sample_weight)
        return super().score(X, y, sample_weight)
