"""The choice and the names of inputs."""

import pytest

from stackens.exceptions import ExportError
from stackens.export.onnx._inputs import plan_inputs
from stackens.export.program import Graph


def mixed(names=("a", "b", "c", "d"), keys=("x",)):
    graph = Graph(names)
    town = graph.lookup(2, keys, [[1.0]] * len(keys), missing=[0.0], unknown=[0.0])
    both = graph.concatenate([graph.numbers([3]), town, graph.numbers([0])])
    return graph.program(graph.reduce("sum", both), "values")


def numbers():
    graph = Graph(["a", "b"])
    return graph.program(graph.numbers([1]), "values")


def test_auto_is_a_matrix_of_all_columns_where_all_are_numbers():
    plan = plan_inputs(numbers(), "auto")
    assert plan.numbers == {"X": (0, 1)}
    assert plan.texts == {}
    assert [column["kind"] for column in plan.described(numbers())] == ["unread", "number"]


def test_auto_is_blocks_of_what_is_read_where_there_is_text():
    plan = plan_inputs(mixed(), "auto")
    assert plan.numbers == {"numbers": (0, 3)}
    assert plan.texts == {"categories": (2,)}


def test_columns_have_their_names():
    plan = plan_inputs(mixed(), "columns")
    assert plan.numbers == {"a": (0,), "d": (3,)}
    assert plan.texts == {"c": (2,)}


@pytest.mark.parametrize(
    "names",
    [
        ("same", "b", "same", "same"),
        ("", "b", "", ""),
        ("label", "b", "predictions", "_label"),
        ("/Add_1", "b", "c", "_Add_1"),
        ("x0", "", "", ""),
    ],
)
def test_names_of_inputs_are_made_unique(names):
    plan = plan_inputs(mixed(names), "columns")
    found = [*plan.numbers, *plan.texts]
    assert len(set(found)) == 3
    assert not {"", "label", "predictions"} & set(found)
    assert not any(name.startswith("/") for name in found)


def test_text_does_not_go_into_a_matrix():
    with pytest.raises(ExportError, match=r"numbers\. Got text in the column 'c'"):
        plan_inputs(mixed(), "matrix")


def test_reserved_texts_are_keys_of_no_lookup():
    plan = plan_inputs(mixed(), "auto")
    assert (plan.missing_text, plan.unknown_text) == ("", "<unknown>")
    plan = plan_inputs(mixed(keys=("", "<missing>", "<<missing>>", "<unknown>")), "auto")
    assert (plan.missing_text, plan.unknown_text) == ("<<<missing>>>", "<<unknown>>")
