"""Random architectures: whatever is derived leaves their function as it is."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn = torch.nn


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Softsign, nn.PReLU, nn.Identity]


class Sum(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        return sum(part(x) for part in self.parts)


class SideBySide(Sum):
    def forward(self, x):
        return torch.cat([part(x) for part in self.parts], 1)


def random_perceptron(rng):
    width, layers = 3, []
    for _ in range(rng.integers(2, 5)):
        following = int(rng.integers(2, 7))
        linear = nn.Linear(width, following, bias=bool(rng.integers(2)))
        norm = [nn.BatchNorm1d, nn.LayerNorm, nn.RMSNorm, lambda n: nn.Identity()][rng.integers(4)]
        block = nn.Sequential(linear, norm(following), ACTIVATIONS[rng.integers(8)]())
        kind = rng.integers(4)
        if kind == 0:
            block = Sum(block, nn.Linear(width, following))
        elif kind == 1:
            block, following = SideBySide(block, nn.Identity()), following + width
        elif kind == 2:
            block.append(Sum(nn.Identity(), nn.Linear(following, following), nn.Tanh()))
        layers.append(block)
        width = following
    return nn.Sequential(*layers, nn.Linear(width, 2)), noise(4, 3)


def random_image_network(rng):
    width, layers = 2, []
    for _ in range(rng.integers(2, 4)):
        following = int(rng.choice([4, 6, 8]))
        groups = int(rng.choice([1, 2])) if width % 2 == 0 else 1
        conv = nn.Conv2d(width, following, 3, padding=1, groups=groups)
        norms = [nn.BatchNorm2d(following), nn.GroupNorm(2, following), nn.Identity()]
        norms.append(nn.InstanceNorm2d(following, affine=True))
        block = nn.Sequential(conv, norms[rng.integers(4)], ACTIVATIONS[rng.integers(8)]())
        kind = rng.integers(4)
        if kind == 0:
            block.append(nn.Conv2d(following, following, 3, padding=1, groups=following))
        elif kind == 1:
            block.append(Sum(nn.Identity(), nn.Conv2d(following, following, 1)))
        elif kind == 2:
            block, following = SideBySide(block, nn.Conv2d(width, 2, 1)), following + 2
        layers.append(block)
        width = following
    layers.append(nn.AvgPool2d(2) if rng.integers(2) else nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width, 2)), noise(2, 2, 4, 4)


class LastOutput(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


def random_sequence_network(rng):
    width, layers = 3, []
    for _ in range(rng.integers(1, 3)):
        following = int(rng.choice([4, 6]))
        kind = rng.integers(3)
        if kind < 2:
            cell = [nn.LSTM, nn.GRU][kind]
            options = {"bidirectional": bool(rng.integers(2)), "bias": bool(rng.integers(2))}
            layers.append(LastOutput(cell(width, following, batch_first=True, **options)))
            width = following * (1 + options["bidirectional"])
        else:
            layers.append(nn.Linear(width, following))
            layer = nn.TransformerEncoderLayer(following, 2, 5, batch_first=True)
            layers.append(layer)
            width = following
    return nn.Sequential(*layers, nn.Linear(width, 2)), noise(2, 4, 3)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("draw", [random_perceptron, random_image_network, random_sequence_network])
def test_random_architectures(draw, seed, torch_preserved):
    net, x = draw(np.random.default_rng(seed))
    symmetry = torch_preserved(net, x)
    assert symmetry.variables
