"""Programs of every kind as ONNX files, against `evaluate`."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from stackens.exceptions import ExportError
from stackens.export.onnx import open_onnx, write_onnx
from stackens.export.program import Graph, Node
from stackens.export.program._nodes import OneSource
from tests.export.random_programs import assert_agrees, expected_outputs, random_program


def check_seed(seed):
    program, columns = random_program(seed)
    for inputs in ("auto", "columns"):
        content = write_onnx(program, "{}", inputs=inputs)
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
        runner = open_onnx(content)
        outputs = runner.outputs(columns)
        assert_agrees(program, columns, outputs)
        alone = np.vstack([runner.outputs([c[i : i + 1] for c in columns]) for i in range(5)])
        assert_agrees(program, [c[:5] for c in columns], alone)
        assert runner.outputs([c[:0] for c in columns]).shape == (0, program.n_outputs)


@pytest.mark.parametrize("seed", range(50))
def test_random_programs_agree(seed):
    check_seed(seed)


@pytest.mark.nightly
@pytest.mark.parametrize("start", range(50, 1050, 100))
def test_many_random_programs_agree(start):
    for seed in range(start, start + 100):
        check_seed(seed)


def test_random_programs_cover_every_kind_of_step():
    kinds = {type(node) for seed in range(50) for _, node in random_program(seed)[0]}
    assert kinds == {*Node.__subclasses__(), *OneSource.__subclasses__()} - {OneSource}
    programs = [random_program(seed)[0] for seed in range(50)]
    assert {program.response for program in programs} == {"probabilities", "scores", "values"}
    assert any(program.refused is not None for program in programs)


def of_values(values, classes, response="probabilities"):
    graph = Graph([f"x{j}" for j in range(values.shape[1])])
    program = graph.program(graph.numbers(range(values.shape[1])), response, classes)
    session = onnxruntime.InferenceSession(write_onnx(program, "{}", inputs="matrix"))
    return session, session.run(None, {"X": values})


@pytest.mark.parametrize("dtype", [None, object])
@pytest.mark.parametrize(
    ("classes", "type_name"),
    [
        ([0, 1, 2], "tensor(int64)"),
        ([-3, 5, 7], "tensor(int64)"),
        (["no", "größer", "a b"], "tensor(string)"),
        ([0.5, 1.5, 3.0], "tensor(double)"),
    ],
)
def test_labels_of_the_largest_column(classes, type_name, dtype):
    values = np.array([[0.1, 0.2, 0.7], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])
    session, (label, probabilities) = of_values(values, np.array(classes, dtype=dtype))
    assert session.get_outputs()[0].type == type_name
    assert label.tolist() == [classes[2], classes[0], classes[1]]
    np.testing.assert_array_equal(probabilities, values)


def test_labels_of_one_score():
    _, (label, scores) = of_values(
        np.array([[0.0], [1e-300], [-2.0], [np.nan]]), np.array([False, True]), "scores"
    )
    assert label.tolist() == [False, True, False, False]
    assert scores.shape == (4, 1)


@pytest.mark.parametrize("classes", [None, np.array(["a", "b"])])
def test_refused_rows_are_nan_with_the_label_of_the_first_class(classes):
    graph = Graph(["x", "y"])
    both = graph.numbers([0, 1])
    graph.refuse(graph.select(both, [0]))
    answer = graph.choose(graph.elementwise("is_missing", both), graph.constant(3.0), both)
    response = "values" if classes is None else "scores"
    program = graph.program(answer, response, classes)
    columns = [np.array([1.0, np.nan, np.inf, -np.inf, 2.0]), np.array([2.0, 2, 2, 2, np.nan])]
    session = onnxruntime.InferenceSession(write_onnx(program, "{}"))
    *label, outputs = session.run(None, {"X": np.stack(columns, axis=1)})
    np.testing.assert_array_equal(outputs, expected_outputs(program, columns))
    assert np.isnan(outputs).all(axis=1).tolist() == [False, True, True, True, False]
    if classes is not None:
        assert label[0].tolist() == ["b", "a", "a", "a", "b"]


def test_one_target_has_one_dimension():
    graph = Graph(["x"])
    source = graph.numbers([0])
    for one_target, shape in ((True, (2,)), (False, (2, 1))):
        program = graph.program(source, "values", one_target=one_target)
        session = onnxruntime.InferenceSession(write_onnx(program, "{}"))
        assert session.run(None, {"X": np.ones((2, 1))})[0].shape == shape


@pytest.mark.parametrize("seed", range(6))
def test_no_rows_are_no_trouble_for_plain_onnxruntime(seed):
    program, _ = random_program(seed)
    session = onnxruntime.InferenceSession(write_onnx(program, "{}"))
    feed = {
        each.name: np.empty((0, each.shape[1]), "f8" if each.type == "tensor(double)" else object)
        for each in session.get_inputs()
    }
    assert all(len(answer) == 0 for answer in session.run(None, feed))


def test_a_constant_answers_every_row():
    graph = Graph(["x", "y"])
    node = graph.concatenate([graph.constant([0.25, 0.5]), graph.constant(0.25)])
    program = graph.program(node, "probabilities", np.array([0, 1, 2]))
    outputs = open_onnx(write_onnx(program, "{}")).outputs([np.zeros(3), np.zeros(3)])
    np.testing.assert_array_equal(outputs, np.tile([0.25, 0.5, 0.25], (3, 1)))


def test_metadata():
    graph = Graph(["length", "", "town"])
    town = graph.lookup(2, ["Oslo", ""], [[1.0], [2.0]], missing=[0.0], unknown=[-1.0])
    score = graph.arithmetic("add", graph.numbers([0]), town)
    program = graph.program(score, "scores", np.array(["no", "yes"]))
    content = write_onnx(program, '{"manifest": 1}')
    model = onnx.load_from_string(content)
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert model.producer_name == "stackens"
    assert found["stackens"] == '{"manifest": 1}'
    assert json.loads(found["classes"]) == ["no", "yes"]
    assert found["missing_text"] == "<missing>"
    assert json.loads(found["columns"]) == [
        {"name": "length", "kind": "number", "input": "numbers", "position": 0},
        {"name": "", "kind": "unread", "input": None, "position": None},
        {"name": "town", "kind": "category", "input": "categories", "position": 0},
    ]


def test_nothing_is_in_the_file_for_nothing():
    graph = Graph(["x"])
    raw = graph.numbers([0])
    second = graph.elementwise("sigmoid", raw)
    program = graph.program(graph.two_classes(second), "probabilities", np.array([0, 1]))
    model = onnx.load_from_string(write_onnx(program, "{}"))
    assert [node.op_type for node in model.graph.node] == ["Sigmoid", "Gemm", "ArgMax"]
    x = np.array([-800.0, -40.0, 0.3, 40.0, np.nan])
    outputs = open_onnx(model.SerializeToString()).outputs([x])
    assert_agrees(program, [x], outputs)


def test_a_probability_whose_logarithm_counts_is_not_rounded_to_zero():
    graph = Graph(["x"])
    log = graph.elementwise("log", graph.elementwise("sigmoid", graph.numbers([0])))
    program = graph.program(log, "values")
    outputs = open_onnx(write_onnx(program, "{}")).outputs([np.array([-600.0, -40.0])])
    np.testing.assert_allclose(outputs[:, 0], [-600.0, -40.0], rtol=1e-13)


def test_unknown_inputs_are_refused():
    graph = Graph(["x"])
    program = graph.program(graph.numbers([0]), "values")
    with pytest.raises(ExportError, match=r"'blocks' or 'columns'\. Got 'rows'"):
        write_onnx(program, "{}", inputs="rows")
