"""Tests of what the tabular estimators do with torch: first networks, training, asking, devices."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stackens.neural._fitting import (  # noqa: E402
    _averaging,
    device_named,
    loaded,
    new_network,
    outputs,
    train_network,
    usual_batch_size,
)
from stackens.neural._table import TargetRows  # noqa: E402

N = 80
TABLE = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
CLASSES = TargetRows(TABLE, (TABLE[:, 0] > 0.5).astype(np.int64), np.ones(N))
NUMBERS = TargetRows(TABLE, (TABLE[:, :2] * 2).astype(np.float64), np.ones(N))


def network(rows=CLASSES, n_outputs=2, **settings):
    usual = {"hidden": (8,), "activation": "relu", "n_bins": 4, "seed": 0}
    return new_network(rows, [], n_outputs, **usual | settings)


def trained(rows=CLASSES, net=None, validation=None, **settings):
    usual = {
        "batch_size": 16,
        "weight_decay": 0.0,
        "dropout": 0.0,
        "learning_rate": 0.02,
        "schedule": "one_cycle",
        "average": None,
        "epochs": 4,
        "patience": 16,
        "device": "cpu",
        "n_jobs": None,
        "seed": 0,
        "on_epoch": None,
    }
    return train_network(net or network(rows), rows, validation, **usual | settings)


def same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_first_prediction_is_the_frequency_or_the_mean():
    weighted = TargetRows(TABLE, CLASSES.target, np.where(CLASSES.target == 1, 2.0, 1.0))
    said = outputs(network(weighted), TABLE, "cpu", None)
    total = np.bincount(CLASSES.target) * [1, 2]
    np.testing.assert_allclose(np.exp(said), np.tile(total / total.sum(), (N, 1)), rtol=1e-6)
    assert not outputs(network(NUMBERS), TABLE, "cpu", None).any()


def test_the_first_prediction_can_be_given():
    said = outputs(network(NUMBERS, first_outputs=np.array([0.5, -2.0])), TABLE, "cpu", None)
    np.testing.assert_allclose(said, np.tile([0.5, -2.0], (N, 1)))


def test_a_loss_can_be_given():
    def from_seven(outputs, columns):
        return (outputs - columns - 7).square().mean(dim=1)

    rows = TargetRows(TABLE, np.zeros((N, 1)), np.ones(N))
    net, _ = trained(rows, network(rows, 1), epochs=60, learning_rate=0.1, loss=from_seven)
    np.testing.assert_allclose(outputs(net, TABLE, "cpu", None), 7.0, atol=0.5)


def test_layers_and_bins():
    net = network(hidden=(7, 5), n_bins=4)
    shapes = {name: tuple(t.shape) for name, t in net.state_dict().items() if "weight" in name}
    assert list(shapes.values()) == [(7, 3 + 3 * 4), (5, 7), (2, 5)]
    assert network(n_bins=0).inputs.n_features == 3


def test_training_learns():
    for rows in (CLASSES, NUMBERS):
        net, history = trained(rows, epochs=20)
        assert history.losses[-1] < 0.5 * history.losses[0]
        assert not net.training


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_threads_change_no_bit(n_jobs):
    expected, _ = trained(dropout=0.2)
    found, _ = trained(dropout=0.2, n_jobs=n_jobs)
    assert same(expected, found)


def test_dropout_is_drawn_by_the_seed():
    state = torch.get_rng_state()
    one, again = trained(dropout=0.5)[0], trained(dropout=0.5)[0]
    assert same(one, again)
    assert not same(one, trained()[0])
    assert torch.equal(torch.get_rng_state(), state)
    assert all(getattr(part, "generator", None) is None for part in one.modules())


def test_weights_enter():
    weighted = TargetRows(TABLE, CLASSES.target, np.where(CLASSES.target == 1, 5.0, 1.0))
    plain, more = trained()[0], trained(weighted)[0]
    rises = outputs(more, TABLE, "cpu", None) - outputs(plain, TABLE, "cpu", None)
    assert (rises[:, 1] - rises[:, 0]).mean() > 0


@pytest.mark.parametrize("average", ["ema", "swa", "last_n"])
def test_averages_replace_the_weights_and_leave_the_bins(average):
    start = network()
    net, _ = trained(average=average)
    assert not same(net, trained()[0])
    assert torch.equal(net.inputs.bin_left, start.inputs.bin_left)
    assert torch.equal(net.inputs.bin_slope, start.inputs.bin_slope)


def test_when_averages_are_updated():
    net = network()
    assert [_averaging(kind, net, 40)[1:] for kind in ("ema", "swa", "last_n")] == [
        ("step", 0),
        ("epoch", 20),
        ("epoch", 0),
    ]
    assert _averaging(None, net, 40)[0] is None


def test_batches_grow_with_the_rows():
    sizes = [usual_batch_size(n) for n in (1, 100, 200, 1_000, 3_000, 50_000, 110_000, 10**6)]
    assert sizes == [16, 16, 16, 64, 256, 256, 512, 1024]


def test_a_network_is_asked_in_double_precision():
    net, _ = trained(epochs=3)
    whole = outputs(net, TABLE, "cpu", None)
    assert whole.dtype == np.float64
    single = np.concatenate([outputs(net, row[None], "cpu", None) for row in TABLE])
    np.testing.assert_allclose(single, whole, rtol=0, atol=1e-13)
    with torch.no_grad():
        plain = net(torch.from_numpy(TABLE)).numpy()
    np.testing.assert_allclose(whole, plain, atol=1e-5)
    assert net.layers[0].weight.dtype == torch.float32


def test_many_rows_are_asked_in_pieces():
    net = network()
    table = np.random.default_rng(1).normal(size=(10_000, 3)).astype(np.float32)
    assert outputs(net, table, "cpu", 1).shape == (10_000, 2)


def test_loading_takes_arrays_and_copies():
    net = network()
    state = {name: tensor.numpy() + 1 for name, tensor in net.state_dict().items()}
    other = loaded(net, state)
    assert torch.equal(other.layers[0].weight, net.layers[0].weight + 1)
    with pytest.raises(ValueError, match="2 difference.*'layers.0.bias' is missing.*'more' is unk"):
        loaded(net, {name: t for name, t in state.items() if name != "layers.0.bias"} | {"more": 1})


def test_devices():
    assert device_named("cpu").type == "cpu"
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert device_named("auto").type == expected


@pytest.mark.parametrize("name", ["warp", "cuda:99", "mps:7"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(ValueError, match=f"'device' parameter must be .*Got '{name}'.*Use device="):
        device_named(name)


def test_a_training_that_diverges():
    far = TargetRows(TABLE, NUMBERS.target * 1e30, np.ones(N))
    with pytest.raises(ValueError, match="finite losses. Got inf"):
        trained(far)
    assert math.isfinite(trained(NUMBERS)[1].losses[0])


def test_what_the_program_has_set_for_its_own_tensors_means_nothing():
    expected = trained()[0]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert same(trained()[0], expected)
    finally:
        torch.set_default_dtype(before)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            assert same(trained()[0], expected)
    with torch.inference_mode():
        copied = loaded(expected, expected.state_dict())
    assert not any(tensor.is_inference() for tensor in copied.parameters())
