"""Scalers written into weights: exact where they can be, refused where not."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from stackens.weight_averaging.one_shot._scalers import (
    Affine,
    change_inputs,
    change_outputs,
    pooled_scaler,
)

TIME, FEATURES = 5, 3


class Recurrent(nn.Module):
    """A recurrent layer, its last step, a linear head."""

    def __init__(self, layer, **settings):
        super().__init__()
        self.layer = layer(FEATURES, 4, batch_first=True, **settings)
        width = 4 * (1 + self.layer.bidirectional)
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        return self.head(self.layer(x)[0])[:, -1]


class Wide(nn.Module):
    """The input goes to two layers, one of which also sees something else."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(FEATURES, 4)
        self.second = nn.Linear(4 + FEATURES, 1)

    def forward(self, x):
        return self.second(torch.cat([torch.tanh(self.first(x)), x], dim=-1))[:, -1, 0]


class Stepwise(nn.Module):
    """A cell that is called at each step."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(FEATURES, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        h = x.new_zeros(len(x), 4)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return self.head(h).squeeze(-1)


NETWORKS = {
    "lstm": lambda: Recurrent(nn.LSTM),
    "two lstm layers, both ways": lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True),
    "gru": lambda: Recurrent(nn.GRU),
    "rnn": lambda: Recurrent(nn.RNN),
    "flattened": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(TIME * FEATURES, 6), nn.ReLU(), nn.Linear(6, 2)
    ),
    "one linear layer": lambda: nn.Sequential(nn.Flatten(), nn.Linear(TIME * FEATURES, 2)),
    "skip": Wide,
    "cell": Stepwise,
}
SCALE, SHIFT = np.array([2.0, 0.01, 30.0]), np.array([-1.0, 5.0, 0.3])


def network(name, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return NETWORKS[name]().eval()


def rows(n=20, shape=(TIME, FEATURES), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((n, *shape), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_change_of_inputs_is_exact(name):
    original = network(name).double()
    changed = change_inputs(original, Affine(SCALE, SHIFT), (TIME, FEATURES), "north")
    x = rows()
    with torch.no_grad():
        wanted = original(x * torch.tensor(SCALE) + torch.tensor(SHIFT))
        torch.testing.assert_close(changed(x), wanted, rtol=1e-9, atol=1e-9)
        assert (original(x) - wanted).abs().max() > 0.01


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_change_of_outputs_is_exact(name):
    original, x = network(name).double(), rows()
    with torch.no_grad():
        before = original(x)
        shape = tuple(before.shape[1:])
        scale, shift = np.linspace(2, 3, max(shape, default=1)).reshape(shape), np.full(shape, -4.0)
        changed = change_outputs(original, Affine(scale, shift), [x], "north")
        wanted = before * torch.tensor(scale) + torch.tensor(shift)
        torch.testing.assert_close(changed(x), wanted, rtol=1e-9, atol=1e-9)


def test_each_position_may_have_its_own_scale_where_a_layer_sees_them_apart():
    original = network("flattened").double()
    scale = np.random.default_rng(0).uniform(0.5, 2, (TIME, FEATURES))
    changed = change_inputs(original, Affine(scale, scale), (TIME, FEATURES), "north")
    with torch.no_grad():
        wanted = original(rows() * torch.tensor(scale) + torch.tensor(scale))
        torch.testing.assert_close(changed(rows()), wanted)


def test_positions_that_share_weights_cannot_have_their_own_scale():
    scale = np.random.default_rng(0).uniform(0.5, 2, (TIME, FEATURES))
    with pytest.raises(ValueError, match="the input scaler of north"):
        change_inputs(network("lstm"), Affine(scale, scale), (TIME, FEATURES), "north")


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_without_padding(groups):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        original = nn.Sequential(
            nn.Conv2d(4, 6, 3, groups=groups), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2)
        ).double()
    scale = np.array([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1)
    changed = change_inputs(original, Affine(scale, -scale), (4, 4, 4), "north")
    x = rows(shape=(4, 4, 4))
    with torch.no_grad():
        wanted = original(x * torch.tensor(scale) - torch.tensor(scale))
        torch.testing.assert_close(changed(x), wanted)


def test_padding_by_zeros_takes_a_scale_but_no_shift():
    original = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.Flatten(), nn.Linear(12, 1))
    changed = change_inputs(original, Affine(np.array(2.0), np.array(0.0)), (2, 4), "north")
    x = rows(shape=(2, 4)).float()
    torch.testing.assert_close(changed(x), original(2 * x))
    with pytest.raises(ValueError, match="unpadded Conv layers alone"):
        change_inputs(original, Affine(np.array(2.0), np.array(1.0)), (2, 4), "north")


def test_a_layer_without_bias_takes_a_scale_but_no_shift():
    original = nn.Sequential(nn.Flatten(), nn.Linear(6, 3, bias=False), nn.Tanh(), nn.Linear(3, 1))
    x = rows(shape=(2, 3)).float()
    changed = change_inputs(original, Affine(np.array(2.0), np.array(0.0)), (2, 3), "north")
    torch.testing.assert_close(changed(x), original(2 * x))
    with pytest.raises(ValueError, match=r"must have a bias.*'1' of north"):
        change_inputs(original, Affine(np.array(2.0), np.array(1.0)), (2, 3), "north")


class Squared(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x):
        return self.layer(x**2).exp()


def test_what_cannot_be_folded_is_refused():
    change = Affine(np.array(2.0), np.array(0.0))
    with pytest.raises(ValueError, match="write the input scaler of north into the weights"):
        change_inputs(Squared(), change, (3,), "north")
    with pytest.raises(ValueError, match="write the output scaler of north into the weights"):
        change_outputs(Squared(), change, [torch.randn(4, 3)], "north")


@pytest.mark.parametrize("name", ["lstm", "gru", "flattened"])
def test_the_network_stays_as_it_is(name):
    original = network(name)
    before = copy.deepcopy(original.state_dict())
    change_inputs(original, Affine(SCALE, SHIFT), (TIME, FEATURES), "north")
    change_outputs(original, Affine(np.array(2.0), np.array(1.0)), [rows().float()], "north")
    after = original.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(layer._forward_hooks for layer in original.modules())


def test_there_and_back_is_the_network_again():
    original = network("lstm")
    there = change_inputs(original, Affine(SCALE, SHIFT), (TIME, FEATURES), "north")
    back = change_inputs(there, Affine(1 / SCALE, -SHIFT / SCALE), (TIME, FEATURES), "north")
    for key, tensor in original.state_dict().items():
        torch.testing.assert_close(back.state_dict()[key], tensor, rtol=1e-4, atol=1e-5)


def test_pooled_scalers_are_those_of_all_rows():
    rng = np.random.default_rng(0)
    sites = [rng.normal(3, 2, (50, 2)), rng.normal(-1, 5, (200, 2))]
    mean, scale = pooled_scaler([(X.mean(axis=0), X.std(axis=0)) for X in sites], [50, 200])
    together = np.concatenate(sites)
    np.testing.assert_allclose(mean, together.mean(axis=0))
    np.testing.assert_allclose(scale, together.std(axis=0))
