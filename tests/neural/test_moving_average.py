"""Tests of the averages kept during training: precision, buffers, wrappers, resuming, swapping."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stackens.neural import (  # noqa: E402
    ExponentialMovingAverage,
    LastAverage,
    StochasticWeightAverage,
)

KINDS = [
    lambda module, **k: ExponentialMovingAverage(module, 0.9, **k),
    StochasticWeightAverage,
    lambda module, **k: LastAverage(module, 3, **k),
]


def network(seed=0, width=3):
    generator = torch.Generator().manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Linear(2, width), torch.nn.BatchNorm1d(width), torch.nn.Linear(width, 1)
    )
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return net


def move(net, seed):
    """Change weights and buffers as a training step would."""
    generator = torch.Generator().manual_seed(seed)
    net.train()
    net(torch.randn(8, 2, generator=generator))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)


def equal(state, other):
    return state.keys() == other.keys() and all(torch.equal(state[k], other[k]) for k in state)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_an_exponential_average_moves_in_every_precision(dtype):
    net = torch.nn.Linear(1, 1, dtype=dtype)
    torch.nn.init.ones_(net.weight)
    ema = ExponentialMovingAverage(net, decay=0.999)
    torch.nn.init.constant_(net.weight, 2.0)
    for _ in range(5000):
        ema.update()
    exact = 2 - 0.999**5000
    assert round(exact, 5) == 1.99328
    assert ema.state_dict()["average"]["weight"].item() == pytest.approx(exact, abs=2e-5)
    average = ema.average_state()["weight"]
    assert average.dtype == dtype
    rounded = torch.tensor([[exact]]).to(dtype)
    assert torch.allclose(
        average.double(), rounded.double(), rtol=torch.finfo(dtype).eps, atol=2e-5
    )


def test_the_averages_are_those_of_their_formulas():
    net, values = torch.nn.Linear(1, 1, dtype=torch.float64), [1.0, 4.0, -2.0, 8.0]
    torch.nn.init.zeros_(net.weight)
    averages = {
        "plain": ExponentialMovingAverage(net, 0.5),
        "corrected": ExponentialMovingAverage(net, 0.5, bias_correction=True),
        "swa": StochasticWeightAverage(net),
        "last": LastAverage(net, 2),
    }
    for value in values:
        torch.nn.init.constant_(net.weight, value)
        for average in averages.values():
            average.update()
    found = {name: average.average_state()["weight"].item() for name, average in averages.items()}
    shares = 0.5 ** np.arange(4, 0, -1)
    assert found["plain"] == pytest.approx(shares @ values)
    assert found["corrected"] == pytest.approx(shares @ values / shares.sum())
    assert found["swa"] == pytest.approx(np.mean(values))
    assert found["last"] == pytest.approx(np.mean(values[-2:]))


@pytest.mark.parametrize("make", KINDS)
def test_before_the_first_update_the_average_is_the_start(make):
    net = network()
    start, average = copy.deepcopy(net.state_dict()), make(net)
    move(net, 1)
    state = average.average_state()
    assert torch.equal(state["0.weight"], start["0.weight"])
    assert torch.equal(state["1.running_mean"], start["1.running_mean"])


@pytest.mark.parametrize("make", KINDS)
def test_integers_are_the_newest_and_keep_their_type(make):
    net = network()
    net.register_buffer("flag", torch.tensor(True))
    average = make(net)
    for seed in range(5):
        move(net, seed)
        average.update()
    state = average.average_state()
    assert state["1.num_batches_tracked"].item() == 5
    assert state["1.num_batches_tracked"].dtype == torch.int64
    assert state["flag"].dtype == torch.bool
    net.load_state_dict(state)


def test_floating_buffers_are_averaged_or_the_newest():
    net = network()
    averaged, newest = StochasticWeightAverage(net), StochasticWeightAverage(net, buffers="newest")
    seen = []
    for seed in range(3):
        move(net, seed)
        seen.append(net[1].running_mean.clone())
        averaged.update()
        newest.update()
    torch.testing.assert_close(
        averaged.average_state()["1.running_mean"], torch.stack(seen).mean(dim=0)
    )
    assert torch.equal(newest.average_state()["1.running_mean"], seen[-1])


def test_parameters_that_are_complex_or_tied():
    net = torch.nn.Module()
    net.phase = torch.nn.Parameter(torch.tensor([1 + 1j]))
    net.a = torch.nn.Linear(2, 2, bias=False)
    net.b = torch.nn.Linear(2, 2, bias=False)
    net.b.weight = net.a.weight
    swa = StochasticWeightAverage(net)
    swa.update()
    with torch.no_grad():
        net.phase.mul_(3)
        net.a.weight.mul_(3)
    swa.update()
    state = swa.average_state()
    assert state["phase"].item() == 2 + 2j
    assert torch.equal(state["a.weight"], state["b.weight"])
    with swa.swapped_in():
        assert net.b.weight is net.a.weight
        assert torch.equal(net.a.weight, state["a.weight"])


@pytest.mark.parametrize("make", KINDS)
def test_the_average_is_swapped_in_and_out_even_after_an_error(make):
    net = network()
    average = make(net)
    for seed in range(2):
        move(net, seed)
        average.update()
    own, parameters = copy.deepcopy(net.state_dict()), list(net.parameters())
    with average.swapped_in() as inside:
        assert inside is net
        assert equal(net.state_dict(), average.average_state())
    assert equal(net.state_dict(), own)
    with pytest.raises(ZeroDivisionError), average.swapped_in():
        raise ZeroDivisionError
    assert equal(net.state_dict(), own)
    assert all(a is b for a, b in zip(parameters, net.parameters(), strict=True))


@pytest.mark.parametrize("make", KINDS)
def test_the_state_is_a_copy(make):
    net = network()
    average = make(net)
    average.update()
    state = average.average_state()
    before = copy.deepcopy(state)
    move(net, 3)
    average.update()
    assert equal(state, before)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("after", [0, 1, 4])
def test_going_on_from_a_saved_state_gives_the_same_bits(make, after, tmp_path):
    def run(stop_at=None):
        net = network()
        average = make(net)
        for seed in range(6):
            if seed == stop_at:
                torch.save(average.state_dict(), tmp_path / "average.pt")
                average = make(net)
                average.load_state_dict(torch.load(tmp_path / "average.pt", weights_only=True))
            move(net, seed)
            average.update()
        return average.average_state()

    assert equal(run(stop_at=after), run())


@pytest.mark.parametrize("make", KINDS)
def test_another_architecture_is_refused_with_all_differences(make):
    average = make(network())
    other = torch.nn.Sequential(network(width=4)[0], torch.nn.Identity(), torch.nn.Linear(4, 1))
    with pytest.raises(ValueError, match="same names and shapes") as caught:
        average.update(other)
    message = str(caught.value)
    for part in ("'0.weight' has the shape (4, 2) instead of (3, 2)", "'0.bias'", "'2.weight'"):
        assert part in message
    assert "'1.running_mean' is missing" in message
    assert average.n_updates == 0
    with pytest.raises(ValueError, match="'1.weight' is missing"):
        make(network()).load_state_dict(make(other).state_dict())


def test_a_state_of_another_kind_is_refused():
    net = network()
    with pytest.raises(ValueError, match="must come from a StochasticWeightAverage"):
        StochasticWeightAverage(net).load_state_dict(ExponentialMovingAverage(net).state_dict())


def test_another_module_of_the_same_architecture_can_update():
    net, other = network(0), network(1)
    swa = StochasticWeightAverage(net)
    swa.update()
    swa.update(other)
    expected = (net[0].weight + other[0].weight) / 2
    torch.testing.assert_close(swa.average_state()["0.weight"], expected.detach())


@pytest.mark.parametrize("wrap", ["whole", "part", "data parallel"])
def test_compiled_and_wrapped_modules_have_plain_names(wrap):
    net = network()
    names = list(net.state_dict())
    if wrap == "whole":
        wrapped = torch.compile(net, backend="eager")
    elif wrap == "part":
        net[0] = torch.compile(net[0], backend="eager")
        assert any("_orig_mod" in name for name in net.state_dict())
        wrapped = net
    else:
        wrapped = torch.nn.DataParallel(net)
    swa = StochasticWeightAverage(wrapped)
    swa.update()
    state = swa.average_state()
    assert list(state) == names
    network().load_state_dict(state)
    with swa.swapped_in() as inside:
        assert inside is wrapped


def test_gradients_and_optimisers_are_left_alone():
    net = torch.nn.Linear(2, 1)
    optimiser = torch.optim.Adam(net.parameters())
    ema = ExponentialMovingAverage(net, 0.5)
    for _ in range(3):
        optimiser.zero_grad()
        net(torch.ones(4, 2)).sum().backward()
        optimiser.step()
        ema.update()
        with ema.swapped_in():
            pass
    assert all(p.grad is not None and p.requires_grad for p in net.parameters())
    assert not any(t.requires_grad for t in ema.average_state().values())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda net: ExponentialMovingAverage(net, 1.0), "'decay'"),
        (lambda net: ExponentialMovingAverage(net, -0.1), "'decay'"),
        (lambda net: LastAverage(net, 0), "'n'"),
        (lambda net: LastAverage(net, 2.5), "'n'"),
        (lambda net: StochasticWeightAverage(net, buffers="drop"), "'buffers'"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make(network())


@pytest.mark.parametrize("kind", KINDS)
def test_masks_with_infinities_stay_as_they_are(kind):
    net = network()
    mask = torch.triu(torch.full((3, 3), -torch.inf), 1)
    net.register_buffer("mask", mask)
    average = kind(net)
    for seed in range(3):
        move(net, seed)
        average.update()
    state = average.average_state()
    assert torch.equal(state["mask"], mask)
    assert all(tensor.isfinite().all() for name, tensor in state.items() if name != "mask")


@pytest.mark.parametrize("kind", KINDS)
def test_made_under_inference_mode(kind):
    net = torch.nn.Linear(2, 1)
    with torch.inference_mode():
        average = kind(net)
        average.update()
    average.update()
    torch.testing.assert_close(average.average_state(), dict(net.state_dict()))
