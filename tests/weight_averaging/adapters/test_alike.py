"""All that differs between models, in one error."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from stackens.weight_averaging.adapters import Arrays, adapter_of, alike


def check(*models):
    labels = [f"model {i}" for i in range(len(models))]
    return alike(adapter_of(models[0]), models, labels, models[0])


def test_equal_models_give_their_arrays_on_demand():
    first, second = check({"w": np.zeros(2), "b": np.ones(1)}, {"w": np.ones(2), "b": np.ones(1)})
    assert list(first) == ["w", "b"]
    assert len(second) == 2
    np.testing.assert_array_equal(second["w"], [1, 1])
    assert isinstance(first, Arrays)


def test_all_differences_are_listed_at_once():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    first = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    second = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2, dtype=torch.float64))
    third = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Linear(2, 1))
    with pytest.raises(ValueError, match="do the same with their weights") as caught:
        check(first, second, third)
    message = str(caught.value)
    for part in (
        "layer '1': 'ReLU' in model 0, model 2; 'Tanh' in model 1",
        "layer '3': missing in model 0, model 1; 'Linear' in model 2",
        "'0.weight': shape (4, 3) in model 0, model 2; (5, 3) in model 1",
        "'2.weight': dtype float32 in model 0, model 2; float64 in model 1",
        "'3.weight': missing in model 0, model 1",
        "blend them",
    ):
        assert part in message


def test_differences_in_tensors_alone():
    with pytest.raises(ValueError, match=r"same tensors(.|\n)*'w': shape \(2,\) in model 0"):
        check({"w": np.zeros(2)}, {"w": np.zeros(3)})


def test_models_of_other_classes_and_shapes():
    X, y = np.eye(6), np.arange(6) % 3
    three = LogisticRegression().fit(X, y)
    two = LogisticRegression().fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match=r"classes: \[0, 1, 2\] in model 0; \[0, 1\] in model 1"):
        check(three, two)


def test_models_of_other_kinds_are_named():
    X, y = np.eye(4), np.arange(4.0)
    with pytest.raises(TypeError, match="model 1 are no linear models"):
        check(Ridge().fit(X, y), {"coef_": y})
