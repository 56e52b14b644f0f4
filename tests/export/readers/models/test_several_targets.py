"""Tests of the readers of regressors made of one for each target."""

import pytest
from sklearn.linear_model import Lasso
from sklearn.multioutput import MultiOutputRegressor, RegressorChain

from tests.export.readers.models.against_source import assert_same, number_rows


@pytest.mark.parametrize(
    "model",
    [
        MultiOutputRegressor(Lasso()),
        RegressorChain(Lasso()),
        RegressorChain(Lasso(), order=[2, 0, 1]),
        RegressorChain(Lasso(), order="random", random_state=1, cv=3),
    ],
    ids=str,
)
def test_several_targets(model):
    X, y = number_rows(n_targets=3)
    program = assert_same(model.fit(X, y), X, "predict", scale=1000.0)
    assert program.n_outputs == 3
