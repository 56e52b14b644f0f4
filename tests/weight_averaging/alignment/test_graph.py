"""Tracing a module: what it is left as, names, and what cannot be traced."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._symmetry import Units

torch = pytest.importorskip("torch")
nn = torch.nn

from stackens.weight_averaging import align  # noqa: E402
from stackens.weight_averaging.alignment._graph import Graph  # noqa: E402
from stackens.weight_averaging.alignment._torch import torch_symmetry  # noqa: E402


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_nothing_is_changed_by_looking():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2)).train()
    net[0].eval()
    net[3].weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    modes = [part.training for part in net.modules()]
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert torch_symmetry(net, noise(4, 3)).units == {"0.weight": Units(4)}
    assert torch.equal(torch.rand(3), expected)
    assert [part.training for part in net.modules()] == modes
    assert [p.requires_grad for p in net.parameters()] == [True, True, True, True, False, True]
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_state_that_is_no_tensor_is_passed_over():
    class Versioned(nn.Linear):
        def get_extra_state(self):
            return {"version": 1}

        def set_extra_state(self, state):
            pass

    net = nn.Sequential(Versioned(3, 4), nn.Tanh(), nn.Linear(4, 2))
    assert torch_symmetry(net, noise(4, 3)).units == {"0.weight": Units(4)}


def test_tensors_over_the_same_memory_change_alike():
    net = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 2))
    net[2].weight = nn.Parameter(net[0].weight.data)
    symmetry = torch_symmetry(net, noise(3, 4))
    assert "0.weight" not in symmetry.layout  # its columns are inputs, and so its rows
    assert "2.weight" not in symmetry.layout


def test_a_module_that_cannot_be_traced_can_be_described_by_hand():
    class Python(nn.Module):
        def forward(self, x):
            raise RuntimeError("only on Sundays")

    with pytest.raises(
        ValueError,
        match=r"torch.export can trace.*RuntimeError from a Python: only on Sundays\..*"
        r"symmetry=\{'layer1.weight': \('hidden', None\)",
    ):
        torch_symmetry(Python(), noise(4, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_arrays_get_the_type_of_the_module(dtype):
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).to(dtype)
    expected = torch_symmetry(net, noise(4, 3).to(dtype))
    assert torch_symmetry(net, np.zeros((4, 3))) == expected
    assert torch_symmetry(net, {"input": np.zeros((4, 3), np.float32)}) == expected


def test_the_graph_computes_what_the_module_does_with_any_tensors():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Linear(3, 2), nn.Linear(3, 2)
            self.other.weight = self.one.weight
            self.register_buffer("shift", torch.ones(2), persistent=False)

        def forward(self, x, *, scale):
            return self.one(x) * scale + self.other(x) + self.shift

    x, net, trained = noise(5, 3), Two(), Two()
    graph = Graph(net, {"scale": noise(5, 1), "x": x})
    arrays = {name: tensor.numpy() for name, tensor in trained.state_dict().items()}
    rows = {"scale": np.full((5, 1), 2.0), "x": x.numpy()}
    (found,) = torch.fx.Interpreter(graph.module).run(*graph.inputs(arrays, rows))
    torch.testing.assert_close(found, trained(x, scale=torch.full((5, 1), 2.0)))


def test_inputs_without_rows_are_refused():
    with pytest.raises(ValueError, match="inputs without any rows"):
        torch_symmetry(nn.Linear(3, 4), noise(0, 3))


def test_what_torch_says_of_inputs_that_do_not_fit_is_in_the_error_alone(caplog, capfd):
    with pytest.raises(ValueError, match=r"\[4, 2\] X \[3, 4\]"):
        torch_symmetry(nn.Linear(3, 4), noise(4, 2))
    assert not [record for record in caplog.records if record.levelname != "DEBUG"]
    assert capfd.readouterr().err == ""


def test_complex_weights_stay_and_are_named():
    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(3, 4)
            self.second = nn.Parameter(torch.randn(4, 2, dtype=torch.cfloat))
            self.register_buffer("phases", torch.ones(2, dtype=torch.cfloat))

        def forward(self, x):
            return (torch.tanh(self.first(x)).to(torch.cfloat) @ self.second * self.phases).abs()

    symmetry = torch_symmetry(Complex(), noise(5, 3))
    assert not symmetry.variables
    assert symmetry.notes == ("second: complex numbers stay as they are",)


def test_a_module_that_is_called_module():
    class Wrapping(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))

        def forward(self, x):
            return self.module(x)

    aligned = align([Wrapping(), Wrapping()], example=noise(5, 3))
    assert aligned.report.symmetry.units == {"0.weight": Units(4)}
