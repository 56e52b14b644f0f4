"""Tests of the reader of trained networks as base models."""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is first imported

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

import stackens as se
from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import EXTREMES, asked, program_of, run

X = np.random.default_rng(0).normal(size=(50, 4)) * 3
ROWS = np.vstack([X, *(np.where(np.arange(4) == i % 4, v, X[i]) for i, v in enumerate(EXTREMES))])
INVALID = np.array([[np.nan, 0, 0, 0], [np.inf, 0, 0, 0], [0, 0, 0, -np.inf]])


def torch_network(n_outputs, *last, seed=0):
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, n_outputs), *last)
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) - 0.5)
    return module


def assert_same(model, method, rows=ROWS, tolerance=2e-6):
    program = program_of(model, rows.shape[1], method)
    for row in (*np.split(rows, len(rows)), *np.split(INVALID, 3)):
        answer, refused = run(program, row)
        try:
            expected = asked(model, row, method)
        except ValueError:
            assert refused[0], row
            continue
        assert not refused[0], row
        np.testing.assert_allclose(answer, expected, rtol=tolerance, atol=tolerance)
    return program


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("method", ["predict_proba", "predict"])
def test_logits(method, n_outputs):
    classes = list("ab") if n_outputs == 1 else list("abc")
    model = se.FrozenNetwork(torch_network(n_outputs), output="logits", classes=classes)
    moderate = ROWS[np.abs(ROWS).max(axis=1) < 1e20]
    assert_same(model, method, moderate)


@pytest.mark.parametrize(
    ("n_outputs", "last"), [(1, nn.Sigmoid()), (3, nn.Softmax(dim=1)), (1, nn.Hardsigmoid())]
)
def test_probabilities(n_outputs, last):
    model = se.FrozenNetwork(torch_network(n_outputs, last), classes=range(max(2, n_outputs)))
    program = assert_same(model, "predict_proba")
    assert program.single_precision


def test_numbers_that_are_no_probabilities_are_refused():
    model = se.FrozenNetwork(torch_network(1), classes=[0, 1])
    program = assert_same(model, "predict_proba")
    assert run(program, X)[1].any()
    assert not run(program, X)[1].all()


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_values(n_outputs):
    model = se.FrozenNetwork(torch_network(n_outputs), output="values")
    assert_same(model, "predict", tolerance=1e-5)


def test_double_precision_is_kept():
    model = se.FrozenNetwork(torch_network(2).double(), output="values")
    program = assert_same(model, "predict", tolerance=1e-12)
    assert not program.single_precision


def test_a_network_without_weights():
    assert_same(se.FrozenNetwork(nn.Softmax(dim=1), classes=range(4)), "predict_proba")


def test_keras():
    keras = pytest.importorskip("keras")
    layers = [keras.Input((4,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(3, "softmax")]
    network = keras.Sequential(layers)
    assert_same(se.FrozenNetwork(network, classes=list("abc")), "predict_proba", X)


def test_rows_are_prepared_first():
    scaler = StandardScaler().fit(X)
    model = se.FrozenNetwork(torch_network(2), output="values", preprocess=scaler)
    assert_same(model, "predict", X)


def test_the_network_of_a_tabular_estimator():
    y = (X[:, 0] > 0).astype(int)
    fitted = se.TorchMLPClassifier((5,), max_iter=2, random_state=0, device="cpu").fit(X, y)
    model = se.FrozenNetwork(
        fitted.module_, output="logits", classes=[0, 1], preprocess=fitted.encoder_
    )
    moderate = ROWS[np.abs(ROWS).max(axis=1) < 1e20]
    program = program_of(model, 4, "predict_proba")
    np.testing.assert_allclose(run(program, moderate)[0], model.predict_proba(moderate), atol=1e-6)


def test_what_cannot_be_exported_is_refused():
    with pytest.raises(ExportError, match="torch module or a Keras model"):
        program_of(se.FrozenNetwork(lambda rows: rows), 4, "predict_proba")
    model = se.FrozenNetwork(torch_network(2), preprocess=lambda rows: rows)
    with pytest.raises(ExportError, match="fitted transformer"):
        program_of(model, 4, "predict_proba")
    with pytest.raises(ExportError, match="predict_proba"):
        program_of(se.FrozenNetwork(torch_network(2)), 4, "decision_function")
