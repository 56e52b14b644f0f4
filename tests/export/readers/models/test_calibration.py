"""Tests of the readers of calibrated classifiers and isotonic regression."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import (
    asked,
    assert_same,
    class_rows,
    program_of,
    run,
)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("inner", [LinearSVC(), GaussianNB()], ids=str)
def test_calibrated_classifiers(inner, calibration, ensemble, n_classes):
    X, y = class_rows(n_classes)
    model = CalibratedClassifierCV(inner, method=calibration, ensemble=ensemble, cv=3).fit(X, y)
    # isotonic steps may be steep, and of a Gaussian's probabilities near 1 few digits are left
    tolerance = 1e-9 if calibration == "isotonic" else 1e-11
    assert_same(model, X, "predict_proba", tolerance=tolerance)
    assert_same(model, X, "predict", tolerance=0, extremes=(0.0, 40.0))


def test_a_frozen_classifier():
    X, y = class_rows(3)
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    model = CalibratedClassifierCV(frozen, method="isotonic").fit(X, y)
    assert_same(model, X, "predict_proba", tolerance=1e-9)


def test_a_class_that_a_fold_does_not_have():
    X, y = class_rows(4)
    keep = np.r_[np.flatnonzero(y != "d"), np.flatnonzero(y == "d")[:3]]
    X, y = X[keep], y[keep]
    folds = [(np.arange(len(y) - 3), np.arange(len(y))), (np.arange(len(y)), np.arange(len(y)))]
    model = CalibratedClassifierCV(LinearSVC(), cv=folds).fit(X, y)
    assert len(model.calibrated_classifiers_[0].estimator.classes_) == 3
    assert_same(model, X, "predict_proba")


def test_nothing_likely_becomes_uniform():
    X, y = class_rows(3)
    model = CalibratedClassifierCV(LinearSVC(), method="isotonic", ensemble=False, cv=3).fit(X, y)
    for calibrator in model.calibrated_classifiers_[0].calibrators:
        calibrator.y_thresholds_[:] = 0
        calibrator._build_f(calibrator.X_thresholds_, calibrator.y_thresholds_)
    answers, _ = run(program_of(model, 5, "predict_proba"), X)
    np.testing.assert_array_equal(answers, model.predict_proba(X))
    assert (answers == 1 / 3).all()


def test_there_are_no_scores():
    X, y = class_rows(2)
    with pytest.raises(ExportError, match="predict_proba"):
        program_of(CalibratedClassifierCV(GaussianNB(), cv=2).fit(X, y), 5, "decision_function")


def rows_around(model):
    """Every knot, one number beside it on either side, numbers between, and far ones."""
    knots = np.asarray(model.X_thresholds_, dtype=float)
    sides = [np.nextafter(knots, -np.inf), np.nextafter(knots, np.inf)]
    far = np.array([-1e300, 1e300, 0.0, 5e-324])
    between = np.random.default_rng(0).uniform(knots[0], knots[-1], 200)
    return np.concatenate([knots, *sides, between, far])[:, None]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("out_of_bounds", ["clip", "nan", "raise"])
@pytest.mark.parametrize("increasing", [True, False])
def test_isotonic_regression(increasing, out_of_bounds, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=80), rng.normal(size=80)
    model = IsotonicRegression(out_of_bounds=out_of_bounds, increasing=increasing)
    model.fit(x.astype(dtype), y + (x if increasing else -x))
    program = program_of(model, 1, "predict")
    rows = rows_around(model)
    answers, refused = run(program, rows)
    for row, answer, refuses in zip(rows, answers, refused, strict=True):
        if refuses:
            with pytest.raises(ValueError, match=r"interpolation range|infinity"):
                asked(model, row, "predict")
            continue
        expected = asked(model, row, "predict")[0]
        np.testing.assert_array_equal(answer, expected)
    assert refused.any() == (out_of_bounds == "raise" or dtype is np.float32)


def test_isotonic_regression_refuses_missing_values():
    model = IsotonicRegression(out_of_bounds="clip").fit([0.0, 1.0], [0.0, 1.0])
    assert_same(model, np.linspace(-1, 2, 50)[:, None], "predict", tolerance=0)


def test_isotonic_regression_of_one_value():
    model = IsotonicRegression(out_of_bounds="clip").fit([1.0, 1.0], [0.0, 1.0])
    assert_same(model, np.linspace(-1, 2, 50)[:, None], "predict", tolerance=0)
