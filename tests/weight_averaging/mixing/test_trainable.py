"""Tests of the copy that carries the gradient."""

import pytest

from stackens.weight_averaging.mixing._trainable import trainable

torch = pytest.importorskip("torch")


def use(model, tensors):
    with trainable(model, tensors) as forward:
        assert forward is model
        assert not model.training
        assert [p.requires_grad for p in model.parameters()] == [True, False, False, False]
        model(torch.ones(3, 2)).sum().backward()
        raise RuntimeError("broken")


def test_modes_and_flags_come_back_also_after_an_error():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)).train()
    model[0].weight.requires_grad_(False)
    model[1].eval()
    tensors = {"0.weight": model[0].weight}
    with pytest.raises(RuntimeError, match="broken"):
        use(model, tensors)
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, True]
    assert [module.training for module in model.modules()] == [True, True, False]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_other_models_are_refused():
    with (
        pytest.raises(TypeError, match=r"needs torch modules.*Got dict.*evaluate="),
        trainable({}, {}),
    ):
        pass
