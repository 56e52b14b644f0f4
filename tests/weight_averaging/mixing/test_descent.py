"""Tests of gradient descent on mixing weights."""

import numpy as np
import pytest

from stackens.weight_averaging.mixing._batches import Batches
from stackens.weight_averaging.mixing._descent import Descent
from stackens.weight_averaging.mixing._gradient import MemorySource, MixedNetwork

torch = pytest.importorskip("torch")
X = torch.linspace(-1, 1, 40)[:, None]


def descent(loss=torch.nn.functional.mse_loss, target=2.0, data=None):
    network = torch.nn.Linear(1, 1, bias=False)
    sources = [MemorySource({"weight": torch.tensor([[slope]])}) for slope in (1.0, 5.0)]
    mixed = MixedNetwork(network, {"weight": network.weight}, sources, {"all": ["weight"]})
    batches = Batches(data or (X, target * X), 10, network.weight)
    return Descent(mixed, loss, batches, batches)


def run(learner, start=(0.5, 0.5), constraint="simplex", **options):
    options = {"learning_rate": 0.1, "max_epochs": 60, "patience": 10, "bias": False} | options
    return learner.run(
        learner.at(np.array([start])),
        constraint,
        rng=np.random.default_rng(0),
        verbose=0,
        **options,
    )


@pytest.mark.parametrize("constraint", ["simplex", "bounded", "free"])
def test_it_learns_the_mixture(constraint):
    best = run(descent(), constraint=constraint)
    assert best.weights @ [1.0, 5.0] == pytest.approx(2.0, abs=0.05)
    if constraint == "simplex":
        np.testing.assert_allclose(best.weights, [[0.75, 0.25]], atol=0.02)


def test_free_weights_reach_what_a_mixture_cannot():
    best = run(descent(target=-3.0), constraint="free", max_epochs=200)
    assert best.weights @ [1.0, 5.0] == pytest.approx(-3.0, abs=0.05)


def test_a_bias_is_learnt_when_asked_for():
    best = run(descent(target=-3.0), bias=True, max_epochs=300)
    assert best.bias[0] < -1
    assert best.weights @ [1.0, 5.0] + best.bias == pytest.approx(-3.0, abs=0.1)


def test_the_best_point_is_kept_and_learning_stops():
    learner = descent(target=2.0)
    best = run(learner, start=(0.75, 0.25), learning_rate=3.0, patience=3)
    assert best.weights.tolist() == [[0.75, 0.25]]
    assert len(learner.history) == 1 + 3
    assert best.loss == learner.history[0]["validation_loss"]


def test_batches_that_are_no_pairs_go_to_the_loss_whole():
    learner = descent(
        loss=lambda network, batch: ((network(batch["x"]) - batch["y"]) ** 2).mean(),
        data=[{"x": X, "y": 2 * X}],
    )
    assert run(learner, max_epochs=100).weights[0, 0] == pytest.approx(0.75, abs=0.02)


def test_the_mean_over_held_out_rows_counts_rows_and_not_batches():
    learner = descent()
    learner.validation = Batches([(X[:1], X[:1] * 9), (X[1:], X[1:] * 3)], 1, X)
    expected = torch.nn.functional.mse_loss(3 * X, torch.cat([X[:1] * 9, X[1:] * 3]))
    assert learner.at(np.array([[0.5, 0.5]])).loss == pytest.approx(float(expected), rel=1e-6)


def test_the_error_of_the_loss_is_over_batches():
    learner = descent()
    learner.validation = Batches([(X[:3], X[:3] * 9), (X[3:6], X[3:6]), (X[6:9], X[6:9] * 4)], 1, X)
    losses = [float(((3 * x - y) ** 2).mean()) for x, y in learner.validation.epoch()]
    found = learner.at(np.array([[0.5, 0.5]])).score
    assert found.se == pytest.approx(np.std(losses, ddof=1) / 3**0.5, rel=1e-6)
    # a batch counts by its rows: where all losses are equal, no size is an error
    learner.loss = lambda outputs, y: outputs.mean() * 0 + 7
    learner.validation = Batches([(X[:1], X[:1]), (X[1:], X[1:])], 1, X)
    found = learner.at(np.array([[0.5, 0.5]])).score
    assert (found.mean, found.se) == (-7.0, 0.0)


def test_a_loss_that_is_not_one_number_is_refused():
    with pytest.raises(ValueError, match=r"must be one number.*shape \(10, 1\)"):
        descent(loss=torch.nn.MSELoss(reduction="none")).at(np.array([[0.5, 0.5]]))
    with pytest.raises(ValueError, match=r"Got float of shape \(\)"):
        descent(loss=lambda outputs, y: 0.0).at(np.array([[0.5, 0.5]]))


def test_a_loss_without_a_gradient_is_refused():
    with pytest.raises(ValueError, match="must have a gradient.*detach"):
        run(descent(loss=lambda outputs, y: torch.nn.functional.mse_loss(outputs, y).detach()))


def test_no_rows_are_refused():
    learner = descent()
    learner.training = Batches([], 1, X)
    with pytest.raises(ValueError, match="Got none from 'data'"):
        run(learner)
    learner.validation = Batches([], 1, X)
    with pytest.raises(ValueError, match="held-out rows must not be empty"):
        learner.at(np.array([[0.5, 0.5]]))


def test_a_broken_network_loses_and_does_not_stop_the_others():
    learner = descent(loss=lambda outputs, y: outputs.mean() * torch.nan)
    assert learner.at(np.array([[0.5, 0.5]])).loss == np.inf
