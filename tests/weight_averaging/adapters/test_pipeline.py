"""Pipelines: equal steps in front, or a scaler that the first layer takes up."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor

from stackens.weight_averaging.adapters._linear import LinearAdapter
from stackens.weight_averaging.adapters._mlp import MLPAdapter
from stackens.weight_averaging.adapters._pipeline import PipelineAdapter

PIPELINES = PipelineAdapter((LinearAdapter(), MLPAdapter()))
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(3, [1, 5, 0.2], size=(40, 3))
Y = X @ [1.0, 0.1, -2.0]
FIRST, SECOND = slice(None, 20), slice(20, None)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fitted(part, *steps):
    return make_pipeline(*steps).fit(X[part], Y[part])


def mean(first, second):
    tensors = [PIPELINES.tensors(model, first) for model in (first, second)]
    arrays = [(name, (tensors[0][name] + tensors[1][name]) / 2) for name in tensors[0]]
    return PIPELINES.write(PIPELINES.copy(first), arrays)


SCALERS = [
    StandardScaler,
    lambda: StandardScaler(with_mean=False),
    lambda: StandardScaler(with_std=False),
    RobustScaler,
    lambda: RobustScaler(with_centering=False, with_scaling=False),
    MinMaxScaler,
    MaxAbsScaler,
]


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda scaler: repr(scaler()))
def test_scalers_that_differ_are_taken_up_by_the_first_layer(scaler):
    first, second = fitted(FIRST, scaler(), Ridge(0.1)), fitted(SECOND, scaler(), Ridge(0.1))
    assert PIPELINES.facts(second, first) == PIPELINES.facts(first, first)
    expected = (first.predict(X) + second.predict(X)) / 2
    np.testing.assert_allclose(mean(first, second).predict(X), expected)


def test_a_perceptron_behind_another_scaler_is_the_same_function():
    model = fitted(
        FIRST, StandardScaler(), MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=0)
    )
    like = fitted(
        SECOND, StandardScaler(), MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=1)
    )
    there = PIPELINES.write(PIPELINES.copy(like), PIPELINES.tensors(model, like).items())
    np.testing.assert_allclose(there.predict(X), model.predict(X))


def test_equal_steps_change_no_bit():
    first, second = (fitted(FIRST, PCA(2), Ridge(alpha)) for alpha in (0.1, 10.0))
    assert PIPELINES.facts(second, first) == PIPELINES.facts(first, first)
    np.testing.assert_array_equal(PIPELINES.tensors(second, first)["coef_"], second[-1].coef_)
    shared = FunctionTransformer(lambda X: X * 2)  # cannot be compared by content
    first, second = (fitted(FIRST, shared, Ridge(alpha)) for alpha in (0.1, 10.0))
    assert PIPELINES.facts(second, first) == PIPELINES.facts(first, first)


@pytest.mark.parametrize(
    "steps",
    [
        lambda: (PCA(2), Ridge()),
        lambda: (QuantileTransformer(n_quantiles=10), Ridge()),
        lambda: (MinMaxScaler(clip=True), Ridge()),
        lambda: (StandardScaler(), PCA(2), Ridge()),
        lambda: (FunctionTransformer(lambda X: X), Ridge()),
    ],
)
def test_other_steps_that_differ_are_a_difference(steps):
    first, second = fitted(FIRST, *steps()), fitted(SECOND, *steps())
    assert PIPELINES.facts(second, first) != PIPELINES.facts(first, first)


def test_pipelines_of_other_steps_differ():
    first = fitted(FIRST, StandardScaler(), Ridge())
    for steps in ((Ridge(),), (RobustScaler(), Ridge()), (StandardScaler(), PCA(2), Ridge())):
        assert PIPELINES.facts(fitted(FIRST, *steps), first) != PIPELINES.facts(first, first)


def test_facts_of_the_last_step_count():
    y = (np.median(Y) < Y).astype(int)
    first = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    other = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y + 1)
    assert PIPELINES.facts(other, first) != PIPELINES.facts(first, first)


def test_what_is_accepted():
    assert PIPELINES.accepts(make_pipeline(StandardScaler(), Ridge()))
    assert not PIPELINES.accepts(make_pipeline(StandardScaler(), DecisionTreeRegressor()))
    assert not PIPELINES.accepts(Ridge())
