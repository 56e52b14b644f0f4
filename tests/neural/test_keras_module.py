"""A Keras model in torch's clothes: logits from whatever it returns, and its mode."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
if keras.backend.backend() != "torch":
    pytest.skip("Keras runs on another backend", allow_module_level=True)

from stackens.neural._keras_module import KerasModule  # noqa: E402

ROWS = torch.tensor(np.random.default_rng(0).normal(size=(20, 3)), dtype=torch.float32)


def model(n_outputs, activation, *, drop=0.0):
    layers = keras.layers
    return keras.Sequential(
        [layers.Input((3,)), layers.Dropout(drop), layers.Dense(n_outputs, activation=activation)]
    )


@pytest.mark.parametrize(("n_outputs", "activation"), [(3, "softmax"), (1, "sigmoid")])
def test_probabilities_become_logits(n_outputs, activation):
    given = model(n_outputs, activation)
    found = torch.softmax(KerasModule(given, gives_probabilities=True).eval()(ROWS), dim=1)
    torch.testing.assert_close(found[:, -n_outputs:], given(ROWS, training=False))


def test_certainty_is_finite():
    given = model(1, "sigmoid")
    given.set_weights([np.full((3, 1), 1e4), np.zeros(1)])
    assert torch.isfinite(KerasModule(given, gives_probabilities=True)(ROWS)).all()


def test_other_answers_stay():
    given = model(2, None)
    found = KerasModule(given, gives_probabilities=False).eval()(ROWS)
    torch.testing.assert_close(found, given(ROWS, training=False))


def test_its_mode_reaches_the_model():
    module = KerasModule(model(2, None, drop=0.5), gives_probabilities=False)
    assert not torch.equal(module.train()(ROWS), module(ROWS))
    assert torch.equal(module.eval()(ROWS), module(ROWS))
