"""Measures of fidelity, against definitions, copies of rows and cases worked out by hand."""

import math

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import r2_score

from stackens._core._task import infer_task
from stackens.distillation._fidelity import (
    agreement,
    expected_calibration_error,
    is_clear,
    mean_kl,
    retention,
)

CLASSES = infer_task(["a", "b", "c"])[0]
VALUES = infer_task([0.5, 1.5, 2.25])[0]
RANDOM = np.random.default_rng(0)
TEACHER, STUDENT = RANDOM.dirichlet([1.0, 1.0, 1.0], (2, 50))
CODES = RANDOM.integers(3, size=50)
COUNTS = RANDOM.integers(0, 4, size=50)
COPIES = np.repeat(np.arange(50), COUNTS)
ORDER = RANDOM.permutation(50)


def test_agreement_of_classes():
    same = agreement(student=STUDENT, teacher=TEACHER, task=CLASSES)
    assert same == np.mean(STUDENT.argmax(1) == TEACHER.argmax(1))
    assert 0 < same < 1
    assert agreement(student=TEACHER, teacher=TEACHER, task=CLASSES) == 1
    assert agreement(student=1 - TEACHER, teacher=TEACHER, task=CLASSES) == 0


def test_agreement_of_values_is_r2_to_the_teacher():
    teacher, student = RANDOM.normal(size=(2, 20, 2))
    found = agreement(student=student, teacher=teacher, task=VALUES)
    assert found == pytest.approx(r2_score(teacher, student))
    assert found != pytest.approx(r2_score(student, teacher))
    assert agreement(student=teacher, teacher=teacher, task=VALUES) == 1
    assert math.isnan(agreement(student=student[:1], teacher=teacher[:1], task=VALUES))


def test_kl_is_the_relative_entropy_of_the_student():
    found = mean_kl(teacher=TEACHER, student=STUDENT, task=CLASSES)
    assert found == pytest.approx(entropy(TEACHER, STUDENT, axis=1).mean())
    assert found != pytest.approx(entropy(STUDENT, TEACHER, axis=1).mean())
    assert mean_kl(teacher=TEACHER, student=TEACHER, task=CLASSES) == 0
    assert math.isnan(mean_kl(teacher=TEACHER, student=STUDENT, task=VALUES))


def test_kl_with_zeros_is_finite_and_never_negative():
    teacher, student = np.eye(3), np.eye(3)[[0, 1, 1]]
    assert mean_kl(teacher=teacher, student=teacher, task=CLASSES) == pytest.approx(0, abs=1e-12)
    # A third of the rows gives no probability to what the teacher is certain of.
    found = mean_kl(teacher=teacher, student=student, task=CLASSES)
    assert found == pytest.approx(-math.log(np.finfo(float).eps) / 3)
    nearly = TEACHER.astype(np.float32).astype(float)
    assert 0 <= mean_kl(teacher=TEACHER, student=nearly, task=CLASSES) < 1e-10


def test_calibration_of_certain_answers_is_the_share_that_is_wrong():
    codes = np.array([0, 0, 1, 2])
    assert expected_calibration_error(np.eye(3)[codes], codes) == 0
    assert expected_calibration_error(np.eye(3)[[0, 0, 1, 1]], codes) == 0.25


def test_calibration_by_hand():
    # Two bins of equal weight: 0.9 and 0.8, both right; 0.7 and 0.6, one right.
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    codes = np.array([0, 1, 1, 1])
    found = expected_calibration_error(probabilities, codes, n_bins=2)
    assert found == pytest.approx(0.5 * (1 - 0.85) + 0.5 * abs(0.5 - 0.65))
    one_bin = expected_calibration_error(probabilities, codes, n_bins=1)
    assert one_bin == pytest.approx(abs(0.75 - 0.75))


def test_calibration_tells_honest_from_overconfident():
    random = np.random.default_rng(1)
    p = random.uniform(0.02, 0.98, size=20_000)
    codes = (random.random(20_000) < p).astype(int)
    sharper = p**3 / (p**3 + (1 - p) ** 3)
    honest, over = (
        expected_calibration_error(np.column_stack([1 - q, q]), codes) for q in (p, sharper)
    )
    assert honest < 0.015
    assert 0.1 < over < 0.2


def test_equal_probabilities_share_a_bin():
    codes = np.array([0] * 6 + [1] * 4)
    probabilities = np.tile([0.6, 0.4], (10, 1))
    for order in (np.arange(10), np.arange(10)[::-1]):
        found = expected_calibration_error(probabilities, codes[order], n_bins=5)
        assert found == pytest.approx(0, abs=1e-12)


def measures(rows, weights):
    classes = {"student": STUDENT[rows], "teacher": TEACHER[rows], "weights": weights}
    values = {name: part if part is None else part[..., :2] for name, part in classes.items()}
    values["weights"] = weights
    return [
        agreement(**classes, task=CLASSES),
        agreement(**values, task=VALUES),
        mean_kl(**classes, task=CLASSES),
        expected_calibration_error(STUDENT[rows], CODES[rows], weights),
    ]


def test_weights_are_copies_of_rows():
    weighted = measures(np.arange(50), COUNTS.astype(float))
    np.testing.assert_allclose(weighted, measures(COPIES, None), rtol=1e-12)
    unweighted = np.array(measures(np.arange(50), None))
    assert (np.abs(unweighted / weighted - 1) > 1e-3).all()


def test_the_order_of_rows_does_not_matter():
    np.testing.assert_allclose(
        measures(ORDER, COUNTS[ORDER].astype(float)),
        measures(np.arange(50), COUNTS.astype(float)),
        rtol=1e-12,
    )


def test_two_standard_errors_are_the_gate():
    assert is_clear(0.21, 0.1)
    assert not is_clear(0.2, 0.1)
    assert not is_clear(-0.5, 0.1)
    assert not is_clear(0.5, math.nan)
    assert not is_clear(math.nan, 0.1)


def test_retention():
    assert retention(0.4, 0.1, 0.3) == pytest.approx(0.75)
    assert retention(0.4, 0.1, 0.5) == pytest.approx(1.25)
    assert retention(0.4, 0.1, -0.1) == pytest.approx(-0.25)
    assert retention(0.0002, 0.01, 0.02) is None  # the ratio would be 100
    assert retention(-0.4, 0.1, 0.3) is None
    assert retention(0.4, math.nan, 0.3) is None
