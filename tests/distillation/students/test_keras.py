"""Keras models as students: copies, probabilities or logits, dropout, batch statistics."""

import pickle
import random
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
if keras.backend.backend() != "torch":
    pytest.skip("Keras runs on another backend", allow_module_level=True)

from keras import layers  # noqa: E402

from stackens.distillation.students import KerasStudent  # noqa: E402
from stackens.exceptions import BaseModelError  # noqa: E402
from tests.distillation.students.taught import classes, excess, held_back, values  # noqa: E402
from tests.export.exported import assert_exported  # noqa: E402

# Keras itself, when it saves or copies variables of torch under numpy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STOPPING = held_back(240)
FAST = {"epochs": 12, "learning_rate": 0.03}


@pytest.fixture(autouse=True)
def seeded():
    """Weights of new models come from Python's own generator."""
    random.seed(0)


def dense(n_outputs, activation=None):
    return keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.1),
            layers.Dense(n_outputs, activation=activation),
        ],
        name="small",
    )


def with_softmax_layer(n_outputs):
    rows = keras.Input((3,))
    hidden = layers.Dense(16, activation="relu")(rows)
    return keras.Model(rows, layers.Softmax()(layers.Dense(n_outputs)(hidden)))


class Subclass(keras.Model):
    """A model without get_config, whose constructor takes nothing."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.hidden = layers.Dense(16, activation="relu")
        self.drop = layers.Dropout(0.1)
        self.last = layers.Dense(3)

    def call(self, rows, training=False):
        return self.last(self.drop(self.hidden(rows), training=training))


def learn(model, lesson, seed=0, **settings):
    return KerasStudent(model, **FAST | settings).fit(lesson, random_state=seed)


@pytest.mark.parametrize(
    ("build", "n_classes"),
    [
        (lambda: dense(3, "softmax"), 3),
        (lambda: dense(3), 3),
        (lambda: dense(1, "sigmoid"), 2),
        (lambda: dense(1), 2),
        (lambda: with_softmax_layer(3), 3),
        (lambda: keras.Sequential([layers.Input((3,)), dense(2, "softmax")]), 2),
        (Subclass, 3),
    ],
)
def test_classes(build, n_classes):
    lesson = classes(n_classes, stopping=STOPPING)
    model = build()
    student = learn(model, lesson)
    assert student.path == "soft cross-entropy"
    assert excess(student, lesson) < 0.2
    # the trained copy answers by itself what the user's model answers
    assert type(student.module.model) is type(model)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_the_copy_answers_in_its_own_form(activation):
    lesson = classes()
    student = learn(dense(3, activation), lesson)
    rows = lesson.X.to_numpy(dtype=np.float32)
    answer = student.module.model(rows, training=False).detach().numpy()
    if activation is None:
        answer = np.exp(answer) / np.exp(answer).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(student.outputs(lesson.X), answer, atol=1e-6)


def test_values_may_end_in_a_sigmoid():
    base = values(stopping=STOPPING)
    lesson = replace(base, soft=1 / (1 + np.exp((1000 - base.soft) / 50)))
    student = learn(dense(1, "sigmoid"), lesson, standardise=False, epochs=30)
    assert excess(student, lesson) < 0.2
    usual = learn(dense(1), base, epochs=30)
    assert excess(usual, base) < 0.1


def test_the_model_itself_and_all_generators_stay_as_they_were():
    lesson, model = classes(), dense(3, "softmax")
    before = model.get_weights()
    states = random.getstate(), torch.get_rng_state()
    first, again, other = (learn(model, lesson, seed).outputs(lesson.X) for seed in (1, 1, 2))
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert (first == again).all()
    assert (first != other).any()


def test_it_starts_from_the_weights_given():
    model = dense(3)
    still = learn(model, classes(), epochs=1, learning_rate=1e-12)
    for old, new in zip(model.trainable_weights, still.module.model.trainable_weights, strict=True):
        torch.testing.assert_close(old.value, new.value)


def test_a_model_that_is_not_built_yet():
    lesson = classes()
    model = keras.Sequential([layers.Dense(16, "relu"), layers.Dropout(0.1), layers.Dense(3)])
    first, again, other = (learn(model, lesson, seed).outputs(lesson.X) for seed in (1, 1, 2))
    assert not model.built
    assert (first == again).all()
    assert (first != other).any()


def test_dropout_and_batch_statistics_know_when_it_is_trained():
    lesson, seen = classes(), []

    class Spy(layers.Layer):
        def call(self, rows, training=False):
            seen.append((training, len(rows)))
            return rows

    spied = keras.Sequential([layers.Input((3,)), Spy(), layers.Dense(3)])
    student = learn(spied, lesson, epochs=2)
    assert {training for training, _ in seen} == {True, False}
    assert sum(n for training, n in seen if training) == 480
    seen.clear()
    student.outputs(lesson.X)
    assert {training for training, _ in seen} == {False}
    normalised = learn(dense(3), lesson).module.model.layers[1]
    assert float(abs(normalised.moving_mean.value).max()) > 0.05


def test_bytes_bare_and_pickles():
    lesson = classes()
    student = learn(dense(3, "softmax"), lesson)
    n_numbers = 3 * 16 + 16 + 4 * 16 + 16 * 3 + 3
    assert 4 * n_numbers <= student.n_bytes() <= 4 * n_numbers + 16  # and the seed of dropout
    ask, rows = student.bare(lesson.X[:10])
    alone = np.vstack([ask(row) for row in rows])
    np.testing.assert_allclose(alone, student.outputs(lesson.X[:10]), atol=1e-6)
    twin = pickle.loads(pickle.dumps(student))
    np.testing.assert_array_equal(twin.outputs(lesson.X), student.outputs(lesson.X))


def test_codes():
    lesson = classes(2)
    codes = np.digitize(lesson.X.to_numpy(), np.linspace(-2, 2, 7))
    model = keras.Sequential(
        [layers.Input((3,)), layers.Embedding(8, 4), layers.Flatten(), layers.Dense(2)]
    )
    assert excess(learn(model, replace(lesson, X=codes)), replace(lesson, X=codes)) < 0.3


def test_output_can_be_stated():
    lesson = classes()
    shown = keras.Sequential(
        [layers.Input((3,)), layers.Dense(3), layers.Lambda(keras.ops.softmax)]
    )
    student = learn(shown, lesson, output="probabilities")
    rows = lesson.X.to_numpy(dtype=np.float32)
    answer = student.module.model(rows, training=False).detach().numpy()
    np.testing.assert_allclose(student.outputs(lesson.X), answer, atol=1e-6)
    with pytest.raises(ValueError, match="'output' of KerasStudent .* Got 'votes' instead"):
        KerasStudent(shown, output="votes")


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="Got the backend 'jax'. Set .* KERAS_BACKEND=torch"):
        KerasStudent(dense(3))


class Secret(keras.Model):
    """Cannot be copied: its constructor takes what get_config does not give."""

    def __init__(self, units):
        super().__init__()
        self.last = layers.Dense(units)

    def call(self, rows):
        return self.last(rows)


def test_a_model_that_cannot_be_copied():
    with pytest.raises(BaseModelError, match="could not copy this Secret"):
        learn(Secret(3), classes())


@pytest.mark.parametrize(
    ("n_classes", "n_outputs", "activation"),
    [(3, 3, None), (3, 3, "softmax"), (2, 1, "sigmoid"), (2, 1, None), (2, 2, "softmax")],
)
def test_a_keras_student_of_classes_is_exported(n_classes, n_outputs, activation):
    lesson = classes(n_classes)
    student = KerasStudent(dense(n_outputs, activation), epochs=2).fit(lesson, random_state=0)
    program = assert_exported(student, lesson.X.to_numpy(), atol=1e-6)
    assert len(program.columns) == 3


def test_a_keras_student_of_values_is_exported():
    lesson = values(2)
    student = KerasStudent(dense(2), epochs=2).fit(lesson, random_state=0)
    assert_exported(student, lesson.X, rtol=1e-6)
