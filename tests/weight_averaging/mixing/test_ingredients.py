"""Tests of the networks to be mixed, seen as named tensors."""

import numpy as np
import pytest

from stackens.weight_averaging.mixing._ingredients import Ingredients


def states():
    shared = np.ones(3)
    return [
        {"w": shared * k, "tied": None, "steps": np.array(k)} | {"v": np.array([k], float)}
        for k in (1, 2)
    ]


def test_what_is_mixed():
    first, second = states()
    first["tied"], second["tied"] = first["w"], second["w"]
    ingredients = Ingredients([first, second])
    assert ingredients.names == ["model 0", "model 1"]
    assert ingredients.mixed_names == ["w", "v"]


def test_merge_keeps_ties_integers_and_ingredients():
    first, second = states()
    first["tied"], second["tied"] = first["w"], second["w"]
    groups = {"a": ["w"], "b": ["v"]}
    merged = Ingredients({"x": first, "y": second}).merge(np.array([[0.25, 0.75], [1, 0]]), groups)
    assert merged["w"].tolist() == [1.75] * 3
    assert merged["tied"] is merged["w"]
    assert merged["v"].tolist() == [1.0]
    assert merged["steps"] == 2
    assert first["w"].tolist() == [1.0] * 3


def test_a_network_for_state_dicts():
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(2, 1)
    given = [{name: t * k for name, t in network.state_dict().items()} for k in (1.0, 3.0)]
    ingredients = Ingredients(given, network)
    merged = ingredients.merge(np.array([[0.5, 0.5]]), {"all": ingredients.mixed_names})
    torch.testing.assert_close(merged.weight, 2 * network.weight)
    assert merged is not network
    with pytest.raises(ValueError, match="bias.*missing in model 0, model 1|bias.*missing in m"):
        Ingredients([{"weight": g["weight"]} for g in given], network)


def test_files_and_models_in_memory_are_checked(tmp_path):
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(2, 1)
    state = network.state_dict()
    bad = {name: tensor * np.nan for name, tensor in state.items()}
    for name, content in (("good", state), ("bad", bad)):
        torch.save(content, tmp_path / f"{name}.pt")
    given = {"memory": state, "file": tmp_path / "good.pt"}
    Ingredients(given, network)
    for name in ("file", "memory"):
        wrong = bad if name == "memory" else tmp_path / "bad.pt"
        with pytest.raises(ValueError, match=f"tensor 'weight' in {name}"):
            Ingredients({"other": tmp_path / "good.pt", **given, name: wrong}, network)


def test_what_is_not_mixed_is_that_of_the_newest_model(tmp_path):
    torch = pytest.importorskip("torch")

    def network(steps):
        net = torch.nn.BatchNorm1d(2)
        net.num_batches_tracked.fill_(steps)
        net.register_buffer("pruned", torch.tensor([steps > 1, True]))
        return net

    states = [network(steps).state_dict() for steps in (1, 2)]
    torch.save(states[1], tmp_path / "newest.pt")
    for models in (states, [states[0], tmp_path / "newest.pt"]):
        with Ingredients(models, network(0)) as ingredients:
            merged = ingredients.merge(np.array([[1, 0]]), {"all": ingredients.mixed_names})
            for net in (merged, ingredients.copy()[0]):
                assert net.num_batches_tracked == 2
                assert net.pruned.tolist() == [True, True]
