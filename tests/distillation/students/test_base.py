"""What fitted students say of themselves."""

import numpy as np
import pytest

from stackens._core._task import Task
from stackens.distillation.students import FittedStudent
from stackens.exceptions import ExportError
from stackens.export.program import Graph, evaluate
from stackens.export.readers import Table, read_response


class Constant(FittedStudent):
    def __init__(self, task, answer):
        super().__init__(task, "constant", "nothing")
        self.answer = np.asarray(answer, dtype=float)

    def outputs(self, X):
        return np.tile(self.answer, (len(X), 1))

    def n_bytes(self):
        return self.answer.nbytes

    def bare(self, X):
        return (lambda row: self.answer), list(X)


def test_classes_come_back_as_labels():
    student = Constant(Task("binary", 2, np.array(["no", "yes"])), [0.2, 0.8])
    assert student.predict(np.zeros((2, 1))).tolist() == ["yes", "yes"]
    assert student.predict_proba(np.zeros((1, 1))).tolist() == [[0.2, 0.8]]
    assert student.classes_.tolist() == ["no", "yes"]


def test_values_keep_the_shape_of_y():
    assert Constant(Task("regression", 1), [3.0]).predict(np.zeros((2, 1))).shape == (2,)
    column = Constant(Task("regression", 1, y_ndim=2), [3.0])
    assert column.predict(np.zeros((2, 1))).shape == (2, 1)
    assert Constant(Task("regression", 1), [1.0, 2.0]).predict(np.zeros((2, 1))).shape == (2, 2)
    assert not hasattr(column, "classes_")
    assert not hasattr(column, "predict_proba")


class Exportable(Constant):
    def _read_outputs(self, graph, table):
        return graph.constant(self.answer)


def test_what_an_export_asks():
    student = Exportable(Task("multiclass", 3, np.arange(3)), [0.2, 0.5, 0.3])
    graph = Graph(["x"])
    table = Table.of_raw_rows(graph)
    for method, expected in (("predict_proba", [0.2, 0.5, 0.3]), ("predict", [1.0])):
        program = graph.program(read_response(student, graph, table, method), "values")
        assert evaluate(program, [np.zeros(2)])[0].tolist() == [expected, expected]


def test_other_students_are_not_exported():
    student = Constant(Task("regression", 1), [3.0])
    graph = Graph(["x"])
    with pytest.raises(ExportError, match=r"A Constant cannot be exported\. Got <constant"):
        read_response(student, graph, Table.of_raw_rows(graph), "predict")
