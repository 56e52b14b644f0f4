"""Every kind of model is described: what may move, how to run it, what is only a statistic."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackens import weight_averaging as wa
from stackens.neural import TorchMLPRegressor
from stackens.weight_averaging.adapters import adapter_of, to_array
from stackens.weight_averaging.alignment._described import described

torch = pytest.importorskip("torch")
nn = torch.nn
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = X[:, 0] ** 2


def arrays_of(model):
    tensors = adapter_of(model).tensors(model, model)
    return {name: to_array(tensor) for name, tensor in tensors.items()}


def describe(model, example=None, spec=None):
    arrays = arrays_of(model)
    return described(model, arrays, example, spec), arrays


def unchanged(known, model, arrays):
    """Whether a random change of the symmetry leaves the outputs as they are."""
    outputs = known.run(model)
    moved = known.symmetry.apply(known.symmetry.random(RNG), arrays)
    before, after = outputs(arrays), outputs(moved)
    return all(np.allclose(a, b, rtol=0, atol=1e-9) for a, b in zip(before, after, strict=True))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_perceptrons_of_scikit_learn_need_no_example():
    model = MLPRegressor(hidden_layer_sizes=5, max_iter=3).fit(X, Y)
    known, arrays = describe(model)
    assert known.symmetry.size("layer 0") == 5
    assert unchanged(known, model, arrays)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_of_a_pipeline_the_last_step_is_described():
    model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=5, max_iter=3)).fit(
        X, Y
    )
    known, arrays = describe(model, X[:4])
    (outputs,) = known.run(model)(arrays)
    np.testing.assert_allclose(outputs[:, 0], model.predict(X[:4]))


def test_networks_of_torch_are_followed_and_their_statistics_known():
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)).double()
    known, arrays = describe(model.eval(), torch.tensor(X[:4]))
    assert known.statistics == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    assert known.symmetry.units
    assert unchanged(known, model, arrays)


def test_networks_of_keras():
    keras = pytest.importorskip("keras")
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(5),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("tanh"),
            keras.layers.Dense(2, trainable=False),
        ]
    )
    known, arrays = describe(model, X[:4].astype("float32"))
    assert len(known.statistics) == 2
    assert all("moving" in name for name in known.statistics)
    assert unchanged(known, model, arrays)


def test_a_symmetry_that_is_known_is_taken():
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    spec = {"0.weight": ("P", None), "0.bias": ("P",), "2.weight": (None, "P")}
    known, arrays = describe(model, torch.tensor(X[:4]), spec)
    assert list(known.symmetry.units) == ["P"]
    assert unchanged(known, model, arrays)
    assert described({"w": X}, {"w": X}, None, {"w": ("P", None)}).run is None


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_rows_reach_the_network_as_its_inputs_do():
    model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=5, max_iter=3))
    model.fit(X + 3, Y)
    arrays = arrays_of(model)
    known = described(model, arrays, None, None, X + 3)
    before = model[0].transform(X + 3) @ model[1].coefs_[0] + model[1].intercepts_[0]
    seen = known.answers([arrays])["layer 0, before its activation"].tables[0]
    np.testing.assert_allclose(seen, before)
    student = TorchMLPRegressor((4,), max_iter=1, random_state=0).fit(X, Y)
    arrays = arrays_of(student)
    places = described(student, arrays, X[:5], None, X).answers([arrays])
    assert {len(place.tables[0]) for place in places.values()} == {40}
    assert described(student, arrays, X[:5], None).answers is None


def test_rows_for_what_cannot_be_run_through_are_refused():
    module = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    spec = {"0.weight": ("P", None), "0.bias": ("P",), "2.weight": (None, "P")}
    for model, given in ((module, spec), ({"w": X}, None)):
        with pytest.raises(ValueError, match=r"torch and scikit-learn.*Leave out activations="):
            described(model, arrays_of(model), torch.tensor(X), given, X)
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"Got a Sequential.*matched by their weights"):
        described(model, arrays_of(model), X, None, X)


def test_linear_models_have_no_units():
    known, _ = describe(Ridge().fit(X, Y))
    assert known.symmetry.variables == []
    assert known.run is None


def test_what_is_missing_is_said():
    with pytest.raises(ValueError, match="example="):
        describe(nn.Linear(3, 2))
    with pytest.raises(ValueError, match=r"tensors without a network.*symmetry="):
        described({"w": X}, {"w": X}, None, None)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_examples_of_another_width_are_refused():
    model = MLPRegressor(hidden_layer_sizes=5, max_iter=3).fit(X, Y)
    for wrong in (X[:, :2], X[:0], X[0]):
        with pytest.raises(ValueError, match="rows of 3 features"):
            describe(model, wrong)


class Masked(nn.Module):
    """Some units are left out; a mask says which."""

    def __init__(self, mask):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)
        self.register_buffer("mask", torch.tensor(mask))

    def forward(self, x):
        return self.last(torch.tanh(self.first(x) * self.mask))


def test_a_buffer_that_all_models_share_stays_as_it_is():
    models = [Masked([1.0, 0.0, 2.0, 0.5]).double() for _ in range(2)]
    arrays, other = map(arrays_of, models)
    known = described(models[0], arrays, torch.tensor(X[:4]), None, others=[other])
    assert not known.symmetry.variables
    assert known.symmetry.notes == (
        "mask: a buffer that all models share, so units that meet it stay",
    )
    merged = wa.average(wa.align(models, example=torch.tensor(X[:4])))
    assert torch.equal(merged.mask, models[0].mask)


def test_a_buffer_that_differs_moves_along_and_keeps_its_signs_and_scales():
    models = [Masked([1.0, 0.0, 2.0, 0.5]).double(), Masked([0.0, 1.0, 2.0, 0.5]).double()]
    arrays, other = map(arrays_of, models)
    known = described(models[0], arrays, torch.tensor(X[:4]), None, others=[other])
    assert known.symmetry.units.keys() == {"first.weight"}
    assert not known.symmetry.scales
    (mask,) = known.symmetry.layout["mask"]
    assert not mask[0].signs
    assert unchanged(known, models[0], arrays)


def test_running_statistics_that_are_equal_move_along():
    models = [
        nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))
        .double()
        .eval()
        for _ in range(2)
    ]
    for model in models:
        model[1].running_mean.copy_(torch.arange(5.0))
    arrays, other = map(arrays_of, models)
    known = described(models[0], arrays, torch.tensor(X[:4]), None, others=[other])
    assert list(known.symmetry.units) == ["0.weight"]
    assert "1.running_mean" in known.symmetry.layout


@pytest.mark.filterwarnings("ignore:.*script.*:DeprecationWarning")
def test_statistics_of_compiled_parts_are_known():
    model = nn.Sequential(nn.Linear(3, 5), torch.compile(nn.BatchNorm1d(5)), nn.Linear(5, 2))
    known, _ = describe(model.double().eval(), torch.tensor(X[:4]))
    assert known.statistics == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
