"""Tensors taken apart and put together."""

import pytest

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


UNITS = {"units"}


def sizes(symmetry):
    return sorted(units.size for units in symmetry.units.values())


PARTS = {
    "split": (lambda x: torch.cat([y.sigmoid() for y in x.split([2, 4], 1)], 1), [2, 4]),
    "chunk": (lambda x: torch.cat([y.sigmoid() for y in x.chunk(2, 1)[::-1]], 1), [3, 3]),
    "slice": (lambda x: torch.cat([x[:, 4:].cos(), x[:, :4].sigmoid()], 1), [2, 4]),
    "narrow": (lambda x: x.sigmoid() + F.pad(x.sigmoid().narrow(1, 2, 4), (2, 0)), [2, 4]),
    "one": (lambda x: x.sigmoid() * x[:, :1], [5]),
    "sum of both": (lambda x: x.sigmoid()[:, :3].add(x.sigmoid()[:, 3:]).repeat(1, 2), [3]),
    "overlap": (lambda x: x.sigmoid()[:, :4] * x.sigmoid()[:, 2:], [2]),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_the_units_move_on_their_own(name, between):
    function, expected = PARTS[name]
    out = 4 if name == "overlap" else 6
    assert between(function, out=out) == UNITS
    assert sizes(between.symmetry) == expected


HELD = {
    "every other": (lambda x: x.sigmoid()[:, ::2], 3),
    "by numbers": (lambda x: x.sigmoid()[:, [3, 1, 0]], 3),
    "selected": (lambda x: x.sigmoid().index_select(1, torch.tensor([0, 4])), 2),
    "one": (lambda x: x.sigmoid()[:, 2][:, None], 1),
    "gathered": (lambda x: x.sigmoid().gather(1, (x[:, :2] > 0).long()), 2),
    "reflected": (lambda x: F.pad(x.sigmoid(), (1, 1), mode="reflect"), 8),
}


@pytest.mark.parametrize("name", HELD)
def test_selected_units_stay(name, between):
    function, out = HELD[name]
    assert between(function, out=out) == set()
    assert between.symmetry.notes


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.tanh()[:, 0],
        lambda x: x.tanh()[:, [1, 0]].sum(1),
        lambda x: torch.stack(x.tanh().unbind(1)[::-1]).mean(0),
        lambda x: x.tanh().index_select(1, torch.tensor([1])).squeeze(1),
        lambda x: F.pad(x.tanh(), (0, 0, 1, 1), mode="replicate")[:, 0],
    ],
)
def test_selecting_along_other_axes(function, between):
    assert between(function, shape=(4, 2, 3)) == {"units", "signs"}


def test_a_mask_along_other_axes_is_not_understood(between):
    assert between(lambda x: x.sigmoid()[torch.tensor([True] * 4)]) == set()


def test_queries_keys_and_values_of_one_layer_are_apart(between):
    def function(x, qkv):
        q, k, v = qkv(x).view(4, 3, 5).permute(1, 0, 2)
        return q.sigmoid() * k.tanh() + v

    assert between(function, out=5, qkv=nn.Linear(6, 15)) == {"matrix"}
    q, k, v = between.symmetry.layout["parts.qkv.weight"][0]
    assert q.units == k.units == v.units
    assert q.signs == ()
    assert k.signs == v.signs == ("parts.qkv.weight sign",)


def test_zeros_around_units_are_zeros_in_any_order(between):
    def function(x, beside):
        return torch.tanh(F.pad(x, (2, 0)) + beside(x))

    assert between(function, out=8, beside=nn.Linear(6, 8)) == {"units", "signs"}
    assert [part.size for part in between.symmetry.layout["last.weight"][1]] == [2, 6]
    assert between(lambda x: F.pad(x.tanh(), (2, 0), value=1.0), out=8) == set()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x: x.tanh() + x.new_zeros(6), {"units", "signs"}),
        (lambda x: x.tanh() + torch.zeros_like(x), {"units", "signs"}),
        (lambda x: x.tanh() + torch.full((6,), 2.0), UNITS),
        (lambda x: x.tanh() + torch.ones_like(x), UNITS),
    ],
)
def test_new_tensors(make, expected, between):
    assert between(make) == expected


def test_messages_of_neighbours_are_added(torch_preserved):
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.head = nn.Linear(3, 6), nn.Linear(6, 5), nn.Linear(5, 2)

        def forward(self, x, edges):
            start, end = edges
            x = self.first(x).tanh()
            x = self.second(torch.zeros_like(x).index_add_(0, end, x[start])).relu()
            places = end[:, None].expand(-1, 5)
            return self.head(x.new_zeros(4, 5).scatter_add(0, places, x[start]))

    edges = torch.tensor([[0, 1, 2, 3, 1], [1, 2, 3, 0, 0]])
    x = torch.randn((4, 3), generator=torch.Generator().manual_seed(0))
    symmetry = torch_preserved(Graph(), x, edges)
    assert symmetry.notes == ()
    assert sizes(symmetry) == [5, 6]


def test_units_that_are_added_up_stay(between):
    places = torch.tensor([0, 1, 2, 3, 4, 4])
    assert between(lambda x: torch.zeros_like(x).index_add(1, places, x)) == set()
    other = torch.tensor([[0, 1, 2, 3, 3, 1]] * 4)
    assert between(lambda x: torch.zeros_like(x).scatter_add(0, other, x)) == set()
