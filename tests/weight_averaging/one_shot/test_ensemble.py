"""Predictions are averaged whatever networks give, and compared."""

import numpy as np
import pytest
import torch
from torch import nn

from stackens.weight_averaging.one_shot import InputSchema, Site
from stackens.weight_averaging.one_shot._ensemble import (
    Ensemble,
    Form,
    call,
    likeness,
    output_form,
)
from stackens.weight_averaging.one_shot._familiarity import familiarity_of


class Fixed(nn.Module):
    """Gives the same output for each row."""

    def __init__(self, row):
        super().__init__()
        self.row = torch.tensor(row, dtype=torch.float64)

    def forward(self, x):
        return self.row.expand(len(x), *self.row.shape)


X = torch.zeros(3, 2)
LOGITS = Form("classification", n_classes=3)


def test_probabilities_are_averaged_whatever_the_networks_give():
    p, q = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.1, 0.8])
    wanted = torch.tensor(0.25 * p + 0.75 * q)
    logits = Ensemble([Fixed(np.log(p) + 3), Fixed(np.log(q))], [0.25, 0.75], LOGITS)
    torch.testing.assert_close(logits(X)[0].exp(), wanted)
    form = Form("classification", probabilities=True, n_classes=3)
    torch.testing.assert_close(Ensemble([Fixed(p), Fixed(q)], [0.25, 0.75], form)(X)[0], wanted)


def test_a_network_has_no_say_about_a_class_that_it_has_not_seen():
    weights = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    p, q = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.1, 0.7])
    mean = np.array([0.6, 0.2, 0.7])
    found = Ensemble([Fixed(np.log(p)), Fixed(np.log(q))], weights, LOGITS)(X)[0].exp()
    torch.testing.assert_close(found, torch.tensor(mean / mean.sum()))


@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_number_for_two_classes(shape):
    p, q = np.full(shape, 0.9), np.full(shape, 0.3)
    form = Form("classification", n_classes=2, binary=True)
    networks = [Fixed(np.log(p / (1 - p))), Fixed(np.log(q / (1 - q)))]
    found = Ensemble(networks, [0.5, 0.5], form)(X)
    assert found.shape == (3, *shape)
    torch.testing.assert_close(found.sigmoid()[0], torch.tensor(np.full(shape, 0.6)))
    probable = Form("classification", probabilities=True, n_classes=2, binary=True)
    found = Ensemble([Fixed(p), Fixed(q)], [0.5, 0.5], probable)(X)
    torch.testing.assert_close(found[0], torch.tensor(np.full(shape, 0.6)))


def test_classes_of_each_step_of_a_sequence():
    found = Ensemble([Fixed(np.zeros((4, 3)))], [1.0], LOGITS)(X)
    assert found.shape == (3, 4, 3)
    torch.testing.assert_close(found.exp(), torch.full((3, 4, 3), 1 / 3, dtype=torch.float64))


def test_numbers_are_averaged():
    found = Ensemble([Fixed([1.0, 2.0]), Fixed([5.0, 2.0])], [0.75, 0.25], Form("regression"))(X)
    assert found[0].tolist() == [2.0, 2.0]


def test_probabilities_of_zero_do_no_harm():
    form = Form("classification", probabilities=True, n_classes=2)
    found = Ensemble([Fixed([1.0, 0.0]), Fixed([1.0, 0.0])], [0.5, 0.5], form)(X)
    assert torch.isfinite(form.logarithms(found)).all()


@pytest.mark.parametrize(
    ("outputs", "task", "form"),
    [
        (torch.randn(5, 3), "auto", Form("classification", False, 3)),
        (torch.randn(5, 3), "regression", Form("regression")),
        (torch.randn(5, 1), "auto", Form("regression")),
        (torch.randn(5), "auto", Form("regression")),
        (torch.randn(5), "classification", Form("classification", False, 2, binary=True)),
        (torch.rand(5), "classification", Form("classification", True, 2, binary=True)),
        (torch.randn(5, 3).softmax(1), "auto", Form("classification", True, 3)),
        (torch.randn(5, 3).log_softmax(1), "auto", Form("classification", False, 3)),
    ],
)
def test_what_the_outputs_mean(outputs, task, form):
    assert output_form([outputs, outputs], task) == form


def test_likeness_of_classes():
    wanted = torch.tensor([[0.9, 0.1], [0.2, 0.8]]).log()
    same = likeness(wanted + 5, wanted, Form("classification", n_classes=2))
    assert same.agreement == 1
    assert same.distance == pytest.approx(0, abs=1e-6)
    other = likeness(wanted.flip(1), wanted, Form("classification", n_classes=2))
    assert other.agreement == 0
    divergence = (0.9 - 0.1) * np.log(9) / 2 + (0.8 - 0.2) * np.log(4) / 2
    assert other.distance == pytest.approx(divergence, rel=1e-5)


def test_likeness_of_numbers():
    wanted = torch.tensor([[0.0], [2.0]])
    found = likeness(wanted + 0.5, wanted, Form("regression"))
    assert found.distance == pytest.approx(0.5)
    assert found.agreement == pytest.approx(0.75)


def test_a_network_must_give_one_tensor():
    with pytest.raises(TypeError, match="must give one tensor of numbers. Got tuple from LSTM"):
        call(nn.LSTM(2, 2), [torch.zeros(1, 2)])


class Rising(nn.Module):
    """Gives its number for each row."""

    def __init__(self, number):
        super().__init__()
        self.number = float(number)

    def forward(self, x):
        return torch.full((len(x), 1), self.number)


def test_a_network_counts_less_for_rows_that_its_site_does_not_know():
    factors = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.25]])
    found = Ensemble(
        [Rising(0), Rising(1)], [0.5, 0.5], Form("regression"), lambda inputs: factors
    )(X)
    assert found[:, 0].tolist() == pytest.approx([0.5, 1.0, 0.2])


def test_so_it_is_for_classes_of_each_step_of_a_sequence():
    p, q = np.array([[0.9, 0.1]] * 4), np.array([[0.1, 0.9]] * 4)
    factors = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    weights = np.array([[0.5, 0.5], [0.5, 0.5]])
    networks = [Fixed(np.log(p)), Fixed(np.log(q))]
    form = Form("classification", n_classes=2)
    found = Ensemble(networks, weights, form, lambda inputs: factors)(X).exp()
    assert found.shape == (3, 4, 2)
    wanted = np.broadcast_to(np.array([0.5, 0.1, 0.9])[:, None], (3, 4))
    np.testing.assert_allclose(found[..., 0], wanted)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_networks_in_half_precision_with_small_weights(task):
    rows = torch.tensor([[0.5]], dtype=torch.float16)
    networks = [nn.Linear(1, 2).half() for _ in range(2)]
    shares = np.array([1e-9, 1e-3])
    wide = [InputSchema(shape=(1,), low=low, high=low + 1) for low in (0, 9)]
    known = familiarity_of([Site({"w": rows}, input_schema=one) for one in wide])
    form = Form(task, n_classes=2)
    outputs = Ensemble(networks, shares, form, known)(rows)
    assert outputs.dtype == torch.float16
    assert outputs.isfinite().all()
