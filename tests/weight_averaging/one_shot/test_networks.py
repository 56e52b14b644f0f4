"""Networks of sites: checked, built, and brought into common terms."""

import numpy as np
import pytest
import torch
from torch import nn

from stackens.weight_averaging.one_shot import Site
from stackens.weight_averaging.one_shot._networks import (
    build_networks,
    common_terms,
    narrow,
    precision_of,
    widen,
)


class Model(nn.Module):
    def __init__(self, hidden=4, outputs=1):
        super().__init__()
        self.layer = nn.GRU(2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


def built(seed, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Model(**settings).eval()


def sites(**numbers):
    """Two sites; each keyword gives a pair of what they send."""
    return [
        Site(built(i).state_dict(), name=name, **{key: pair[i] for key, pair in numbers.items()})
        for i, name in enumerate(["north", "south"])
    ]


def test_networks_get_the_weights_of_their_sites():
    networks = build_networks(sites(), Model, 0)
    x = torch.randn(3, 5, 2)
    for i, network in enumerate(networks):
        assert not network.training
        assert torch.equal(network(x), built(i)(x))


def test_weights_from_files_and_wrappers():
    arrays = {f"module.{k}": v.numpy() for k, v in built(0).state_dict().items()}
    (network,) = build_networks([Site(arrays, name="north")], Model, 0)
    x = torch.randn(3, 5, 2)
    assert torch.equal(network(x), built(0)(x))


def test_building_touches_no_global_seed():
    state = torch.random.get_rng_state()
    build_networks(sites(), Model, 0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_all_differences_between_sites_are_listed():
    other = Site(built(1, hidden=5).state_dict(), name="south")
    with pytest.raises(ValueError, match="layer.weight_ih_l0") as error:
        build_networks([sites()[0], other], Model, 0)
    assert "head.weight" in str(error.value)
    assert "south" in str(error.value)


def test_sites_must_have_what_build_model_builds():
    with pytest.raises(ValueError, match="weights of 'north'.*'head.weight' has the shape"):
        build_networks(sites(), lambda: Model(outputs=2), 0)


def test_weights_that_are_not_finite_are_named():
    bad = built(1).state_dict()
    bad["head.bias"][0] = torch.nan
    with pytest.raises(ValueError, match="'head.bias' in south"):
        build_networks([sites()[0], Site(bad, name="south")], Model, 0)


def test_build_model_must_build_new_modules():
    one = Model()
    with pytest.raises(ValueError, match="must build a new network at each call"):
        build_networks(sites(), lambda: one, 0)
    with pytest.raises(TypeError, match="must return a torch module"):
        build_networks(sites(), lambda: None, 0)


MEANS, SCALES = ([0.0, 5.0], [1.0, -3.0]), ([1.0, 10.0], [2.0, 40.0])
Y_MEANS, Y_SCALES = (100.0, 300.0), (5.0, 20.0)


def scaled_sites():
    return sites(
        n_rows=(100, 300),
        input_scaler=tuple(zip(MEANS, SCALES, strict=True)),
        output_scaler=tuple(zip(Y_MEANS, Y_SCALES, strict=True)),
    )


def test_networks_in_common_terms_and_in_raw_ones_say_what_the_sites_do():
    rows = np.random.default_rng(0).normal(2, 8, (30, 6, 2))
    listed = scaled_sites()
    received = build_networks(listed, Model, 0)
    networks, terms = common_terms(received, listed, [rows])
    common = torch.tensor(terms.standardised([rows])[0], dtype=torch.float32)
    assert (common.mean((0, 1)).abs() < 1).all()
    y_mean, y_scale = terms.output_scaler
    for i, network in enumerate(networks):
        x = torch.tensor((rows - MEANS[i]) / SCALES[i], dtype=torch.float32)
        wanted = Y_MEANS[i] + Y_SCALES[i] * built(i)(x).detach()
        found = y_mean.item() + y_scale.item() * network(common).detach()
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-3)
        raw = terms.raw(network, [common], "it")(torch.tensor(rows, dtype=torch.float32)).detach()
        torch.testing.assert_close(raw, wanted, rtol=1e-4, atol=1e-3)


def test_without_scalers_nothing_changes():
    listed = sites()
    received = build_networks(listed, Model, 0)
    networks, terms = common_terms(received, listed, [np.zeros((2, 6, 2))])
    assert networks == received
    rows = [np.ones((2, 6, 2))]
    assert (terms.standardised(rows)[0] == 1).all()
    assert terms.raw(networks[0], [torch.zeros(2, 6, 2)], "it") is networks[0]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"input_scaler": ((0, 1), None)}, r"'input_scaler', or none. Got none from \['south'\]"),
        ({"output_scaler": (None, (0, 1))}, r"'output_scaler', or none. Got none from \['north'\]"),
        ({"input_scaler": ((0, 1), ([0, 0], [1, 1]))}, "must have one shape"),
        ({"input_scaler": (([0] * 3, [1] * 3),) * 2}, r"broadcast to a row of shape \(6, 2\)"),
        ({"output_scaler": (([0] * 3, [1] * 3),) * 2}, r"broadcast to the outputs"),
    ],
)
def test_scalers_that_do_not_fit_are_refused(numbers, message):
    listed = sites(**numbers)
    with pytest.raises(ValueError, match=message):
        common_terms(build_networks(listed, Model, 0), listed, [np.zeros((2, 6, 2))])


def test_scalers_are_for_networks_with_one_input():
    listed = sites(input_scaler=((0, 1), (0, 1)))
    with pytest.raises(ValueError, match="for networks with one input"):
        common_terms(build_networks(listed, Model, 0), listed, [np.zeros((2, 6, 2))] * 2)


def test_a_network_in_place_of_a_function_is_refused_and_left_as_it_is():
    network = built(7)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ValueError, match="a new network at each call"):
        build_networks(sites(), lambda: network, 0)
    with pytest.raises(TypeError, match="Got a module in its place"):
        build_networks(sites(), network, 0)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_half_precisions_are_widened_and_given_back():
    network = Model().to(torch.bfloat16)
    network.head.double()
    network.register_buffer("steps", torch.tensor(3))
    precision = precision_of(network)
    widen(network)
    kinds = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    assert kinds["layer.weight_ih_l0"] == torch.float32
    assert (kinds["head.weight"], kinds["steps"]) == (torch.float64, torch.int64)
    narrow(network, precision)
    assert precision_of(network) == precision
