"""DistilledClassifier: any teacher of classes into one small student."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import ClassifierMixin

from stackens._core._sklearn import StrOptions
from stackens._core._task import Task
from stackens.distillation._distilled import Distilled
from stackens.distillation._lesson import Loss

__all__ = ["DistilledClassifier"]


class DistilledClassifier(ClassifierMixin, Distilled):
    """Distil a classifier, or an ensemble of them, into one small student that keeps its gain.

    The student learns the teacher's probabilities of each row, made by models that did not see
    the row's class. Beside it a plain student of the same kind learns the classes alone; on rows
    set aside before anything was fitted it is told whether the teacher is better than that at
    all, and what the distilled student keeps of it.

    Parameters
    ----------
    teacher : estimator, CrossFit, callable, torch module, Keras model, or None
        What is to be distilled: a stackens ensemble (fitted or not), any scikit-learn estimator,
        the result of :func:`stackens.cross_fit`, or anything that gives probabilities for
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
        are the true classes. ``"auto"`` tries 1, 0.9 and 0.5 on rows set aside, and with extra rows
        1, 0.5 and 0: the true classes for the rows that have one, the teacher for the others.
        With nothing set aside it is 0.5, and 0 with synthetic rows.
    temperature : float, default=1.0
        Softens teacher and student alike in the loss of soft targets, which is multiplied by its
        square; above 1 it gives more weight to how the teacher ranks the unlikely classes.
        Students without logits (a tree, forests) ignore it.
    augmentation : {"auto", "mixup", "munge", "resample", "spunge"} or None, default="auto"
        Synthetic rows for the teacher to label. ``"auto"`` tries with and without on rows set
        aside: rows given as ``X_unlabeled``, else on small tables those that mixup makes,
        and with the best of these weights those that munge makes.
        A kind by name is always made, and added to the rows of ``X_unlabeled``.
    max_bytes, max_latency_us : float or None, default=None
        What the student may take: bytes of the file that :func:`stackens.export.to_numpy` writes
        (of which some 15 kB read rows), and microseconds that it needs for a single raw row on one
        thread (median over distinct rows). A student that cannot be exported counts as it is. The
        student that is given, fitted on all rows, meets both.
    loss : {"cross_entropy", "squared_logits"}, default="cross_entropy"
        Loss of the soft targets: cross-entropy of probabilities, or the squared error of centred
        logits.
    soft_targets : {"auto", "in_sample"}, default="auto"
        ``"in_sample"`` lets the teacher label rows that it was fitted on, or may have been. That
        hurts wherever the teacher fits its rows closely.
    teacher_output : {"auto", "logits", "probabilities"}, default="auto"
        What a network or function answers; ``"auto"`` where that can be told.
    calibrate : bool, default=True
        Whether the teacher's probabilities get a temperature, learnt from out-of-fold ones, and
        its votes, where it has nothing else, the share of them that is right.
    n_repeats : int, default=1
        Cross-fits of the teacher whose labels are averaged: less label noise, more time.
    cv : int, splitter or iterable of (train, test), default=5
        Folds of the teacher, unless it has its own.
    outer : "auto", int, float, splitter, iterable of (train, test) or None, default="auto"
        Rows that are set aside before anything is fitted, to choose and to judge by: all of
        them in 5 folds up to 1,000 rows, 3 up to 5,000 and 2 up to 20,000; above, one hold-out
        of a fifth. None sets nothing aside: nothing is chosen, guarded or scored.
    scoring : str, callable or None, default=None
        Any scikit-learn scorer; None means log loss.
    guard : bool, default=True
        Whether the plain student (same kind and size, taught by the true classes alone) is given
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
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Bucila, Caruana & Niculescu-Mizil (2006), Model compression, KDD, doi:10.1145/1150402.1150464.

    Hinton, Vinyals & Dean (2015), Distilling the knowledge in a neural network, arXiv:1503.02531.

    Dao, Kamath, Syrgkanis & Mackey (2021), Knowledge distillation as semiparametric inference,
    arXiv:2104.09732, for out-of-fold targets.

    See Also
    --------
    DistilledRegressor : The same for numbers.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0)
    >>> student = se.DistilledClassifier(
    ...     forest, student="tree", augmentation=None, random_state=0
    ... ).fit(X, y)
    >>> student.report_.frame().index.tolist()
    ['teacher', 'plain student', 'distilled student']
    >>> student.predict_proba(X[:2]).shape
    (2, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Distilled._parameter_constraints,
        "loss": [StrOptions({"cross_entropy", "squared_logits"})],
    }
    classes_: np.ndarray
    loss: Loss

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
        loss: Literal["cross_entropy", "squared_logits"] = "cross_entropy",
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
        self.loss = loss
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

    def _loss(self) -> Loss:
        return self.loss

    def _hard(self, y: Any, task: Task) -> np.ndarray:
        return np.eye(task.n_outputs)[task.encode(y)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities with the student.

        Parameters
        ----------
        X : like the X of fit

        Returns
        -------
        array of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        X = self._checked(X)
        return self.student_.predict_proba(X)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of probabilities.

        Parameters
        ----------
        X : like the X of fit

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))
