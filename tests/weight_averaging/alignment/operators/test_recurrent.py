"""LSTM, GRU and plain recurrent layers."""

import pytest

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment.operators import Call, rule_of

torch = pytest.importorskip("torch")
nn = torch.nn


X = torch.randn((2, 4, 3), generator=torch.Generator().manual_seed(0))


class Reader(nn.Module):
    """Reads a sequence; answers from all outputs, or from the last state."""

    def __init__(self, layer, answer="outputs"):
        super().__init__()
        self.layer, self.answer = layer, answer
        width = layer.proj_size or layer.hidden_size
        self.head = nn.Linear(width * (1 + layer.bidirectional), 2)

    def forward(self, x):
        outputs, state = self.layer(x)
        state = state[0] if isinstance(state, tuple) else state
        if self.answer == "outputs":
            return self.head(outputs)
        if self.layer.bidirectional:
            return self.head(torch.cat([state[-2], state[-1]], 1))
        return self.head(state[-1])


KINDS = {
    "LSTM": (nn.LSTM, {}, "signs"),
    "GRU": (nn.GRU, {}, "signs"),
    "tanh": (nn.RNN, {}, "signs"),
    "relu": (nn.RNN, {"nonlinearity": "relu"}, "scales"),
}


@pytest.mark.parametrize("answer", ["outputs", "state"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_and_direction_has_its_units(kind, answer, torch_preserved):
    layer, options, free = KINDS[kind]
    options = {**options, "num_layers": 2, "bidirectional": True, "batch_first": True}
    symmetry = torch_preserved(Reader(layer(3, 4, **options), answer), X)
    names = ["layer.l0", "layer.l0_reverse", "layer.l1", "layer.l1_reverse"]
    assert list(symmetry.units) == names
    found, other = symmetry.signs, symmetry.scales
    if free == "scales":
        found, other = other, found
    assert found == {f"{name} {free.removesuffix('s')}": name for name in names}
    assert other == {}
    columns = symmetry.layout["layer.weight_ih_l1"][1]
    assert [part.units for part in columns] == ["layer.l0", "layer.l0_reverse"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_biases(kind, torch_preserved):
    layer, options, _ = KINDS[kind]
    symmetry = torch_preserved(Reader(layer(3, 5, bias=False, **options)), X)
    assert list(symmetry.units) == ["layer.l0"]
    assert symmetry.summed == ()


@pytest.mark.parametrize(("kind", "rows"), [("LSTM", 20), ("GRU", 10), ("tanh", 5), ("relu", 5)])
def test_biases_of_which_the_sum_matters(kind, rows, torch_preserved):
    layer, options, _ = KINDS[kind]
    symmetry = torch_preserved(Reader(layer(3, 5, **options)), X)
    assert symmetry.summed == (("layer.bias_ih_l0", "layer.bias_hh_l0", 0, rows),)


@pytest.mark.parametrize(("kind", "signed"), [("LSTM", 2), ("GRU", 2), ("tanh", 0)])
def test_the_sign_is_in_one_gate_and_in_all_columns(kind, signed, torch_preserved):
    layer, _, _ = KINDS[kind]
    symmetry = torch_preserved(Reader(layer(3, 5)), X)
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        gates = symmetry.layout[f"layer.{name}"][0]
        assert [k for k, part in enumerate(gates) if part.signs] == [signed]
    (columns,) = symmetry.layout["layer.weight_hh_l0"][1]
    assert columns.signs == ("layer.l0 sign",)


@pytest.mark.parametrize("answer", ["outputs", "state"])
def test_a_projection_may_be_mixed_by_any_matrix(answer, torch_preserved):
    layer = nn.LSTM(3, 5, num_layers=2, proj_size=4, batch_first=True)
    symmetry = torch_preserved(Reader(layer, answer), X)
    assert list(symmetry.units) == ["layer.l0", "layer.l1"]
    names = ["layer.l0 projected matrix", "layer.l1 projected matrix"]
    assert list(symmetry.matrices) == names
    assert all(matrix.size == 4 for matrix in symmetry.matrices.values())


@pytest.mark.parametrize("n_layers", [1, 2])
def test_learnt_first_states_move_too(n_layers, torch_preserved):
    class Started(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.LSTM(3, 5, n_layers, batch_first=True)
            self.h, self.c = (nn.Parameter(torch.ones(n_layers, 1, 5)) for _ in range(2))
            self.head = nn.Linear(5 * n_layers, 2)

        def forward(self, x):
            start = [state.expand(-1, len(x), -1).contiguous() for state in (self.h, self.c)]
            _, (h, _) = self.layer(x, tuple(start))
            return self.head(h.transpose(0, 1).reshape(len(x), -1))

    symmetry = torch_preserved(Started(), X)
    assert list(symmetry.units) == ["layer.l0"]  # one tensor holds the states of all layers
    assert symmetry.layout["h"][2][0].signs == ("layer.l0 sign",)
    assert len(symmetry.layout["head.weight"][1]) == n_layers


def test_last_states_of_all_layers_side_by_side(torch_preserved):
    class States(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.LSTM(3, 4, 2, batch_first=True), nn.Linear(16, 2)

        def forward(self, x):
            _, (h, c) = self.layer(x)
            return self.head(torch.cat([h.transpose(0, 1), c.transpose(0, 1)], 2).flatten(1))

    symmetry = torch_preserved(States(), X)
    assert list(symmetry.units) == ["layer.l0"]  # put together before they are flattened

    class Flat(States):
        def forward(self, x):
            _, (h, c) = self.layer(x)
            states = [state.transpose(0, 1).reshape(len(x), -1) for state in (h, c)]
            return self.head(torch.cat(states, 1))

    symmetry = torch_preserved(Flat(), X)
    assert list(symmetry.units) == ["layer.l0", "layer.l1"]
    columns = [part.units for part in symmetry.layout["head.weight"][1]]
    assert columns == ["layer.l0", "layer.l1"] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_cells_called_step_by_step(kind, torch_preserved):
    layer, options, free = KINDS[kind]
    cell = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell, nn.RNN: nn.RNNCell}[layer]

    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = cell(3, 5, **options), nn.Linear(5, 2)

        def forward(self, x):
            state = None
            for step in x.unbind(1):
                state = self.cell(step, state)
            return self.head(state[0] if isinstance(state, tuple) else state)

    symmetry = torch_preserved(Steps(), X)
    assert {name: units.size for name, units in symmetry.units.items()} == {"cell": 5}
    assert list(getattr(symmetry, free)) == [f"cell {free.removesuffix('s')}"]
    assert len(symmetry.summed) == 1


def test_packed_sequences_are_unknown():
    axes = Axes()
    arguments = {"data": axes.constant((8, 3)), "batch_sizes": axes.constant((4,))}
    assert rule_of("gru").function(axes, Call("gru", arguments, ((8, 5), (1, 2, 5)))) is None


STATES = {
    "layer": (lambda h: h.view(2, 2, -1, 4)[-1].permute(1, 0, 2).flatten(1), 8),
    "direction": (lambda h: h.view(2, 2, -1, 4)[:, 0].sum(0) + h[1] + h[3], 4),
    "sum": (lambda h: h.view(2, 2, -1, 4)[1].sum(0) + h[0] + h[1].exp(), 4),
    "all": (lambda h: h.view(2, 2, -1, 4).permute(2, 0, 1, 3).flatten(1), 16),
    "all but one": (
        lambda h: h.view(2, 1, 2, -1, 4)[1:, 0].squeeze(0).transpose(0, 1).flatten(1),
        8,
    ),
}
CELLS = {"layer": 4, "direction": 1, "sum": 1, "all": 4, "all but one": 4}


@pytest.mark.parametrize("name", STATES)
def test_states_seen_by_layer_and_direction(name, torch_preserved):
    function, width = STATES[name]

    class ByLayer(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.GRU(3, 4, 2, batch_first=True, bidirectional=True)
            self.head = nn.Linear(width, 2)

        def forward(self, x):
            return self.head(function(self.layer(x)[1]))

    assert len(torch_preserved(ByLayer(), X).units) == CELLS[name]


def test_states_handed_to_a_decoder_keep_layers_apart(torch_preserved):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.LSTM(3, 4, 2, batch_first=True)
            self.decoder = nn.LSTM(3, 4, 2, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.decoder(x, self.encoder(x)[1])[0])

    assert list(torch_preserved(Pair(), X).units) == ["encoder.l0", "encoder.l1"]
