"""Fisher information follows its weights through scalers and alignment."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stackens.weight_averaging.alignment import align  # noqa: E402
from stackens.weight_averaging.one_shot import (  # noqa: E402
    InputSchema,
    Site,
    one_shot_merge,
    read_sites,
    save_site,
)
from stackens.weight_averaging.one_shot._fisher import (  # noqa: E402
    aligned_statistics,
    common_statistics,
)
from stackens.weight_averaging.one_shot._networks import common_terms  # noqa: E402

nn = torch.nn
ROWS = np.random.default_rng(0).normal(3, 2, size=(200, 2)).astype(np.float64)


def build(activation=nn.Tanh):
    return nn.Sequential(nn.Linear(2, 6), activation(), nn.Linear(6, 1)).double()


def seeded(seed, activation=nn.Tanh):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(activation).eval()


def squared_gradients(network, rows):
    """Mean over rows of the squared gradient of the output."""
    sums = {name: np.zeros(tuple(p.shape)) for name, p in network.named_parameters()}
    for row in torch.tensor(rows):
        network.zero_grad()
        network(row).sum().backward()
        for name, parameter in network.named_parameters():
            sums[name] += parameter.grad.numpy() ** 2 / len(rows)
    return sums


def test_weights_that_grow_lose_information():
    network = seeded(0)
    mean, scale = ROWS.mean(0), ROWS.std(0)
    fisher = squared_gradients(network, (ROWS - mean) / scale)
    site = Site(
        network.state_dict(), input_scaler=(mean, scale), output_scaler=(5.0, 2.0), fisher=fisher
    )
    other = Site(
        seeded(1).state_dict(),
        input_scaler=(mean, 3 * scale),
        output_scaler=(5.0, 4.0),
        fisher=fisher,
    )
    networks = [seeded(0), seeded(1)]
    common, terms = common_terms(networks, [site, other], [ROWS])
    found = common_statistics(networks, [site, other], terms, [ROWS])[0]
    # what the folded network itself has, in the units of its own output
    scaled = terms.standardised([ROWS])[0]
    expected = squared_gradients(common[0], scaled)
    ratio = {name: found[name] / expected[name] for name in ("0.bias", "2.weight", "2.bias")}
    for values in ratio.values():  # up to the factor between the two outputs' units
        np.testing.assert_allclose(values, ratio["2.bias"].item(), rtol=1e-6)
    assert common_statistics(networks, [Site(n.state_dict()) for n in networks], terms, []) is None
    with pytest.raises(ValueError, match="'fisher', or none"):
        common_statistics(networks, [site, Site(seeded(1).state_dict())], terms, [ROWS])


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_information_moves_with_its_units(activation):
    networks = [seeded(0, activation), seeded(1, activation)]
    statistics = [squared_gradients(network, ROWS) for network in networks]
    aligned = align(networks, "barycentre", torch.tensor(ROWS[:4]))
    for moved, network in zip(aligned_statistics(statistics, aligned.report), aligned, strict=True):
        expected = squared_gradients(network, ROWS)
        for name, values in expected.items():
            np.testing.assert_allclose(moved[name], values, rtol=1e-6, atol=1e-12)


def test_the_average_counts_weights_by_their_information():
    states = [seeded(0).state_dict(), seeded(1).state_dict()]
    sure = {name: np.ones(tuple(t.shape)) for name, t in states[0].items()}
    unsure = {name: np.full(tuple(t.shape), 1e-12) for name, t in states[0].items()}
    sites = [Site(states[0], fisher=sure), Site(states[1], fisher=unsure)]
    schema = InputSchema(shape=(2,), low=0, high=1)
    given = {"input_schema": schema, "steps": 1, "align": False, "random_state": 0}
    plain = one_shot_merge([Site(state) for state in states], build, **given)
    weighed = one_shot_merge(sites, build, **given)
    names = ["naive average", "site 0"]
    distances = [m.report.frame().loc[names, "distance"] for m in (plain, weighed)]
    # normalised, both are as sure on the whole: as a plain average
    assert distances[0]["naive average"] == pytest.approx(distances[1]["naive average"])
    uneven = {name: values * (1e-6 if name == "2.weight" else 1.0) for name, values in sure.items()}
    sites[1] = Site(states[1], fisher=uneven)
    other = one_shot_merge(sites, build, **given).report.frame()
    assert other.loc["naive average", "distance"] != distances[0]["naive average"]


def test_files_carry_it(tmp_path):
    network = seeded(0)
    fisher = squared_gradients(network, ROWS[:20])
    save_site(tmp_path / "a.safetensors", network, fisher=fisher)
    (site,) = read_sites(tmp_path)
    assert list(site.state) == list(network.state_dict())
    for name, values in fisher.items():
        np.testing.assert_allclose(site.fisher[name], values, rtol=1e-6)


def test_what_does_not_fit_is_named():
    state = seeded(0).state_dict()
    with pytest.raises(ValueError, match=r"'fisher'.*'0.weight'"):
        Site(state, fisher={"0.weight": np.ones(3)})
    with pytest.raises(ValueError, match=r"'fisher'.*'0.bias'"):
        Site(state, fisher={"0.bias": -np.ones(6)})
    with pytest.raises(ValueError, match=r"'fisher'.*be a dict"):
        Site(state, fisher=[1.0])


def test_matrices_cannot_be_followed():
    class Projected(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(2, 5, proj_size=3, batch_first=True).double()
            self.head = nn.Linear(3, 1).double()

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = [Projected().eval(), Projected().eval()]
    aligned = align(networks, 0, torch.zeros(2, 4, 2).double() + 0.5)
    statistics = [{n: np.ones(tuple(p.shape)) for n, p in networks[0].named_parameters()}] * 2
    with pytest.raises(ValueError, match="cannot follow"):
        aligned_statistics(statistics, aligned.report)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_names_may_have_what_wrappers_put_in_front(prefix):
    class Wrapping(nn.Module):  # its own names begin with "module."
        def __init__(self):
            super().__init__()
            self.module = build()

        def forward(self, x):
            return self.module(x)

    schema = InputSchema(shape=(2,), low=-1, high=1)
    for network in (build, Wrapping):
        sites = []
        for seed in range(2):
            state = {f"{prefix}{name}": part for name, part in network().state_dict().items()}
            information = {name: np.full(part.shape, 1.0 + seed) for name, part in state.items()}
            sites.append(Site(state, fisher=information, name=str(seed)))
        merged = one_shot_merge(sites, network, input_schema=schema, steps=2, random_state=0)
        average = merged.report.frame().loc["naive average"]
        assert np.isfinite(average["distance"])
