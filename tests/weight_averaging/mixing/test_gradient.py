"""Tests of the gradient of mixing weights: against automatic differentiation through the merge."""

import numpy as np
import pytest

from stackens.weight_averaging.mixing import _gradient
from stackens.weight_averaging.mixing._gradient import MemorySource, MixedNetwork

torch = pytest.importorskip("torch")
X, Y = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 3


def networks(n=3):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [
            torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
            for _ in range(n)
        ]


def mixed(models, groups):
    (network,) = networks(1)
    sources = [MemorySource(dict(model.named_parameters())) for model in models]
    return MixedNetwork(network, dict(network.named_parameters()), sources, groups)


GROUPS = {"first": ["0.weight", "0.bias"], "second": ["2.weight", "2.bias"]}


@pytest.mark.parametrize("chunk", [3, 1 << 20])
def test_slopes_agree_with_automatic_differentiation(chunk, monkeypatch):
    monkeypatch.setattr(_gradient, "_CHUNK", chunk)
    models = networks()
    weights = np.array([[0.2, 0.3, 0.5], [0.6, -0.1, 0.5]])
    bias = np.array([0.1, -0.2])
    mix = mixed(models, GROUPS)
    mix.set_weights(weights, bias)
    by_weight, by_bias = mix.slopes(torch.nn.functional.cross_entropy(mix.network(X), Y))

    w = torch.tensor(weights, requires_grad=True)
    b = torch.tensor(bias, requires_grad=True)
    merged = {
        name: sum(w[g, k] * m.get_parameter(name).detach().double() for k, m in enumerate(models))
        + b[g]
        for g, names in enumerate(GROUPS.values())
        for name in names
    }
    network = networks(1)[0].double()
    outputs = torch.func.functional_call(network, merged, (X.double(),))
    torch.nn.functional.cross_entropy(outputs, Y).backward()
    np.testing.assert_allclose(by_weight, w.grad, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_bias, b.grad, rtol=1e-5, atol=1e-6)
    assert all(parameter.grad is None for parameter in mix.network.parameters())


def test_a_weight_of_zero_keeps_a_broken_network_out():
    models = networks(2)
    with torch.no_grad():
        models[1][0].weight.fill_(torch.nan)
    mix = mixed(models, GROUPS)
    mix.set_weights(np.array([[1.0, 0.0], [1.0, 0.0]]), np.zeros(2), last=True)
    assert torch.equal(mix.network[0].weight, models[0][0].weight)


def test_a_broken_network_is_named():
    models = networks(2)
    with torch.no_grad():
        models[1][0].bias.fill_(torch.inf)
    mix = mixed(models, GROUPS)
    mix.set_weights(np.array([[1.0, 0.0], [1.0, 0.0]]), np.zeros(2))
    with pytest.raises(ValueError, match=r"'0\.bias' in model number 1"):
        mix.slopes(mix.network(X).square().sum())


def test_frozen_tensors_stay_as_they_are_and_half_precision_is_rounded_once():
    models = [network.to(torch.bfloat16) for network in networks()]
    before = [parameter.clone() for model in models for parameter in model.parameters()]
    network = networks(1)[0].to(torch.bfloat16)
    sources = [MemorySource(dict(model.named_parameters())) for model in models]
    mix = MixedNetwork(network, dict(network.named_parameters()), sources, GROUPS)
    mix.set_weights(np.full((2, 3), 1 / 3), np.zeros(2), last=True)
    mean = sum(model[0].weight.double() for model in models) / 3
    assert torch.equal(network[0].weight, mean.to(torch.bfloat16))
    after = [parameter for model in models for parameter in model.parameters()]
    assert all(map(torch.equal, before, after))


def test_tensors_that_are_not_contiguous():
    network = torch.nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
    source = MemorySource({"weight": torch.ones(3, 2, 3, 3)})
    mix = MixedNetwork(network, {"weight": network.weight}, [source], {"all": ["weight"]})
    mix.set_weights(np.array([[2.0]]), np.zeros(1))
    assert (network.weight == 2).all()


@pytest.mark.parametrize("weights", [[1.5, -0.5], [-1.0, 0.0], [0.0, 0.0], [0.4, 0.6]])
def test_infinities_that_all_share_stay_whatever_the_weights(weights):
    mask = torch.tensor([0.0, -torch.inf, torch.inf])
    sources = [MemorySource({"m": mask + i}) for i in range(2)]
    tensor = torch.nn.Parameter(torch.zeros(3))
    mix = MixedNetwork(None, {"m": tensor}, sources, {"all": ["m"]})
    mix.set_weights(np.array([weights]), np.array([0.25]))
    assert tensor.tolist() == pytest.approx([weights[1] + 0.25, -torch.inf, torch.inf])
    by_weight, by_bias = mix.slopes(torch.nan_to_num(tensor, posinf=0.0, neginf=0.0).sum())
    assert by_weight.tolist() == [[0.0, 1.0]]
    assert by_bias.tolist() == [1.0]


def test_sources_of_8_bits_are_mixed():
    sources = [MemorySource({"w": torch.full((2,), w).to(torch.float8_e4m3fn)}) for w in (1, 3)]
    tensor = torch.nn.Parameter(torch.zeros(2))
    mix = MixedNetwork(None, {"w": tensor}, sources, {"all": ["w"]})
    mix.set_weights(np.array([[0.5, 0.5]]), np.zeros(1))
    assert tensor.tolist() == [2, 2]
