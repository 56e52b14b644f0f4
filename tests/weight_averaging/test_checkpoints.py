"""Checkpoints are opened one at a time, whatever they are."""

import numpy as np
import pytest

from stackens.weight_averaging._checkpoints import Checkpoints, labelled, running_averages


def test_models_are_called_by_their_place_or_name():
    assert labelled([1, 2]) == (["model 0", "model 1"], [1, 2])
    assert labelled({"a": 1, 2: 3}) == (["a", "2"], [1, 3])
    with pytest.raises(TypeError, match="Got a int"):
        labelled(1)
    with pytest.raises(TypeError, match="Got a str"):
        labelled("model.pt")
    with pytest.raises(ValueError, match="at least one model"):
        labelled([])


def test_models_are_given_as_they_are_and_compared_with_the_first():
    opened, first = Checkpoints(), {"w": np.zeros(2)}
    alone, arrays = opened.open(first, "first")
    assert alone is first
    np.testing.assert_array_equal(arrays["w"], [0, 0])
    with pytest.raises(ValueError, match=r"\(2,\) in first; \(3,\) in second"):
        opened.open({"w": np.zeros(3)}, "second")


def test_models_can_be_written_over_or_kept():
    torch = pytest.importorskip("torch")
    opened, model = Checkpoints(), torch.nn.Linear(2, 1)
    _, arrays = opened.open(model, "first")
    doubled = [(name, 2.0 * arrays[name]) for name in arrays]
    written = opened.written(doubled)
    kept = opened.kept(doubled)
    assert torch.equal(written.weight, 2 * model.weight)
    again = opened.written((name, 0 * array) for name, array in doubled)
    assert again is written
    assert torch.equal(kept.weight, 2 * model.weight)


def test_state_dicts_are_put_into_the_network():
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(2, 1)
    before = network.weight.clone()
    opened = Checkpoints(network)
    state = {"weight": torch.ones(1, 2, dtype=torch.bfloat16), "bias": torch.ones(1)}
    alone, _ = opened.open(state, "first")
    assert isinstance(alone, torch.nn.Linear)
    assert alone.weight.dtype == torch.float32
    assert alone(torch.ones(1, 2)).item() == 3
    assert torch.equal(network.weight, before)
    with pytest.raises(ValueError, match=r"'bias': missing in first(.|\n)*'b': missing in the net"):
        Checkpoints(network).open({"weight": torch.ones(1, 2), "b": torch.ones(1)}, "first")


def test_running_averages():
    rows = [np.array([1.0]), np.array([0.3, 0.7]), np.array([0.2, 0.3, 0.5])]
    models = [{"w": np.array([value])} for value in (1.0, 2.0, 4.0)]
    opened, found = Checkpoints(), []
    for alone, averages in running_averages(opened, models, ["a", "b", "c"], rows):
        assert alone in models
        found += [opened.kept(arrays)["w"].item() for arrays in averages.values()]
    np.testing.assert_allclose(found, [1.0, 1.7, 2.8])


def test_layers_of_one_network_are_no_models():
    nn = pytest.importorskip("torch").nn
    with pytest.raises(TypeError, match="Got one torch.nn.Sequential"):
        labelled(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)))
    assert len(labelled(nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)]))[1]) == 2
