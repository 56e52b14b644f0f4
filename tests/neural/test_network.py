"""Tests of the tabular network: features of numbers and codes, dropout, first weights."""

import copy
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stackens.neural._network import (  # noqa: E402
    ACTIVATIONS,
    InputLayer,
    SeededDropout,
    TabularNetwork,
    initialise,
)

EDGES = [(1, np.array([0.0, 1.0, 3.0]))]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(hidden=(4,), n_outputs=2, categories=(), activation="relu"):
    net = TabularNetwork(InputLayer(3, EDGES, categories), hidden, n_outputs, activation)
    initialise(net, np.array([0.5, -0.5]), generator())
    return net


def test_numbers_are_bent_and_binned():
    layer = InputLayer(2, EDGES)
    features = layer(torch.tensor([[0.0, -1.0], [3.0, 0.5], [1e6, 2.0], [-1e6, 9.0]]))
    assert layer.n_features == features.shape[1] == 4
    bent = features[:, 0].tolist()
    assert bent == pytest.approx([0, 3 / 2**0.5, 3, -3], abs=1e-5)
    assert features[:, 2:].tolist() == [[0, 0], [0.5, 0], [1, 0.5], [1, 1]]


def test_codes_have_vectors():
    layer = InputLayer(3, (), [(0, 4), (2, 5)])
    assert layer.n_features == 1 + 2 * 8
    with torch.no_grad():
        layer.vectors.weight.copy_(torch.arange(9.0)[:, None].expand(9, 8))
    codes = torch.tensor([[-2.0, 0.5, -2.0], [1.0, 0.5, 2.0], [-1.0, 0.5, 0.0]])
    features = layer(codes)
    assert features[:, 1].tolist() == [0, 3, 1]  # unknown, then missing, then level 0
    assert features[:, 9].tolist() == [4, 8, 6]


def test_a_table_of_codes_alone():
    layer = InputLayer(1, (), [(0, 3)])
    assert layer(torch.tensor([[-2.0], [0.0]])).shape == (2, 8)


def test_unknown_and_missing_start_at_zero():
    net = network(categories=[(0, 4), (2, 5)])
    zero = (net.inputs.vectors.weight == 0).all(dim=1)
    assert zero.tolist() == [True, True, False, False, True, True, False, False, False]


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("hidden", [(), (4,), (5, 4)])
def test_an_untrained_network_is_constant(hidden, activation):
    outputs = network(hidden, activation=activation)(torch.randn(6, 3, generator=generator()))
    assert outputs.tolist() == [[0.5, -0.5]] * 6


def test_first_weights_follow_the_generator_alone():
    state = torch.get_rng_state()
    one, same = network().state_dict(), network().state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    other = TabularNetwork(InputLayer(3, EDGES), (4,), 2, "relu")
    initialise(other, np.zeros(2), generator(1))
    assert not torch.equal(other.state_dict()["layers.0.weight"], one["layers.0.weight"])


def test_dropout_draws_from_its_own_generator():
    layer = SeededDropout(0.25)
    layer.generator = generator()
    state = torch.get_rng_state()
    dropped = layer(torch.ones(100, 100))
    assert torch.equal(torch.get_rng_state(), state)
    assert sorted(dropped.unique().tolist()) == pytest.approx([0, 4 / 3])
    assert (dropped == 0).float().mean() == pytest.approx(0.25, abs=0.02)
    assert "rate=0.25" in repr(layer)
    assert torch.equal(layer.eval()(torch.ones(2, 2)), torch.ones(2, 2))


def test_no_dropout_draws_nothing():
    layer = SeededDropout()
    layer.generator = generator()
    before = layer.generator.get_state()
    assert torch.equal(layer(torch.ones(2, 2)), torch.ones(2, 2))
    assert torch.equal(layer.generator.get_state(), before)


def test_dropout_is_set_in_all_hidden_layers_and_leaves_the_names_of_tensors():
    net = network((5, 4))
    names = list(net.state_dict())
    net.set_dropout(0.5, generator())
    parts = [part for part in net.modules() if isinstance(part, SeededDropout)]
    assert [part.rate for part in parts] == [0.5, 0.5]
    assert list(net.state_dict()) == names


def test_copies_give_the_same_answers():
    net = network(categories=[(0, 4)]).eval()
    with torch.no_grad():
        net.layers[-1].weight.normal_(generator=generator())
    table = torch.tensor([[1.0, 0.3, -2.0], [-1.0, 2.0, 0.1]])
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(table), net(table))
