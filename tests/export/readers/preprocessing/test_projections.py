"""Tests that exported projections, distances and products follow their sources."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import BisectingKMeans, FeatureAgglomeration, KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA, FactorAnalysis, FastICA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from stackens.exceptions import ExportError
from tests.export.readers.preprocessing.comparison import (
    largest_difference,
    number_rows,
    program_of,
)

TRAIN = number_rows(120, 5, missing=0.0, extremes=False, infinite=False, seed=1)
ROWS = number_rows(60, 5, extremes=False, missing=0.03)
Y = np.arange(120) % 4


@pytest.mark.parametrize(
    "transformer",
    [
        PCA(3),
        PCA(whiten=True),
        IncrementalPCA(2, whiten=True),
        TruncatedSVD(3, random_state=0),
        FactorAnalysis(2),
        FastICA(3, random_state=0, max_iter=1000, tol=1e-2),
        LinearDiscriminantAnalysis(),
        LinearDiscriminantAnalysis(n_components=2, solver="eigen"),
        NeighborhoodComponentsAnalysis(2, max_iter=3, random_state=0),
        GaussianRandomProjection(3, random_state=0),
        SparseRandomProjection(3, random_state=0),
        SparseRandomProjection(3, random_state=0, dense_output=True),
        FeatureAgglomeration(3),
        FeatureAgglomeration(3, pooling_func=np.max),
        FeatureAgglomeration(2, pooling_func=np.min),
        Nystroem("linear", n_components=3, random_state=0),
        Nystroem("rbf", gamma=1e-7, n_components=20, random_state=0),
    ],
    ids=lambda transformer: str(transformer).partition(" at 0x")[0],
)
def test_projections(transformer):
    transformer.fit(TRAIN, Y)
    assert largest_difference(transformer, ROWS, relative=True) <= 1e-9


@pytest.mark.parametrize("kernel", ["rbf", "poly", "polynomial", "sigmoid", "laplacian"])
@pytest.mark.parametrize("options", [{}, {"gamma": 0.3}])
def test_kernels(kernel, options):
    rows = ROWS.dropna() / ROWS.dropna().abs().max()
    rows = rows[np.isfinite(rows).all(axis=1)].fillna(0)
    train = TRAIN / TRAIN.abs().max()
    transformer = Nystroem(kernel, n_components=5, random_state=0, **options).fit(train)
    assert largest_difference(transformer, rows, relative=True) <= 1e-9


def test_kernels_with_parameters():
    train = TRAIN / TRAIN.abs().max()
    transformer = Nystroem("poly", coef0=0.5, degree=2, n_components=5, random_state=0).fit(train)
    assert largest_difference(transformer, train, relative=True) <= 1e-9


def test_other_kernels_are_refused():
    transformer = Nystroem("cosine", n_components=5).fit(TRAIN)
    with pytest.raises(ExportError, match="cosine"):
        program_of(transformer, list(TRAIN.columns))


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans, BisectingKMeans])
def test_distances_to_clusters(kind):
    model = kind(4, random_state=0).fit(TRAIN)
    assert largest_difference(model, ROWS, relative=True) <= 1e-9


def test_pooling_by_another_function_is_refused():
    transformer = FeatureAgglomeration(3, pooling_func=np.median).fit(TRAIN)
    with pytest.raises(ExportError, match="pooling_func"):
        program_of(transformer, list(TRAIN.columns))


def test_discriminants_without_a_projection_are_refused():
    model = LinearDiscriminantAnalysis(solver="lsqr").fit(TRAIN, Y)
    with pytest.raises(ExportError, match="lsqr"):
        program_of(model, list(TRAIN.columns))


@pytest.mark.parametrize("degree", [1, 2, 3, 4, (2, 3), (1, 2)])
@pytest.mark.parametrize("interaction_only", [True, False])
@pytest.mark.parametrize("include_bias", [True, False])
def test_products_have_the_bits_and_the_order_of_the_source(degree, interaction_only, include_bias):
    transformer = PolynomialFeatures(
        degree, interaction_only=interaction_only, include_bias=include_bias
    ).fit(TRAIN)
    assert largest_difference(transformer, ROWS) == 0.0


def test_products_of_degree_0():
    assert largest_difference(PolynomialFeatures(0).fit(TRAIN), ROWS) == 0.0


def test_products_of_more_columns_than_there_are():
    train = TRAIN.iloc[:, :2]
    transformer = PolynomialFeatures(4, interaction_only=True).fit(train)
    assert largest_difference(transformer, train) == 0.0


def test_products_of_a_sparse_matrix():
    train = number_rows(50, 2, extremes=False, infinite=False).round(0).fillna(0) % 3
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), PolynomialFeatures(3))
    assert sparse.issparse(pipeline.fit_transform(train))
    assert largest_difference(pipeline, train) == 0.0
