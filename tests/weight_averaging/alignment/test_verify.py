"""Symmetries are tried on the network: what is right passes, what is wrong is held and named."""

import numpy as np
import pytest

from stackens.weight_averaging.alignment._by_hand import symmetry_from
from stackens.weight_averaging.alignment._verify import largest_change, verified

SPEC = {
    "w1": ("-P1", None),
    "b1": ("-P1",),
    "w2": ("-P2", "-P1"),
    "b2": ("-P2",),
    "w3": (None, "-P2"),
}
SHAPES = {"w1": (6, 3), "b1": (6,), "w2": (5, 6), "b2": (5,), "w3": (2, 5)}
X = np.random.default_rng(1).normal(size=(7, 3))


def arrays(biases=1.0):
    rng = np.random.default_rng(0)
    made = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    return {name: biases * a if name[0] == "b" else a for name, a in made.items()}


def outputs(p, activation=np.tanh):
    hidden = activation(X @ p["w1"].T + p["b1"])
    return activation(hidden @ p["w2"].T + p["b2"]) @ p["w3"].T


def verify(spec, tensors=None, run=outputs, **options):
    tensors = arrays() if tensors is None else tensors
    symmetry = symmetry_from(spec, {name: array.shape for name, array in tensors.items()})
    return verified(symmetry, tensors, run, rng=np.random.default_rng(2), **options)


def test_a_right_symmetry_is_kept_as_it_is():
    found = verify(SPEC)
    assert found.symmetry.variables == ["P1", "P2", "signs of P1", "signs of P2"]
    assert found.symmetry.notes == found.held == ()
    assert 0 < found.deviation < 1e-13


def test_several_outputs_and_single_precision_tensors():
    single = {name: array.astype(np.float32) for name, array in arrays().items()}
    found = verify(SPEC, single, lambda p: [outputs(p), outputs(p).argmax(axis=1)])
    assert found.held == ()
    assert found.deviation < 1e-13  # the network got them in double precision


@pytest.mark.parametrize("missing", list(SPEC))
def test_a_missing_tensor_holds_the_units_that_it_has_and_no_others(missing):
    spec = {name: axes for name, axes in SPEC.items() if name != missing}
    found = verify(spec)
    wrong = [units for units in ("P1", "P2") if f"-{units}" in SPEC[missing]]
    assert set(found.held) == {*wrong, *(f"signs of {units}" for units in wrong)}
    assert set(found.symmetry.units) == {"P1", "P2"} - set(wrong)
    for name in found.held:
        assert any(note.startswith(f"{name}: moving it changes") for note in found.symmetry.notes)


def test_signs_are_held_where_the_activation_is_not_odd():
    found = verify(SPEC, run=lambda p: outputs(p, lambda x: np.maximum(x, 0)))
    assert set(found.held) == {"signs of P1", "signs of P2"}
    assert set(found.symmetry.units) == {"P1", "P2"}


def test_fresh_biases_do_not_hide_that_they_were_forgotten():
    spec = {name: axes for name, axes in SPEC.items() if name != "b1"}
    zero = arrays(biases=0.0)
    assert set(verify(spec, zero).held) == {"P1", "signs of P1"}
    assert verify(SPEC, zero).held == ()


def test_an_output_layer_of_zeros_does_not_hide_what_is_in_front_of_it():
    zero = {**arrays(), "w3": np.zeros((2, 5))}
    assert set(verify({**SPEC, "w2": (None, None)}, zero).held) == {
        "P1",
        "P2",
        "signs of P1",
        "signs of P2",
    }


def test_two_units_are_enough_to_see_a_mistake():
    tensors = {"w1": np.ones((2, 3)), "w2": np.array([[1.0, 2.0]])}
    spec = {"w1": ("P", None)}
    for seed in range(20):
        found = verified(
            symmetry_from(spec, {"w1": (2, 3), "w2": (1, 2)}),
            tensors,
            lambda p: X @ p["w1"].T @ p["w2"].T,
            rng=np.random.default_rng(seed),
        )
        assert found.held == ("P",)


def test_variables_without_effect_are_held():
    spec = {**SPEC, "unused": ("P3", None)}
    found = verify(spec, {**arrays(), "unused": np.ones((4, 2))})
    assert found.held == ("P3",)
    assert found.symmetry.notes == ("P3: the outputs do not depend on its tensors",)


def test_tensors_under_two_names_stay_equal():
    tensors = {**arrays(), "again": arrays()["w1"]}

    def tied(p):
        return [outputs(p), p["w1"] - p["again"]]

    assert verify({**SPEC, "again": ("-P1", None)}, tensors, tied).held == ()
    assert set(verify(SPEC, tensors, tied).held) == {"P1", "signs of P1"}


def test_a_wrong_change_that_gives_nan_is_a_failure_and_no_error():
    def logarithm(p):
        with np.errstate(invalid="ignore"):
            return np.log(X[:, :1] ** 2 * p["scale"]) @ p["w"]

    tensors = {"scale": np.array([1.0, 2.0, 3.0]), "w": np.array([[1.0], [2.0], [4.0]])}
    found = verify({"scale": ("-P",), "w": ("P", None)}, tensors, logarithm)
    assert found.held == ("signs of P",)


def test_infinite_outputs_may_stay_infinite():
    def masked(p):
        y = outputs(p)
        return np.where(np.arange(2) == 0, -np.inf, y)

    assert verify(SPEC, run=masked).held == ()


def test_outputs_that_say_nothing_are_refused():
    with pytest.raises(ValueError, match=r"numbers. Got NaN"):
        verify(SPEC, {**arrays(), "w1": np.full((6, 3), np.nan)})
    with pytest.raises(ValueError, match=r"must depend on the tensors"):
        verify(SPEC, run=lambda p: np.ones(3))
    with pytest.raises(ValueError, match=r"must have outputs"):
        verify(SPEC, run=lambda p: [])


def test_the_arguments_are_left_alone():
    tensors = arrays()
    verify(SPEC, tensors)
    for name, array in arrays().items():
        np.testing.assert_array_equal(tensors[name], array)


def test_changes_are_relative_to_each_output():
    before = [np.array([1.0, -3.0]), np.array([0.0])]
    assert largest_change(before, before) == 0
    assert largest_change(before, [np.array([1.0, -2.0]), np.array([0.1])]) == 0.25
    assert largest_change(before, [np.array([1.0, np.nan]), np.array([0.0])]) == np.inf


def test_a_torch_network_with_a_symmetry_written_by_hand():
    torch = pytest.importorskip("torch")
    from stackens.weight_averaging.adapters import adapter_of, to_array
    from stackens.weight_averaging.alignment._outputs import torch_outputs

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv1d(3, 5, 2)
            self.norm = torch.nn.BatchNorm1d(5)
            self.lstm = torch.nn.LSTM(5, 6, batch_first=True)
            self.head = torch.nn.Linear(6, 2)

        def forward(self, x):
            h = torch.relu(self.norm(self.conv(x)))
            return self.head(self.lstm(h.transpose(1, 2))[0][:, -1])

    gates = ["H", "H", "-H", "H"]
    spec = {
        "conv.weight": ("C", None, None),
        "conv.bias": ("C",),
        **{f"norm.{name}": ("C",) for name in ("weight", "bias", "running_mean", "running_var")},
        "lstm.weight_ih_l0": (gates, "C"),
        "lstm.weight_hh_l0": (gates, "-H"),
        "lstm.bias_ih_l0": (gates,),
        "lstm.bias_hh_l0": (gates,),
        "head.weight": (None, "-H"),
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network()
    tensors = {n: to_array(t) for n, t in adapter_of(network).tensors(network, network).items()}
    run = torch_outputs(network, torch.from_numpy(X[:6].reshape(2, 3, 3)))
    found = verify(spec, tensors, run)
    assert found.held == ()
    assert 0 < found.deviation < 1e-13
    del spec["norm.running_var"]  # all ones in a fresh network
    assert verify(spec, tensors, run).held == ("C",)
    del spec["lstm.bias_hh_l0"]
    assert set(verify(spec, tensors, run).held) == {"C", "H", "signs of H"}
