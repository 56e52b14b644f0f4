"""Tests of what is measured in a network: which layers, their moments, the order, no trace left."""

import pytest

torch = pytest.importorskip("torch")

from stackens.neural._activations import layers_of, reached, stop, watch  # noqa: E402

nn = torch.nn


def rows(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 2 + 1


class Squared(nn.Linear):
    """Not linear in its weight."""

    def forward(self, x):
        return super().forward(x) ** 2


class Mixed(nn.Module):
    """Layers of all kinds, in another order than they are called."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 2)
        self.norm, self.raw = nn.BatchNorm1d(3), nn.BatchNorm1d(3, track_running_stats=False)
        self.one, self.other = nn.Linear(3, 3), nn.Linear(3, 3)
        self.other.weight = self.one.weight
        self.computed = nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
        self.squared, self.gru = Squared(3, 3), nn.GRU(3, 3)
        self.attention = nn.MultiheadAttention(3, 1)
        self.part = torch.compile(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), backend="eager")

    def forward(self, x):
        x = self.part(self.other(torch.relu(self.one(x))))
        return self.head(self.squared(self.computed(self.raw(self.norm(x)))))


def test_layers_with_a_weight_of_their_own_and_batch_norm_by_plain_names():
    layers = layers_of(nn.DataParallel(Mixed()))
    # the last layer of attention is never called, as its weights go into a function
    assert list(layers) == ["head", "norm", "attention.out_proj", "part.0"]
    assert list(watch(Mixed(), layers_of(Mixed()), [rows(5, 3)]).moments) == []
    net = Mixed()
    assert list(watch(net, layers_of(net), [rows(5, 3)]).moments) == ["part.0", "norm", "head"]


@pytest.mark.parametrize(
    ("layer", "shape", "axis"),
    [
        (nn.Linear(3, 4), (9, 3), 1),
        (nn.Linear(3, 4), (9, 5, 3), 2),
        (nn.Conv1d(3, 4, 2), (9, 3, 5), 1),
        (nn.Conv2d(3, 4, 2), (9, 3, 5, 4), 1),
        (nn.Conv3d(3, 4, 2), (9, 3, 5, 4, 3), 1),
        (nn.ConvTranspose1d(3, 4, 2), (9, 3, 5), 1),
        (nn.ConvTranspose2d(3, 4, 2), (9, 3, 5, 4), 1),
        (nn.ConvTranspose3d(3, 4, 2), (9, 3, 5, 4, 3), 1),
    ],
)
@pytest.mark.parametrize("n", [9, 2])
def test_moments_of_the_outputs_whatever_the_batches(layer, shape, axis, n):
    X = rows(*shape)
    seen = watch(layer, layers_of(layer), X.split(n)).of("")
    with torch.no_grad():
        out = layer(X).double().movedim(axis, 0).flatten(start_dim=1)
    assert seen.count == out.shape[1]
    torch.testing.assert_close(seen.mean, out.mean(1))
    torch.testing.assert_close(seen.squares / seen.count, out.var(1, correction=0))
    one_by_one = watch(layer, layers_of(layer), list(X)).of("")
    torch.testing.assert_close(one_by_one.mean, seen.mean)


def test_moments_of_the_inputs_of_batch_norm():
    X = rows(9, 3)
    norm = nn.BatchNorm1d(3)
    torch.testing.assert_close(watch(norm, layers_of(norm), [X]).of("").mean, X.double().mean(0))
    assert watch(norm, layers_of(norm), []).n_batches == 0
    assert watch(norm, layers_of(norm), []).of("").count == 0


@pytest.mark.parametrize(
    ("between", "normalised"),
    [(nn.Identity(), {"0"}), (nn.ReLU(), set()), (nn.ReLU(inplace=True), set())],
)
def test_what_feeds_batch_norm_directly(between, normalised):
    net = nn.Sequential(nn.Linear(3, 3), between, nn.BatchNorm1d(3), nn.Linear(3, 2))
    seen = watch(net, layers_of(net), rows(9, 3).split(4))
    assert seen.normalised == normalised
    assert seen.repeated == set()
    assert seen.n_batches == 3


def test_what_one_batch_reaches_twice():
    layer = nn.Linear(3, 3)
    net = nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(3, 2))
    seen = watch(net, layers_of(net), rows(9, 3).split(4))
    assert seen.repeated == {"0"}
    assert seen.of("0").count == 18


def test_stopping_and_what_is_done_on_the_way():
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    layers, called = layers_of(net), []
    net[1].register_forward_hook(lambda *_: called.append("ReLU"))
    assert list(watch(net, layers, rows(9, 3).split(4), then=stop).moments) == ["0"]
    assert called == []

    def silence(name, seen):
        assert seen.of(name).count == 9
        with torch.no_grad():
            layers[name].weight.zero_()
            layers[name].bias.fill_(len(seen.moments))

    seen = watch(net, layers, [rows(9, 3)], then=silence)
    assert seen.of("0").mean.abs().min() > 0  # before it was silenced
    assert seen.of("2").squares.max() < 1e-9  # behind the silenced one
    assert net(rows(9, 3)).unique().tolist() == [2]


def test_modes_and_hooks_are_as_before_also_after_an_error():
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Linear(3, 2)).train()
    net[1].eval()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        watch(net, layers_of(net), [rows(9, 3), rows(9, 4)])
    assert [part.training for part in net] == [True, False, True]
    assert not any(part._forward_hooks for part in net)


def test_what_reaches_a_layer_and_nothing_behind_it():
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 2)).train()
    called = []
    net[1].register_forward_hook(lambda *_: called.append("ReLU"))
    X = rows(9, 3)
    inputs, named, output = reached(net, net[0], X)
    assert torch.equal(inputs[0], X)
    assert named == {}
    assert torch.equal(output, net[0](X))
    assert not output.requires_grad
    assert called == []
    assert reached(net, nn.Linear(3, 3), X) is None
    assert net.training
    assert not any(part._forward_hooks for part in (net[0], net[2]))
