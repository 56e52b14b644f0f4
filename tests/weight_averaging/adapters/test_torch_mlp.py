"""Our tabular networks are averaged as their modules, behind one and the same encoder."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier

from stackens import TorchMLPClassifier, TorchMLPRegressor
from stackens import weight_averaging as wa
from stackens.weight_averaging.adapters._torch_mlp import TorchMLPAdapter

torch = pytest.importorskip("torch")

MLP = TorchMLPAdapter()
RANDOM = np.random.default_rng(0)
X = pd.DataFrame({"a": RANDOM.normal(size=120), "b": RANDOM.choice(["x", "y", None], size=120)})
Y = X["a"].to_numpy() + (X["b"] == "x").to_numpy()
CODES = np.arange(120) % 3


def fitted(X=X, y=CODES, cls=TorchMLPClassifier, start=None, **settings):
    usual = {"hidden_layer_sizes": (6,), "max_iter": 2, "random_state": 0}
    return cls(**usual | settings).fit(X, y, initial_state=start)


def from_one_start(n=3, **settings):
    start = fitted(**settings).module_.state_dict()
    return [fitted(random_state=seed, start=start, **settings) for seed in range(n)]


@pytest.mark.parametrize("settings", [{}, {"cls": TorchMLPRegressor, "y": Y}])
def test_the_average_is_an_estimator_that_predicts(settings):
    models = from_one_start(**settings)
    before = [model.predict(X) for model in models]
    merged = wa.average(models, "linear")
    assert type(merged) is type(models[0])
    assert merged.module_ is not models[-1].module_
    states = [model.module_.state_dict() for model in models]
    for name, tensor in merged.module_.state_dict().items():
        if tensor.is_floating_point():
            expected = sum(w * state[name] for w, state in zip([1, 2, 3], states, strict=True)) / 6
            torch.testing.assert_close(tensor, expected)
        else:
            assert torch.equal(tensor, states[0][name])
    assert merged.predict(X).shape == (120,)
    for model, predicted in zip(models, before, strict=True):
        np.testing.assert_array_equal(model.predict(X), predicted)


def test_an_average_of_one_model_is_that_model():
    model = fitted()
    np.testing.assert_array_equal(wa.average([model] * 3).predict_proba(X), model.predict_proba(X))


def test_a_warm_start_is_a_shared_start():
    first = fitted(warm_start=True)
    states = [first.module_.state_dict()]
    for seed in (1, 2):
        states.append(first.set_params(random_state=seed).fit(X, CODES).module_.state_dict())
    merged = first.with_state(wa.average(states))
    assert np.isfinite(merged.predict_proba(X)).all()


def test_the_average_goes_on_learning():
    merged = wa.average(from_one_start()).set_params(warm_start=True)
    before = merged.predict_proba(X)
    assert not np.array_equal(merged.fit(X, CODES).predict_proba(X), before)


def test_another_encoder_is_a_difference():
    with pytest.raises(ValueError, match="encoder_: 'fitted on other rows' in model 0; 'the same'"):
        wa.average([fitted(X[:100], CODES[:100]), fitted()])


def test_another_scale_of_the_target_is_a_difference():
    models = [fitted(cls=TorchMLPRegressor, y=y) for y in (Y, 2 * Y)]
    with pytest.raises(ValueError, match="target_scale_: 'fitted on other rows' in model 0"):
        wa.average(models)


def test_other_classes_and_layers_are_differences():
    with pytest.raises(ValueError, match=r"classes: \[0, 1\] in model 0; \[0, 1, 2\] in model 1"):
        wa.average([fitted(y=CODES % 2), fitted()])
    with pytest.raises(ValueError, match="layer 'layers.1': 'Tanh' in model 0; 'ReLU' in model 1"):
        wa.average([fitted(activation="tanh"), fitted()])
    with pytest.raises(ValueError, match=r"layers.0.weight.*\(5, \d+\)"):
        wa.average([fitted(hidden_layer_sizes=5), fitted()])


def test_dropout_is_no_difference():
    start = fitted().module_.state_dict()
    models = [fitted(start=start), fitted(start=start, dropout=0.5)]
    assert wa.average(models).predict(X).shape == (120,)


def test_what_is_accepted():
    assert MLP.accepts(TorchMLPClassifier())
    assert MLP.accepts(TorchMLPRegressor())
    assert not MLP.accepts(MLPClassifier())
    with pytest.raises(NotFittedError):
        wa.average([TorchMLPClassifier()])
