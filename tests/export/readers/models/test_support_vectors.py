"""Tests of the readers of support vector machines."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import (
    assert_same,
    class_rows,
    number_rows,
    program_of,
)

KERNELS = ["linear", "poly", "rbf", "sigmoid"]
MODERATE = (0.0, -0.0, 5e-324, 40.0, -800.0, 1e6)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", [SVR, NuSVR])
def test_regressors(kind, kernel):
    X, y = number_rows()
    model = kind(kernel=kernel, C=10).fit(X, y)
    assert_same(model, X, "predict", scale=1e5, extremes=MODERATE)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("method", ["decision_function", "predict"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_classifiers(kind, kernel, method, n_classes):
    X, y = class_rows(n_classes)
    settings = {"nu": 0.1} if kind is NuSVC else {}
    model = kind(kernel=kernel, gamma=0.2, coef0=0.3, **settings).fit(X, y)
    tolerance = 1e-11 + 1e-15 * np.abs(model.dual_coef_).sum()  # sums of that size cancel
    assert_same(model, X, method, scale=100.0, tolerance=tolerance, extremes=MODERATE)


def test_broken_ties_follow_the_scores():
    X, y = class_rows(4)
    model = SVC(break_ties=True).fit(X, y)
    assert_same(model, X, "predict", tolerance=0, extremes=MODERATE)


def test_far_from_zero_the_kernel_keeps_its_digits():
    X, y = class_rows(2)
    model = SVC(gamma=0.5).fit(X + 1e7, y)
    assert_same(model, X + 1e7, "decision_function", extremes=MODERATE)


@pytest.mark.parametrize("kernel", KERNELS)
def test_models_of_sparse_rows(kernel):
    X, y = class_rows(3)
    model = SVC(kernel=kernel).fit(sparse.csr_array(X), y)
    assert sparse.issparse(model.support_vectors_)
    assert_same(model, X, "decision_function", scale=10.0, extremes=MODERATE)
    X, y = number_rows()
    assert_same(SVR(kernel=kernel).fit(sparse.csr_array(X), y), X, "predict", scale=1e4)


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_probabilities_of_two_classes(kind):
    X, y = class_rows(2)
    model = kind(probability=True, random_state=0).fit(X, y)
    assert_same(model, X, "predict_proba", tolerance=1e-11, extremes=(*MODERATE, 1e300))


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
@pytest.mark.parametrize(("slope", "offset"), [(-30.0, 0.0), (-8.0, 5.0), (2.0, -1.0), (0.0, 0.3)])
def test_probabilities_at_any_odds(slope, offset):
    X, y = class_rows(2)
    model = SVC(probability=True, random_state=0).fit(X, y)
    model._probA, model._probB = np.array([slope]), np.array([offset])
    assert_same(model, X, "predict_proba", tolerance=1e-11, extremes=MODERATE)


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_what_cannot_be_exported_is_refused():
    X, y = class_rows(3)
    with pytest.raises(ExportError, match="Got 3 classes"):
        program_of(SVC(probability=True).fit(X, y), 5, "predict_proba")
    with pytest.raises(ExportError, match="probability=True"):
        program_of(SVC().fit(X[y != "a"], y[y != "a"]), 5, "predict_proba")
    with pytest.raises(ExportError, match="'ovo'"):
        program_of(SVC(decision_function_shape="ovo").fit(X, y), 5, "decision_function")
    with pytest.raises(ExportError, match="kernel"):
        program_of(SVC(kernel=lambda a, b: a @ b.T).fit(X, y), 5, "predict")
