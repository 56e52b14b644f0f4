"""Checkpoints are opened one at a time, whatever they are."""

import numpy as np
import pytest

from stackens import weight_averaging as wa
from stackens.weight_averaging._checkpoints import (
    Checkpoints,
    labelled,
    running_averages,
    with_tied,
)


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


def test_the_key_finds_weights_in_files(tmp_path):
    torch = pytest.importorskip("torch")
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.pt")
        net, ema = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        for model, value in ((net, 99.0), (ema, i)):
            torch.nn.init.constant_(model.weight, value)
            torch.nn.init.zeros_(model.bias)
        torch.save({"model": net.state_dict(), "ema": ema.state_dict()}, paths[-1])
    network = torch.nn.Linear(1, 1)

    def score(model):
        return -abs(model.weight.item() - 1.0)

    with pytest.raises(ValueError, match="'model', 'ema'. Pass key="):
        wa.scan_last_n(paths, score, network=network)
    given = {"network": network, "key": "ema"}
    assert wa.scan_last_n(paths, score, "equal", **given).best["score"] == 0
    assert wa.greedy_soup(paths, score, **given).score == 0
    assert wa.average_best_n(paths, score, 3, **given).score == 0
    assert wa.interpolate(paths[0], paths[2], score, n_points=3, **given).scores[1].mean == 0
    mix = wa.learn_mixing(paths, evaluate=score, max_evaluations=5, **given)
    assert mix.model.weight.item() == pytest.approx(1.0)
    assert wa.read_checkpoint(paths[2], key="ema")["weight"] == 2


def test_tied_weights_are_found_under_all_names_that_they_have_in_a_network():
    shared, other = object(), object()
    network = {"embedding": shared, "norm": other, "head": shared}
    assert with_tied({"norm": 1, "head": 2}, network) == {"norm": 1, "head": 2, "embedding": 2}
    assert with_tied({"embedding": 3, "head": 2}, network) == {"embedding": 3, "head": 2}
    assert with_tied({"norm": 1}, network) == {"norm": 1}


@pytest.mark.parametrize("kept", ["0.weight", "1.weight"])
def test_files_that_keep_one_name_of_tied_weights_fit_their_network(tmp_path, kept):
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Linear(3, 3, False), torch.nn.Linear(3, 3, False))
    network[1].weight = network[0].weight
    for i in range(2):
        np.savez(tmp_path / f"{i}.npz", **{kept: np.full((3, 3), 1 + 2 * i, np.float32)})
    paths = [tmp_path / f"{i}.npz" for i in range(2)]

    def total(model):
        assert model[0].weight is model[1].weight
        return model[0].weight.sum().item()

    scan = wa.scan_last_n(paths, total, "equal", network=network)
    assert scan.frame()["score"].tolist() == [27, 27, 9, 18]
    assert total(wa.greedy_soup(paths, total, network=network).model) == 27
    assert wa.interpolate(*paths, total, network=network).frame()["score"].iloc[5] == 18
    mix = wa.learn_mixing(
        paths, evaluate=lambda model: -abs(total(model) - 18), network=network, max_evaluations=9
    )
    assert total(mix.model) == 18
