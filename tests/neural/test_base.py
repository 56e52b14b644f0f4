"""Tests of what both tabular networks do: tables, weights, seeds, starts, epochs, errors."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import stackens as se
from stackens.exceptions import MissingExtraError
from stackens.neural import CheckpointRecorder

torch = pytest.importorskip("torch")

BOTH = pytest.mark.parametrize("cls", [se.TorchMLPClassifier, se.TorchMLPRegressor])
N = 150
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(N, 4))
SIGNAL = X[:, 0] + np.where(X[:, 1] > 0, 1.0, -1.0)


def small(cls, **settings):
    usual = {"hidden_layer_sizes": (16,), "max_iter": 4, "random_state": 0}
    return cls(**usual | settings)


def target(cls):
    return (SIGNAL > 0).astype(int) if cls is se.TorchMLPClassifier else SIGNAL


def answers(model, X=X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def state(model):
    return {name: tensor.clone() for name, tensor in model.module_.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def mixed(n=N):
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "number": random.normal(size=n),
            "text": random.choice(["a", "b", None], size=n),
            "level": pd.Categorical(random.choice(["x", "y", "z"], size=n)),
            "flag": random.random(n) > 0.5,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(99, size=n), "D"),
            "city": [f"city {i % 60}" for i in range(n)],
        }
    )
    frame.loc[::7, "number"] = np.nan
    return frame


# ---------------------------------------------------------------- tables


@BOTH
@pytest.mark.parametrize("categories", ["auto", "one_hot", "embedding"])
def test_a_table_as_it_is(cls, categories):
    frame = mixed()
    model = small(cls, categories=categories).fit(frame, target(cls))
    assert (model.module_.inputs.vectors is None) == (categories == "one_hot")
    assert model.feature_names_in_.tolist() == frame.columns.tolist()
    new = frame.iloc[:4].copy()
    new["text"] = ["never seen", None, "a", "b"]
    new["city"] = ["nowhere", "city 1", None, "city 2"]
    new.loc[:, "number"] = [np.nan, np.inf, 1e300, -1e300]
    new["level"] = pd.Categorical(["w", "x", None, "y"])
    found = answers(model, new)
    assert len(found) == 4
    assert np.isfinite(found).all()


@BOTH
def test_polars_and_pandas_give_the_same_answers(cls):
    frame = mixed().drop(columns="level")
    model = small(cls).fit(frame, target(cls))
    other = small(cls).fit(pl.from_pandas(frame), pl.Series(target(cls)))
    np.testing.assert_array_equal(answers(other, pl.from_pandas(frame)), answers(model, frame))


@BOTH
def test_embeddings_learn_what_levels_mean(cls):
    level = np.repeat(np.arange(60), 10)
    means = np.random.default_rng(0).permutation(60) - 29.5
    y = means[level]
    if cls is se.TorchMLPClassifier:
        y = y > 0
    frame = pd.DataFrame({"level": [f"level {i}" for i in level], "noise": RANDOM.normal(size=600)})
    model = cls(random_state=0, max_iter=30).fit(frame, y)
    assert model.module_.inputs.vectors.weight.shape == (62, 8)
    assert model.score(frame, y) > 0.9


@BOTH
def test_one_row_at_a_time_gives_the_same_answers(cls):
    frame = mixed()
    model = small(cls).fit(frame, target(cls))
    single = np.concatenate([answers(model, frame.iloc[[i]]) for i in range(20)])
    np.testing.assert_allclose(single, answers(model, frame)[:20], rtol=0, atol=1e-12)


# ---------------------------------------------------------------- weights and order


@BOTH
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_weight_is_a_repetition(cls, early_stopping):
    y, weights = target(cls), np.random.default_rng(2).integers(0, 4, size=N)
    model = small(cls, early_stopping=early_stopping)
    weighted = clone(model).fit(X, y, sample_weight=weights)
    index = np.random.default_rng(3).permutation(np.repeat(np.arange(N), weights))
    repeated = clone(model).fit(X[index], y[index])
    assert equal(state(weighted), state(repeated))
    np.testing.assert_array_equal(answers(weighted), answers(repeated))


@BOTH
def test_rows_of_no_weight_are_absent(cls):
    frame, y = mixed(), target(cls)
    weights = np.r_[np.zeros(50), np.ones(N - 50)]
    weighted = small(cls).fit(frame, y, sample_weight=weights)
    absent = small(cls).fit(frame.iloc[50:], y[50:])
    np.testing.assert_array_equal(answers(weighted, frame), answers(absent, frame))
    scaled = small(cls).fit(frame.iloc[50:], y[50:], sample_weight=np.full(N - 50, 4.0))
    np.testing.assert_array_equal(answers(scaled, frame), answers(absent, frame))


# ---------------------------------------------------------------- seeds and global state


@BOTH
@pytest.mark.parametrize("settings", [{}, {"dropout": 0.3, "average": "ema"}])
def test_one_seed_gives_the_same_bits_and_touches_nothing(cls, settings):
    y = target(cls)
    torch_state = torch.get_rng_state()
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    given = X.copy()
    one = small(cls, **settings).fit(given, y)
    same = small(cls, n_jobs=2, **settings).fit(given, y)
    other = small(cls, random_state=1, **settings).fit(given, y)
    assert equal(state(one), state(same))
    assert not equal(state(one), state(other))
    np.testing.assert_array_equal(answers(one), answers(same))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, grad)
    np.testing.assert_array_equal(given, X)


@BOTH
def test_jobs_side_by_side_change_no_bit(cls):
    models = {str(seed): small(cls, random_state=seed) for seed in range(3)}
    one, two = (
        se.cross_fit(models, X, target(cls), cv=3, n_jobs=n_jobs, random_state=0)
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.out_of_fold.values, two.out_of_fold.values)
    assert one.final_fit == dict.fromkeys(models, "bag")


# ---------------------------------------------------------------- starting from somewhere


@BOTH
def test_a_warm_start_trains_on_behind_the_same_encoder(cls):
    y = target(cls)
    model = small(cls, warm_start=True).fit(X, y)
    encoder, before = model.encoder_, state(model)
    model.set_params(learning_rate=1e-12).fit(X[:120] * 2, y[:120])
    assert model.encoder_ is encoder
    assert len(model.loss_curve_) == 4
    for name, tensor in state(model).items():
        torch.testing.assert_close(tensor, before[name], atol=1e-8, rtol=0)
    model.set_params(learning_rate=0.01).fit(X, y)
    assert not equal(state(model), before)
    cold = clone(model).set_params(warm_start=False).fit(X, y)
    assert cold.fit(X[:120], y[:120]).encoder_ is not encoder


@BOTH
def test_dropout_may_change_on_the_way(cls):
    y = target(cls)
    model = small(cls, warm_start=True).fit(X, y)
    twin = copy.deepcopy(model).set_params(dropout=0.5)
    assert not equal(state(twin.fit(X, y)), state(model.fit(X, y)))
    assert "rate=0.5" in repr(twin.module_)


@BOTH
def test_models_can_share_their_start(cls):
    y = target(cls)
    start = state(small(cls).fit(X, y))
    kept = {name: tensor.clone() for name, tensor in start.items()}
    arrays = {name: tensor.numpy() for name, tensor in start.items()}
    still = small(cls, random_state=1, learning_rate=1e-12)
    for given in (start, arrays):
        model = clone(still).fit(X, y, initial_state=given)
        assert all(torch.allclose(state(model)[name], start[name], atol=1e-8) for name in start)
    clone(still).set_params(learning_rate=0.1).fit(X, y, initial_state=start)
    assert equal(start, kept)
    with pytest.raises(ValueError, match=r"The state must have the same names.*'layers.0.weight'"):
        small(cls, hidden_layer_sizes=(15,)).fit(X, y, initial_state=start)


@BOTH
def test_another_state_makes_another_model(cls):
    y = target(cls)
    one, other = small(cls).fit(X, y), small(cls, random_state=1).fit(X, y)
    before = answers(one)
    made = one.with_state(other.module_.state_dict())
    np.testing.assert_array_equal(answers(made), answers(other))
    np.testing.assert_array_equal(answers(one), before)
    with pytest.raises(NotFittedError):
        small(cls).with_state({})


# ---------------------------------------------------------------- epochs


@BOTH
def test_the_best_epoch_is_kept(cls):
    noise = np.random.default_rng(5)
    y = noise.permutation(target(cls))
    seen = {}

    def on_epoch(module, epoch, loss):
        seen[epoch] = (loss, {name: t.clone() for name, t in module.state_dict().items()})

    model = small(cls, max_iter=60, n_iter_no_change=5, learning_rate=0.01)
    model.fit(X, y, on_epoch=on_epoch)
    scores = model.validation_scores_
    best = int(np.argmax(scores))
    assert model.n_iter_ == len(model.loss_curve_) == len(scores) == best + 5 + 1 < 60
    assert scores == [-seen[epoch][0] for epoch in range(model.n_iter_)]
    assert equal(state(model), seen[best][1])


@BOTH
def test_early_stopping_by_itself_needs_rows(cls):
    y = target(cls)
    assert small(cls).fit(X[:99], y[:99]).validation_scores_ == []
    assert len(small(cls).fit(X[:100], y[:100]).validation_scores_) == 4
    assert len(small(cls, early_stopping=True).fit(X[:50], y[:50]).validation_scores_) == 4
    assert small(cls, early_stopping=False).fit(X, y).validation_scores_ == []


@BOTH
@pytest.mark.parametrize("average", ["ema", "swa", "last_n"])
def test_averages_are_models_that_learnt(cls, average):
    y = target(cls)
    plain = small(cls, max_iter=20).fit(X, y)
    model = small(cls, max_iter=20, average=average).fit(X, y)
    assert not equal(state(model), state(plain))
    assert model.score(X, y) > 0.7


@BOTH
def test_the_last_epochs_are_averaged(cls):
    recorder = CheckpointRecorder(last=10)
    model = small(cls, max_iter=12, average="last_n", early_stopping=False)
    model.fit(X, target(cls), on_epoch=recorder)
    found = state(model)
    assert len(recorder.states) == 10
    for name in ("layers.0.weight", "layers.3.bias"):
        expected = torch.stack([kept[name] for kept in recorder.states]).mean(dim=0)
        torch.testing.assert_close(found[name], expected)


@BOTH
def test_checkpoints_are_recorded(cls, tmp_path):
    pytest.importorskip("safetensors")
    recorder = CheckpointRecorder(best=2, greater_is_better=False, folder=tmp_path)
    model = small(cls, dropout=0.2).fit(X, target(cls), on_epoch=recorder)
    assert len(recorder.paths) == 2
    worst = min(checkpoint.score for checkpoint in recorder.checkpoints)
    assert worst == -max(model.validation_scores_)


@BOTH
def test_the_module_can_be_copied_in_training(cls):
    copies = []
    small(cls, dropout=0.2).fit(
        X, target(cls), on_epoch=lambda module, *_: copies.append(copy.deepcopy(module))
    )
    assert len(copies) == 4


@BOTH
def test_a_caller_may_stop_and_verbose_tells(cls, capsys):
    model = small(cls, verbose=1).fit(X, target(cls), on_epoch=lambda *told: told[1] == 1)
    assert model.n_iter_ == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"{cls.__name__}: epoch 2 of 4, validation loss ")
    small(cls, verbose=1, early_stopping=False, max_iter=1).fit(X, target(cls))
    assert capsys.readouterr().out == f"{cls.__name__}: epoch 1 of 1\n"


# ---------------------------------------------------------------- copies


@BOTH
def test_copies_survive(cls, tmp_path):
    model = small(cls, dropout=0.1).fit(mixed(), target(cls))
    joblib.dump(model, tmp_path / "model.joblib")
    for twin in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        joblib.load(tmp_path / "model.joblib"),
    ):
        np.testing.assert_array_equal(answers(twin, mixed()), answers(model, mixed()))
    assert not hasattr(clone(model), "module_")
    assert clone(model).get_params() == model.get_params()


# ---------------------------------------------------------------- wrong inputs


@BOTH
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_layer_sizes": (16, 0)}, r"'hidden_layer_sizes' parameter .*Got \(16, 0\)"),
        ({"hidden_layer_sizes": (16, "a")}, "'hidden_layer_sizes' parameter of TorchMLP"),
        ({"hidden_layer_sizes": [[16]]}, r"Got \[\[16\]\] instead. Use \(256,\)"),
        ({"activation": "step"}, "'activation' parameter of TorchMLP"),
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"average": "all"}, "'average' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"categories": "target"}, "'categories' parameter"),
        ({"device": "warp"}, "'device' parameter must be .*Got 'warp'.*Use device='auto'"),
    ],
)
def test_wrong_parameters(cls, settings, message):
    model = small(cls, **settings)
    with pytest.raises(ValueError, match=message):
        model.fit(X, target(cls))
    assert not hasattr(model, "encoder_")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@BOTH
def test_a_gpu_that_is_not_there_is_told_before_the_data_are_read(cls):
    with pytest.raises(ValueError, match="Got 'cuda'.*Use device='auto' to take a GPU only"):
        small(cls, device="cuda").fit("no table at all", None)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@BOTH
def test_a_gpu_gives_the_same_bits_each_time_and_leaves_the_network_on_the_cpu(cls):
    models = [small(cls, device="cuda", dropout=0.2).fit(X, target(cls)) for _ in range(2)]
    assert equal(state(models[0]), state(models[1]))
    assert {tensor.device.type for tensor in state(models[0]).values()} == {"cpu"}
    on_gpu = answers(models[0])
    np.testing.assert_allclose(answers(models[0].set_params(device="cpu")), on_gpu, atol=1e-12)


@BOTH
def test_wrong_data(cls):
    y = target(cls)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small(cls).fit(X, y[:-1])
    with pytest.raises(ValueError, match="at least one non-zero number"):
        small(cls).fit(X, y, sample_weight=np.zeros(N))
    with pytest.raises(ValueError, match="[Nn]egative"):
        small(cls).fit(X, y, sample_weight=np.r_[-1.0, np.ones(N - 1)])
    with pytest.raises(TypeError, match="[Ss]parse"):
        small(cls).fit(sparse.csr_matrix(X), y)
    with pytest.raises(ValueError, match="features"):
        small(cls).fit(X, y).predict(X[:, :2])
    with pytest.raises(NotFittedError):
        small(cls).predict(X)


@BOTH
def test_a_training_that_diverges(cls):
    with pytest.raises(
        ValueError, match=r"Training must reach finite losses\. Got .*learning_rate"
    ):
        small(cls, learning_rate=1e30, schedule="constant", early_stopping=False).fit(
            X, target(cls)
        )


@BOTH
def test_without_torch_the_extra_is_named(cls, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r'TorchMLP\w+\.fit\(\) needs.*"stackens\[torch\]"'):
        small(cls).fit(X, target(cls))
