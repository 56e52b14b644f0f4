"""Tests of BatchNorm statistics: exact for rows, for any batches, nothing else changed."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stackens.neural import recalibrate_batch_norm  # noqa: E402
from stackens.neural._batch_norm import ChannelMoments  # noqa: E402

BOTH = pytest.mark.parametrize("exact", [True, False])


def layer(n=1):
    return torch.nn.BatchNorm1d(n, eps=1e-5)


def deep(seed=0):
    """Two BatchNorm layers, dropout between them, and weights that shift what they see."""
    generator = torch.Generator().manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Linear(3, 4),
        torch.nn.BatchNorm1d(4),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(4, 2),
        torch.nn.BatchNorm1d(2),
    )
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return net.double()


@BOTH
def test_every_row_counts_the_same(exact):
    batches = [torch.zeros(1000, 1), torch.ones(2, 1)]
    net = recalibrate_batch_norm(layer(), batches, exact=exact)
    assert net.running_mean.item() == pytest.approx(2 / 1002)
    assert round(net.running_mean.item(), 3) == 0.002


@BOTH
def test_the_variance_between_batches_counts(exact):
    batches = [torch.zeros(500, 1), torch.ones(500, 1)]
    net = recalibrate_batch_norm(layer(), batches, exact=exact)
    assert net.running_var.item() == pytest.approx(0.25 * 1000 / 999)  # unbiased
    assert net.num_batches_tracked.item() == 2


@BOTH
def test_dropout_is_off(exact):
    net = torch.nn.Sequential(torch.nn.Dropout(0.5), layer())
    recalibrate_batch_norm(net.train(), torch.ones(100, 1), exact=exact)
    assert net[1].running_mean.item() == 1
    assert net[1].running_var.item() == 0


@pytest.mark.parametrize("n", [7, 64, 200])
def test_layers_in_sequence_are_standardised_on_the_data_whatever_the_batches(n):
    X = torch.randn(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 5 + 2
    net = recalibrate_batch_norm(deep(), list(X.split(n)))
    whole = recalibrate_batch_norm(deep(), X)
    for name, value in whole.state_dict().items():
        if name != "1.num_batches_tracked" and name != "5.num_batches_tracked":
            torch.testing.assert_close(net.state_dict()[name], value)
    with torch.no_grad():
        net.eval()
        for stop in (2, 6):  # behind each BatchNorm layer
            norm = net[stop - 1]
            out = (net[:stop](X) - norm.bias) / norm.weight
            torch.testing.assert_close(out.mean(dim=0), torch.zeros_like(norm.bias))
            torch.testing.assert_close(
                out.var(dim=0), norm.running_var / (norm.running_var + norm.eps)
            )


def test_a_single_pass_is_the_same_for_one_batch_and_differs_for_small_ones():
    X = torch.randn(256, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    exact = recalibrate_batch_norm(deep(), X)
    single = recalibrate_batch_norm(deep(), X, exact=False)
    # one batch is normalised by its biased variance in training, by the unbiased one afterwards
    torch.testing.assert_close(single[5].running_mean, exact[5].running_mean, rtol=0.02, atol=0.02)
    torch.testing.assert_close(single[1].running_var, exact[1].running_var)
    small = recalibrate_batch_norm(deep(), list(X.split(4)), exact=False)
    torch.testing.assert_close(small[1].running_var, exact[1].running_var)
    assert not torch.allclose(small[5].running_var, exact[5].running_var, rtol=0.02)


def test_any_form_of_data():
    X = torch.randn(30, 1, generator=torch.Generator().manual_seed(3))
    y = torch.zeros(30)
    dataset = torch.utils.data.TensorDataset(X, y)
    expected = recalibrate_batch_norm(layer(), X).running_var
    for data in (
        X.numpy(),
        (X, y),
        {"input": X, "label": y},
        [{"input": X[:7]}, {"input": X[7:]}],
        [(X[:7], y[:7]), [X[7:], y[7:]]],
        ((x, t) for x, t in [(X[:20], y[:20]), (X[20:], y[20:])]),
        torch.utils.data.DataLoader(dataset, batch_size=8),
    ):
        torch.testing.assert_close(recalibrate_batch_norm(layer(), data).running_var, expected)


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (torch.nn.BatchNorm1d(3), (20, 3, 5)),
        (torch.nn.BatchNorm2d(3), (6, 3, 4, 5)),
        (torch.nn.BatchNorm3d(3), (6, 3, 2, 4, 5)),
        (torch.nn.BatchNorm2d(3, momentum=None, affine=False), (6, 3, 4, 5)),
    ],
)
def test_positions_count_like_rows(norm, shape):
    X = torch.randn(shape, generator=torch.Generator().manual_seed(4)) * 3 + 1
    recalibrate_batch_norm(norm, list(X.split(4)))
    flat = X.transpose(0, 1).flatten(start_dim=1)
    torch.testing.assert_close(norm.running_mean, flat.mean(dim=1))
    torch.testing.assert_close(norm.running_var, flat.var(dim=1))


@BOTH
def test_nothing_but_the_statistics_changes(exact):
    net = deep().train()
    net[1].eval()
    momentum, weights = net[1].momentum, [p.clone() for p in net.parameters()]
    state = torch.get_rng_state()
    recalibrate_batch_norm(net, torch.randn(50, 3, dtype=torch.float64), exact=exact)
    torch.set_rng_state(state)
    torch.randn(50, 3, dtype=torch.float64)
    assert [p.training for p in net] == [True, False, True, True, True, True]
    assert net.training
    assert net[1].momentum == momentum
    assert all(torch.equal(a, b) for a, b in zip(weights, net.parameters(), strict=True))
    assert all(not part._forward_pre_hooks for part in net.modules())


@BOTH
def test_a_loader_draws_nothing_from_the_global_generator(exact):
    rows = torch.utils.data.TensorDataset(torch.randn(20, 3))
    loader = torch.utils.data.DataLoader(rows, batch_size=5, shuffle=True)
    state = torch.get_rng_state()
    recalibrate_batch_norm(layer(3), loader, exact=exact)
    assert torch.equal(torch.get_rng_state(), state)


@BOTH
def test_an_error_puts_everything_back(exact):
    net = deep().train()
    before = copy.deepcopy(net.state_dict())
    good = torch.randn(50, 3, dtype=torch.float64)
    with pytest.raises(RuntimeError):
        recalibrate_batch_norm(net, [good, torch.ones(4, 9, dtype=torch.float64)], exact=exact)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert net[1].training
    assert all(not part._forward_pre_hooks for part in net.modules())


def test_one_row_is_too_few_and_no_layer_is_no_work():
    with pytest.raises(ValueError, match="at least two values"):
        recalibrate_batch_norm(layer(), torch.ones(1, 1))
    net = torch.nn.Linear(1, 1)
    assert recalibrate_batch_norm(net, iter(())) is net


@pytest.mark.parametrize("part", [False, True])
def test_compiled_modules(part):
    X = torch.randn(40, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    net, expected = deep(), recalibrate_batch_norm(deep(), X)
    if part:
        net = torch.nn.Sequential(torch.compile(net, backend="eager"))
        net(X)  # compiled before the hooks are set
        recalibrate_batch_norm(net, X)
        net = net[0]._orig_mod
    else:
        compiled = torch.compile(net, backend="eager")
        compiled(X)
        recalibrate_batch_norm(compiled, X)
    torch.testing.assert_close(net.state_dict()["5.running_var"], expected[5].running_var)


def test_a_layer_that_is_called_twice_pools_both_calls():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(1, momentum=None)

        def forward(self, x):
            self.norm(x)
            return self.norm(x + 10)

    net = recalibrate_batch_norm(Twice(), torch.zeros(50, 1))
    assert net.norm.running_mean.item() == 5


def test_moments_of_pieces_are_those_of_the_whole():
    values = np.random.default_rng(0).normal(1e4, 1e-3, size=(500, 2))
    moments = ChannelMoments()
    for piece in np.split(values, [1, 1, 40, 333]):
        moments.add(torch.from_numpy(piece))
    assert moments.count == 500
    assert moments.n_batches == 4
    np.testing.assert_allclose(moments.mean, values.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(moments.squares / 499, values.var(axis=0, ddof=1), rtol=1e-8)


@pytest.mark.parametrize("exact", [True, False])
def test_what_has_no_statistics_is_told_and_changes_nothing(exact):
    layer = torch.nn.BatchNorm1d(1)
    with pytest.raises(ValueError, match="need rows of data. Got no batch"):
        recalibrate_batch_norm(layer, [], exact=exact)
    with pytest.raises(ValueError, match="must be finite"):
        recalibrate_batch_norm(layer, torch.tensor([[1.0], [torch.nan]]), exact=exact)
    assert layer.running_mean.item() == 0
    with pytest.raises(TypeError, match=r"torch.nn.Module is needed. Got a dict"):
        recalibrate_batch_norm(dict(layer.state_dict()), torch.ones(2, 1), exact=exact)


def test_a_batch_of_one_row_counts_in_a_single_pass():
    layer = torch.nn.BatchNorm1d(1)
    recalibrate_batch_norm(layer, [torch.ones(3, 1), torch.full((1, 1), 5.0)], exact=False)
    assert layer.running_mean.item() == 2
    assert layer.running_var.item() == 4
    assert layer.training


class TwoWays(torch.nn.Module):
    """Some batches go through a layer more than others."""

    def __init__(self):
        super().__init__()
        self.first, self.last = layer(2), layer(2)
        self.between = torch.nn.Sequential(layer(2), torch.nn.Linear(2, 2))

    def forward(self, x, longer=False):
        x = self.first(x)
        return self.last(self.between(x) if longer else x)


def test_layers_that_not_all_batches_reach():
    X = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)) * 3 + 1
    net = recalibrate_batch_norm(
        TwoWays(), [{"x": X[:30]}, {"x": X[30:], "longer": True}, {"x": X[30:], "longer": True}]
    )
    net.eval()
    seen = net.first(torch.cat([X, X[30:]]))
    torch.testing.assert_close(net.between[0].running_mean, seen[30:].mean(0))
    torch.testing.assert_close(net.between[0].running_var, seen[30:].var(0))
    seen = torch.cat([seen[:30], net.between(seen[30:])])
    torch.testing.assert_close(net.last.running_mean, seen.mean(0), rtol=0, atol=1e-6)
    torch.testing.assert_close(net.last.running_var, seen.var(0))
