"""Tests of the readers of quadratic discriminants and nearest centroids."""

import pytest
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.neighbors import NearestCentroid

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import assert_same, class_rows, program_of

MODERATE = (0.0, -0.0, 5e-324, 40.0, -800.0)
METHODS = ["predict_proba", "decision_function", "predict"]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_quadratic_discriminants(shrinkage, method, n_classes):
    X, y = class_rows(n_classes)
    model = QuadraticDiscriminantAnalysis(reg_param=shrinkage).fit(X, y)
    # scores of 1e9 differ in their last bits, so probabilities of such rows may
    tolerance = 1e-12 if method != "predict_proba" else 1e-9
    assert_same(model, X, method, tolerance=tolerance)
    assert_same(model, X, method, tolerance=1e-9, extremes=MODERATE)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "model",
    [
        NearestCentroid(),
        NearestCentroid(shrink_threshold=0.2),
        NearestCentroid(priors="empirical"),
    ],
    ids=str,
)
def test_nearest_centroids(model, method, n_classes):
    X, y = class_rows(n_classes)
    # squared distances of up to 1e6 cancel
    scale = 1e6 if method == "decision_function" else 1.0
    tolerance = 1e-9 if method == "predict_proba" else 1e-15
    assert_same(model.fit(X, y), X, method, scale=scale, tolerance=tolerance, extremes=MODERATE)


@pytest.mark.parametrize("priors", ["uniform", "empirical"])
def test_nearest_centroids_by_absolute_differences(priors):
    X, y = class_rows(3)
    model = NearestCentroid(metric="manhattan", priors=priors).fit(X, y)
    assert_same(model, X, "predict", tolerance=0, extremes=MODERATE)
    with pytest.raises(ExportError, match="its metric is 'manhattan'"):
        program_of(model, 5, "predict_proba")


def test_a_metric_without_numbers_is_refused():
    X, y = class_rows(2)
    model = NearestCentroid().fit(X, y)
    model.metric = "nan_euclidean"
    with pytest.raises(ExportError, match="'euclidean' or 'manhattan'"):
        program_of(model, 5, "predict")
