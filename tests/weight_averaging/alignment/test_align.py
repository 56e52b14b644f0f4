"""Networks trained apart are rewritten so that their average is a model again."""

import copy
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import shuffle

from stackens import weight_averaging as wa
from stackens.weight_averaging import align
from stackens.weight_averaging.adapters import adapter_of

X, Y = load_digits(return_X_y=True)
X, Y = shuffle(X / 16, Y, random_state=0)
TRAIN, TEST = slice(0, 1200), slice(1200, None)


def fitted(seed, activation="relu", **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPClassifier((192, 192), activation=activation, random_state=seed, max_iter=20)
        return model.set_params(**settings).fit(X[TRAIN], Y[TRAIN])


MODELS = [fitted(seed) for seed in range(3)]


def correct(model):
    return (model.predict(X[TEST]) == Y[TEST]).astype(float)


@pytest.mark.parametrize("reference", ["barycentre", 0, "b"])
def test_aligned_models_are_the_same_functions_with_a_better_average(reference):
    models = dict(zip("abc", MODELS, strict=True))
    before = [copy.deepcopy(model.coefs_) for model in MODELS]
    aligned = align(models, reference, evaluate=correct)
    for model, new, coefs in zip(MODELS, aligned, before, strict=True):
        assert new is not model
        np.testing.assert_allclose(
            new.predict_proba(X[TEST]), model.predict_proba(X[TEST]), rtol=1e-9, atol=1e-12
        )
        assert all(np.array_equal(a, b) for a, b in zip(model.coefs_, coefs, strict=True))
    naive, better = (correct(wa.average(list(m))).mean() for m in (MODELS, aligned))
    assert better > naive + 0.1
    assert better > np.mean([correct(model).mean() for model in MODELS]) - 0.03
    assert aligned.report.deviation < 1e-12
    assert ("can be used" in aligned.report.summary()) is aligned.report.quality.is_enough


def test_the_reference_stays_where_it_is():
    aligned = align(MODELS, 1)
    for old, new in zip(MODELS[1].coefs_, aligned[1].coefs_, strict=True):
        np.testing.assert_array_equal(old, new)
    outside = align(MODELS[:1], MODELS[1])
    for old, new in zip(align(MODELS[:2], 1)[0].coefs_, outside[0].coefs_, strict=True):
        np.testing.assert_array_equal(old, new)


def test_signs_of_tanh_are_matched_unless_unwanted():
    models = [fitted(seed, "tanh") for seed in range(2)]
    signed = align(models, 0).report
    unsigned = align(models, 0, signed=False).report
    assert signed.frame()["flipped"].iloc[2:].min() > 0.2
    assert unsigned.frame()["flipped"].isna().all()
    assert signed.similarity_after[0] > unsigned.similarity_after[0]


def test_a_hidden_copy_is_found():
    order = np.random.default_rng(0).permutation(192)
    other = copy.deepcopy(MODELS[0])
    other.coefs_[:2] = other.coefs_[0][:, order], other.coefs_[1][order]
    other.intercepts_[0] = other.intercepts_[0][order]
    aligned = align([MODELS[0], other], 0)
    np.testing.assert_allclose(aligned[1].coefs_[0], MODELS[0].coefs_[0], rtol=1e-9)
    assert aligned.report.similarity_after[0] == pytest.approx(1)


@pytest.mark.parametrize("reference", ["barycentre", 0])
def test_units_can_be_matched_by_their_answers(reference):
    aligned = align(MODELS, reference, activations=X[:200], evaluate=correct)
    for model, new in zip(MODELS, aligned, strict=True):
        np.testing.assert_allclose(new.predict_proba(X), model.predict_proba(X), rtol=1e-9)
    naive, better = (correct(wa.average(list(m))).mean() for m in (MODELS, aligned))
    assert better > naive + 0.1
    assert min(aligned.report.similarity_after) > 0.3 > max(aligned.report.similarity_before)
    assert "cosine between activations and reference" in aligned.report.summary()


def test_a_hidden_copy_is_found_by_its_answers():
    models = [fitted(0, "tanh"), fitted(1, "tanh")]
    symmetry = align(models, 0).report.symmetry
    adapter = adapter_of(models[0])
    arrays = adapter.tensors(models[0], models[0])
    moved = symmetry.apply(symmetry.random(np.random.default_rng(0)), arrays)
    hidden = adapter.write(copy.deepcopy(models[0]), moved.items())
    for reference in (0, models[0]):
        aligned = align([models[0], hidden], reference, activations=X[:300])
        for ours, theirs in zip(aligned[1].coefs_, models[0].coefs_, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def recurrent(seed):
    """An LSTM that reads digits line by line, trained for a while."""
    import torch

    class Lines(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.LSTM(8, 32, batch_first=True)
            self.head = torch.nn.Linear(32, 10)

        def forward(self, x):
            return self.head(self.rnn(x.reshape(-1, 8, 8))[0][:, -1])

    x, y = torch.tensor(X[TRAIN], dtype=torch.float32), torch.tensor(Y[TRAIN])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Lines()
        optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
        for _ in range(8):
            for rows in torch.randperm(len(x)).split(64):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
                optimizer.step()
    return network


def test_recurrent_networks_are_matched_by_answers_with_signs():
    torch = pytest.importorskip("torch")
    models = [recurrent(seed) for seed in range(2)]
    rows = X[:300].astype("float32")

    def accuracy(model):
        with torch.no_grad():
            found = model(torch.tensor(X[TEST], dtype=torch.float32)).argmax(1)
        return (found.numpy() == Y[TEST]).mean()

    aligned = align(models, 0, rows[:8], activations=[rows[:100], rows[100:200], rows[200:]])
    assert aligned.report.frame()["flipped"].iloc[1:].min() > 0.2
    assert accuracy(wa.average(aligned)) > accuracy(wa.average(models)) + 0.1
    symmetry = aligned.report.symmetry
    arrays = {name: tensor.numpy() for name, tensor in models[0].state_dict().items()}
    moved = symmetry.apply(symmetry.random(np.random.default_rng(0)), arrays)
    hidden = copy.deepcopy(models[0])
    hidden.load_state_dict({name: torch.tensor(array) for name, array in moved.items()})
    found = align([models[0], hidden], 0, rows[:8], activations=rows)
    for name, tensor in found[1].state_dict().items():
        np.testing.assert_array_equal(tensor, arrays[name])


def test_the_frame_says_what_moved_and_the_picture_what_it_brought():
    report = align(MODELS, evaluate=correct).report
    frame = report.frame()
    assert frame.columns.tolist() == ["model", "units", "size", "moved", "flipped"]
    assert frame["model"].tolist() == [f"model {i // 2}" for i in range(6)]
    assert frame["moved"].iloc[2:].min() > 0.5
    pytest.importorskip("matplotlib")
    drawn = report.plot()
    assert {"as trained", "aligned"} <= set(drawn.frame()["series"])
    with pytest.raises(ValueError, match="evaluate="):
        align(MODELS).report.plot()


def test_where_aligning_is_not_enough_the_report_says_so():
    models = [fitted(seed, hidden_layer_sizes=(12, 12), max_iter=60) for seed in range(2)]
    summary = align(models, evaluate=correct).report.summary()
    assert "not enough" in summary
    assert "one_shot_merge" in summary


def test_pipelines_and_regressors():
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, size=(300, 4))
    y = np.sin(x[:, 0]) + x[:, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = [
            make_pipeline(
                StandardScaler(), MLPRegressor(hidden_layer_sizes=64, max_iter=80, random_state=s)
            ).fit(x, y)
            for s in (0, 1)
        ]
    aligned = align(models, 0, x[:20])
    np.testing.assert_allclose(aligned[1].predict(x), models[1].predict(x), rtol=1e-9)
    assert wa.average(aligned).score(x, y) > wa.average(models).score(x, y)


def test_arrays_with_a_symmetry_by_hand():
    rng = np.random.default_rng(0)
    a = {"w": rng.normal(size=(6, 3)), "v": rng.normal(size=(2, 6)), "b": rng.normal(size=6)}
    order = rng.permutation(6)
    b = {"w": a["w"][order], "v": a["v"][:, order], "b": a["b"][order]}
    spec = {"w": ("P", None), "b": ("P",), "v": (None, "P")}
    aligned = align([a, b], 0, symmetry=spec)
    for name in a:
        np.testing.assert_allclose(aligned[1][name], a[name])
    assert aligned.report.deviation is None
    assert "Not checked" in aligned.report.summary()


def test_linear_models_have_nothing_to_move():
    models = [LogisticRegression(C=c, max_iter=500).fit(X, Y) for c in (0.1, 1.0)]
    aligned = align(models)
    np.testing.assert_array_equal(aligned[0].coef_, models[0].coef_)
    assert aligned.report.frame().empty
    assert "nothing to move" in aligned.report.summary()


def test_wrong_inputs_are_explained():
    with pytest.raises(ValueError, match="hidden_layer_sizes|shape"):
        align([MODELS[0], fitted(0, hidden_layer_sizes=(64,))])
    with pytest.raises(ValueError, match=r"'reference'.*Got 7.*Use 0"):
        align(MODELS, 7)
    with pytest.raises(ValueError, match="symmetry="):
        align([{"w": np.ones(3)}, {"w": np.zeros(3)}])
    broken = copy.deepcopy(MODELS[0])
    broken.coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"model 1.*coefs_\.0|coefs_\.0.*model 1"):
        align([MODELS[0], broken])
    with pytest.raises(TypeError, match="list of models"):
        align(MODELS[0])
    with pytest.raises(TypeError, match="one kind"):
        align([MODELS[0], {"w": np.ones(3)}])


# ---------------------------------------------------------------- what is no weight


def perceptrons(n=2):
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [[torch.nn.Linear(3, 8), torch.nn.Linear(8, 2)] for _ in range(n)]
    return [torch.nn.Sequential(one, torch.nn.ReLU(), two) for one, two in layers]


class Shifted:
    """Makes a module with a buffer and a setting that are not among its saved tensors."""

    def __new__(cls, net, shift, n_heads):
        torch = pytest.importorskip("torch")

        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.net, self.n_heads = net, n_heads
                self.register_buffer("shift", torch.tensor(shift), persistent=False)

            def forward(self, x):
                h = self.net[1](self.net[0](x - self.shift)).unflatten(-1, (self.n_heads, -1))
                return self.net[2]((h * h.sum(-1, keepdim=True)).flatten(-2))

        return Module()


def test_each_network_keeps_what_is_no_weight():
    torch = pytest.importorskip("torch")
    x = torch.ones(4, 3)
    first, second = (Shifted(net, 1.0 + i, 2) for i, net in enumerate(perceptrons()))
    second.eval()
    second.net[0].weight.requires_grad_(False)
    for reference in (0, 1):
        one, two = align([first, second], reference, x)
        assert torch.allclose(one(x), first(x), atol=1e-6)
        assert torch.allclose(two(x), second(x), atol=1e-6)
        assert (one.training, two.training) == (True, False)
        assert [p.requires_grad for p in one.parameters()] == [True] * 4
        assert [p.requires_grad for p in two.parameters()] == [False, True, True, True]


def test_a_change_that_is_wrong_for_one_of_the_networks_is_refused():
    torch = pytest.importorskip("torch")
    one, two = (Shifted(net, 0.0, n) for net, n in zip(perceptrons(), (1, 4), strict=True))
    with pytest.raises(ValueError, match=r"change of .* in the outputs of model 1"):
        align([one, two], 0, torch.ones(4, 3))


def test_references_and_restarts_of_the_wrong_kind():
    torch = pytest.importorskip("torch")
    models, x = perceptrons(), torch.ones(4, 3)
    assert len(align(models, np.int64(1), x)) == 2
    for reference in (None, True, 0.0, 2):
        with pytest.raises(ValueError, match=rf"'reference'.*Got {reference}"):
            align(models, reference, x)
    for n_restarts in (-1, 1.5, "3"):
        with pytest.raises(ValueError, match=rf"'n_restarts'.*Got {n_restarts!r}"):
            align(models, 0, x, n_restarts=n_restarts)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")
def test_networks_with_old_weight_normalisation_are_aligned_averaged_and_repaired():
    torch = pytest.importorskip("torch")
    models, x = perceptrons(), torch.linspace(-1, 1, 30).reshape(10, 3)
    for net in models:
        torch.nn.utils.weight_norm(net[0])
    aligned = align(models, 0, x)
    for old, new in zip(models, aligned, strict=True):
        assert torch.allclose(old(x), new(x), atol=1e-6)
    merged = wa.repair(wa.average(aligned), aligned, x)
    deviations = [net(x).std(0) for net in (*aligned, merged)]
    assert torch.allclose(deviations[2], (deviations[0] + deviations[1]) / 2, rtol=1e-4)


def test_noise_of_a_network_is_repeated_and_draws_from_nobody():
    torch = pytest.importorskip("torch")

    class Noisy(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x + torch.randn_like(x))

    x = torch.linspace(-1, 1, 30).reshape(10, 3)
    before = torch.get_rng_state()
    for rows in (None, x):
        aligned = align([Noisy(net) for net in perceptrons()], 0, x, activations=rows)
        assert aligned.report.deviation < 1e-12
        assert aligned.report.frame()["moved"].max() > 0
    assert torch.equal(torch.get_rng_state(), before)
