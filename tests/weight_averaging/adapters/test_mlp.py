"""scikit-learn's perceptrons: layers there and back, class order, training on."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from stackens.weight_averaging.adapters._mlp import MLPAdapter

MLP = MLPAdapter()
X = np.random.default_rng(0).normal(size=(40, 3))
CLASSES = np.array(["b", "a", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]
BINARY = np.where(CLASSES == "a", "a", "b")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def classifier(y=CLASSES, **parameters):
    return MLPClassifier((4, 3), max_iter=3, random_state=0, **parameters).fit(X, y)


def rewritten(model, change=lambda array: array):
    tensors = MLP.tensors(model, model)
    return MLP.write(MLP.copy(model), [(name, change(array)) for name, array in tensors.items()])


def test_layers_are_tensors():
    model = classifier()
    assert MLP.accepts(model)
    assert list(MLP.tensors(model, model)) == [
        f"{kind}_.{i}" for i in range(3) for kind in ("coefs", "intercepts")
    ]
    before = [array.copy() for array in model.coefs_]
    new = rewritten(model, lambda array: array * 2)
    for old, kept, written in zip(before, model.coefs_, new.coefs_, strict=True):
        np.testing.assert_array_equal(kept, old)
        np.testing.assert_array_equal(written, 2 * old)
    np.testing.assert_array_equal(rewritten(model).predict(X), model.predict(X))


def test_single_precision_stays():
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(
        X.astype(np.float32), X[:, 0]
    )
    assert model.coefs_[0].dtype == np.float32
    new = rewritten(model, lambda array: array.astype(float))
    assert [array.dtype for array in new.coefs_] == [np.float32] * 2


def test_training_goes_on_with_a_new_optimizer():
    model = classifier()
    new = rewritten(model)
    assert hasattr(model, "_optimizer")
    assert not hasattr(new, "_optimizer")
    before = new.coefs_[0].copy()
    new.partial_fit(X, CLASSES)
    assert not np.array_equal(new.coefs_[0], before)
    np.testing.assert_array_equal(model.coefs_[0], before)


@pytest.mark.parametrize("y", [CLASSES, BINARY], ids=["three", "two"])
def test_classes_in_another_order_are_brought_into_line(y):
    model = classifier(y)
    order = np.array([2, 0, 1])[: len(model.classes_)] if len(model.classes_) == 3 else [1, 0]
    other = MLP.copy(model)
    other.classes_ = model.classes_[order]
    if len(order) == 3:
        other.coefs_[-1], other.intercepts_[-1] = (
            model.coefs_[-1][:, order],
            model.intercepts_[-1][order],
        )
    else:
        other.coefs_[-1], other.intercepts_[-1] = -model.coefs_[-1], -model.intercepts_[-1]
    for name, array in MLP.tensors(other, model).items():
        np.testing.assert_array_equal(array, MLP.tensors(model, model)[name])


def test_facts_tell_activations_and_outputs_apart():
    relu = classifier()
    assert MLP.facts(classifier(activation="tanh"), relu) != MLP.facts(relu, relu)
    assert MLP.facts(classifier(alpha=0.5), relu) == MLP.facts(relu, relu)
    labels = np.c_[X[:, 0] > 0, X[:, 1] > 0].astype(int)
    assert MLP.facts(classifier(labels), relu)["output"] == "logistic"


def test_a_shift_and_a_scale_in_front_are_taken_up():
    model = classifier()
    shift, scale = np.array([1.0, -2.0, 0.5]), np.array([2.0, 0.1, 3.0])
    moved = MLP.behind(MLP.tensors(model, model), shift, scale)
    inside = MLP.write(MLP.copy(model), moved.items())
    np.testing.assert_allclose(inside.predict_proba(X), model.predict_proba(shift + scale * X))
