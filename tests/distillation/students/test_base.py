"""What fitted students say of themselves."""

import numpy as np

from stackens._core._task import Task
from stackens.distillation.students import FittedStudent


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
