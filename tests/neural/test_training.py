"""Tests of the training loop: targets of every kind, weights, schedules, stopping, averages."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stackens.neural import (  # noqa: E402
    CheckpointRecorder,
    ExponentialMovingAverage,
    LastAverage,
    Rows,
    StochasticWeightAverage,
    cross_entropy,
    soft_cross_entropy,
    squared_error,
    train,
)
from stackens.neural._training import _learning_rates, mean_loss  # noqa: E402

N = 60
X = torch.randn(N, 3, generator=torch.Generator().manual_seed(0))
CODES = (X[:, 0] + 0.5 * X[:, 1] > 0).long()
NUMBERS = X @ torch.tensor([[1.0], [-2.0], [0.5]])


def module(n_outputs=2, seed=0):
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, n_outputs))
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return net


def trained(rows, loss, net=None, **settings):
    net = module() if net is None else net
    usual = {"epochs": 5, "batch_size": 16, "learning_rate": 0.02}
    generator = torch.Generator().manual_seed(1)
    return net, train(net, rows, loss, **usual | {"generator": generator} | settings)


def same_weights(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("targets", "loss", "n_outputs"),
    [
        (CODES, cross_entropy, 2),
        (torch.nn.functional.one_hot(CODES, 2).float() * 0.8 + 0.1, soft_cross_entropy, 2),
        (NUMBERS, squared_error, 1),
    ],
    ids=["hard", "soft", "numbers"],
)
def test_every_kind_of_target_is_learnt(targets, loss, n_outputs):
    net, history = trained(Rows(X, targets), loss, module(n_outputs), epochs=40)
    assert len(history.losses) == 40
    assert history.validation_losses == []
    assert history.best_epoch == 39
    assert not net.training
    assert mean_loss(net, Rows(X, targets), loss) < 0.6 * history.losses[0]


def test_hard_labels_are_soft_targets_of_ones_and_zeros():
    one_hot = torch.nn.functional.one_hot(CODES, 2).float()
    hard, _ = trained(Rows(X, CODES), cross_entropy)
    soft, _ = trained(Rows(X, one_hot), soft_cross_entropy)
    for a, b in zip(hard.parameters(), soft.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_several_inputs_and_targets():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module()

        def forward(self, first, rest):
            return self.inner(torch.cat([first, rest], dim=1))

    def both(logits, targets):
        hard, soft = targets
        return 0.5 * cross_entropy(logits, hard) + 0.5 * soft_cross_entropy(logits, soft, 2.0)

    soft = torch.nn.functional.one_hot(CODES, 2).float()
    net, history = trained(Rows((X[:, :1], X[:, 1:]), (CODES, soft)), both, Two(), epochs=30)
    assert history.losses[-1] < history.losses[0]
    assert net(X[:, :1], X[:, 1:]).shape == (N, 2)


def test_weights_scale_the_losses_and_only_their_ratio_counts():
    weights = torch.where(CODES == 1, 3.0, 1.0)
    plain, _ = trained(Rows(X, CODES), cross_entropy)
    weighted, _ = trained(Rows(X, CODES, weights), cross_entropy)
    scaled, _ = trained(Rows(X, CODES, 4 * weights), cross_entropy)
    ones, _ = trained(Rows(X, CODES, torch.full((N,), 2.0)), cross_entropy)
    assert same_weights(weighted, scaled)
    assert same_weights(plain, ones)
    assert weighted(X).softmax(1)[:, 1].mean() > plain(X).softmax(1)[:, 1].mean()


def test_validation_losses_are_weighted_means():
    net = module()
    weights = torch.rand(N, generator=torch.Generator().manual_seed(3))
    losses = cross_entropy(net(X), CODES).detach().numpy()
    expected = np.average(losses, weights=weights.numpy())
    assert mean_loss(net, Rows(X, CODES, weights), cross_entropy) == pytest.approx(expected)
    assert net.training


def test_the_weights_of_the_best_epoch_are_kept():
    kept, seen = [], []

    def on_epoch(net, epoch, loss):
        kept.append({name: t.clone() for name, t in net.state_dict().items()})
        seen.append((epoch, loss))

    validation = Rows(X[:20], 1 - CODES[:20])  # the longer it learns, the worse it gets
    net, history = trained(
        Rows(X, CODES),
        cross_entropy,
        validation=validation,
        patience=3,
        epochs=50,
        on_epoch=on_epoch,
    )
    best = int(np.argmin(history.validation_losses))
    assert history.best_epoch == best
    assert len(history.losses) == best + 3 + 1 < 50
    assert seen == list(enumerate(history.validation_losses))
    assert all(torch.equal(kept[best][name], t) for name, t in net.state_dict().items())
    assert mean_loss(net, validation, cross_entropy) == history.validation_losses[best]


def test_a_caller_may_stop():
    _, history = trained(
        Rows(X, CODES), cross_entropy, on_epoch=lambda net, epoch, loss: epoch == 1
    )
    assert len(history.losses) == 2
    _, history = trained(Rows(X, CODES), cross_entropy, on_epoch=CheckpointRecorder(last=2))
    assert len(history.losses) == 5  # a recorder returns nothing


def test_steps_are_told():
    steps = []
    trained(Rows(X, CODES), cross_entropy, on_step=lambda net, step: steps.append(step))
    assert steps == list(range(5 * math.ceil(N / 16)))


@pytest.mark.parametrize(
    ("kind", "every", "first"),
    [
        (lambda net: StochasticWeightAverage(net), "epoch", 2),
        (lambda net: LastAverage(net, 3), "epoch", 0),
        (lambda net: ExponentialMovingAverage(net, 0.9, bias_correction=True), "step", 0),
    ],
    ids=["swa", "last_n", "ema"],
)
def test_the_average_takes_the_place_of_the_weights(kind, every, first):
    net, plain = module(), module()
    recorded = []
    trained(
        Rows(X, CODES),
        cross_entropy,
        plain,
        on_epoch=lambda m, e, _: recorded.append(m[0].weight.detach().clone()),
    )
    average = kind(net)
    trained(
        Rows(X, CODES), cross_entropy, net, average=average, average_every=every, average_from=first
    )
    assert all(
        torch.equal(value, net.state_dict()[name])
        for name, value in average.average_state().items()
    )
    if every == "epoch":  # the training itself is not touched by the average
        torch.testing.assert_close(net[0].weight, torch.stack(recorded[2:]).mean(dim=0))
    else:
        assert average.n_updates == 5 * math.ceil(N / 16)


def test_what_came_before_the_average_is_not_kept():
    validation = Rows(X[:20], 1 - CODES[:20])
    net = module()
    _, history = trained(
        Rows(X, CODES),
        cross_entropy,
        net,
        validation=validation,
        patience=1,
        epochs=8,
        average=StochasticWeightAverage(net),
        average_every="epoch",
        average_from=4,
    )
    assert history.best_epoch >= 4


def test_a_schedule_rises_and_falls():
    rates = list(_learning_rates("one_cycle", 0.5, 100))
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == pytest.approx(rates[30]) == pytest.approx(0.5)
    assert rates[:30] == sorted(rates[:30])
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[-1] < 0.001
    assert list(_learning_rates("constant", 0.5, 3)) == [0.5] * 3


def test_vectors_are_not_decayed():
    net = module()
    with torch.no_grad():
        net[0].bias.fill_(1.0)
        net[0].weight.fill_(1.0)

    def nothing(outputs, targets):
        return 0 * outputs.sum(dim=1)

    trained(Rows(X, CODES), nothing, net, weight_decay=0.5, schedule="constant")
    steps = 5 * math.ceil(N / 16)
    torch.testing.assert_close(net[0].weight, torch.full((8, 3), (1 - 0.02 * 0.5) ** steps))
    assert (net[0].bias == 1).all()


def test_one_seed_gives_the_same_bits_and_leaves_the_global_one():
    one, same, other = module(), module(), module()
    state = torch.get_rng_state()
    trained(Rows(X, CODES), cross_entropy, one)
    trained(Rows(X, CODES), cross_entropy, same)
    seed = torch.Generator().manual_seed(2)
    trained(Rows(X, CODES), cross_entropy, other, generator=seed)
    assert torch.equal(torch.get_rng_state(), state)
    assert same_weights(one, same)
    assert not same_weights(one, other)


def test_frozen_parts_stay():
    net = module()
    net[0].requires_grad_(False)
    before = net[0].weight.clone()
    trained(Rows(X, CODES), cross_entropy, net, weight_decay=0.1)
    assert torch.equal(net[0].weight, before)


def test_a_training_that_diverges_is_an_error():
    with pytest.raises(ValueError, match=r"Got nan in epoch 1\. Use a smaller learning_rate"):
        trained(Rows(X * math.nan, CODES), cross_entropy)


def test_a_late_divergence_keeps_what_was_good():
    net, calls = module(), []

    def loss(outputs, targets):
        calls.append(1)
        return cross_entropy(outputs, targets) * (math.nan if len(calls) > 10 else 1)

    _, history = trained(Rows(X, CODES), loss, net)
    assert len(history.losses) == 3
    assert history.best_epoch == 1
    assert all(parameter.isfinite().all() for parameter in net.parameters())


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (
            Rows(X, CODES),
            {"epochs": 0},
            "'epochs' parameter of train.. must be a whole number above 0. Got 0",
        ),
        (Rows(X, CODES), {"batch_size": -1}, "'batch_size'.*Got -1"),
        (Rows(X, CODES), {"learning_rate": math.nan}, "'learning_rate'.*Got nan"),
        (Rows(X, CODES), {"schedule": "steps"}, "'one_cycle' or 'constant'. Got 'steps'"),
        (Rows(X, CODES[:-1]), {}, r"same number of rows.*\[59, 60\]"),
        (Rows(X[:0], CODES[:0]), {}, r"at least one. Got \[0\]"),
        (Rows(X, CODES), {"validation": Rows(X[:0], CODES[:0])}, "'validation'.*at least one"),
        (Rows(X, CODES, -torch.ones(N)), {}, "Weights of the 'rows'.*at least 0"),
        (Rows(X, CODES, torch.zeros(N)), {}, "Weights of the 'rows'.*some of them above"),
        (Rows(X, CODES), {"batch_size": 2.5}, "'batch_size'.*whole number above 0. Got 2.5"),
        (Rows(X, CODES), {"net": module().requires_grad_(False)}, "all are frozen"),
        (Rows(X, CODES), {"validation": Rows(X * torch.nan, CODES)}, "on the validation rows"),
    ],
)
def test_wrong_inputs(rows, settings, message):
    with pytest.raises(ValueError, match=message):
        trained(rows, cross_entropy, **settings)


def test_arrays_are_refused():
    with pytest.raises(TypeError, match="'rows' of train.. must be tensors. Got ndarray"):
        trained(Rows(X.numpy(), CODES), cross_entropy)


def test_under_inference_mode():
    expected, _ = trained(Rows(X, CODES), cross_entropy)
    net = module()
    with torch.inference_mode():
        trained(Rows(X, CODES), cross_entropy, net)
    assert torch.equal(net[0].weight, expected[0].weight)


def test_complex_parameters():
    class Modulus(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3, 1, dtype=torch.complex64))

        def forward(self, x):
            return (x.to(torch.complex64) @ self.weight).abs()

    _, history = trained(Rows(X, (X @ torch.ones(3, 1)).abs() * 2), squared_error, Modulus())
    assert history.losses[-1] < history.losses[0]


def test_a_loss_of_the_whole_batch_is_refused():
    with pytest.raises(ValueError, match=r"one number for each of 15 rows.*shape \(\)"):
        trained(Rows(X, CODES), lambda outputs, codes: cross_entropy(outputs, codes).mean())
