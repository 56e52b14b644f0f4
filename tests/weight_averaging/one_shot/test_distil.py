"""A student comes close to an ensemble on drawn inputs, and nothing else changes."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from stackens.weight_averaging.one_shot._distil import distil, learning
from stackens.weight_averaging.one_shot._ensemble import Ensemble, Form, call, likeness


def built(factory, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return factory().eval()


def mlp(n_outputs=3, middle=nn.Identity):
    return nn.Sequential(nn.Linear(2, 16), middle(), nn.Tanh(), nn.Linear(16, n_outputs))


def source(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda n: [torch.randn(n, 2, generator=generator)]


def setting(form, n_outputs):
    teachers = [built(lambda: mlp(n_outputs), seed) for seed in (1, 2)]
    for teacher in teachers:
        teacher[-1].weight.data *= 4
    return Ensemble(teachers, np.array([0.5, 0.5]), form), built(lambda: mlp(n_outputs), 3)


@pytest.mark.parametrize(
    ("form", "n_outputs"),
    [
        (Form("classification", n_classes=3), 3),
        (Form("classification", n_classes=2, binary=True), 1),
        (Form("regression"), 2),
    ],
)
def test_the_student_comes_close_to_the_ensemble(form, n_outputs):
    ensemble, student = setting(form, n_outputs)
    (x,) = source(9)(500)
    with torch.no_grad():
        before = likeness(student(x), ensemble(x), form)
    distil(student, ensemble, source(0), source(1)(200), steps=200, batch_size=64)
    with torch.no_grad():
        after = likeness(student(x), ensemble(x), form)
    assert after.distance < 0.5 * before.distance
    assert after.agreement > before.agreement


def test_the_same_draws_give_the_same_student():
    states = []
    for _ in range(2):
        ensemble, student = setting(Form("regression"), 2)
        distil(student, ensemble, source(0), source(1)(50), steps=20)
        states.append(student.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_student_has_the_weights_that_came_closest():
    form = Form("regression")
    ensemble, student = setting(form, 2)
    held_back = source(1)(100)
    history = distil(student, ensemble, source(0), held_back, steps=60, learning_rate=0.5)
    with torch.no_grad():
        found = likeness(student(*held_back), ensemble(*held_back), form).distance
    assert found == pytest.approx(min(history.distances))
    assert history.steps[history.distances.index(min(history.distances))] == history.best_step
    assert history.steps[0] == 0


def test_a_student_that_is_there_already_stays():
    ensemble, _ = setting(Form("regression"), 2)
    student = copy.deepcopy(ensemble.networks[0])
    alone = Ensemble([ensemble.networks[0]], np.array([1.0]), Form("regression"))
    history = distil(student, alone, source(0), source(1)(50), steps=500)
    assert history.best_step == 0
    assert history.steps[-1] < 500
    for name, tensor in ensemble.networks[0].state_dict().items():
        assert torch.equal(student.state_dict()[name], tensor)


def test_teachers_and_global_seeds_stay_as_they_are():
    ensemble, student = setting(Form("regression"), 2)
    before = copy.deepcopy(ensemble.state_dict())
    state = torch.random.get_rng_state()
    distil(student, ensemble, source(0), source(1)(50), steps=5)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in ensemble.state_dict().items())
    assert all(parameter.grad is None for parameter in ensemble.parameters())


def test_statistics_of_batch_norm_stay_and_dropout_is_off():
    student = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    teacher = built(lambda: mlp(1), 0)
    before = student[1].running_mean.clone()
    student.train()
    with learning(student):
        x = torch.randn(5, 2)
        assert torch.equal(student(x), student(x))
    assert all(part.training for part in student.modules())
    distil(
        student,
        Ensemble([teacher], np.array([1.0]), Form("regression")),
        source(0),
        source(1)(50),
        steps=5,
    )
    assert torch.equal(student[1].running_mean, before)


def test_dropout_between_recurrent_layers_is_off_while_learning():
    student = nn.LSTM(2, 3, num_layers=2, dropout=0.5)
    with learning(student):
        x = torch.randn(4, 2)
        assert torch.equal(student(x)[0], student(x)[0])
        assert student.training
    assert student.dropout == 0.5


def test_a_frozen_parameter_stays():
    ensemble, student = setting(Form("regression"), 2)
    student[0].weight.requires_grad_(False)
    before = student[0].weight.clone()
    distil(student, ensemble, source(0), source(1)(50), steps=5)
    assert torch.equal(student[0].weight, before)
    assert call(student, source(2)(3)).shape == (3, 2)


def test_a_student_that_cannot_learn_is_refused():
    ensemble, student = setting(Form("regression"), 2)
    with pytest.raises(ValueError, match="must have parameters that can learn"):
        distil(student.requires_grad_(False), ensemble, source(0), source(1)(20), steps=1)
