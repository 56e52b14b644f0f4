"""Tests of the reader of kernel ridge regression, with every kernel."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import assert_same, number_rows, program_of

MODERATE = (0.0, -0.0, 5e-324, 40.0, -800.0)


@pytest.mark.parametrize(
    "model",
    [
        KernelRidge(),
        KernelRidge(kernel="rbf"),
        KernelRidge(kernel="rbf", gamma=2.0),
        KernelRidge(kernel="poly", degree=2, coef0=0.5),
        KernelRidge(kernel="polynomial", gamma=0.1),
        KernelRidge(kernel="sigmoid", gamma=0.01),
        KernelRidge(kernel="laplacian"),
    ],
    ids=str,
)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_kernel_ridge(model, n_targets):
    X, y = number_rows(n_targets=n_targets)
    model.fit(X, y)
    # sums of 150 weighted kernels, as large as the weights are, cancel
    size = np.abs(model.dual_coef_).sum() * max(1.0, np.abs(model._get_kernel(X)).max())
    assert_same(model, X, "predict", tolerance=1e-14, scale=size, extremes=MODERATE)


@pytest.mark.parametrize("kernel", ["cosine", "additive_chi2"])
def test_other_kernels_are_refused(kernel):
    X, y = number_rows()
    model = KernelRidge().fit(X, y).set_params(kernel=kernel)
    with pytest.raises(ExportError, match=kernel):
        program_of(model, 5, "predict")
