"""Tests of trained networks as base models: kinds of outputs, frameworks, cross-fitting, copies."""

import copy
import os
import pickle

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is first imported

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stackens as se
from stackens.exceptions import LeakageWarning

X, Y = load_iris(return_X_y=True)
LINEAR = LogisticRegression(max_iter=1000).fit(X, Y)
PROBABILITIES = LINEAR.predict_proba(X)


def logits(X):
    return X @ LINEAR.coef_.T + LINEAR.intercept_


def torch_network(dtype=None):
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(4, 3, dtype=dtype))
    with torch.no_grad():
        net[1].weight.copy_(torch.from_numpy(LINEAR.coef_))
        net[1].bias.copy_(torch.from_numpy(LINEAR.intercept_))
    return net.train()


def keras_network():
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(3)])
    model.set_weights([LINEAR.coef_.T, LINEAR.intercept_])
    return model


NETWORKS = {"function": lambda: logits, "torch": torch_network, "keras": keras_network}


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("batch_size", [1024, 7])
def test_logits_of_any_network(kind, batch_size):
    frozen = se.FrozenNetwork(NETWORKS[kind](), output="logits", batch_size=batch_size)
    np.testing.assert_allclose(frozen.predict_proba(X), PROBABILITIES, atol=1e-5)
    assert (frozen.predict(X) == LINEAR.predict(X)).all()
    assert frozen.score(X, Y) == LINEAR.score(X, Y)


def test_a_torch_network_keeps_its_mode_and_the_random_state():
    torch = pytest.importorskip("torch")
    net = torch_network()
    net[1].eval()
    state = torch.get_rng_state()
    se.FrozenNetwork(net, output="logits").predict(X)
    assert [part.training for part in net.modules()] == [True, True, False]
    assert torch.equal(torch.get_rng_state(), state)


def test_half_and_double_precision():
    torch = pytest.importorskip("torch")
    double = se.FrozenNetwork(torch_network(torch.float64), output="logits")
    np.testing.assert_allclose(double.predict_proba(X), PROBABILITIES, rtol=1e-12)
    half = se.FrozenNetwork(torch_network(torch.bfloat16), output="logits")
    np.testing.assert_allclose(half.predict_proba(X), PROBABILITIES, atol=0.1)


def test_one_column_is_the_second_class():
    column = np.array([-1.0, 0.0, 2.0])
    expected = 1 / (1 + np.exp(-column))
    logit = se.FrozenNetwork(lambda X: X, output="logits", classes=["a", "b"])
    np.testing.assert_allclose(logit.predict_proba(column[:, None])[:, 1], expected)
    probability = se.FrozenNetwork(lambda X: expected, classes=["a", "b"])
    np.testing.assert_allclose(
        probability.predict_proba(column[:, None]), np.column_stack([1 - expected, expected])
    )
    assert probability.predict(column[:, None]).tolist() == ["a", "a", "b"]


def test_values_are_a_regression():
    one = se.FrozenNetwork(lambda X: X[:, :1] * 2, output="values")
    assert one.predict(X).shape == (150,)
    assert one.score(X, X[:, 0] * 2) == 1
    assert is_regressor(one)
    assert not is_classifier(one)
    assert not hasattr(one, "predict_proba")
    assert not hasattr(one, "classes_")
    several = se.FrozenNetwork(lambda X: X[:, :2], output="values")
    assert several.predict(X).shape == (150, 2)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, lambda X: X.tolist()])
def test_frames_and_lists(frame):
    frozen = se.FrozenNetwork(torch_network(), output="logits", batch_size=40)
    np.testing.assert_allclose(frozen.predict_proba(frame(X)), PROBABILITIES, atol=1e-5)


def test_preprocessing_by_a_transformer_or_a_function():
    scaler = StandardScaler().fit(X)
    model = LogisticRegression().fit(scaler.transform(X), Y)
    for preprocess in (scaler, scaler.transform):
        frozen = se.FrozenNetwork(model.predict_proba, preprocess=preprocess, batch_size=50)
        np.testing.assert_allclose(
            frozen.predict_proba(X), model.predict_proba(scaler.transform(X))
        )
    table = pd.DataFrame({"city": ["Bern", "Rome", None]})
    encoder = se.TabularEncoder(encoding="one-hot").fit(table)
    frozen = se.FrozenNetwork(lambda Z: Z[:, 0], preprocess=encoder)
    assert frozen.predict_proba(table)[:, 1].tolist() == [1, 0, 0]


def test_several_named_inputs():
    torch = pytest.importorskip("torch")

    class Sum(torch.nn.Module):
        def forward(self, left, right):
            return (left + right)[:, None]

    frozen = se.FrozenNetwork(
        Sum(), output="values", preprocess=lambda X: {"left": X[:, 0], "right": X[:, 1]}
    )
    np.testing.assert_allclose(frozen.predict(X), X[:, 0] + X[:, 1])


def test_it_is_never_fitted_and_never_copied_by_clone():
    net = torch_network()
    frozen = se.FrozenNetwork(net, output="logits", classes=["x", "y", "z"])
    assert clone(frozen) is frozen
    assert frozen.fit(X, Y) is frozen
    assert frozen.network is net
    assert frozen.classes_.tolist() == ["x", "y", "z"]
    expected = frozen.predict_proba(X)
    for copied in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        np.testing.assert_array_equal(copied.predict_proba(X), expected)
        assert copied.network is not net


def test_joblib(tmp_path):
    frozen = se.FrozenNetwork(torch_network(), output="logits")
    joblib.dump(frozen, tmp_path / "frozen.joblib")
    loaded = joblib.load(tmp_path / "frozen.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(X), frozen.predict_proba(X))


@pytest.mark.parametrize("cv", [3, "prefit"])
def test_cross_fitting_takes_it_as_it_is(cv):
    labels = np.array(["setosa", "versicolor", "virginica"])[Y]
    frozen = se.FrozenNetwork(torch_network(), output="logits")
    models = {"frozen": frozen, "linear": LogisticRegression(max_iter=1000)}
    if cv == "prefit":
        models["linear"] = models["linear"].fit(X, labels)
    with pytest.warns(LeakageWarning, match="'frozen'"):
        fitted = se.cross_fit(models, X, labels, cv=cv)
    assert fitted.final_fit["frozen"] == "frozen"
    assert fitted.models["frozen"] is frozen
    np.testing.assert_allclose(fitted.out_of_fold.values[:, 0], PROBABILITIES, atol=1e-5)


def test_blends_and_stacks():
    frozen = se.FrozenNetwork(torch_network(), output="logits", classes=[0, 1, 2])
    models = {"frozen": frozen, "linear": make_pipeline(StandardScaler(), LogisticRegression())}
    weights = np.linspace(1, 2, 150)
    for ensemble in (se.BlendedClassifier(models), se.StackedClassifier(models, cv=3)):
        with pytest.warns(LeakageWarning):
            fitted = ensemble.fit(X, Y, sample_weight=weights)
        assert fitted.score(X, Y) > 0.95
        assert fitted.named_estimators_["frozen"] is frozen
    values = se.FrozenNetwork(lambda X: X[:, 2], output="values")
    with pytest.warns(LeakageWarning):
        blend = se.BlendedRegressor([("frozen", values), ("lr", LinearRegression())]).fit(
            X, X[:, 3]
        )
    assert blend.score(X, X[:, 3]) > 0.9


def test_answers_that_do_not_fit():
    with pytest.raises(ValueError, match="output='logits'"):
        se.FrozenNetwork(logits).predict(X)
    with pytest.raises(ValueError, match="Got 3 columns for the classes"):
        se.FrozenNetwork(logits, output="logits", classes=[0, 1]).predict_proba(X)
    with pytest.raises(ValueError, match=r"Got the shape \(4, 150\) for 150 rows"):
        se.FrozenNetwork(lambda X: X.T, output="values").predict(X)
    with pytest.raises(ValueError, match="could not convert string to float"):
        se.FrozenNetwork(torch_network(), output="logits").predict(np.full((2, 4), "red"))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"output": "scores"}, "output"),
        ({"batch_size": 0}, "batch_size"),
        ({"classes": 3}, "classes"),
    ],
)
def test_bad_settings(settings, name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of FrozenNetwork"):
        se.FrozenNetwork(logits, **settings).predict(X)
    with pytest.raises(ValueError, match="The 'network' parameter"):
        se.FrozenNetwork("model.pt").predict(X)
