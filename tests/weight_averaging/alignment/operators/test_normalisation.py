"""Normalisation: what passes it, and the signs that it absorbs."""

import pytest

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


UNITS, SIGNS, IMAGE = {"units"}, {"units", "signs"}, (2, 3)


def test_signs_before_batch_normalisation_pass_any_activation(between):
    assert between(lambda x, bn: F.gelu(bn(x)), bn=nn.BatchNorm1d(6)) == SIGNS
    layout = between.symmetry.layout
    assert layout["parts.bn.running_mean"][0][0].signs == ("first.weight sign",)
    assert layout["parts.bn.weight"][0][0].signs == ("first.weight sign",)
    assert layout["parts.bn.running_var"][0][0].signs == ()
    assert layout["parts.bn.bias"][0][0].signs == ()


def test_the_weight_of_batch_normalisation_starts_new_signs_and_scales(between):
    assert between(lambda x, bn: torch.tanh(bn(x)), bn=nn.BatchNorm1d(6)) == SIGNS
    both = {"first.weight sign", "parts.bn.weight sign"}
    assert set(between.symmetry.signs) == both
    assert set(between.symmetry.layout["parts.bn.bias"][0][0].signs) == both
    assert between(lambda x, bn: torch.relu(bn(x)), bn=nn.BatchNorm1d(6)) == SIGNS
    assert between.symmetry.scales == {"parts.bn.weight scale": "first.weight"}


@pytest.mark.parametrize("options", [{"affine": False}, {"track_running_stats": False}])
def test_batch_normalisation_of_other_kinds(options, between):
    bn = nn.BatchNorm1d(6, **options)
    assert between(lambda x, bn: F.gelu(bn(x)), bn=bn) == (SIGNS if bn.affine else UNITS)


NORMS = {
    "layer": (nn.LayerNorm(6), UNITS),
    "layer, plain": (nn.LayerNorm(6, elementwise_affine=False), UNITS),
    "layer without bias": (nn.LayerNorm(6, bias=False), UNITS),
    "root mean square": (nn.RMSNorm(6), SIGNS),
    "root mean square, plain": (nn.RMSNorm(6, elementwise_affine=False), UNITS),
    "one group": (nn.GroupNorm(1, 6), UNITS),
    "groups": (nn.GroupNorm(2, 6), UNITS),
    "a group for each": (nn.GroupNorm(6, 6), SIGNS),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_before_a_function_that_nothing_passes(name, between):
    norm, expected = NORMS[name]

    def function(x, norm):
        if name.startswith(("groups", "one", "a group")):  # normalise over several places
            x = torch.stack([x, x * x.tanh()], -1)
            return norm(x).exp().sum(-1)
        return norm(x).exp()

    if name == "a group for each":  # x tanh(x) is even
        expected = UNITS
    assert between(function, norm=norm) == expected
    blocks = 2 if name == "groups" else 1
    assert between.symmetry.units["first.weight"].blocks == blocks


def test_turns_pass_a_root_mean_square_without_weights(between):
    assert between(lambda x: F.rms_norm(x, (6,))) == {"matrix"}
    assert between.symmetry.matrices["first.weight matrix"].kind == "orthogonal"


def test_instance_norm_passes_signs(torch_preserved):
    net = nn.Sequential(nn.Conv1d(3, 4, 2), nn.InstanceNorm1d(4, affine=True), nn.SiLU())
    net.append(nn.Conv1d(4, 2, 1))
    x = torch.randn((2, 3, 7), generator=torch.Generator().manual_seed(0))
    assert set(torch_preserved(net, x).signs) == {"0.weight sign"}


def test_norm_over_several_axes(torch_preserved):
    net = nn.Sequential(nn.Conv1d(3, 4, 2), nn.LayerNorm((4, 6)), nn.SiLU(), nn.Conv1d(4, 2, 1))
    x = torch.randn((2, 3, 7), generator=torch.Generator().manual_seed(0))
    symmetry = torch_preserved(net, x)
    assert symmetry.layout["1.weight"][0][0].units == "0.weight"
    assert symmetry.layout["1.weight"][1][0].units is None


def test_groups_of_different_widths_hold_units(torch_preserved):
    net = nn.Sequential(nn.Conv1d(3, 8, 2), nn.GroupNorm(2, 8), nn.SiLU(), nn.GroupNorm(4, 8))
    net.append(nn.Conv1d(8, 2, 1))
    x = torch.randn((2, 3, 7), generator=torch.Generator().manual_seed(0))
    symmetry = torch_preserved(net, x)
    assert symmetry.units == {}
    assert "group_norm in 3: some units have to stay in their order" in symmetry.notes


def test_weight_norm_carries_signs_in_both_of_its_parts(between):
    def function(x, linear):
        return torch.tanh(linear(torch.tanh(x)))

    linear = nn.utils.parametrizations.weight_norm(nn.Linear(6, 5))
    assert between(function, out=5, linear=linear) == SIGNS
    direction = "parts.linear.parametrizations.weight.original1"
    length = "parts.linear.parametrizations.weight.original0"
    assert between.symmetry.units[direction].size == 5
    assert len(between.symmetry.layout[direction][0][0].signs) == 1
    assert len(between.symmetry.layout[length][0][0].signs) == 1
    assert len(between.symmetry.layout["parts.linear.bias"][0][0].signs) == 2


def test_similarity_is_the_same_for_flipped_units(between):
    def function(x):
        x = torch.tanh(x)
        return F.cosine_similarity(x, x * x * x, dim=-1)[:, None]

    assert between(function, out=1) == SIGNS
