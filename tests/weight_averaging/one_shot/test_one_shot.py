"""One-shot merges from end to end: skewed sites, scalers, folders, seeds."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from stackens.exceptions import OtherBasinWarning
from stackens.weight_averaging.one_shot import (
    InputSchema,
    Site,
    one_shot_merge,
    save_schema,
    save_site,
)

CENTRES = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
SQUARE = InputSchema(shape=(2,), low=-5, high=5)


def classifier(hidden=16, n_outputs=3):
    return nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, n_outputs))


def fitted(build, seed, X, loss, steps=80):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(network(X)).backward()
        optimiser.step()
    return network.eval()


def blobs(counts, seed):
    y = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    return CENTRES[y] + torch.randn(len(y), 2, generator=torch.Generator().manual_seed(seed)), y


def skewed_sites():
    """Three sites, each of which has never seen one of three classes."""
    sites = []
    for i, counts in enumerate([[60, 60, 0], [0, 60, 60], [60, 0, 60]]):
        X, y = blobs(counts, i)
        network = fitted(classifier, i, X, lambda out, y=y: functional.cross_entropy(out, y))
        sites.append(Site(network.state_dict(), class_counts=counts, name=f"site {i}"))
    return sites


@pytest.fixture(scope="module")
def skewed():
    return skewed_sites()


def accuracy(model):
    X, y = blobs([300, 300, 300], 99)
    with torch.no_grad():
        return (model(X).argmax(dim=1) == y).double().numpy()


def merge(sites, build=classifier, **settings):
    given = {"input_schema": SQUARE, "steps": 150, "align": False, "random_state": 0, **settings}
    return one_shot_merge(sites, build, **given)


def test_the_merged_network_knows_what_only_all_sites_together_know(skewed):
    merged = merge(skewed, evaluate=accuracy, steps=300)
    scores = merged.report.frame()["score"]
    own = scores[[site.name for site in skewed]]
    assert own.max() < 0.75
    assert scores["ensemble"] > 0.85
    assert scores["merged"] > scores["ensemble"] - 0.03
    assert scores["merged"] == pytest.approx(accuracy(merged).mean())
    assert merged.report.task == "classification"
    assert merged.report.weights.shape == (3, 3)
    assert not merged.training


def test_the_report_has_every_network(skewed):
    merged = merge(skewed, align=True)
    frame = merged.report.frame()
    assert frame.index.tolist() == [
        "site 0",
        "site 1",
        "site 2",
        "ensemble",
        "naive average",
        "aligned average",
        "merged",
    ]
    assert frame.loc["ensemble", "agreement"] == 1
    assert frame.loc["ensemble", "distance"] == pytest.approx(0, abs=1e-6)
    assert frame.loc["merged", "distance"] < frame.loc["naive average", "distance"]
    assert merged.report.curve["step"].iloc[0] == 0
    assert merged.report.curve["distance"].min() == pytest.approx(frame.loc["merged", "distance"])


def test_without_alignment_there_is_no_aligned_average(skewed):
    assert "aligned average" not in merge(skewed, steps=5).report.frame().index


def twins():
    """Two networks that say the same: one has its units in another order, and some negated."""
    X, y = blobs([60, 60, 60], 0)
    first = fitted(classifier, 0, X, lambda out: functional.cross_entropy(out, y)).state_dict()
    order, signs = torch.arange(16).flip(0), torch.tensor([1.0, -1.0]).repeat(8)
    second = {
        "0.weight": first["0.weight"][order] * signs[:, None],
        "0.bias": first["0.bias"][order] * signs,
        "2.weight": first["2.weight"][:, order] * signs,
        "2.bias": first["2.bias"],
    }
    return [first, second]


def test_alignment_finds_networks_that_say_the_same():
    frame = merge(twins(), align=True, steps=1).report.frame()
    assert frame.loc["naive average", "agreement"] < 0.95
    assert frame.loc["aligned average", "agreement"] == 1
    assert frame.loc["aligned average", "distance"] < 1e-6


def test_distillation_starts_from_what_agrees_most_with_the_ensemble(skewed):
    assert merge(twins(), align=True, steps=1).report.start == "aligned average"
    alone = merge(skewed, weights=[0, 1, 0], steps=1)
    assert alone.report.start in ("naive average", "site 1")
    assert alone.report.frame().loc["merged", "distance"] == pytest.approx(0, abs=1e-6)
    frame = merge(skewed, steps=1, learning_rate=1e-9).report.frame()
    others = frame["agreement"].drop(["ensemble", "merged"])
    assert frame.loc["merged", "agreement"] == pytest.approx(others.max(), abs=0.001)


def test_a_merged_network_worse_than_the_sites_gives_a_warning(skewed):
    def is_a_site(model):
        weight = model.state_dict().get("0.weight", torch.zeros(()))  # the ensemble has none
        return float(any(torch.equal(weight, site.state["0.weight"]) for site in skewed))

    with pytest.warns(OtherBasinWarning, match="scores 0 where the sites score 1"):
        merge(skewed, steps=50, evaluate=is_a_site)


def test_public_rows_in_place_of_a_schema(skewed):
    X, _ = blobs([200, 200, 200], 5)
    merged = merge(skewed, input_schema=None, data=X)
    assert accuracy(merged).mean() > 0.85


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precisions_learn_as_single_precision_does(kind, skewed):
    sites = [
        Site({name: tensor.to(kind) for name, tensor in site.state.items()}, name=site.name)
        for site in skewed
    ]
    merged = merge(sites, build=lambda: classifier().to(kind))
    assert {tensor.dtype for tensor in merged.parameters()} == {kind}
    assert merged.report.curve["distance"].min() < 0.3 * merged.report.curve["distance"].iloc[0]


def test_a_network_that_casts_by_itself_keeps_its_precision():
    class Casting(nn.Linear):
        def forward(self, x):
            return super().forward(x.bfloat16()).float()

    def build():
        return Casting(2, 3).bfloat16()

    merged = merge([Site(build().state_dict()) for _ in range(2)], build=build, steps=2)
    assert merged.weight.dtype == torch.bfloat16


def test_the_seed_decides(skewed):
    states = [merge(skewed, random_state=s, steps=10).state_dict() for s in (0, 0, 1)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_arguments_and_global_seeds_stay_as_they_are(skewed):
    states = [dict(site.state) for site in skewed]
    before = copy.deepcopy(states)
    generator = torch.random.get_rng_state()
    merge(states, steps=5)
    for state, old in zip(states, before, strict=True):
        assert all(torch.equal(state[name], old[name]) for name in old)
    assert torch.equal(torch.random.get_rng_state(), generator)


def test_a_folder_is_all_that_is_needed(skewed, tmp_path):
    for site in skewed:
        path = tmp_path / f"{site.name}.safetensors"
        save_site(path, site.state, class_counts=site.class_counts)
    save_schema(tmp_path / "schema.json", SQUARE)
    from_folder = one_shot_merge(tmp_path, classifier, steps=20, align=False, random_state=0)
    from_memory = merge(skewed, steps=20)
    states = from_folder.state_dict(), from_memory.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_sites_may_send_what_their_rows_look_like(skewed):
    described = []
    for i, site in enumerate(skewed):
        rows, _ = blobs(site.class_counts.astype(int).tolist(), i)
        schema = InputSchema.describe(rows)
        described.append(Site(site.state, class_counts=site.class_counts, input_schema=schema))
    merged = merge(described, input_schema=None, evaluate=accuracy)
    assert merged.report.frame()["score"]["merged"] > 0.85
    with pytest.raises(ValueError, match=r"'input_schema', or none. Got none from \['site 1'\]"):
        merge([described[0], skewed[1]], input_schema=None)


def tent():
    return nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1))


def tent_sites():
    """Two sites that know one side each: (x - 100) / 10 is right below 100, its negative above."""
    sites = []
    for sign, low, high in ((1.0, 90, 100), (-1.0, 100, 110)):
        state = {name: torch.zeros_like(part) for name, part in tent().state_dict().items()}
        state["0.weight"][:2] = torch.tensor([[2.0], [-2.0]])
        state["2.weight"][0, :2] = torch.tensor([sign, -sign]) / 2
        schema = InputSchema(shape=(1,), low=low, high=high)
        sites.append(Site(state, input_scaler=(100, 10), input_schema=schema))
    return sites


def test_a_site_has_little_say_about_inputs_far_from_its_own():
    x = torch.linspace(90, 110, 41)[:, None]
    settings = {"align": False, "random_state": 0, "task": "regression"}

    def error(model):
        return float((model(x) + (x - 100).abs() / 10).abs().mean())

    with torch.no_grad():
        merged = one_shot_merge(
            tent_sites(), tent, evaluate=error, greater_is_better=False, steps=400, **settings
        )
        frame = merged.report.frame()["score"]
        assert frame["ensemble"] < 0.15
        assert frame["merged"] < 0.2
        assert frame[["site 0", "site 1"]].min() > 0.45
        assert "1.4 of 2 have a say" in merged.report.summary()
        assert "better than 2 of 2 sites" in merged.report.summary()
        equal = one_shot_merge(
            tent_sites(),
            tent,
            evaluate=error,
            greater_is_better=False,
            steps=1,
            weights="equal",
            **settings,
        )
    assert equal.report.frame()["score"]["ensemble"] == pytest.approx(0.5122, abs=1e-3)
    assert equal.report.sites_per_row is None


def sine(x):
    return 100 + 40 * torch.sin(x[:, 0] / 10) + 0.5 * x[:, 1]


def regression_sites():
    """Two sites in other ranges, each behind scalers of its own."""
    sites = []
    for i, (low, high) in enumerate([(0, 30), (15, 60)]):
        generator = torch.Generator().manual_seed(i)
        x = torch.rand(300, 2, generator=generator) * torch.tensor([high - low, 40.0])
        x[:, 0] += low
        y = sine(x)
        mean, scale = x.mean(dim=0), x.std(dim=0)
        target = (y - y.mean()) / y.std()
        network = fitted(
            lambda: classifier(n_outputs=1),
            i,
            (x - mean) / scale,
            lambda out, target=target: (out[:, 0] - target).square().mean(),
            steps=300,
        )
        sites.append(
            Site(
                network.state_dict(),
                n_rows=len(x),
                input_scaler=(mean, scale),
                output_scaler=(y.mean(), y.std()),
            )
        )
    return sites


def test_regression_behind_scalers_in_raw_units():
    sites = regression_sites()
    schema = InputSchema(shape=(2,), low=[0, 0], high=[60, 40])
    x = torch.rand(200, 2, generator=torch.Generator().manual_seed(9)) * torch.tensor([15.0, 40.0])
    x[:, 0] += 15  # where both know what to say

    def r2(model):
        with torch.no_grad():
            errors = (model(x)[:, 0] - sine(x)).square().numpy()
        return 1 - errors / sine(x).var().item()

    merged = merge(
        sites, lambda: classifier(n_outputs=1), input_schema=schema, steps=400, evaluate=r2
    )
    scores = merged.report.frame()["score"]
    assert merged.report.task == "regression"
    assert scores["site 0"] > 0.9
    assert scores["site 1"] > 0.9
    assert scores["merged"] > 0.9
    assert scores["naive average"] < scores["merged"]
    raw = merged(x).detach()
    assert 80 < raw.mean() < 160


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 4)
        self.layer = nn.LSTM(4, 6, batch_first=True)
        self.head = nn.Linear(8, 1)

    def forward(self, tokens, numbers):
        last = self.layer(self.table(tokens))[0][:, -1]
        return torch.sigmoid(self.head(torch.cat([last, numbers], dim=1)))


def test_tokens_and_numbers_and_probabilities_of_two_classes():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        states = [TwoInputs().state_dict() for _ in range(2)]
    schemas = [InputSchema(shape=(6,), vocabulary=5), InputSchema(shape=(2,), low=-3, high=3)]
    merged = merge(states, TwoInputs, input_schema=schemas, task="classification")
    assert merged.report.frame().loc["merged", "agreement"] > 0.9
    assert merged.report.frame().loc["merged", "distance"] < 0.01


def with_batch_norm():
    return nn.Sequential(
        nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3)
    )


def test_networks_with_batch_norm():
    states = []
    for seed in range(2):
        X, y = blobs([80, 80, 80], seed)
        network = fitted(
            with_batch_norm, seed, X, lambda out, y=y: functional.cross_entropy(out, y)
        )
        states.append(network.state_dict())
    merged = merge(states, with_batch_norm, evaluate=accuracy)
    scores = merged.report.frame()["score"]
    assert scores["merged"] > scores["ensemble"] - 0.03


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_schema": None}, "either 'input_schema' or 'data'. Got none"),
        ({"data": np.zeros((20, 2))}, "Got both"),
        ({"input_schema": InputSchema(shape=(3,), low=0, high=1)}, "Inputs must be what"),
        ({"steps": 0}, "'steps' parameter must be a whole number"),
        ({"steps": 1.5}, "'steps' parameter must be a whole number"),
        ({"steps": "10"}, "'steps' parameter must be a whole number above zero. Got '10'"),
        ({"batch_size": 16.0}, "'batch_size' parameter must be a whole number"),
        ({"temperature": -1}, "'temperature'"),
        ({"batch_size": 0}, "'batch_size'"),
        ({"learning_rate": np.nan}, "'learning_rate'"),
        ({"task": "ranking"}, "'task' parameter must be"),
        ({"task": "regression"}, "Class counts are for classification"),
        ({"weights": [1, 2]}, "'weights' must be numbers"),
    ],
)
def test_settings_that_do_not_fit_are_refused(skewed, settings, message):
    with pytest.raises(ValueError, match=message):
        merge(skewed, **settings)


def test_class_counts_of_another_length_are_refused(skewed):
    sites = [Site(site.state, class_counts=[1, 2], name=site.name) for site in skewed]
    with pytest.raises(ValueError, match="one number for each of 3 classes"):
        merge(sites)


def test_a_missing_schema_in_a_folder_is_named(skewed, tmp_path):
    save_site(tmp_path / "a.safetensors", skewed[0].state)
    with pytest.raises(ValueError, match="either 'input_schema' or 'data'"):
        one_shot_merge(tmp_path, classifier)
