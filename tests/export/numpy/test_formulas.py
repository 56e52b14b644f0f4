"""Tests for formulas of steps on each number: every function has one on arrays and on numbers."""

from stackens.export.numpy._formulas import ARITHMETIC, CONDITIONS, ELEMENTWISE, SCALAR
from stackens.export.program import ARITHMETIC as PAIRS
from stackens.export.program import ELEMENTWISE as FUNCTIONS


def test_every_function_has_its_formulas():
    assert set(ELEMENTWISE) == set(FUNCTIONS)
    assert set(ARITHMETIC) == set(PAIRS)
    # rounding to single precision takes a whole row at once
    assert {*CONDITIONS, *SCALAR, "round_single"} == {*FUNCTIONS, *PAIRS}
    assert not set(CONDITIONS).intersection(SCALAR)


def test_each_takes_as_many_numbers_as_its_function():
    for name, formula in [*ELEMENTWISE.items(), *SCALAR.items(), *CONDITIONS.items()]:
        if name in FUNCTIONS:
            assert "x" in formula.format("x")
    for name, formula in [*ARITHMETIC.items(), *SCALAR.items(), *CONDITIONS.items()]:
        if name in PAIRS:
            text = formula.format("left", "right")
            assert text.index("left") < text.index("right")
