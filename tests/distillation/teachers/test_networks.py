"""Tests of trained torch and Keras networks as teachers: what they return, modes, shapes, types."""

import numpy as np
import pandas as pd
import pytest

from stackens._core._losses import softmax
from stackens._core._task import Task, infer_task
from stackens.distillation.teachers import TeacherRows, TeachingOptions, resolve_teacher
from stackens.distillation.teachers._networks import ask_network, is_network, output_of_network

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
Y = np.arange(30) % 3
ROWS = TeacherRows(X, Y, infer_task(Y)[0])
ACCEPTED = TeachingOptions(soft_targets="in_sample")


def soft(network, rows=ROWS, output="auto"):
    classification = rows.task.is_classification
    teacher = resolve_teacher(network, classification=classification, output=output)
    return teacher.learn(rows, ACCEPTED).soft


def linear(n_outputs=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    layer = torch.nn.Linear(4, n_outputs)
    with torch.no_grad():
        layer.weight.normal_(generator=generator)
    return layer


def logits_of(layer, X=X):
    weight, bias = (p.detach().numpy().astype(np.float64) for p in layer.parameters())
    return X @ weight.T + bias


class OwnForward(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = linear()

    def forward(self, x):
        return self.layer(x)


def keras_model(*layers):
    return keras.Sequential([keras.Input((4,)), *layers])


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ([], "logits"),
        ([torch.nn.LogSoftmax(1)], "logits"),
        ([torch.nn.Softmax(1)], "probabilities"),
        ([torch.nn.Sequential(torch.nn.Sigmoid())], "probabilities"),
    ],
)
def test_the_last_layer_of_torch_tells(end, expected):
    assert output_of_network(torch.nn.Sequential(linear(), *end)) == expected


@pytest.mark.parametrize("network", [OwnForward(), torch.nn.Sequential(linear(), torch.nn.ReLU())])
def test_where_the_last_layer_does_not_tell_the_user_is_asked(network):
    with pytest.raises(ValueError, match="last layer does not tell.*teacher_output='logits'"):
        soft(network)
    if isinstance(network, OwnForward):
        np.testing.assert_allclose(
            soft(network, output="logits"), softmax(logits_of(network.layer)), atol=1e-6
        )


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([keras.layers.Dense(3)], "logits"),
        ([keras.layers.Dense(3, activation="softmax")], "probabilities"),
        ([keras.layers.Dense(3), keras.layers.Softmax()], "probabilities"),
        ([keras.layers.Dense(1, activation="sigmoid")], "probabilities"),
    ],
)
def test_the_last_layer_of_keras_tells(layers, expected):
    assert output_of_network(keras_model(*layers)) == expected


def test_the_end_of_a_keras_graph_tells_and_a_relu_does_not():
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(2, activation="relu")(inputs)
    end = keras.layers.Dense(3, activation="softmax")(hidden)
    assert output_of_network(keras.Model(inputs, end)) == "probabilities"
    with pytest.raises(ValueError, match="last layer does not tell"):
        output_of_network(keras.Model(inputs, hidden))


def test_keras_probabilities_are_those_of_the_model():
    model = keras_model(keras.layers.Dense(3, activation="softmax"))
    expected = model(X.astype("float32"), training=False).detach().numpy()
    np.testing.assert_allclose(soft(model), expected, atol=1e-6)
    logits = keras_model(keras.layers.Dense(1))
    binary = TeacherRows(X, Y > 0, infer_task(Y > 0)[0])
    margin = logits(X.astype("float32"), training=False).detach().numpy()[:, 0]
    np.testing.assert_allclose(soft(logits, binary)[:, 1], 1 / (1 + np.exp(-margin)), atol=1e-6)


def test_one_logit_is_that_of_the_second_class_and_values_stay_values():
    layer = linear(1)
    binary = TeacherRows(X, Y > 0, infer_task(Y > 0)[0])
    expected = 1 / (1 + np.exp(-logits_of(layer)[:, 0]))
    np.testing.assert_allclose(soft(layer, binary)[:, 1], expected, atol=1e-6)
    numbers = TeacherRows(X, X[:, 0], Task("regression", 1))
    np.testing.assert_allclose(soft(layer, numbers), logits_of(layer), atol=1e-5)


def test_modes_come_back_and_dropout_is_off():
    network = torch.nn.Sequential(torch.nn.Dropout(0.9), linear(), torch.nn.Softmax(1))
    network.train()
    network[1].eval()
    expected = softmax(logits_of(network[1]))
    np.testing.assert_allclose(soft(network), expected, atol=1e-6)
    assert [part.training for part in network] == [True, False, True]
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    "make",
    [
        pd.DataFrame,
        torch.tensor,
        lambda X: torch.tensor(X, dtype=torch.bfloat16),
        lambda X: torch.tensor(X, requires_grad=True),
        np.float32,
        np.ndarray.tolist,
    ],
    ids=["frame", "tensor", "bfloat16", "with gradients", "float32", "list"],
)
def test_rows_of_every_kind_are_read_in_the_precision_of_the_network(make):
    layer = linear()
    rows = TeacherRows(make(X), Y, ROWS.task)
    np.testing.assert_allclose(soft(layer, rows), softmax(logits_of(layer)), atol=2e-2)


def test_images_are_read_in_batches():
    sizes = []
    network = torch.nn.Sequential(torch.nn.Flatten(), linear())
    network.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    images = RNG.normal(size=(1500, 1, 2, 2))
    whole = ask_network(network, images)
    assert sizes == [1024, 476]
    np.testing.assert_allclose(whole, logits_of(network[1], images.reshape(1500, 4)), atol=1e-5)
    np.testing.assert_allclose(ask_network(network, torch.tensor(images)), whole)
    assert len(ask_network(network, images[:0])) == 0


def test_recognising_a_network():
    assert is_network(linear())
    assert is_network(keras_model(keras.layers.Dense(1)))
    assert not is_network(np.mean)
