"""Tests of REPAIR: units get the moments that they have in the models; nothing else changes."""

import copy

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

torch = pytest.importorskip("torch")

from stackens import weight_averaging as wa  # noqa: E402
from stackens.neural import recalibrate_batch_norm, repair  # noqa: E402

nn = torch.nn


@pytest.fixture(params=["moments", "least_squares"])
def method(request):
    return request.param


def rows(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).double() * 2 + 1


def apart(build, n=2):
    """Return networks whose weights have nothing in common, in double precision."""
    models = []
    for seed in range(n):
        net, generator = build().double(), torch.Generator().manual_seed(seed)
        for parameter in net.parameters():
            nn.init.normal_(parameter, generator=generator)
        models.append(net.eval())
    return models


def mlp(bias=True, inplace=False):
    parts = [nn.Linear(3, 8, bias=bias), nn.ReLU(inplace), nn.Linear(8, 6, bias=bias), nn.ReLU()]
    return nn.Sequential(*parts, nn.Dropout(0.5), nn.Linear(6, 2, bias=bias))


def bn_cnn():
    first = [nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True)]
    second = [nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True)]
    return nn.Sequential(*first, *second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5))


def moments(net, X, channel_axis=1):
    """Mean and deviation of each channel that comes out of each layer with weights."""
    outputs = []
    hooks = [
        part.register_forward_hook(lambda part, inputs, out: outputs.append(out.clone().numpy()))
        for part in net.modules()
        if part._parameters and not isinstance(part, nn.BatchNorm2d)
    ]
    with torch.no_grad():
        net(X)
    for hook in hooks:
        hook.remove()
    channels = [np.moveaxis(out, channel_axis, 0) for out in outputs]
    flat = [out.reshape(len(out), -1) for out in channels]
    return [(out.mean(axis=1), out.std(axis=1)) for out in flat]


def assert_mean_of_moments(net, models, X, weights, **options):
    got, per_model = moments(net, X, **options), [moments(model, X, **options) for model in models]
    assert got
    for layer, (mean, deviation) in enumerate(got):
        for statistic, value in enumerate((mean, deviation)):
            wanted = np.dot(weights, [seen[layer][statistic] for seen in per_model])
            np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-12)


def assert_mean_of_outputs(net, models, X):
    with torch.no_grad():
        got, *wanted = (part(X) for part in (net, *models))
    torch.testing.assert_close(got.mean(0), sum(out.mean(0) for out in wanted) / len(wanted))
    torch.testing.assert_close(got.std(0), sum(out.std(0) for out in wanted) / len(wanted))


def changed(net, merged):
    after = net.state_dict()
    return [name for name, old in merged.state_dict().items() if not torch.equal(old, after[name])]


def state_equal(a, b):
    a, b = a.state_dict(), b.state_dict()
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


# ---------------------------------------------------------------- what it does


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("n", [40, 7])
def test_moments_are_the_weighted_mean_of_the_models_whatever_the_batches(n, inplace):
    models, X, weights = apart(lambda: mlp(inplace=inplace), 3), rows(40, 3), [0.5, 0.2, 0.3]
    merged = wa.average(models, weights)
    net = repair(merged, models, list(X.split(n)), weights)
    assert_mean_of_moments(net, models, X, weights)
    with pytest.raises(AssertionError):  # the average itself is far off
        assert_mean_of_moments(merged, models, X, weights)


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda: nn.Conv1d(4, 6, 3, groups=2, padding=1), (9, 4, 5)),
        (lambda: nn.Conv2d(4, 4, 3, groups=4, stride=2), (9, 4, 7, 6)),
        (lambda: nn.Conv3d(2, 3, 2), (5, 2, 3, 3, 4)),
        (lambda: nn.ConvTranspose1d(4, 6, 3, groups=2), (9, 4, 5)),
        (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), (5, 4, 3, 2)),
        (lambda: nn.ConvTranspose3d(2, 3, 2), (5, 2, 3, 3, 4)),
    ],
)
def test_convolutions(build, shape):
    models, X = apart(lambda: nn.Sequential(build(), nn.ReLU())), rows(*shape)
    net = repair(wa.average(models), models, list(X.split(2)))
    assert_mean_of_moments(net, models, X, [0.5, 0.5])


def test_positions_of_sequences_count_like_rows():
    models, X = apart(mlp), rows(6, 5, 3)
    net = repair(wa.average(models), models, X)
    assert_mean_of_moments(net, models, X, [0.5, 0.5], channel_axis=2)


def test_layers_without_bias_get_the_root_mean_square():
    models, X, weights = apart(lambda: mlp(bias=False)), rows(40, 3), [0.7, 0.3]
    net = repair(wa.average(models, weights), models, X, weights)
    assert list(net.state_dict()) == list(models[0].state_dict())
    per_model = [moments(model, X) for model in models]
    for layer, (mean, deviation) in enumerate(moments(net, X)):
        wanted = np.dot(weights, [np.hypot(*seen[layer]) for seen in per_model])
        np.testing.assert_allclose(np.hypot(mean, deviation), wanted, rtol=1e-9)


@pytest.mark.parametrize(
    "build", [mlp, lambda: mlp(bias=False), lambda: nn.ConvTranspose1d(3, 2, 1)]
)
def test_a_model_averaged_with_itself_stays_what_it_is(build, method):
    (model,) = apart(build, 1)
    X = rows(40, 3, 4) if isinstance(model, nn.ConvTranspose1d) else rows(40, 3)
    net = repair(wa.average([model, model]), [model, model], list(X.split(9)), method=method)
    torch.testing.assert_close(net.state_dict(), model.state_dict(), rtol=1e-12, atol=1e-12)


def test_weights_by_schedule_and_models_that_do_not_count():
    models, X = apart(mlp), rows(40, 3)
    merged = wa.average(models, "linear", newest="first")
    net = repair(merged, models, X, "linear", newest="first")
    assert state_equal(net, repair(merged, models, X, [2 / 3, 1 / 3]))
    assert not state_equal(net, repair(merged, models, X, "linear"))
    broken = copy.deepcopy(models[1])
    nn.init.constant_(broken[0].weight, torch.nan)
    net = repair(merged, {"good": models[0], "broken": broken}, X, [1, 0])
    assert_mean_of_moments(net, models[:1], X, [1])


@pytest.mark.parametrize("n", [8, 30])
def test_batch_norm_is_recalibrated_and_what_feeds_it_is_left(n):
    models, X = apart(bn_cnn), list(rows(30, 2, 7, 7).split(n))
    merged = wa.average(models)
    net = repair(merged, models, X)
    expected = recalibrate_batch_norm(copy.deepcopy(merged), X)
    head = expected[8].state_dict()
    assert state_equal(net[:8], expected[:8])
    assert not torch.equal(net[8].weight, head["weight"])  # nothing normalises what it gives
    assert_mean_of_outputs(net, models, torch.cat(X))


@pytest.mark.parametrize("n", [20, 50])
def test_layers_behind_and_before_batch_norm_are_set_in_order(n):
    def build():
        parts = [nn.Linear(3, 8), nn.ReLU(inplace=True), nn.BatchNorm1d(8)]
        return nn.Sequential(*parts, nn.Linear(8, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 2))

    models, X = apart(build), rows(50, 3)
    net = repair(wa.average(models), models, list(X.split(n)))
    # an activation in place lies between the first layer and BatchNorm: it is repaired
    for stop in (1, 4, 7):
        assert_mean_of_outputs(net[:stop], [model[:stop] for model in models], X)
    before = [tensor.clone() for tensor in net.state_dict().values()]
    recalibrate_batch_norm(net, X)
    for name, old in zip(net.state_dict(), before, strict=True):
        if "batches" not in name:
            torch.testing.assert_close(net.state_dict()[name], old)


def test_one_norm_for_two_inputs_pools_them():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.head = nn.BatchNorm1d(3), nn.Linear(3, 2)

        def forward(self, x):
            return self.head(self.norm(x) + self.norm(x + 10))

    models, X = apart(Twice), rows(40, 3)
    net = repair(wa.average(models), models, X)
    torch.testing.assert_close(net.norm.running_mean, X.mean(0) + 5)
    assert_mean_of_outputs(net, models, X)


# ---------------------------------------------------------------- units and layers left alone


def test_units_that_are_constant_in_the_average_are_only_shifted():
    models, X = apart(mlp), rows(39, 3)
    with torch.no_grad():
        models[1][0].weight.copy_(-models[0][0].weight)  # so that they cancel out
    merged = wa.average(models)
    net = repair(merged, models, list(X.split(10)))
    assert changed(net, merged) == ["0.bias", "2.bias", "5.bias"]
    for (mean, _), *wanted in zip(*(moments(part, X) for part in (net, *models)), strict=True):
        np.testing.assert_allclose(mean, np.mean([seen[0] for seen in wanted], axis=0), rtol=1e-9)


def test_units_that_are_constant_in_the_models_become_constant():
    models, X = apart(mlp), rows(40, 3)
    for model in models:
        nn.init.zeros_(model[0].weight[2])
    net = repair(wa.average(models), models, X)
    assert_mean_of_moments(net, models, X, [0.5, 0.5])


class Tied(nn.Module):
    """A layer called twice and two that share a weight."""

    def __init__(self):
        super().__init__()
        self.twice, self.head = nn.Linear(3, 3), nn.Linear(3, 2)
        self.one, self.other = nn.Linear(3, 3), nn.Linear(3, 3)
        self.other.weight = self.one.weight

    def forward(self, x):
        x = self.twice(torch.relu(self.twice(x)))
        return self.head(torch.relu(self.other(torch.relu(self.one(x)))))


def test_shared_and_repeated_weights_are_left(method):
    models, X = apart(Tied), rows(60, 3)
    merged = wa.average(models)
    net = repair(merged, models, X, method=method)
    assert changed(net, merged) == ["head.weight", "head.bias"]
    assert net.other.weight is net.one.weight


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru = nn.LSTM(3, 4, batch_first=True), nn.GRU(4, 4, batch_first=True)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.block = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.gru(self.lstm(x)[0])[0]
        return self.head(self.block(self.attention(x, x, x)[0])[:, -1])


def test_recurrent_layers_and_attention_are_left():
    models, X = apart(Sequence), rows(60, 5, 3)
    merged = wa.average(models)
    net = repair(merged, models, list(X.split(25)))
    layers = ("block.linear1", "block.linear2", "head")
    assert changed(net, merged) == [f"{name}.{p}" for name in layers for p in ("weight", "bias")]
    assert_mean_of_outputs(net, models, X)


# ---------------------------------------------------------------- data, modes, devices


def test_any_form_of_data(method):
    models, X = apart(mlp), rows(30, 3)
    merged, y = wa.average(models), torch.zeros(30)
    expected = repair(merged, models, X, method=method).state_dict()
    dataset = torch.utils.data.TensorDataset(X, y)
    for data in (
        X.numpy(),
        (X, y),
        {"input": X, "label": y},
        [(X[:7], y[:7]), (X[7:], y[7:])],
        (part for part in (X[:1], X[1:20], X[20:20], X[20:])),
        torch.utils.data.DataLoader(dataset, batch_size=8, shuffle=True),
    ):
        got = repair(merged, models, data, method=method).state_dict()
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


def test_nothing_that_is_given_changes_and_no_seed_is_drawn(method):
    models, X = apart(bn_cnn), rows(30, 2, 7, 7)
    merged = wa.average(models).train()
    merged[1].eval()
    merged[0].weight.requires_grad_(False)
    models[0].train()
    before = copy.deepcopy([merged, *models])
    state = torch.get_rng_state()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X), 9, shuffle=True)
    net = repair(merged, models, loader, method=method)
    assert torch.equal(torch.get_rng_state(), state)
    for old, new in zip(before, [merged, *models], strict=True):
        assert state_equal(old, new)
        assert [part.training for part in old.modules()] == [p.training for p in new.modules()]
        assert not any(part._forward_hooks for part in new.modules())
    assert not state_equal(net, merged)
    assert [part.training for part in net.modules()] == [p.training for p in merged.modules()]
    assert not any(part._forward_hooks for part in net.modules())
    assert [p.requires_grad for p in net.parameters()] == [False, *[True] * 8]


@pytest.mark.parametrize(("n", "passes", "whole"), [(40, 1, 1), (20, 3, 1)])
def test_one_pass_for_one_batch_else_one_for_each_layer_that_ends_there(n, passes, whole):
    models, X = apart(mlp), rows(40, 3)
    merged, calls = wa.average(models), []
    for net in (merged, *models):
        net[0].register_forward_pre_hook(lambda part, inputs: calls.append("first"))
        net[5].register_forward_pre_hook(lambda part, inputs: calls.append("last"))
    batches = list(X.split(n))
    repair(merged, models, batches)
    assert calls.count("first") == len(batches) * (len(models) + passes)
    assert calls.count("last") == len(batches) * (len(models) + whole)


def test_wrapped_compiled_and_half_precision_networks(method):
    models, X = apart(mlp), rows(40, 3)
    merged = wa.average(models)
    expected = repair(merged, models, X, method=method)
    compiled = torch.compile(copy.deepcopy(merged), backend="eager")
    compiled(X)  # compiled before hooks are set
    net = repair(compiled, [nn.DataParallel(model) for model in models], X, method=method)
    assert state_equal(net._orig_mod, expected)
    half = [copy.deepcopy(model).bfloat16() for model in (merged, *models)]
    got = repair(half[0], half[1:], X.numpy(), method=method)
    assert got[0].weight.dtype == torch.bfloat16
    assert (got.double()(X) - expected(X)).norm() < 0.03 * expected(X).norm()


def test_inside_inference_mode_the_result_can_still_be_trained(method):
    models, X = apart(mlp), rows(40, 3)
    with torch.inference_mode():
        net = repair(models[0], models, X, method=method)
    net(X).sum().backward()
    assert net[0].weight.grad is not None
    assert state_equal(net, repair(models[0], models, X, method=method))


# ---------------------------------------------------------------- errors


def test_only_torch_modules():
    models, X = apart(mlp), rows(4, 3)
    with pytest.raises(TypeError, match=r"Got a OrderedDict \(model b\). Load a state dict into"):
        repair(models[0], {"a": models[0], "b": models[1].state_dict()}, X)
    with pytest.raises(TypeError, match=r"Got a dict \(merged\)"):
        repair({}, models, X)
    with pytest.raises(TypeError, match=r"Got a LogisticRegression \(model 1\)"):
        repair(models[0], [models[0], LogisticRegression()], X)
    with pytest.raises(TypeError, match="Got one Sequential. Give a list"):
        repair(models[0], models[1], X)
    with pytest.raises(TypeError, match="The data must be a batch"):
        repair(models[0], models, 3)


def test_keras_models_are_refused_also_where_they_are_torch_modules():
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"Got a Sequential \(merged\)"):
        repair(model, [model, model], rows(4, 3))


def test_other_architectures_are_listed():
    models, X = apart(mlp), rows(4, 3)
    other = nn.Sequential(nn.Linear(3, 7), nn.ReLU(), nn.Linear(7, 6)).double()
    with pytest.raises(ValueError, match=r"model 1 must have .*'5.weight' is missing.*\(7, 3\)"):
        repair(models[0], [models[0], other], X)


@pytest.mark.parametrize("data", [[], iter(()), torch.zeros(0, 3), torch.zeros(1, 3)])
def test_too_few_rows(data, method):
    models = [model.float() for model in apart(mlp)]
    with pytest.raises(ValueError, match=r"Got (no batch|[01] in '0')\. Give.* rows"):
        repair(models[0], models, data, method=method)


def test_a_network_without_layers_to_repair():
    models = apart(lambda: nn.LSTM(3, 4))
    with pytest.raises(ValueError, match=r"Got a network without\. Give the part"):
        repair(models[0], models, rows(5, 6, 3))


def test_weights_and_values():
    models, X = apart(mlp), rows(9, 3)
    with pytest.raises(ValueError, match=r"must not be below zero.*Got \[1.5, -0.5\]"):
        repair(models[0], models, X, [1.5, -0.5])
    with pytest.raises(ValueError, match=r"must have shape \(2,\)"):
        repair(models[0], models, X, [1, 1, 1])
    X[3, 1] = torch.nan
    with pytest.raises(ValueError, match=r"must be finite. Got other values in '0'"):
        repair(models[0], models, X)
