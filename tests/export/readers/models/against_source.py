"""Compares a model with the program that is read from it, on ordinary and on extreme rows."""

import warnings

import numpy as np
from sklearn.base import is_classifier
from sklearn.datasets import make_classification, make_regression

from tests.export.readers.programs import program_of, run

EXTREMES = (0.0, -0.0, 5e-324, -1e-310, 1e-9, 40.0, -40.0, 800.0, -800.0, 1e9, -1e18, 1e300, -1e300)
INVALID = (np.nan, np.inf, -np.inf)


def class_rows(n_classes=2, *, n_features=5, seed=0, n=150):
    """Draw rows and labels; labels are text, in an order that is not that of appearance."""
    X, y = make_classification(
        n,
        n_features,
        n_informative=n_features - 1,
        n_redundant=0,
        n_classes=n_classes,
        n_clusters_per_class=1,
        flip_y=0.1,
        random_state=seed,
    )
    return X, np.array(["c", "a", "b", "d"])[y]


def number_rows(*, n_targets=1, n_features=5, seed=0, n=150):
    X, y = make_regression(
        n, n_features, n_targets=n_targets, noise=5.0, random_state=seed, tail_strength=0.9
    )
    return X, y


def asked(model, X, method):
    """Ask the source for rows of answers: labels as their positions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = np.asarray(getattr(model, method)(X))
    if method == "predict" and is_classifier(model):
        answer = np.searchsorted(model.classes_, answer).astype(float)
    return answer.reshape(len(X), -1)


def assert_same(model, X, method, *, tolerance=1e-12, scale=1.0, extremes=EXTREMES, seed=0):
    """Compare on the rows of X, one of them, extremes in each column, and rows to refuse.

    Answers may differ by the tolerance times the larger of their size and the scale.
    """
    program = program_of(model, X.shape[1], method)
    _compare(run(program, X[:1]), asked(model, X[:1], method), tolerance, scale)
    rows = np.vstack([X, X[:40] * 10.0 ** np.random.default_rng(seed).uniform(-3, 3, (40, 1))])
    _compare(run(program, rows), asked(model, rows, method), tolerance, scale)
    strange = []
    for i, value in enumerate((*extremes, *INVALID)):
        row = X[i].copy()
        row[i % X.shape[1]] = value
        strange.append(row)
    for row in strange:
        _assert_same_row(model, program, row[None], method, tolerance, scale)
    return program


def _assert_same_row(model, program, row, method, tolerance, scale):
    answer, refused = run(program, row)
    try:
        expected = asked(model, row, method)
    except (ValueError, IndexError):
        assert refused[0], f"the source refuses {row}"
        return
    assert not refused[0], f"the source takes {row}"
    _compare((answer, refused), expected, tolerance, scale)


def _compare(got, expected, tolerance, scale):
    answers, refused = got
    assert not refused.any()
    assert answers.shape == expected.shape
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(answers[~finite], expected[~finite])
    ours, theirs = answers[finite], expected[finite].astype(float)
    allowed = tolerance * np.maximum(np.abs(theirs), scale)
    with np.errstate(over="ignore"):
        worst = np.abs(ours - theirs) - allowed
    assert (worst <= 0).all(), (ours[worst.argmax()], theirs[worst.argmax()])
