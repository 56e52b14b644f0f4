"""Tests for writing expressions and names."""

import keyword

import pytest

from stackens.export.numpy._expressions import (
    call,
    indented,
    input_names,
    is_atom,
    is_operand,
    listed,
    sum_of,
    targets,
    term,
)
from stackens.export.program import Graph


def program_of(names, read=None):
    graph = Graph(names)
    return graph.program(graph.numbers(range(len(names)) if read is None else read), "values")


def test_names_of_columns_are_kept_where_they_can_be():
    assert input_names(program_of(["age", "Income", "x0"]), ()) == ["age", "Income", "x0"]


def test_other_names_become_names_of_variables():
    names = ["a b", "a-b", "2nd", "naïve", "", "lambda", "sum", "t3", "np", "_", "sigmoid", "日本"]
    found = input_names(program_of(names), {"sigmoid"})
    assert found[:2] == ["a_b", "a_b_"]
    assert len(set(found)) == len(names)
    assert all(name.isidentifier() and name.isascii() for name in found)
    assert not {*keyword.kwlist, "sum", "t3", "np", "_", "sigmoid"}.intersection(found)


def test_columns_that_nobody_reads_have_no_name():
    assert input_names(program_of(["a", "b", "c"], read=[1]), ()) == ["", "b", ""]


@pytest.mark.parametrize("text", ["age", "0.5", "-1e-05", "t3_1", "inf", "-3.0"])
def test_atoms(text):
    assert is_atom(text)
    assert is_operand(text)


@pytest.mark.parametrize(
    "text", ["a + b", "-a * b", "1.0 if a else 0.0", "(a) + (b)", "f(a) - g(b)"]
)
def test_what_needs_parentheses(text):
    assert not is_atom(text)
    assert not is_operand(text)


def test_a_call_needs_none():
    assert is_operand("sigmoid(a + b)")
    assert is_operand("math.tanh(a)")


def test_sums():
    assert sum_of([term(0.5, "a"), term(-2.0, "b"), term(1.0, "c")]) == "0.5 * a - 2.0 * b + c"
    assert sum_of([term(-0.5, "a"), term(1.0, "b")]) == "-0.5 * a + b"


def test_lists():
    assert listed(["a"], "()") == "(a,)"
    assert listed(["a", "b"]) == "[a, b]"
    assert targets(["a", "b"]) == "a, b"
    assert targets(["a"]) == "(a,)"
    long = [f"x{i}" for i in range(60)]
    assert eval(listed(long, "()"), {name: name for name in long}) == tuple(long)
    assert max(map(len, listed(long, "()").splitlines())) <= 92
    assert targets(long) == listed(long, "()")


def test_calls():
    assert call("f", ["a"]) == "f(a)"
    assert call("f", ["a", "b"]) == "f(a, b)"
    assert call("f", []) == "f()"


def test_indented():
    assert indented("a\n  b") == ["    a", "      b"]
