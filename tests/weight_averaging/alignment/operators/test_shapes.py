"""Views, transpositions and broadcasting: which units stand where afterwards."""

import pytest

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import factors_of
from stackens.weight_averaging.alignment.operators._shapes import viewed

torch = pytest.importorskip("torch")
nn = torch.nn


UNITS = {"units"}


def test_flattened_and_unflattened_again():
    axes = Axes()
    value = axes.constant((2,))
    value = type(value)((*value.axes, axes.free(6, labelled=True), axes.pinned(5)))
    flat = viewed(axes, value, (2, 30))
    back = viewed(axes, flat, (2, 6, 5))
    assert [f.variable for f in factors_of(back.axes[1])] == [
        f.variable for f in factors_of(value.axes[1])
    ]
    assert viewed(axes, value, (1, 2, 6, 1, 5, 1)).shape == (1, 2, 6, 1, 5, 1)


def test_what_does_not_divide_is_held():
    axes = Axes(settled=True)
    value = type(axes.constant(()))((axes.free(6, labelled=True), axes.free(4, labelled=True)))
    assert viewed(axes, value, (4, 6)).shape == (4, 6)
    assert axes.held
    assert all(map(axes.is_pinned, value.axes))


MOVES = {
    "transpose": lambda x: x.tanh().transpose(0, 1).transpose(-1, -2),
    "t": lambda x: x.tanh().t().T,
    "permute": lambda x: x.tanh().permute(1, 0).permute(1, 0),
    "movedim": lambda x: x.tanh()[None].movedim(0, 2).movedim((0, 2), (1, 0))[0],
    "squeeze": lambda x: x.tanh().unsqueeze(1).squeeze(1),
    "view": lambda x: x.tanh().view(2, 2, 6).reshape(4, 6),
    "expand": lambda x: x.tanh()[None].expand(3, 4, 6).mean(0),
    "repeat": lambda x: x.tanh().repeat(2, 1)[:4],
    "broadcast": lambda x: torch.broadcast_to(x.tanh(), (2, 4, 6)).sum(0),
}


@pytest.mark.parametrize("name", MOVES)
def test_units_keep_their_signs_when_they_are_moved(name, between):
    assert between(MOVES[name]) == {"units", "signs"}
    assert between.symmetry.units["first.weight"].size == 6


@pytest.mark.parametrize(
    ("function", "out", "outer", "inner"),
    [
        (lambda x: (x.sigmoid()[:, :, None] * torch.arange(1.0, 4.0)).flatten(1), 18, 1, 3),
        (lambda x: (x.sigmoid()[:, None] * torch.arange(1.0, 4.0)[:, None]).flatten(1), 18, 3, 1),
    ],
)
def test_units_in_front_and_behind_others(function, out, outer, inner, between):
    assert between(function, out=out) == UNITS
    (part,) = between.symmetry.layout["last.weight"][1]
    assert (part.outer, part.size, part.inner) == (outer, 6, inner)


def test_repeated_units_stand_in_several_runs(between):
    assert between(lambda x: x.sigmoid().repeat(1, 2), out=12) == UNITS
    assert len(between.symmetry.layout["last.weight"][1]) == 2
    assert between(lambda x: x.sigmoid().repeat_interleave(2, 1), out=12) == UNITS
    (part,) = between.symmetry.layout["last.weight"][1]
    assert part.inner == 2


def test_a_part_of_the_units_is_maximised_over(between):
    assert between(lambda x: x.sigmoid().unflatten(-1, (3, 2)).amax(-1), out=3) == UNITS
    assert between.symmetry.units == {
        "first.weight": type(between.symmetry.units["first.weight"])(3)
    }


def test_channels_are_shuffled(torch_preserved):
    class Shuffled(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Conv1d(3, 8, 1), nn.Conv1d(8, 8, 1), nn.Conv1d(8, 2, 1)

        def forward(self, x):
            x = self.b(self.a(x).sigmoid().unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2))
            return self.c(x.sigmoid())

    x = torch.randn((2, 3, 5), generator=torch.Generator().manual_seed(0))
    symmetry = torch_preserved(Shuffled(), x)
    assert {name: units.size for name, units in symmetry.units.items()} == {
        "a.weight": 4,
        "b.weight": 8,
    }
    assert symmetry.layout["a.weight"][0][0].outer == 2
    assert symmetry.layout["b.weight"][1][0].inner == 2
