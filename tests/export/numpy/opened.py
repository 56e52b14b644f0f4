"""Writes programs for the tests and opens them again."""

import numpy as np

from stackens.export.numpy import open_numpy, write_numpy
from stackens.export.program import Graph


def opened(program, folder, dependencies="auto", manifest="{}"):
    path = folder / f"model_{dependencies}.py"
    path.write_text(write_numpy(program, manifest, dependencies), encoding="utf-8")
    return open_numpy(path)


def logistic(names=("age", "income", "town"), classes=("no", "yes"), refuse=False):
    """A logistic regression of two numbers and a category."""
    graph = Graph(names)
    numbers = graph.numbers([0, 1])
    if refuse:
        graph.refuse(numbers)
    filled = graph.fill_missing(numbers, [30.0, 5e4])
    scaled = graph.over(graph.minus(filled, [31.2, 4e4]), [10.0, 2e4])
    town = graph.lookup(
        2, ("Oslo", "Rome"), np.eye(2), missing=np.zeros(2), unknown=np.full(2, np.nan)
    )
    if refuse:
        graph.refuse(town)
    weights = np.array([[0.5], [-0.3], [1.0], [-2.0]])
    score = graph.dense(graph.concatenate([scaled, town]), weights, np.array([0.25]))
    answer = graph.two_classes(graph.elementwise("sigmoid", score))
    return graph.program(answer, "probabilities", np.array(classes))


def one_by_one(runner, columns, n_outputs):
    """Answers of the path for single rows; NaN where it refuses."""
    rows = zip(*(column.tolist() for column in columns), strict=True)
    answers = []
    for row in rows:
        try:
            answers.append(runner.module.answer_row(list(row)))
        except getattr(runner.module, "RefusedRow", ()):
            answers.append([np.nan] * n_outputs)
    return np.array(answers, dtype=np.float64).reshape(-1, n_outputs)
