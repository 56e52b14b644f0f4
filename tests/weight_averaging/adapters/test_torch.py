"""torch modules: everything that real modules carry survives the way to arrays and back."""

import numpy as np
import pytest

from stackens.weight_averaging.adapters._torch import TorchAdapter
from stackens.weight_averaging.adapters._values import to_array

torch = pytest.importorskip("torch")
nn = torch.nn
TORCH = TorchAdapter()


def rewritten(model, change=lambda array: array):
    tensors = TORCH.tensors(model, model)
    arrays = ((name, change(to_array(tensor))) for name, tensor in tensors.items())
    return TORCH.write(TORCH.copy(model), arrays)


def doubled(model):
    return rewritten(model, lambda array: 2.0 * array if array.dtype.kind == "f" else array)


def test_parameters_and_buffers_with_their_names():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    assert TORCH.accepts(model)
    assert list(TORCH.tensors(model, model)) == list(model.state_dict())
    new = doubled(model)
    assert torch.equal(new[0].weight, 2 * model[0].weight)
    assert torch.equal(new[1].running_var, 2 * model[1].running_var)
    assert new[1].num_batches_tracked.dtype == torch.int64


def test_mode_gradients_and_types_are_kept():
    model = nn.Sequential(nn.Linear(3, 2).to(torch.bfloat16), nn.Linear(2, 2).half()).eval()
    model[0].weight.requires_grad_(False)
    new = doubled(model)
    assert not new.training
    assert [p.requires_grad for p in new.parameters()] == [False, True, True, True]
    assert [p.dtype for p in new.parameters()] == [p.dtype for p in model.parameters()]
    assert all(p.is_leaf for p in new.parameters())


def test_tied_parameters_stay_tied():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    new = doubled(model)
    assert new[1].weight is new[0].weight
    assert torch.equal(new[0].weight, 2 * model[0].weight)
    arrays = [("0.weight", np.ones((5, 3))), ("1.weight", np.zeros((5, 3)))]
    with pytest.raises(ValueError, match=r"'0.weight' and '1.weight' share one tensor"):
        TORCH.write(TORCH.copy(model), arrays)


def test_wrapped_modules_have_the_names_of_what_is_inside():
    plain = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    parallel = nn.DataParallel(plain)
    compiled = [torch.compile(module, backend="eager") for module in (plain, parallel)]
    for module in (parallel, *compiled):
        assert list(TORCH.tensors(module, plain)) == list(TORCH.tensors(plain, plain))
        assert TORCH.facts(module, plain) == TORCH.facts(plain, plain)
        new = doubled(module)
        assert type(new) is type(module)
        assert list(new.state_dict()) == list(module.state_dict())
        assert torch.equal(next(new.parameters()), 2 * plain[0].weight)
    assert torch.equal(rewritten(plain)[0].weight, plain[0].weight)


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm", "orthogonal"])
def test_parametrisations(name):
    model = getattr(nn.utils.parametrizations, name)(nn.Linear(3, 2)).eval()
    names = list(TORCH.tensors(model, model))
    assert any(name.startswith("parametrizations.weight.") for name in names)
    x = torch.randn(4, 3)
    torch.testing.assert_close(rewritten(model)(x), model(x))


def test_old_weight_normalisation():
    layer = nn.Linear(3, 2)
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(layer)
    layer(torch.ones(1, 3))  # computes a weight that torch would refuse to deep-copy
    x = torch.randn(4, 3)
    torch.testing.assert_close(doubled(layer)(x), 2 * layer(x))


def test_layers_with_state_that_is_no_tensor_keep_it():
    class Noted(nn.Linear):
        def get_extra_state(self):
            return {"note": self.note}

        def set_extra_state(self, state):
            self.note = state["note"]

    model = Noted(2, 2)
    model.note = "kept"
    assert doubled(model).note == "kept"


def test_recurrent_layers_predict():
    model = nn.LSTM(3, 4, batch_first=True)
    x = torch.randn(2, 5, 3)
    torch.testing.assert_close(rewritten(model)(x)[0], model(x)[0])


def test_facts_tell_layers_apart_but_not_rates():
    def make(activation, rate):
        return nn.Sequential(nn.Linear(2, 2), activation, nn.Dropout(rate))

    relu = make(nn.ReLU(), 0.1)
    assert TORCH.facts(relu, relu) == TORCH.facts(make(nn.ReLU(), 0.5), relu)
    tanh = TORCH.facts(make(nn.Tanh(), 0.1), relu)
    assert tanh["layer '1'"] == "Tanh"
    assert tanh != TORCH.facts(relu, relu)


def test_a_module_without_weights_is_refused():
    with pytest.raises(ValueError, match="Got a ReLU without parameters"):
        TORCH.tensors(nn.ReLU(), None)


def test_other_things_are_not_modules():
    assert not TORCH.accepts({"w": torch.ones(1)})
    assert not TORCH.accepts(np.ones(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_device_is_kept():
    model = nn.Linear(3, 2, device="cuda", dtype=torch.bfloat16)
    new = doubled(model)
    assert new.weight.device == model.weight.device
    assert torch.equal(new.weight, 2 * model.weight)


def test_lazy_modules_are_refused():
    with pytest.raises(ValueError, match=r"Got a Sequential with lazy ones: \['0.weight'"):
        TORCH.tensors(nn.Sequential(nn.LazyLinear(2)), None)


def test_weights_that_are_no_tensors_are_not_passed_over():
    class Packed(nn.Linear):
        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[f"{prefix}_packed_params"] = (torch.ones(2), None)

    model = nn.Sequential(Packed(2, 2))
    with pytest.raises(TypeError, match=r"Got \['0._packed_params'\] of other types in a Sequen"):
        TORCH.tensors(model, model)


def test_notes_in_a_state_dict_are_passed_over():
    class Noted(nn.Linear):
        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[f"{prefix}format"] = "plain"
            destination[f"{prefix}version"] = 2

    model = nn.Sequential(Noted(2, 2))
    assert list(TORCH.tensors(model, model)) == ["0.weight", "0.bias"]
