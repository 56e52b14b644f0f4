"""Tests of the short training that all networks of a soup start from."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackens.weight_averaging._shared_start import (
    check_one_architecture,
    from_start,
    is_network,
    short_training,
)

X, Y = load_iris(return_X_y=True)


def network(**options):
    return MLPClassifier((5,), max_iter=40, random_state=0, **options)


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: make_pipeline(StandardScaler(), m)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_go_on_from_the_start(wrap):
    estimator = wrap(network(learning_rate_init=1e-12))
    start = short_training(wrap(network(learning_rate_init=0.01)), X, Y, 0.25, {})
    last = start if isinstance(start, MLPClassifier) else start[-1]
    assert last.n_iter_ == 10
    before = [coefs.copy() for coefs in last.coefs_]
    model = from_start(start, estimator, X, Y, {})
    trained = model if isinstance(model, MLPClassifier) else model[-1]
    for coefs, origin in zip(trained.coefs_, before, strict=True):
        np.testing.assert_allclose(coefs, origin, atol=1e-8)  # nearly no steps from there
    assert trained.get_params() == network(learning_rate_init=1e-12).get_params()
    assert all(map(np.array_equal, last.coefs_, before))
    assert not hasattr(estimator, "coefs_")
    assert model.predict(X).shape == Y.shape


def test_a_short_training_says_nothing_about_convergence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start = short_training(network(), X, Y, 0.01, {})
    assert start.n_iter_ == 1


def test_what_has_many_basins():
    assert is_network(network())
    assert is_network(make_pipeline(StandardScaler(), network()))
    assert not is_network(LogisticRegression())


def test_other_architectures_are_refused():
    check_one_architecture([("a", network()), ("b", MLPClassifier([5]))])
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\[5\] in 'a', \[6\] in 'b'"):
        check_one_architecture([("a", network()), ("b", MLPClassifier((6,)))])
    with pytest.raises(ValueError, match="activation='relu' in 'a', 'tanh' in 'b'"):
        check_one_architecture([("a", network()), ("b", network(activation="tanh"))])
