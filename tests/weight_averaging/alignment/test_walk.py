"""Walking through operators: shared memory, unknown operators, shapes that nobody knows."""

import pytest

from stackens.weight_averaging.alignment._symmetry import Units

torch = pytest.importorskip("torch")
nn = torch.nn

from stackens.weight_averaging.alignment._graph import Graph  # noqa: E402
from stackens.weight_averaging.alignment._torch import torch_symmetry, walked  # noqa: E402


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("function", "moves"),
    [
        (lambda x: x.tanh_().mul_(2), True),
        (lambda x: x.view(2, 2, 5).tanh_().view(4, 5), True),
        (lambda x: (x.tanh_(), x * 2)[1], True),
        (lambda x: (x.view(2, 2, 5).tanh_(), x)[1], False),
        (lambda x: (x[:, 0].fill_(1.0), x)[1], False),
        (lambda x: (x.view(20)[7:].cos_(), x)[1], False),
    ],
)
def test_operators_that_work_in_place(function, moves, torch_preserved):
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.b(function(self.a(x) + 0))

    symmetry = torch_preserved(InPlace(), noise(4, 3))
    assert (symmetry.units == {"a.weight": Units(5)}) == moves
    assert bool(symmetry.signs) == moves


def test_a_buffer_that_counts_is_left_alone(torch_preserved):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 2)
            self.register_buffer("total", torch.zeros(5))

        def forward(self, x):
            x = self.a(x).tanh()
            self.total += x.mean(0)
            return self.b(x)

    assert torch_preserved(Counting(), noise(4, 3)).units == {}


def test_shapes_that_depend_on_the_data_hold_what_they_meet():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 2)

        def forward(self, x):
            x = self.a(x).tanh()
            return self.c(self.b(x).tanh()) + x[x > 0].sum()

    symmetry = torch_symmetry(Masked(), noise(4, 3))
    assert symmetry.units == {"b.weight": Units(4)}
    assert "index in Masked: not known" in symmetry.notes[0]


def test_blocks_without_gradients_or_with_other_types_are_walked_through(torch_preserved):
    class Blocks(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 2)

        def forward(self, x):
            with torch.no_grad():
                x = self.a(x).tanh_()
                x.mul_(2)
            with torch.autocast("cpu", enabled=False):
                y = self.b(x)
            return self.c(y.tanh()) + x.abs().sum()

    symmetry = torch_preserved(Blocks(), noise(4, 3))
    assert symmetry.units == {"a.weight": Units(5), "b.weight": Units(4)}
    assert set(symmetry.signs) == {"a.weight sign", "b.weight sign"}
    assert symmetry.notes == ()


def test_memory_shared_with_a_block_is_seen(torch_preserved):
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 2)

        def forward(self, x):
            x = self.a(x) + 0
            with torch.autocast("cpu", enabled=False):
                first = x[:, :1]
            first.fill_(3.0)
            return self.b(x.sin())

    assert torch_preserved(Shared(), noise(4, 3)).units == {}


def test_tensors_are_known_when_they_are_computed_but_not_those_changed_later():
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.ReLU(inplace=True), nn.Linear(5, 2))
    values = walked(Graph(net, noise(4, 3))).values()
    assert [node.name for node in values] == ["linear", "relu_", "linear_1"]
    assert [value.shape for value in values.values()] == [(4, 5), (4, 5), (4, 2)]
