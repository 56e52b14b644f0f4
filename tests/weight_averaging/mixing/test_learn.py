"""Tests of learn_mixing: what it finds, what it leaves alone, what it refuses."""

import copy
import os

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from stackens import weight_averaging as wa

os.environ["KERAS_BACKEND"] = "torch"  # before Keras is first imported
torch = pytest.importorskip("torch")
from torch.nn import functional  # noqa: E402

FEATURES, LABELS = make_classification(600, 8, n_informative=6, n_classes=3, random_state=0)
X, Y = torch.tensor(FEATURES, dtype=torch.float32), torch.tensor(LABELS)
TRAIN, TEST = slice(0, 400), slice(400, 600)


def train(network, epochs, learning_rate, seed, rows=TRAIN):
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for batch in torch.randperm(rows.stop - rows.start, generator=generator).split(50):
            loss = functional.cross_entropy(network(X[rows][batch]), Y[rows][batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    optimizer.zero_grad()
    return network


@pytest.fixture(scope="module")
def models():
    """Four networks fine-tuned from one start, one of them badly."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        start = torch.nn.Sequential(
            torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(16, 3)
        )
        train(start, 10, 0.01, 0)
        tuned = [
            train(copy.deepcopy(start), 8, rate, seed)
            for seed, rate in enumerate([0.002, 0.005, 0.01, 0.3])
        ]
    return tuned


def loss_of(network):
    network.eval()
    with torch.no_grad():
        return float(functional.cross_entropy(network(X[TEST]), Y[TEST]))


def learn(models, **options):
    options = {"random_state": 0, "max_epochs": 15} | options
    return wa.learn_mixing(
        models,
        functional.cross_entropy,
        (X[TEST], Y[TEST]),
        validation=(X[TEST], Y[TEST]),
        **options,
    )


@pytest.mark.parametrize("per", ["model", "layer", "tensor", ["bias", "weight"]])
def test_it_is_at_least_as_good_as_the_best_start(models, per):
    mix = learn(models, per=per)
    assert mix.loss <= mix.start_loss
    assert mix.loss < min(loss_of(copy.deepcopy(model)) for model in models)
    assert mix.loss == pytest.approx(loss_of(mix.model), rel=1e-4)
    np.testing.assert_allclose(mix.weights.sum(axis=1), 1)
    assert mix.weights.shape == (len(mix.groups), 4)
    assert mix.frame().shape == mix.weights.shape


def test_more_freedom_does_not_fit_worse(models):
    whole, layers = learn(models, max_epochs=40), learn(models, per="layer", max_epochs=40)
    assert layers.loss <= whole.loss + 1e-3


def test_the_model_is_the_mean_with_these_weights(models):
    mix = learn(models)
    expected = sum(
        weight * model[0].weight.double()
        for weight, model in zip(mix.weights[0], models, strict=True)
    )
    torch.testing.assert_close(mix.model[0].weight, expected.float(), rtol=0, atol=1e-7)


def test_nothing_of_the_callers_changes(models):
    for model in models:
        model.train()
    models[-1][0].weight.requires_grad_(False)
    before = [tensor.clone() for model in models for tensor in model.state_dict().values()]
    seed = torch.random.get_rng_state()
    mix = learn(models)
    after = [tensor for model in models for tensor in model.state_dict().values()]
    assert all(map(torch.equal, before, after))
    assert torch.equal(torch.random.get_rng_state(), seed)
    assert all(model.training for model in models)
    assert all(p.grad is None for model in [*models, mix.model] for p in model.parameters())
    assert [p.requires_grad for p in mix.model.parameters()] == [False, True, True, True]
    models[-1][0].weight.requires_grad_(True)


def test_the_same_seed_gives_the_same_bits(models):
    data = X[TEST], Y[TEST]
    first, second = (
        wa.learn_mixing(models, functional.cross_entropy, data, random_state=1, max_epochs=5)
        for _ in range(2)
    )
    assert first.weights.tolist() == second.weights.tolist()
    assert first.history[1:] == second.history[1:]


def test_state_dicts_and_names(models):
    states = {f"run {i}": model.state_dict() for i, model in enumerate(models)}
    mix = learn(states, network=models[0])
    assert list(mix.frame().columns) == list(states)
    assert mix.weights.tolist() == learn(models).weights.tolist()
    assert isinstance(mix.model, torch.nn.Sequential)
    assert mix.model is not models[0]


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_checkpoints_on_disk(models, suffix, tmp_path):
    paths = [tmp_path / f"{i}.{suffix}" for i in range(len(models))]
    for model, path in zip(models, paths, strict=True):
        if suffix == "pt":
            torch.save({"state_dict": model.state_dict(), "epoch": 3}, path)
        else:
            pytest.importorskip("safetensors.torch").save_file(model.state_dict(), path)
    mix = learn(paths, network=models[0], per="layer")
    assert mix.weights.tolist() == learn(models, per="layer").weights.tolist()
    searched = wa.learn_mixing(
        paths, evaluate=lambda m: -loss_of(m), network=models[0], max_evaluations=9
    )
    assert searched.loss == pytest.approx(loss_of(searched.model), rel=1e-4)


def test_a_data_loader_with_rows_to_stop_on(models):
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=100)
    mix = wa.learn_mixing(models, functional.cross_entropy, loader, validation=loader, max_epochs=3)
    assert mix.loss <= mix.start_loss


def test_tied_weights_stay_tied_and_buffers_are_mixed():
    class Tied(torch.nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.inner = torch.nn.Linear(2, 2, bias=False)
            self.outer = torch.nn.Linear(2, 2, bias=False)
            self.outer.weight = self.inner.weight
            self.norm = torch.nn.BatchNorm1d(2)
            torch.nn.init.constant_(self.inner.weight, scale)
            self.norm.running_mean.fill_(scale)
            self.norm.num_batches_tracked.fill_(int(10 * scale))

        def forward(self, x):
            return self.outer(self.inner(self.norm(x)))

    x = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    mix = wa.learn_mixing(
        [Tied(0.2), Tied(0.6)], functional.mse_loss, (x, 0 * x), start=[0.25, 0.75], max_epochs=0
    )
    assert mix.model.outer.weight is mix.model.inner.weight
    assert mix.model.norm.running_mean.tolist() == pytest.approx([0.5, 0.5])
    assert mix.model.norm.num_batches_tracked == 6
    assert "outer.weight" not in mix.groups["(all)"]


def test_scores_without_a_gradient_on_linear_models():
    fitted = [
        LogisticRegression(C=c).fit(FEATURES[rows], LABELS[rows])
        for c, rows in ((1.0, slice(0, 40)), (1.0, slice(40, 80)), (1.0, slice(80, 400)))
    ]
    mix = wa.learn_mixing(
        fitted, evaluate=lambda model: model.score(FEATURES[TEST], LABELS[TEST]), max_evaluations=40
    )
    assert isinstance(mix.model, LogisticRegression)
    score = mix.model.score(FEATURES[TEST], LABELS[TEST])
    assert -mix.loss == score >= max(m.score(FEATURES[TEST], LABELS[TEST]) for m in fitted)


def test_a_score_for_each_row_is_a_score(models):
    def per_row(model):
        with torch.no_grad():
            return (model.eval()(X[TEST]).argmax(1) == Y[TEST]).double().numpy()

    by_row = wa.learn_mixing(models, evaluate=per_row, max_evaluations=20)
    by_mean = wa.learn_mixing(models, evaluate=lambda m: per_row(m).mean(), max_evaluations=20)
    values = np.ravel(per_row(by_row.model))
    scores = by_row.scores.loc["learnt"]
    assert scores["loss"] == pytest.approx(-values.mean())
    assert scores["se"] == pytest.approx(values.std(ddof=1) / len(values) ** 0.5)
    assert by_mean.scores["se"].isna().all()
    assert list(by_row.scores.index)[-3:] == ["equal weights", "greedy soup", "learnt"]
    np.testing.assert_array_equal(by_row.weights, by_mean.weights)


def test_a_loss_that_is_never_finite_is_told(models):
    with pytest.raises(ValueError, match="'loss' function must give finite numbers"):
        wa.learn_mixing(models, lambda outputs, y: outputs.mean() * torch.nan, (X, Y), max_epochs=1)


def test_gradients_are_had_where_they_are_off(models):
    expected = learn(models, max_epochs=2)
    with torch.no_grad():
        found = learn(models, max_epochs=2)
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_a_network_that_is_not_a_number_is_named(models):
    broken = copy.deepcopy(models[0])
    torch.nn.init.constant_(broken[0].weight, torch.nan)
    with pytest.raises(ValueError, match=r"NaN.*'0\.weight' in model 4"):
        learn([*models, broken])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"Got neither"),
        ({"loss": functional.mse_loss}, r"Got \['loss'\]"),
        ({"evaluate": len, "loss": functional.mse_loss, "data": [1]}, "'loss', 'data', 'evaluate'"),
        ({"evaluate": len, "constraint": "box"}, "'constraint' parameter must be"),
        ({"evaluate": len, "bias": True}, "bias=True without a 'loss'"),
        ({"evaluate": len, "start": "middle"}, "'start' parameter must be"),
        ({"evaluate": len, "start": [0.5, 0.5]}, "4 finite weights"),
        ({"evaluate": lambda model: np.nan, "max_evaluations": 3}, "finite numbers. Got none"),
        ({"evaluate": len, "max_evaluations": 0}, "'max_evaluations' parameter must be"),
        ({"evaluate": len, "batch_size": 2.5}, "'batch_size' parameter must be"),
        ({"evaluate": len, "learning_rate": 0}, "'learning_rate' parameter must be"),
        ({"evaluate": len, "start": [1, 1, 1, 1]}, "must fit the constraint 'simplex'"),
        ({"evaluate": len, "start": [2, 0, -1, 0]}, "must fit the constraint 'simplex'"),
        ({"evaluate": len, "start": [2, 0, 0, 0], "constraint": "bounded"}, "must fit the"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(models, options, message):
    with pytest.raises(ValueError, match=message):
        wa.learn_mixing(models, **options)


def test_models_that_do_not_fit_are_refused(models):
    other = torch.nn.Sequential(torch.nn.Linear(8, 17), torch.nn.ReLU(), torch.nn.Linear(17, 3))
    with pytest.raises(ValueError, match="0.weight"):
        learn([models[0], other])
    with pytest.raises(ValueError, match="at least two models"):
        learn(models[:1])
    with pytest.raises(ValueError, match="no 'network'"):
        learn(["a.pt", "b.pt"])
    states = [model.state_dict() for model in models]
    with pytest.raises(TypeError, match="as network="):
        learn(states)


def test_under_inference_mode(models):
    expected = learn(models, max_epochs=2)
    with torch.inference_mode():
        found = learn(models, max_epochs=2)
    assert found.loss == expected.loss
    found.model(X).sum().backward()  # can be trained on


def test_epochs_that_are_no_number_are_refused(models):
    with pytest.raises(ValueError, match="'max_epochs' parameter must be a whole number"):
        learn(models, max_epochs=1.5)


# Keras 3.15 hands its variables to numpy 2 in the old way.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_keras_models():
    keras = pytest.importorskip("keras")

    def build(seed):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.layers.Input((8,)),
                keras.layers.Dense(6, activation="tanh"),
                keras.layers.BatchNormalization(),
                keras.layers.Dense(3),
            ]
        )
        return model

    with torch.random.fork_rng():
        start = build(0)
        tuned = [keras.models.clone_model(start) for _ in range(2)]
        for scale, model in zip((0.5, 1.5), tuned, strict=True):
            model.set_weights([weight * scale for weight in start.get_weights()])
    before = [weight for model in tuned for weight in model.get_weights()]
    mix = wa.learn_mixing(
        tuned, functional.cross_entropy, (X, Y), per="layer", random_state=0, max_epochs=5
    )
    assert mix.loss <= mix.start_loss
    after = [weight for model in tuned for weight in model.get_weights()]
    assert all(map(np.array_equal, before, after))
    assert mix.model.predict(FEATURES[:2], verbose=0).shape == (2, 3)
    expected = mix.weights[0] @ [model.get_weights()[0][0, 0] for model in tuned]
    assert mix.model.get_weights()[0][0, 0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("by", ["loss", "evaluate"])
def test_free_weights_leave_a_mask_alone(by):
    mask = torch.tensor([0.0, -torch.inf])
    states = [{"w": torch.tensor([value]), "mask": mask} for value in (1.0, 5.0)]

    class Masked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(1))
            self.register_buffer("mask", mask.clone())

        def forward(self, x):
            return self.w * x * self.mask.softmax(0)[0]

    def score(model):
        return -abs(model(torch.ones(1)).item() - 2)

    x = torch.ones(40)
    given = (functional.mse_loss, (x, 2 * x)) if by == "loss" else ()
    kwargs = {} if by == "loss" else {"evaluate": score}
    start, network = [1.6, -0.4], Masked()
    mix = wa.learn_mixing(
        states, *given, **kwargs, network=network, constraint="free", start=start, random_state=0
    )
    assert torch.equal(mix.model.mask, mask)
    assert abs(score(mix.model)) < 0.1


@pytest.mark.parametrize(
    "options", [{"evaluate": "accuracy"}, {"loss": "cross_entropy", "data": (X, Y)}]
)
def test_measures_must_be_functions(options, models):
    with pytest.raises(TypeError, match="must be functions. Got '(accuracy|cross_entropy)'"):
        wa.learn_mixing(models, **options)


def test_a_loss_can_be_searched_as_well():
    models = [{"w": np.array([1.0])}, {"w": np.array([5.0])}]

    def loss(model):
        return (model["w"].item() - 2) ** 2

    found = wa.learn_mixing(models, evaluate=loss, greater_is_better=False, max_evaluations=60)
    same = wa.learn_mixing(models, evaluate=lambda model: -loss(model), max_evaluations=60)
    np.testing.assert_array_equal(found.weights, same.weights)
    assert found.loss == same.loss == pytest.approx(0.0, abs=1e-3)
    assert found.start_loss == 1.0
