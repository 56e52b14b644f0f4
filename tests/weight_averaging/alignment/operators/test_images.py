"""Convolutions, pools and their relatives."""

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn


IMAGE = torch.randn((2, 3, 8, 8), generator=torch.Generator().manual_seed(0))


def sizes(symmetry):
    return {name: units.size for name, units in symmetry.units.items()}


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolutions_in_each_number_of_dimensions(dims, torch_preserved):
    conv, back = getattr(nn, f"Conv{dims}d"), getattr(nn, f"ConvTranspose{dims}d")
    net = nn.Sequential(
        conv(3, 4, 2, padding="same"), nn.ReLU(), back(4, 5, 2, stride=2), nn.Tanh(), conv(5, 2, 1)
    )
    x = torch.randn((2, 3, *[4] * dims), generator=torch.Generator().manual_seed(0))
    symmetry = torch_preserved(net, x)
    assert sizes(symmetry) == {"0.weight": 4, "2.weight": 5}
    assert symmetry.layout["2.weight"][1][0].units == "2.weight"
    assert symmetry.scales == {"0.weight scale": "0.weight"}
    assert symmetry.signs == {"2.weight sign": "2.weight"}


def test_an_image_alone(torch_preserved):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Conv2d(4, 2, 1))
    assert sizes(torch_preserved(net, IMAGE[0])) == {"0.weight": 4}


@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_channels_stay_with_their_input(multiplier, torch_preserved):
    out = 5 * multiplier
    net = nn.Sequential(
        nn.Conv2d(3, 5, 1),
        nn.ReLU(),
        nn.Conv2d(5, out, 3, groups=5),
        nn.ReLU(),
        nn.Conv2d(out, 2, 1),
    )
    symmetry = torch_preserved(net, IMAGE)
    assert sizes(symmetry) == {"0.weight": 5}
    assert symmetry.layout["2.weight"][0][0].inner == multiplier
    assert set(symmetry.scales) == {"0.weight scale", "2.weight scale"}


def test_groups_move_as_wholes(torch_preserved):
    net = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.SiLU(), nn.Conv2d(8, 12, 3, groups=4), nn.SiLU(), nn.Conv2d(12, 2, 1)
    )
    symmetry = torch_preserved(net, IMAGE)
    assert sizes(symmetry) == {"0.weight": 4}
    assert symmetry.layout["2.weight"][0][0].inner == 3
    assert symmetry.layout["4.weight"][1][0].inner == 3


def test_a_transposed_convolution_in_groups(torch_preserved):
    net = nn.Sequential(
        nn.Conv2d(3, 6, 1), nn.SiLU(), nn.ConvTranspose2d(6, 3, 3, groups=3), nn.SiLU()
    )
    net.append(nn.Conv2d(3, 2, 1))
    assert sizes(torch_preserved(net, IMAGE)) == {"0.weight": 3}


def test_channels_that_groups_cut_apart_stay(torch_preserved):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 4, 1)
            self.c, self.d = nn.Conv2d(6, 6, 1, groups=2), nn.Conv2d(6, 2, 1)

        def forward(self, x):
            return self.d(self.c(torch.cat([self.a(x), self.b(x)], 1).sigmoid()).sigmoid())

    symmetry = torch_preserved(Two(), IMAGE)
    assert sizes(symmetry) == {"c.weight": 3}  # inside a group, alike in both


POOLS = {
    "max": (nn.MaxPool2d(2), "scales"),
    "mean": (nn.AvgPool2d(2), "both"),
    "adaptive mean": (nn.AdaptiveAvgPool2d(2), "both"),
    "adaptive max": (nn.AdaptiveMaxPool2d(2), "scales"),
    "nearest": (nn.Upsample(scale_factor=2), "both"),
    "bilinear": (nn.Upsample(size=(5, 5), mode="bilinear"), "both"),
}


@pytest.mark.parametrize("name", POOLS)
def test_pools(name, torch_preserved):
    pool, passing = POOLS[name]
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4, affine=True), pool)
    net.append(nn.Conv2d(4, 2, 1))
    symmetry = torch_preserved(net, IMAGE)
    assert symmetry.scales == {"1.weight scale": "0.weight"}
    assert ("1.weight sign" in symmetry.signs) == (passing == "both")


def test_pixels_are_shuffled_out_of_channels_and_back(torch_preserved):
    net = nn.Sequential(
        nn.Conv2d(3, 12, 1), nn.GELU(), nn.PixelShuffle(2), nn.Conv2d(3, 4, 1), nn.GELU()
    )
    net.extend([nn.PixelUnshuffle(2), nn.Conv2d(16, 2, 1)])
    symmetry = torch_preserved(net, IMAGE)
    assert sizes(symmetry) == {"0.weight": 3, "3.weight": 4}
    assert symmetry.layout["0.weight"][0][0].inner == 4
    assert symmetry.layout["6.weight"][1][0].inner == 4
