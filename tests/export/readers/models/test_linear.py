"""Tests of the readers of linear models."""

import numpy as np
import pytest
from sklearn import linear_model as lm
from sklearn.cross_decomposition import CCA, PLSCanonical, PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import LinearSVC, LinearSVR

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import (
    assert_same,
    class_rows,
    number_rows,
    program_of,
    run,
)

REGRESSORS = [
    lm.ARDRegression(),
    lm.BayesianRidge(),
    lm.ElasticNet(),
    lm.ElasticNetCV(cv=3),
    lm.HuberRegressor(max_iter=1000),
    lm.Lars(),
    lm.LarsCV(cv=3),
    lm.Lasso(),
    lm.LassoCV(cv=3),
    lm.LassoLars(),
    lm.LassoLarsCV(cv=3),
    lm.LassoLarsIC(),
    lm.LinearRegression(),
    lm.LinearRegression(fit_intercept=False, positive=True),
    lm.OrthogonalMatchingPursuit(),
    lm.OrthogonalMatchingPursuitCV(cv=3),
    lm.QuantileRegressor(),
    lm.Ridge(),
    lm.RidgeCV(),
    lm.SGDRegressor(random_state=0),
    lm.SGDRegressor(random_state=0, average=True).set_params(penalty="l1"),
    lm.TheilSenRegressor(random_state=0, max_subpopulation=100),
    LinearSVR(random_state=0, max_iter=100_000, tol=1e-2),
]
SEVERAL = [
    CCA(1),
    PLSCanonical(1),
    PLSRegression(2),
    lm.Lars(),
    lm.LinearRegression(),
    lm.MultiTaskElasticNet(),
    lm.MultiTaskElasticNetCV(cv=3),
    lm.MultiTaskLasso(),
    lm.MultiTaskLassoCV(cv=3),
    lm.OrthogonalMatchingPursuit(),
    lm.Ridge(),
    lm.RidgeCV(),
]
WITH_PROBABILITIES = [
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    lm.LogisticRegression(),
    lm.LogisticRegression(C=1e4, max_iter=1000, class_weight="balanced"),
    lm.SGDClassifier("log_loss", random_state=0),
    lm.SGDClassifier("modified_huber", random_state=0),
]
WITHOUT = [
    LinearSVC(random_state=0),
    lm.Perceptron(random_state=0),
    lm.RidgeClassifier(),
    lm.RidgeClassifierCV(),
    lm.SGDClassifier("hinge", random_state=0),
]


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_regressors(model):
    X, y = number_rows()
    assert_same(model.fit(X, y), X, "predict", scale=100.0)


@pytest.mark.parametrize("model", SEVERAL, ids=str)
def test_several_targets(model):
    X, y = number_rows(n_targets=3)
    program = assert_same(model.fit(X, y), X, "predict", scale=100.0)
    assert program.n_outputs == 3


@pytest.mark.parametrize(
    "model",
    [
        lm.GammaRegressor(),
        lm.PoissonRegressor(),
        lm.TweedieRegressor(power=0),
        lm.TweedieRegressor(power=1.5),
        lm.TweedieRegressor(power=1.5, link="log", alpha=0.1),
    ],
    ids=str,
)
def test_generalised(model):
    X, y = number_rows()
    model.fit(X, np.exp(y / 100))
    # the exponential turns an absolute error of 1000 * 1e-16 into a relative one
    assert_same(model, X, "predict", tolerance=1e-11, extremes=(0.0, 5e-324, 1e3, -1e300, 1e300))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
@pytest.mark.parametrize("model", WITH_PROBABILITIES, ids=str)
def test_classifiers_with_probabilities(model, method, n_classes):
    X, y = class_rows(n_classes)
    program = assert_same(model.fit(X, y), X, method, scale=1.0, tolerance=1e-12)
    widths = {"predict": 1, "predict_proba": n_classes}
    assert program.n_outputs == widths.get(method, 1 if n_classes == 2 else n_classes)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("model", WITHOUT, ids=str)
def test_classifiers_without_probabilities(model, n_classes):
    X, y = class_rows(n_classes)
    model.fit(X, y)
    assert_same(model, X, "decision_function", scale=10.0)
    assert_same(model, X, "predict", tolerance=0)
    with pytest.raises(ExportError, match="no probabilities in these settings"):
        program_of(model, 5, "predict_proba")


@pytest.mark.filterwarnings("ignore::FutureWarning")  # scikit-learn changes its defaults
@pytest.mark.parametrize("n_classes", [2, 3])
def test_cross_validated_logistic_regression(n_classes):
    X, y = class_rows(n_classes)
    assert_same(lm.LogisticRegressionCV(Cs=3, cv=3).fit(X, y), X, "predict_proba")


@pytest.mark.filterwarnings("ignore::FutureWarning")  # scikit-learn retires them
def test_passive_aggressive_models():
    X, y = class_rows(3)
    assert_same(lm.PassiveAggressiveClassifier().fit(X, y), X, "decision_function", scale=10.0)
    X, y = number_rows()
    assert_same(lm.PassiveAggressiveRegressor().fit(X, y), X, "predict", scale=100.0)


def test_probabilities_of_large_scores_stay_apart():
    X, y = class_rows(2)
    model = lm.LogisticRegression().fit(X, y)
    model.coef_ = model.coef_ * 400
    assert_same(model, X, "predict_proba", tolerance=1e-12, scale=1e-290)


def test_scores_of_which_none_is_likely_are_uniform():
    X, y = class_rows(3)
    model = lm.SGDClassifier("log_loss", random_state=0).fit(X, y)
    model.intercept_ = np.full(3, -1e6)
    answers, _ = run(program_of(model, 5, "predict_proba"), X)
    np.testing.assert_array_equal(answers, model.predict_proba(X))
    assert (answers == 1 / 3).all()


def test_sparse_coefficients():
    X, y = class_rows(3)
    assert_same(lm.SGDClassifier(random_state=0).fit(X, y).sparsify(), X, "predict", tolerance=0)


def test_weights_of_single_precision_are_used_in_double():
    X, y = class_rows(3)
    model = lm.LogisticRegression().fit(X.astype(np.float32), y)
    assert model.coef_.dtype == np.float32
    program = assert_same(model, X, "predict_proba")
    assert not program.single_precision


@pytest.mark.parametrize("n_labels", [2, 3])
def test_several_labels_are_refused(n_labels):
    X, _ = class_rows(2)
    model = lm.RidgeClassifier().fit(X, (X[:, :n_labels] > 0).astype(int))
    with pytest.raises(ExportError, match="one label"):
        program_of(model, 5, "decision_function")


def test_regressors_have_no_probabilities():
    X, y = number_rows()
    with pytest.raises(ExportError, match="predicts values"):
        program_of(lm.Ridge().fit(X, y), 5, "predict_proba")
