"""Tests of fitted layers: exact where rows tell all, as they were where rows tell nothing."""

import copy

import numpy as np
import pytest
from sklearn.linear_model import Ridge

torch = pytest.importorskip("torch")

from stackens import weight_averaging as wa  # noqa: E402
from stackens.neural import _least_squares as module  # noqa: E402
from stackens.neural._least_squares import fit_layer, normal_equations  # noqa: E402

nn = torch.nn


def rows(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).double() * 2 + 1


def with_seed(layer, seed):
    layer, generator = copy.deepcopy(layer).double(), torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=generator)
    return layer


def fitted(layer, models, batches, shares=(0.5, 0.5)):
    layer = copy.deepcopy(layer)
    triples = [(model, model, share) for model, share in zip(models, shares, strict=True)]
    fit_layer(layer, normal_equations(layer, layer, triples, batches))
    return layer


LAYERS = [
    (nn.Linear(3, 4), (60, 3)),
    (nn.Linear(3, 4, bias=False), (60, 3)),
    (nn.Linear(3, 4), (20, 5, 3)),
    (nn.Conv1d(4, 6, 3, groups=2, padding=1, padding_mode="circular"), (40, 4, 5)),
    (nn.Conv2d(4, 8, 3, groups=4, stride=2, bias=False), (40, 4, 7, 6)),
    (nn.Conv2d(2, 3, (3, 1), dilation=(2, 1), padding="same"), (40, 2, 7, 6)),
    (nn.Conv3d(2, 3, 2), (20, 2, 3, 3, 4)),
    (nn.ConvTranspose1d(4, 6, 3, groups=2, stride=2, output_padding=1), (40, 4, 5)),
    (nn.ConvTranspose2d(4, 5, 3, stride=2, padding=1, bias=False), (40, 4, 3, 2)),
    (nn.ConvTranspose3d(2, 3, 2), (20, 2, 3, 3, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
@pytest.mark.parametrize("most", [4_000_000, 200])
def test_layers_that_give_the_mean_output_are_found(layer, shape, most, monkeypatch):
    monkeypatch.setattr(module, "RIDGE", 1e-12)
    monkeypatch.setattr(module, "MOST_ENTRIES", most)
    start, *models = (with_seed(layer, seed) for seed in range(3))
    found = fitted(start, models, rows(*shape).split(17), (0.3, 0.7))
    for name, tensor in found.state_dict().items():
        wanted = 0.3 * models[0].state_dict()[name] + 0.7 * models[1].state_dict()[name]
        assert not torch.allclose(start.state_dict()[name], wanted)
        torch.testing.assert_close(tensor, wanted, rtol=1e-6, atol=1e-6)


def test_one_sample_without_an_axis_and_arguments_by_name(monkeypatch):
    monkeypatch.setattr(module, "RIDGE", 1e-12)

    class Named(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(output_size=[18], input=x)

    start, model = (Named(with_seed(nn.ConvTranspose1d(2, 1, 3, stride=2), i)) for i in (0, 1))
    equations = normal_equations(start, start.layer, [(model, model.layer, 1.0)], [rows(2, 8)])
    fit_layer(start.layer, equations)
    torch.testing.assert_close(start.layer.state_dict(), model.layer.state_dict())


@pytest.mark.parametrize("bias", [True, False])
def test_the_ridge_draws_towards_the_weights_that_are_there(bias, monkeypatch):
    monkeypatch.setattr(module, "RIDGE", 0.1)
    start, *models = (with_seed(nn.Linear(5, 2, bias=bias), seed) for seed in range(3))
    X = rows(30, 5)
    found = fitted(start, models, [X])
    centred = X - X.mean(0) if bias else X
    level = 0.1 * centred.square().sum().item() / 5
    with torch.no_grad():
        target = (models[0](X) + models[1](X)) / 2 - start(X)
    expected = Ridge(level, fit_intercept=bias).fit(X.numpy(), target.numpy())
    np.testing.assert_allclose((found.weight - start.weight).detach(), expected.coef_, rtol=1e-9)
    if bias:
        step = (found.bias - start.bias).detach()
        np.testing.assert_allclose(step, expected.intercept_, rtol=1e-9)


def test_what_no_row_tells_is_left():
    start, *models = (with_seed(nn.Linear(6, 2), seed) for seed in range(3))
    X = rows(40, 6)
    X[:, 0], X[:, 5] = 3.0, X[:, 4]  # a constant, and the same twice
    change = (fitted(start, models, [X]).weight - start.weight).detach()
    assert change[:, 0].abs().max() < 1e-12
    torch.testing.assert_close(change[:, 4], change[:, 5])
    assert change[:, 1].abs().min() > 0.01
    few = fitted(start, models, [X[:3]])  # fewer rows than inputs
    with torch.no_grad():
        target = (models[0](X[:3]) + models[1](X[:3])) / 2
        assert (few(X[:3]) - target).norm() < 0.02 * (start(X[:3]) - target).norm()


def test_rows_that_are_all_the_same_change_the_bias_alone():
    start, *models = (with_seed(nn.Linear(3, 2), seed) for seed in range(3))
    X = rows(1, 3).expand(9, 3)
    found = fitted(start, models, [X])
    torch.testing.assert_close(found.weight, start.weight)
    with torch.no_grad():
        torch.testing.assert_close(found(X), (models[0](X) + models[1](X)) / 2)


def test_inputs_far_from_zero_in_single_precision():
    start, *models = (with_seed(nn.Linear(3, 2), seed) for seed in range(3))
    X = rows(200, 3) + 1e4
    exact = fitted(start, models, [X])
    single = fitted(start.float(), [model.float() for model in models], [X.float()])
    torch.testing.assert_close(single.weight.double(), exact.weight, rtol=1e-2, atol=1e-2)


def test_no_row_reaches_the_layer():
    layer = nn.Linear(3, 2)
    network = nn.Sequential(nn.Linear(3, 3), layer)
    apart = nn.Linear(3, 2)
    assert normal_equations(network, apart, [(network, layer, 1.0)], [rows(9, 3).float()]) is None
    models = [(layer, layer, 1.0)]
    assert normal_equations(layer, layer, models, [torch.zeros(0, 3)]) is None


# ---------------------------------------------------------------- whole networks


def apart(build, n=2):
    return [with_seed(build(), seed).eval() for seed in range(n)]


def mlp():
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))


def bn_cnn():
    first = [nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True)]
    second = [nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True)]
    return nn.Sequential(*first, *second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5))


def outputs(net, X):
    with torch.no_grad():
        return net.eval()(X)


@pytest.mark.parametrize(
    ("build", "shape"), [(mlp, (400, 3)), (bn_cnn, (400, 2, 7, 7)), (mlp, (60, 8, 3))]
)
def test_least_squares_come_nearer_to_the_mean_output_than_moments(build, shape):
    models, X = apart(build), rows(*shape)
    merged, fit, fresh = wa.average(models), X[: len(X) // 2], X[len(X) // 2 :]
    ensemble = outputs(models[0], fresh) / 2 + outputs(models[1], fresh) / 2
    ensemble = ensemble - ensemble.mean(0)
    errors = []
    for method in ("moments", "least_squares"):
        got = outputs(wa.repair(merged, models, fit, method=method), fresh)
        errors.append((got - got.mean(0) - ensemble).norm() / ensemble.norm())
    assert errors[1] < 0.7 * errors[0]


@pytest.mark.parametrize("n", [20, 50])
def test_least_squares_whatever_the_batches(n):
    models, X, weights = apart(bn_cnn, 3), rows(50, 2, 7, 7), [0.5, 0.2, 0.3]
    merged = wa.average(models, weights)
    net = wa.repair(merged, models, list(X.split(n)), weights, method="least_squares")
    expected = wa.repair(merged, models, X, weights, method="least_squares").state_dict()
    for name, tensor in net.state_dict().items():
        if "batches" not in name:
            torch.testing.assert_close(tensor, expected[name], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(net[0].weight, merged[0].weight)  # the same inputs everywhere
    assert not torch.allclose(net[3].weight, merged[3].weight, rtol=0.1)
    set_again = wa.recalibrate_batch_norm(copy.deepcopy(net), X)
    for i in (1, 4):
        torch.testing.assert_close(net[i].running_var, set_again[i].running_var)


def test_attention_and_recurrent_layers_are_left():
    class Sequence(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 4, batch_first=True)
            self.block = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.block(self.lstm(x)[0])[:, -1])

    models, X = apart(Sequence), rows(200, 5, 3)
    merged = wa.average(models)
    net = wa.repair(merged, models, list(X.split(70)), method="least_squares")
    before, after = merged.state_dict(), net.state_dict()
    names = [name for name, tensor in before.items() if not torch.equal(tensor, after[name])]
    layers = ("block.linear1", "block.linear2", "head")
    assert names == [f"{layer}.{p}" for layer in layers for p in ("weight", "bias")]
    ensemble = (outputs(models[0], X) + outputs(models[1], X)) / 2
    torch.testing.assert_close(outputs(net, X).mean(0), ensemble.mean(0))


def test_values_and_methods():
    models, X = apart(mlp), rows(9, 3)
    with pytest.raises(ValueError, match=r"'method' parameter .* Got 'mean'. Use 'least_squares'"):
        wa.repair(models[0], models, X, method="mean")
    X[3, 1] = torch.nan
    with pytest.raises(ValueError, match=r"must be finite. Got other values in '0'"):
        wa.repair(models[0], models, X, method="least_squares")
