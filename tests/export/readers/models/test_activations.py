"""Tests of activation functions against torch, in double precision."""

import numpy as np
import pytest
import torch

from stackens.export.readers.models._activations import ACTIVATIONS
from tests.export.readers.programs import answers_of

F = torch.nn.functional
X = np.concatenate(
    [np.linspace(-12, 12, 97), [0.5, -0.5, 20.5, 5e-324, -1e-9, 1e-9, 700.0, -700.0, 3.0, 6.0]]
)
CASES = [
    ("celu", (), F.celu),
    ("celu", (1.7,), lambda x: F.celu(x, 1.7)),
    ("elu", (), F.elu),
    ("elu", (0.3,), lambda x: F.elu(x, 0.3)),
    ("exponential", (), torch.exp),
    ("gelu", (), F.gelu),
    ("gelu", (True,), lambda x: F.gelu(x, approximate="tanh")),
    ("hard_shrink", (), F.hardshrink),
    ("hard_shrink", (2.0,), lambda x: F.hardshrink(x, 2.0)),
    ("hard_sigmoid", (), F.hardsigmoid),
    ("hard_silu", (), F.hardswish),
    ("hard_tanh", (), F.hardtanh),
    ("hard_tanh", (-2.0, 0.5), lambda x: F.hardtanh(x, -2.0, 0.5)),
    ("leaky_relu", (), F.leaky_relu),
    ("leaky_relu", (0.3,), lambda x: F.leaky_relu(x, 0.3)),
    ("linear", (), lambda x: x),
    ("log_sigmoid", (), F.logsigmoid),
    ("mish", (), F.mish),
    ("relu", (), F.relu),
    ("relu6", (), F.relu6),
    ("selu", (), F.selu),
    ("sigmoid", (), torch.sigmoid),
    ("silu", (), F.silu),
    ("soft_shrink", (), F.softshrink),
    ("softplus", (), lambda x: F.softplus(x, threshold=1e9)),
    ("softplus", (2.0, 5.0), lambda x: F.softplus(x, 2.0, 5.0)),
    ("softsign", (), F.softsign),
    ("tanh", (), torch.tanh),
    ("tanh_shrink", (), F.tanhshrink),
    ("threshold", (0.5, -3.0), lambda x: F.threshold(x, 0.5, -3.0)),
]


def ours(name, parameters, rows):
    return answers_of(lambda graph, x: ACTIVATIONS[name](graph, x, *parameters), rows)


@pytest.mark.parametrize(("name", "parameters", "function"), CASES)
def test_one_number(name, parameters, function):
    with np.errstate(over="ignore"):
        expected = function(torch.tensor(X)).numpy()
    np.testing.assert_allclose(ours(name, parameters, X[:, None])[:, 0], expected, 1e-12, 1e-15)
    assert np.isnan(ours(name, parameters, np.array([[np.nan]]))).all()


@pytest.mark.parametrize(
    ("name", "function"), [("softmax", F.softmax), ("log_softmax", F.log_softmax)]
)
def test_rows(name, function):
    rows = np.random.default_rng(0).normal(size=(40, 5)) * 50
    np.testing.assert_allclose(ours(name, (), rows), function(torch.tensor(rows), 1).numpy(), 1e-12)


def test_relu_with_slope_highest_and_threshold():
    rows = X[:, None]
    expected = np.where(rows >= 2.0, np.minimum(rows, 6.0), 0.1 * (rows - 2.0))
    np.testing.assert_allclose(ours("relu", (0.1, 6.0, 2.0), rows), expected, rtol=1e-14)


def test_every_activation_has_a_test():
    assert {name for name, *_ in CASES} | {"softmax", "log_softmax"} == set(ACTIVATIONS)
