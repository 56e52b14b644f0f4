"""Tests of the reader of torch modules."""

import numpy as np
import pytest
import torch
from torch import nn

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers.models import read_torch_module
from stackens.neural._network import SeededDropout
from tests.export.readers.programs import answers_of

ACTIVATIONS = [
    nn.CELU(0.7),
    nn.ELU(),
    nn.GELU(),
    nn.GELU(approximate="tanh"),
    nn.Hardshrink(),
    nn.Hardsigmoid(),
    nn.Hardswish(),
    nn.Hardtanh(-0.5, 0.7),
    nn.LeakyReLU(0.2),
    nn.LogSigmoid(),
    nn.LogSoftmax(dim=1),
    nn.Mish(),
    nn.PReLU(5),
    nn.PReLU(),
    nn.ReLU(inplace=True),
    nn.ReLU6(),
    nn.SELU(),
    nn.SiLU(),
    nn.Sigmoid(),
    nn.Softmax(dim=-1),
    nn.Softmin(dim=1),
    nn.Softplus(2.0, 1.0),
    nn.Softshrink(0.1),
    nn.Softsign(),
    nn.Tanh(),
    nn.Tanhshrink(),
    nn.Threshold(0.1, 20),
]
OTHERS = [
    nn.AlphaDropout(),
    nn.BatchNorm1d(5),
    nn.BatchNorm1d(5, affine=False),
    nn.Dropout(0.5),
    nn.Dropout1d(),
    nn.FeatureAlphaDropout(),
    nn.Flatten(),
    nn.Identity(),
    nn.LayerNorm(5),
    nn.LayerNorm(5, elementwise_affine=False),
    nn.LayerNorm(5, bias=False),
    nn.Linear(5, 5, bias=False),
    nn.RMSNorm(5),
    nn.RMSNorm(5, eps=0.1, elementwise_affine=False),
    nn.Sequential(nn.Linear(5, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 5))),
    SeededDropout(0.3),
    nn.utils.parametrizations.weight_norm(nn.Linear(5, 5)),
    nn.utils.parametrizations.spectral_norm(nn.Linear(5, 5)),
]


def network(*layers, seed=0):
    """Put layers behind a linear one, with random weights and statistics, in evaluation mode."""
    module = nn.Sequential(nn.Linear(4, 5), *layers)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
                tensor.mul_(torch.randint(0, 2, tensor.shape, generator=generator) * 2 - 1)
        for part in module.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.running_var.abs_()
    return module.eval()


def ours(module, X):
    return answers_of(lambda graph, x: read_torch_module(module, graph, x), X)


X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("layer", [*ACTIVATIONS, *OTHERS], ids=repr)
def test_layers(layer):
    module = network(layer)
    with torch.no_grad():
        expected = module(torch.tensor(X, dtype=torch.float32)).double().numpy()
    np.testing.assert_allclose(ours(module, X), expected, rtol=1e-5, atol=2e-6)
    with torch.no_grad():
        expected = module.double()(torch.tensor(X)).numpy()
    np.testing.assert_allclose(ours(module, X), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_precision_of_the_weights_is_kept(dtype):
    graph = Graph(["x"])
    node = read_torch_module(nn.Linear(1, 2).to(dtype), graph, graph.numbers([0]))
    assert graph[node].weights.dtype == {torch.float32: np.float32}.get(dtype, np.float64)


def test_a_layer_that_is_used_twice():
    layer = nn.Linear(4, 4)
    module = nn.Sequential(layer, nn.ReLU(), layer).eval()
    expected = module(torch.tensor(X, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(ours(module, X), expected, rtol=1e-5, atol=1e-6)


class Doubling(nn.Linear):
    def forward(self, rows):
        return 2 * super().forward(rows)


def hooked():
    layer = nn.ReLU()
    layer.register_forward_hook(lambda module, inputs, output: output + 1)
    return layer


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Conv1d(1, 1, 1), "Conv1d"),
        (nn.GRU(5, 5), "GRU"),
        (nn.Bilinear(5, 5, 1), "Bilinear"),
        (Doubling(5, 5), "Doubling"),
        (nn.Softmax(dim=0), "Softmax"),
        (nn.Flatten(0), "Flatten"),
        (nn.LayerNorm((2, 5)), "LayerNorm"),
        (nn.RMSNorm(3), "RMSNorm"),
        (nn.Linear(3, 1), "behind 5 columns"),
        (nn.BatchNorm1d(5, track_running_stats=False), "track_running_stats"),
        (nn.Linear(5, 1).half(), "float16"),
        (hooked(), "hook"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_refused_by_name(layer, message):
    with pytest.raises(ExportError, match=message):
        ours(nn.Sequential(nn.Linear(4, 5), layer), X)
