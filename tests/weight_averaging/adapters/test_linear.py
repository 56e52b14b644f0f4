"""Linear models: averaging coefficients averages decision functions, in any class order."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    MultiTaskLasso,
    Perceptron,
    PoissonRegressor,
    RANSACRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDOneClassSVM,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.svm import SVC, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier

from stackens.weight_averaging.adapters._linear import LinearAdapter

LINEAR = LinearAdapter()
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 3))
CLASSES = np.array(["b", "a", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]
NUMBERS = np.exp(X @ [0.5, -0.2, 0.1])
REGRESSORS = [
    LinearRegression(),
    LinearRegression(fit_intercept=False),
    Ridge(),
    Lasso(0.01),
    ElasticNet(0.01),
    BayesianRidge(),
    PoissonRegressor(),
    SGDRegressor(random_state=0),
    SGDRegressor(average=True, random_state=0),
    LinearSVR(random_state=0, max_iter=10_000),
]
CLASSIFIERS = [
    LogisticRegression(),
    LogisticRegression(fit_intercept=False),
    RidgeClassifier(),
    LinearSVC(random_state=0),
    SGDClassifier(loss="log_loss", random_state=0),
    SGDClassifier(average=True, random_state=0),
    Perceptron(random_state=0),
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="lsqr"),
]


def fitted(estimator, part, y):
    return clone(estimator).fit(X[part], y[part])


def mean(first, second):
    tensors = [LINEAR.tensors(model, first) for model in (first, second)]
    assert list(tensors[0]) == list(tensors[1])
    arrays = [(name, (tensors[0][name] + tensors[1][name]) / 2) for name in tensors[0]]
    return LINEAR.write(LINEAR.copy(first), arrays)


def halves(estimator, y):
    return fitted(estimator, slice(None, 30), y), fitted(estimator, slice(30, None), y)


@pytest.mark.parametrize("estimator", REGRESSORS, ids=repr)
def test_regressors(estimator):
    first, second = halves(estimator, NUMBERS)
    before = first.predict(X)
    merged = mean(first, second)
    link = np.log if isinstance(estimator, PoissonRegressor) else np.asarray
    expected = (link(before) + link(second.predict(X))) / 2
    np.testing.assert_allclose(link(merged.predict(X)), expected, atol=1e-10)
    np.testing.assert_array_equal(first.predict(X), before)
    assert np.shape(merged.intercept_) == np.shape(first.intercept_)
    assert isinstance(merged.intercept_, float | np.ndarray)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=repr)
def test_classifiers(estimator, n_classes):
    y = CLASSES if n_classes == 3 else np.where(CLASSES == "a", "a", "b")
    first, second = halves(estimator, y)
    merged = mean(first, second)
    expected = (first.decision_function(X) + second.decision_function(X)) / 2
    np.testing.assert_allclose(merged.decision_function(X), expected, atol=1e-10)
    assert set(merged.predict(X)) <= set(y)
    if hasattr(merged, "predict_proba"):
        np.testing.assert_allclose(merged.predict_proba(X).sum(axis=1), 1)


def reordered(model, order):
    """The same classifier with its classes in another order."""
    other = LINEAR.copy(model)
    other.classes_ = model.classes_[order]
    if len(order) == 2:
        other.coef_, other.intercept_ = -model.coef_, -model.intercept_
    else:
        other.coef_, other.intercept_ = model.coef_[order], model.intercept_[order]
    return other


@pytest.mark.parametrize("order", [[1, 0], [2, 0, 1]])
def test_classes_in_another_order_are_brought_into_line(order):
    y = CLASSES if len(order) == 3 else np.where(CLASSES == "a", "a", "b")
    model = fitted(LogisticRegression(), slice(None), y)
    other = reordered(model, order)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    tensors = LINEAR.tensors(other, model)
    np.testing.assert_array_equal(tensors["coef_"], model.coef_)
    np.testing.assert_array_equal(tensors["intercept_"], model.intercept_)
    np.testing.assert_array_equal(mean(model, other).coef_, model.coef_)


def test_the_averaged_sgd_can_be_trained_on():
    first, second = halves(SGDClassifier(average=True, random_state=0), CLASSES)
    merged = mean(first, second)
    np.testing.assert_allclose(
        merged._average_coef, (first._average_coef + second._average_coef) / 2
    )
    merged.partial_fit(X, CLASSES)
    assert merged.coef_.shape == (3, 3)


def test_one_class_and_several_targets():
    one = [SGDOneClassSVM(random_state=i).fit(X[i::2]) for i in (0, 1)]
    expected = (one[0].decision_function(X) + one[1].decision_function(X)) / 2
    np.testing.assert_allclose(mean(*one).decision_function(X), expected)
    several = [MultiTaskLasso(0.01).fit(X[i::2], X[i::2, :2]) for i in (0, 1)]
    expected = (several[0].predict(X) + several[1].predict(X)) / 2
    np.testing.assert_allclose(mean(*several).predict(X), expected)


def test_transform_of_a_discriminant_is_gone_rather_than_stale():
    merged = mean(*halves(LinearDiscriminantAnalysis(), CLASSES))
    with pytest.raises(AttributeError):
        merged.transform(X)


def test_facts_tell_losses_apart_where_they_decide_on_predictions():
    log, hinge = (
        fitted(SGDClassifier(loss=loss, random_state=0), slice(None), CLASSES)
        for loss in ("log_loss", "hinge")
    )
    assert LINEAR.facts(log, log) != LINEAR.facts(hinge, log)
    identity, logarithm = (
        fitted(TweedieRegressor(power=0, link=link), slice(None), NUMBERS)
        for link in ("identity", "log")
    )
    assert LINEAR.facts(identity, identity) != LINEAR.facts(logarithm, identity)
    strong, weak = (fitted(Ridge(alpha), slice(None), NUMBERS) for alpha in (10.0, 0.1))
    assert LINEAR.facts(strong, strong) == LINEAR.facts(weak, strong)


def test_a_shift_and_a_scale_in_front_are_taken_up():
    model = fitted(LogisticRegression(), slice(None), CLASSES)
    shift, scale = np.array([1.0, -2.0, 0.5]), np.array([2.0, 0.1, 3.0])
    moved = LINEAR.behind(LINEAR.tensors(model, model), shift, scale)
    inside = LINEAR.write(LINEAR.copy(model), moved.items())
    expected = model.decision_function(shift + scale * X)
    np.testing.assert_allclose(inside.decision_function(X), expected)


def test_what_is_no_linear_model_of_its_own_is_refused():
    assert not LINEAR.accepts(SVC(kernel="linear"))
    assert not LINEAR.accepts(DecisionTreeClassifier())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        robust = RANSACRegressor(random_state=0).fit(X, NUMBERS)
    with pytest.raises(TypeError, match="Give the model inside it"):
        LINEAR.tensors(robust, robust)
    sparse = fitted(LogisticRegression(), slice(None), CLASSES).sparsify()
    with pytest.raises(TypeError, match="densify"):
        LINEAR.tensors(sparse, sparse)


def test_one_intercept_for_all_classes_has_no_order():
    first, second = halves(LinearSVC(fit_intercept=False), CLASSES)
    order = np.array([2, 0, 1])
    other = LINEAR.copy(second)
    other.classes_, other.coef_ = second.classes_[order], second.coef_[order]
    expected = mean(first, second)
    np.testing.assert_array_equal(mean(first, other).coef_, expected.coef_)
