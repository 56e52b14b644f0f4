"""How true a student is to its teacher, how calibrated, and how much of the lead it keeps."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import kl_div
from sklearn.metrics import r2_score

from stackens._core._losses import PROBABILITY_FLOOR
from stackens._core._task import Task

__all__ = [
    "agreement",
    "expected_calibration_error",
    "is_clear",
    "mean_kl",
    "retention",
]

# A difference is clear of noise when it is more standard errors than this.
CLEAR_ERRORS = 2.0


def agreement(
    *, student: np.ndarray, teacher: np.ndarray, task: Task, weights: np.ndarray | None = None
) -> float:
    """Return how much a student says the same as its teacher; 1 is always.

    Parameters
    ----------
    student, teacher : ndarray of shape (n_samples, n_outputs)
        Probabilities or values for the same rows.
    task : Task
        Binary, multiclass or regression.
    weights : ndarray of shape (n_samples,) or None, default=None
        Row weights.

    Returns
    -------
    float
        Share of rows with the same most probable class; for regression R² of the student's
        values with the teacher's in place of the truth (the mean over outputs), NaN for a single
        row.
    """
    if task.has_classes:
        same = student.argmax(axis=1) == teacher.argmax(axis=1)
        return float(np.average(same, weights=weights))
    if len(teacher) < 2:
        return math.nan
    return float(r2_score(teacher, student, sample_weight=weights))


def mean_kl(
    *, teacher: np.ndarray, student: np.ndarray, task: Task, weights: np.ndarray | None = None
) -> float:
    """Return the mean over rows of KL(teacher || student), in nats; NaN for regression.

    It is what a student loses when it is trained on the cross-entropy with the teacher's
    probabilities, less what it could not help to lose. Probabilities of the student under
    ``PROBABILITY_FLOOR`` are raised to it.

    Parameters
    ----------
    teacher, student : ndarray of shape (n_samples, n_classes)
        Probabilities for the same rows.
    task : Task
        Binary, multiclass or regression.
    weights : ndarray of shape (n_samples,) or None, default=None
        Row weights.
    """
    if not task.has_classes:
        return math.nan
    # Every term of kl_div, p log(p/q) - p + q, is at least zero: rounding cannot make it negative.
    terms = kl_div(teacher, np.clip(student, PROBABILITY_FLOOR, None))
    return float(np.average(terms.sum(axis=1), weights=weights))


def expected_calibration_error(
    probabilities: np.ndarray,
    codes: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    n_bins: int = 15,
) -> float:
    """Return how far the probability of the most probable class is from how often it is right.

    Rows are put in bins of equal weight by that probability; in each bin the mean probability
    is compared with the share of rows that are right. Rows with equal probabilities share a bin,
    so their order does not matter and a weight of 3 is the same as three copies. Chance alone
    makes the error positive on few rows, about 0.4 / sqrt(rows in a bin) for even odds.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
    codes : ndarray of int of shape (n_samples,)
        Column of the true class.
    weights : ndarray of shape (n_samples,) or None, default=None
        Row weights.
    n_bins : int, default=15

    Returns
    -------
    float
        Mean absolute difference over bins, between 0 and 1.

    References
    ----------
    Naeini, Cooper & Hauskrecht (2015). Obtaining well calibrated probabilities using Bayesian
    binning. AAAI 29, 2901-2907, doi:10.1609/aaai.v29i1.9602.
    Nixon, Dusenberry, Zhang, Jerfel & Tran (2019). Measuring calibration in deep learning. CVPR
    workshops, arXiv:1904.01685 (bins of equal weight).
    """
    weights = np.ones(len(codes)) if weights is None else weights
    confidence, position = np.unique(probabilities.max(axis=1), return_inverse=True)
    mass = np.bincount(position, weights, len(confidence))
    middle = np.cumsum(mass) - mass / 2.0
    bins = np.minimum((n_bins * middle / mass.sum()).astype(int), n_bins - 1)
    right = probabilities.argmax(axis=1) == codes
    excess = np.bincount(position, weights * right, len(confidence)) - mass * confidence
    return float(np.abs(np.bincount(bins, excess)).sum() / mass.sum())


def is_clear(difference: float, se: float) -> bool:
    """Whether a difference exceeds two of its standard errors; not when either is NaN."""
    return difference > CLEAR_ERRORS * se


def retention(gap: float, gap_se: float, gain: float) -> float | None:
    """Return the share of the teacher's lead over a plain student that a distilled one keeps.

    Parameters
    ----------
    gap, gap_se : float
        Score of the teacher less that of a plain student of the same kind, size and tuning,
        greater is better, with the standard error of the paired difference.
    gain : float
        Score of the distilled student less that of the plain one.

    Returns
    -------
    float or None
        ``gain / gap``: 1 keeps all, more than 1 beats the teacher, less than 0 is worse than
        plain. None where the gap does not exceed two standard errors: then there is nothing
        to keep, and the ratio is noise of any size.
    """
    return gain / gap if is_clear(gap, gap_se) else None
