"""The steps of a one-shot merge, one by one: what they refuse and when they warn."""

import numpy as np
import pytest
import torch
from torch import nn

from stackens.exceptions import OtherBasinWarning
from stackens.weight_averaging._evaluation import Score
from stackens.weight_averaging.one_shot import InputSchema, Site
from stackens.weight_averaging.one_shot._ensemble import Ensemble, Form
from stackens.weight_averaging.one_shot._merging import (
    _aligned,
    _check_inputs,
    _declared,
    _form,
    _rare_classes,
    _warn_if_worse,
)

STATE = {"w": np.zeros(2)}
SCHEMA = InputSchema(shape=(2,), low=0, high=1)


def site(**facts):
    return Site(STATE, name="north", **facts)


def test_what_the_caller_declares_goes_before_what_sites_sent():
    other = InputSchema(shape=(3,), low=0, high=1)
    assert _declared(other, None, [site(input_schema=SCHEMA)]) == [(1.0, [other])]


def test_sites_declare_by_their_rows():
    sites = [site(input_schema=SCHEMA, n_rows=10), site(input_schema=SCHEMA, n_rows=30)]
    assert _declared(None, None, sites) == [(0.25, [SCHEMA]), (0.75, [SCHEMA])]
    uncounted = [site(input_schema=SCHEMA)] * 2
    assert [share for share, _ in _declared(None, None, uncounted)] == [0.5, 0.5]


def test_public_rows_go_before_what_sites_sent():
    assert _declared(None, np.zeros((20, 2)), [site(input_schema=SCHEMA)]) is None
    assert _declared(None, None, [site()]) is None


def test_inputs_are_tried_on_the_network():
    network = nn.Linear(2, 3)
    _check_inputs(network, [torch.zeros(4, 2)])
    with pytest.raises(ValueError, match=r"Got rows of shape \[\(5,\)\]"):
        _check_inputs(network, [torch.zeros(4, 5)])
    with pytest.raises(ValueError, match="one prediction for each row"):
        _check_inputs(nn.Sequential(network, nn.Flatten(0)), [torch.zeros(4, 2)])


@pytest.mark.parametrize(
    ("n_outputs", "task", "facts", "form"),
    [
        (2, "auto", {}, Form("classification", n_classes=2)),
        (1, "auto", {}, Form("regression")),
        (1, "auto", {"class_counts": [1, 2]}, Form("classification", n_classes=2, binary=True)),
        (2, "auto", {"output_scaler": (0, 1)}, Form("regression")),
        (2, "regression", {}, Form("regression")),
    ],
)
def test_the_task_follows_from_what_sites_sent(n_outputs, task, facts, form):
    network = nn.Linear(2, n_outputs)
    x = 10 * torch.randn((50, 2), generator=torch.Generator().manual_seed(0))
    assert _form([network], [site(**facts)], [x], task) == form


@pytest.mark.parametrize(
    ("task", "facts", "message"),
    [
        ("classification", {"output_scaler": (0, 1)}, "Scalers of outputs are for regression"),
        ("regression", {"class_counts": [1, 2]}, "Class counts are for classification"),
    ],
)
def test_what_sites_sent_must_go_with_the_task(task, facts, message):
    with pytest.raises(ValueError, match=message):
        _form([nn.Linear(2, 2)], [site(**facts)], [torch.randn(50, 2)], task)


class Logarithm(nn.Module):
    def forward(self, x):
        return x.log()


def test_networks_without_finite_outputs_are_named():
    with pytest.raises(ValueError, match=r"Got others from \['north'\]"):
        _form([Logarithm()], [site()], [torch.tensor([[-1.0, 1.0]])], "auto")


def test_networks_that_cannot_be_aligned_are_refused_with_a_way_out():
    networks = {"north": nn.Linear(2, 1), "south": nn.Linear(2, 1)}
    networks["south"].weight.data[0, 0] = torch.nan
    with pytest.raises(ValueError, match="give align=False"):
        _aligned(networks, [torch.randn(8, 2)], 0)


def test_the_warning_looks_at_scores_and_losses():
    good, bad = Score(np.array([0.9])), Score(np.array([0.5]))
    with pytest.warns(OtherBasinWarning, match="scores 0.5 where the sites score 0.9"):
        _warn_if_worse({"a": good, "merged": bad}, ["a"], True)
    with pytest.warns(OtherBasinWarning, match="scores 0.9 where the sites score 0.5"):
        _warn_if_worse({"a": bad, "merged": good}, ["a"], False)
    _warn_if_worse({"a": good, "merged": bad}, ["a"], False)
    _warn_if_worse({"a": bad, "merged": good}, ["a"], True)


def test_more_inputs_than_the_network_takes_are_refused():
    with pytest.raises(ValueError, match=r"\[\(2,\), \(2,\)\] of \['float32', 'float32'\]"):
        _check_inputs(nn.Linear(2, 3), [torch.zeros(4, 2), torch.zeros(4, 2)])
    with pytest.raises(ValueError, match="whole numbers are only for tokens"):
        _check_inputs(nn.Linear(2, 3), [torch.zeros(4, 2, dtype=torch.int64)])


def test_classes_that_the_inputs_hardly_have():
    network = nn.Linear(2, 3)
    with torch.no_grad():
        network.weight.zero_()
        network.bias.copy_(torch.tensor([0.9, 0.08, 0.02]).log())
    ensemble = Ensemble([network], [1.0], Form("classification", n_classes=3))
    inputs = [torch.zeros(4, 2)]
    assert _rare_classes(ensemble, [site()], inputs) == [2]
    assert _rare_classes(ensemble, [site(class_counts=[5, 95, 0])], inputs) == [1]
    regression = Ensemble([network], [1.0], Form("regression"))
    assert _rare_classes(regression, [site()], inputs) == []
