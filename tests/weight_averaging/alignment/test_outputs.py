"""Networks run in double precision from given tensors, and are left as they are."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from stackens.weight_averaging.adapters import adapter_of, to_array
from stackens.weight_averaging.alignment._outputs import keras_outputs, mlp_outputs, torch_outputs

RNG = np.random.default_rng(0)


def tensors(model):
    named = adapter_of(model).tensors(model, model)
    return {name: np.array(to_array(tensor)) for name, tensor in named.items()}


# ---------------------------------------------------------------- torch


class Casting:
    """Makes a module that does what breaks a plain cast to double precision."""

    def __new__(cls, torch):
        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.first = torch.nn.Linear(4, 6)
                self.norm = torch.nn.BatchNorm1d(6)
                self.drop = torch.nn.Dropout(0.5)
                self.last = torch.nn.Linear(6, 2)
                self.slope = torch.linspace(0, 1, 6)  # no buffer: .double() does not see it

            def forward(self, x):
                h = self.drop(self.norm(self.first(x)))
                h = h.float() * torch.rsqrt(h.float().square().mean(-1, keepdim=True) + 1e-6)
                return self.last(torch.cat([h.to(x.dtype) + self.slope]) + torch.ones(6))

        return Module()


def test_inputs_of_another_type_than_in_a_call_are_refused():
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(3, 2)
    outputs = torch_outputs(module, torch.ones(4, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"must run on the example.*Linear.*Long and Double"):
        outputs(tensors(module))


def test_torch_modules_run_in_double_precision_throughout():
    torch = pytest.importorskip("torch")
    module = Casting(torch)
    x = torch.from_numpy(RNG.normal(size=(5, 4)))
    arrays = tensors(module)
    (found,) = torch_outputs(module, x.float())(arrays)
    p = {name: array.astype(np.float64) for name, array in arrays.items()}
    h = x.float().double().numpy() @ p["first.weight"].T + p["first.bias"]
    h = h / np.sqrt(1 + 1e-5)  # the norm is fresh
    h = h / np.sqrt((h**2).mean(axis=1, keepdims=True) + 1e-6)
    h = h + torch.linspace(0, 1, 6).double().numpy() + 1
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, h @ p["last.weight"].T + p["last.bias"], rtol=1e-12)


def test_the_module_stays_as_it_is():
    torch = pytest.importorskip("torch")
    module = Casting(torch).half().train()
    arrays = tensors(module)
    state = torch.get_rng_state()
    torch_outputs(module, np.ones((3, 4), np.float32))({n: a + 1 for n, a in arrays.items()})
    assert module.training
    assert module.first.weight.dtype == torch.float16
    assert torch.equal(torch.get_rng_state(), state)
    for name, array in tensors(module).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_several_inputs_and_outputs_by_place_and_by_name():
    torch = pytest.importorskip("torch")

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(9, 3)

        def forward(self, tokens, offset=0.0):
            return {"a": self.table(tokens), "b": (tokens, offset)}

    module, tokens = Module(), torch.arange(4)
    by_place = torch_outputs(module, (tokens, torch.ones(2)))(tensors(module))
    by_name = torch_outputs(module, {"tokens": tokens, "offset": torch.ones(2)})(tensors(module))
    assert [y.shape for y in by_place] == [(4, 3), (4,), (2,)]
    assert [y.dtype for y in by_place] == [np.float64, np.int64, np.float64]
    for one, other in zip(by_place, by_name, strict=True):
        np.testing.assert_array_equal(one, other)


def test_tied_tensors_that_come_apart_are_seen():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5, bias=False))
    module[1].weight = module[0].weight
    run, arrays = torch_outputs(module, torch.arange(5)), tensors(module)
    assert set(arrays) == {"0.weight", "1.weight"}
    y, apart = run(arrays)
    weight = arrays["0.weight"].astype(np.float64)
    np.testing.assert_allclose(y, weight @ weight.T, rtol=1e-12, atol=1e-14)
    assert not apart.any()
    y, apart = run({**arrays, "1.weight": 2 * arrays["1.weight"]})
    assert apart.any()


def test_wrapped_modules_have_the_plain_names():
    torch = pytest.importorskip("torch")
    module, compiled = torch.nn.Linear(3, 2), torch.nn.Module()
    compiled._orig_mod = module  # as torch.compile does
    wrapped = torch.nn.DataParallel(compiled)
    x = np.ones((2, 3), np.float32)
    expected = torch_outputs(module, x)(tensors(module))[0]
    np.testing.assert_array_equal(torch_outputs(wrapped, x)(tensors(wrapped))[0], expected)


# ---------------------------------------------------------------- Keras


@pytest.fixture
def keras():
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras was loaded with another backend")
    return keras


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_keras_models_run_in_double_precision(keras, dtype):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="tanh", dtype=dtype),
            keras.layers.BatchNormalization(dtype=dtype),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2, dtype=dtype),
        ]
    )
    x = RNG.normal(size=(5, 4))
    arrays = tensors(model)
    given = {name: array.astype(np.float64) + 0.1 for name, array in arrays.items()}
    (found,) = keras_outputs(model, x)(given)
    h = np.tanh(x @ given["dense/kernel"] + given["dense/bias"])
    name = "batch_normalization/"
    h = (h - given[name + "moving_mean"]) / np.sqrt(given[name + "moving_variance"] + 1e-3)
    h = h * given[name + "gamma"] + given[name + "beta"]
    expected = h @ given["dense_1/kernel"] + given["dense_1/bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-7)  # Keras's 1e-3 is one of float32
    for name, array in tensors(model).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_keras_models_with_several_inputs_and_outputs(keras):
    a, b = keras.Input((3,), dtype="int32"), keras.Input((3, 2))
    h = keras.layers.Concatenate()([keras.layers.Embedding(7, 2)(a), b])
    h = keras.layers.LSTM(4)(h)
    model = keras.Model([a, b], [keras.layers.Dense(1)(h), h])
    x = [np.array([[1, 2, 3]]), np.ones((1, 3, 2), np.float32)]
    found = keras_outputs(model, x)(tensors(model))
    for y, expected in zip(found, model(x), strict=True):
        assert y.dtype == np.float64
        np.testing.assert_allclose(y, expected.detach().numpy(), atol=1e-6)


def test_keras_models_must_run_on_the_example(keras):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    for wrong in (np.ones((4, 5)), [[1.0, 2.0, 3.0]]):
        with pytest.raises(ValueError, match=r"must run on the example.*Sequential"):
            keras_outputs(model, wrong)(tensors(model))


def test_keras_on_another_backend_is_explained(keras, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"backend 'jax'.*KERAS_BACKEND"):
        keras_outputs(None, None)


# ---------------------------------------------------------------- scikit-learn


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_scores_of_perceptrons_of_scikit_learn(activation):
    x, y = RNG.normal(size=(30, 3)), RNG.integers(0, 3, size=30)
    options = {"activation": activation, "solver": "lbfgs", "max_iter": 200, "alpha": 1.0}
    classifier = MLPClassifier((5, 4), random_state=0, tol=1e-2, **options).fit(x, y)
    (scores,) = mlp_outputs(classifier, x)(tensors(classifier))
    exponentials = np.exp(scores)
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.predict_proba(x), expected, atol=1e-10)
    regressor = MLPRegressor(hidden_layer_sizes=5, random_state=0, tol=1e-2, **options).fit(x, y)
    (scores,) = mlp_outputs(regressor, x)(tensors(regressor))
    np.testing.assert_allclose(regressor.predict(x), scores[:, 0], atol=1e-10)
