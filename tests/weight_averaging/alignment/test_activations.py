"""Answers of units are seen in the units, signs and order that the symmetry of the tensors has."""

import warnings

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

from stackens.weight_averaging.adapters import adapter_of, to_array
from stackens.weight_averaging.alignment import _activations
from stackens.weight_averaging.alignment._activations import mlp_answers, torch_answers
from stackens.weight_averaging.alignment._scikit_learn import mlp_symmetry
from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Transformation

torch = pytest.importorskip("torch")
nn = torch.nn
RNG = np.random.default_rng(0)


def arrays_of(model):
    tensors = adapter_of(model).tensors(model, model)
    return {name: to_array(tensor) for name, tensor in tensors.items()}


def followed(module, rows):
    from stackens.weight_averaging.alignment._torch import torch_symmetry

    batch = rows[0] if isinstance(rows, list) else rows
    return torch_symmetry(module, batch), torch_answers(module, rows)


def check(symmetry, answers, state):
    """Tables of a changed network must be the tables of the network, changed; return them."""
    drawn = symmetry.random(RNG)
    change = Transformation(drawn.permutations, drawn.signs, drawn.scales)
    found = answers([state, symmetry.apply(change, state)])
    for name, place in found.items():
        before, after = place.tables
        layout = {name: ((Part(len(before)),), place.parts)}
        seen = Symmetry(layout, symmetry.units, symmetry.signs, symmetry.scales)
        np.testing.assert_allclose(seen.apply(change, {name: before})[name], after, atol=1e-5)
        assert np.ptp(before, axis=0).max() > 0
    return found


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.block = nn.Conv2d(6, 6, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(24, 2)

    def forward(self, x):
        x = self.act(self.norm(self.stem(x)))
        x = x + self.act(self.block(x))
        return self.head(nn.functional.max_pool2d(x, 2).flatten(1))


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 12, activation="gelu", batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens):
        return self.head(self.layer(self.embed(tokens)).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind="LSTM", n_layers=1):
        super().__init__()
        self.rnn = getattr(nn, kind)(3, 5, n_layers, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.rnn(x)[0][:, -1]))


class Last(nn.Module):
    def forward(self, outputs_and_states):
        return outputs_and_states[0][-1]


X = RNG.normal(size=(40, 4))
IMAGES = RNG.normal(size=(7, 1, 6, 6))
SERIES = RNG.normal(size=(20, 6, 3))
NETWORKS = {
    "tanh": (nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)), X, 1),
    "relu": (nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 2)), X, 1),
    "images": (Residual(), IMAGES, 1),
    "attention": (Heads(), torch.arange(30).reshape(5, 6) % 9, 3),
    "LSTM": (Recurrent(), SERIES, 1),
    "GRU, two layers": (Recurrent("GRU", 2), SERIES, 2),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_answers_move_as_the_units_do(case):
    module, rows, n_groups = NETWORKS[case]
    module.train()
    state = arrays_of(module)
    symmetry, answers = followed(module, rows)
    found = check(symmetry, answers, state)
    seen = {part.units for place in found.values() for part in place.parts if part.units}
    assert seen <= set(symmetry.units)
    assert len(symmetry.units) >= n_groups
    assert module.training
    assert all(np.array_equal(a, state[name]) for name, a in arrays_of(module).items())


def test_the_first_and_the_last_place_of_each_group_are_taken():
    module = nn.Sequential(
        nn.Linear(4, 6), nn.Tanh(), nn.Dropout(), nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 2)
    ).double()
    with torch.no_grad():
        linear = module[0](torch.tensor(X)).numpy()
    _, answers = followed(module, X)
    places = answers([arrays_of(module)])
    assert len(places) == 4  # the dropout does nothing
    first, last, *_ = places.values()
    np.testing.assert_allclose(first.tables[0], linear)
    np.testing.assert_allclose(last.tables[0], np.tanh(linear))
    assert first.parts[0].signs == ("0.weight sign",)


def test_what_only_moves_answers_is_no_place_of_its_own():
    _, answers = followed(nn.Sequential(nn.LSTM(3, 5), Last(), nn.Linear(5, 2)), SERIES)
    (place,) = answers([arrays_of(nn.Sequential(nn.LSTM(3, 5), Last(), nn.Linear(5, 2)))]).values()
    assert place.tables[0].shape == (120, 5)


def test_lower_layers_of_stacked_recurrent_ones_are_not_seen():
    symmetry, answers = followed(Recurrent("LSTM", 2), SERIES)
    places = answers([arrays_of(Recurrent("LSTM", 2))])
    assert list(symmetry.units) == ["rnn.l0", "rnn.l1"]
    assert {part.units for place in places.values() for part in place.parts} == {"rnn.l1"}


def test_inputs_by_name_and_in_batches():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other, self.out = nn.Linear(4, 6), nn.Linear(3, 6), nn.Linear(6, 1)

        def forward(self, a, *, b, scale=1.0):
            return self.out(torch.sigmoid(self.one(a) + self.other(b)) * scale)

    module = Named().double()
    rows = {"b": X[:, :3], "a": X}
    whole = followed(module, rows)[1]([arrays_of(module)])
    batches = [{name: x[start : start + 16] for name, x in rows.items()} for start in (0, 16, 32)]
    symmetry, answers = followed(module, batches)
    parts = check(symmetry, answers, arrays_of(module))
    for name, place in whole.items():
        np.testing.assert_allclose(parts[name].tables[0], place.tables[0][:32])


def test_batches_of_many_sizes_are_refused():
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    with pytest.raises(ValueError, match=r"same shapes.*\(3, 4\).*one size"):
        torch_answers(module, [X[:5], X[:3], X[:5]])
    with pytest.raises(ValueError, match="0 batches"):
        torch_answers(module, [])


def test_long_tables_are_cut_alike_for_all_networks(monkeypatch):
    monkeypatch.setattr(_activations, "_MOST_ROWS", 30)
    module = Residual()
    symmetry, answers = followed(module, IMAGES)
    found = check(symmetry, answers, arrays_of(module))
    assert {len(place.tables[0]) for place in found.values()} == {
        28,
        30,
    }  # pixels after pooling, and before
    monkeypatch.setattr(_activations, "_MOST_ENTRIES", 60)
    assert max(place.tables[0].size for place in answers([arrays_of(module)]).values()) <= 60


@pytest.mark.parametrize("activation", ["tanh", "relu", "logistic", "identity"])
def test_perceptrons_of_scikit_learn(activation):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(hidden_layer_sizes=(6, 5), activation=activation, max_iter=5).fit(
            X, X[:, 0]
        )
    found = check(mlp_symmetry(model), mlp_answers(model, X), arrays_of(model))
    assert len(found) == 4
    before = X @ model.coefs_[0] + model.intercepts_[0]
    np.testing.assert_allclose(found["layer 0, before its activation"].tables[0], before)


def test_too_few_rows_and_nan_are_refused_and_masks_are_not():
    module = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    with pytest.raises(ValueError, match=r"1 answers at 'output of linear', 0 of them.*more rows"):
        torch_answers(module, X[:1])([arrays_of(module)])
    broken = np.where(np.arange(40)[:, None] == 3, np.nan, X)
    with pytest.raises(ValueError, match="40 answers .*, 2 of them with NaN"):
        torch_answers(module, broken)([arrays_of(module)] * 2)

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.linear = nn.Linear(4, 6), nn.Parameter(torch.ones(6))

        def forward(self, x):
            hidden = self.one(x).masked_fill(x[:, :1] > 0, -torch.inf)
            return torch.sigmoid(hidden) @ self.linear

    masked = Masked()
    places = torch_answers(masked, X)([arrays_of(masked)])
    assert places
    assert all(np.isfinite(place.tables[0]).all() for place in places.values())
