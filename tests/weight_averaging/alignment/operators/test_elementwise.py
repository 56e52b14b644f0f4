"""Which signs and scales pass operators that work entry by entry."""

import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional


UNITS, SIGNS, SCALES = {"units"}, {"units", "signs"}, {"units", "scales"}
BOTH, LINEAR = {"units", "signs", "scales"}, {"matrix"}

FUNCTIONS = {
    "tanh": (torch.tanh, SIGNS),
    "sin": (torch.sin, SIGNS),
    "erf": (torch.erf, SIGNS),
    "softsign": (F.softsign, SIGNS),
    "tanhshrink": (F.tanhshrink, SIGNS),
    "symmetric hardtanh": (F.hardtanh, SIGNS),
    "hardtanh": (lambda x: F.hardtanh(x, 0.0, 6.0), UNITS),
    "relu": (F.relu, SCALES),
    "relu in place": (lambda x: F.relu(x, inplace=True), SCALES),
    "leaky relu": (F.leaky_relu, SCALES),
    "abs": (torch.abs, BOTH),
    "gelu": (F.gelu, UNITS),
    "silu": (F.silu, UNITS),
    "sigmoid": (torch.sigmoid, UNITS),
    "elu": (F.elu, UNITS),
    "softplus": (F.softplus, UNITS),
    "relu6": (F.relu6, UNITS),
    "square": (lambda x: x**2, UNITS),
    "clamp": (lambda x: x.clamp(-1, 2), UNITS),
    "where": (lambda x: torch.where(x > 0, x, 0.1 * x), UNITS),
    "twice": (lambda x: 2 * x, LINEAR),
    "negative": (lambda x: -x / 3, LINEAR),
    "nothing added": (lambda x: x + 0, LINEAR),
    "dropout": (lambda x: F.dropout(x, 0.5, training=False), LINEAR),
    "another type": (lambda x: x.to(torch.float64).contiguous().clone(), LINEAR),
    "whole numbers": (lambda x: (10 * x).long().double(), UNITS),
    "one added": (lambda x: x + 1, UNITS),
    "subtracted": (lambda x: 1 - x, UNITS),
    "a constant that varies": (lambda x: x + torch.arange(6.0), set()),
    "a constant tensor": (lambda x: x + torch.ones(6), UNITS),
    "the same added": (lambda x: torch.tanh(x) + x, SIGNS),
    "odd and homogeneous": (lambda x: torch.tanh(x) + torch.relu(x), UNITS),
    "product with itself": (lambda x: x * x, BOTH),
    "gate": (lambda x: x * torch.sigmoid(x), UNITS),
    "quotient": (lambda x: x / (1 + x**2), UNITS),
    "reciprocal": (lambda x: 1 / (x + x), BOTH),
    "maximum": (lambda x: torch.maximum(x, 2 * x), SCALES),
    "zeros": (lambda x: x + torch.zeros(6), LINEAR),
    "masked": (lambda x: x.masked_fill(torch.ones(4, 1) > 2, 0.0), LINEAR),
    "masked with a number": (lambda x: x.masked_fill(x > 1, 5.0), UNITS),
    "floor of a quotient": (lambda x: torch.div(x, 0.1, rounding_mode="floor"), UNITS),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_passes_a_function(name, between):
    function, expected = FUNCTIONS[name]
    assert between(function) == expected


def test_slopes_of_prelu_move_with_their_units(between):
    assert between(lambda x, slope: slope(x), slope=torch.nn.PReLU(6)) == SCALES
    assert between.symmetry.layout["parts.slope.weight"][0][0].units == "first.weight"
    assert between(lambda x, slope: slope(x), slope=torch.nn.PReLU()) == SCALES
    assert "parts.slope.weight" not in between.symmetry.layout


def test_of_a_gated_unit_the_gate_has_no_sign(between):
    assert between(F.glu, out=3) == BOTH
    content, gate = between.symmetry.layout["first.weight"][0]
    assert content.units == gate.units
    assert content.signs
    assert gate.signs == gate.scales == ()


def test_a_swish_gate_and_its_content(between):
    def swiglu(x, gate, content):
        return F.silu(gate(x)) * content(x)

    parts = {name: torch.nn.Linear(6, 5) for name in ("gate", "content")}
    assert between(swiglu, out=5, **parts) == LINEAR  # the first layer only feeds linear ones
    rows = {name: between.symmetry.layout[f"parts.{name}.weight"][0][0] for name in parts}
    assert rows["gate"].units == rows["content"].units == "parts.gate.weight"
    assert rows["gate"].signs == ()
    assert rows["content"].signs == ("parts.content.weight sign",)


def test_a_scale_for_each_unit_takes_signs_and_scales_on(between):
    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.ones(6))

        def forward(self, x):
            return torch.sigmoid(x) * self.factor

    assert between(lambda x, scale: scale(x), scale=Scale()) == UNITS
    assert between.symmetry.signs == {"parts.scale.factor sign": "first.weight"}
    assert between.symmetry.scales == {"parts.scale.factor scale": "first.weight"}
