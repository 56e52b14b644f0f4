"""Models whose answers stand in columns of X, and what a node answers for rows of X."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from stackens.export.program import Graph, evaluate
from stackens.export.readers import Table


class FromColumns(BaseEstimator):
    """Answers with columns of X: probabilities, margins, or values, whichever are given."""

    def __init__(self, columns, classes=None, *, method="predict_proba"):
        self.columns = columns
        self.classes = classes
        self.method = method

    def __getattr__(self, name):
        if name == self.__dict__.get("method"):
            return self._answer
        if name == "classes_" and self.__dict__.get("classes") is not None:
            return np.asarray(self.classes)
        raise AttributeError(name)

    def _answer(self, X):
        answer = X[:, self.columns]
        if self.method == "predict" and self.classes is not None:
            return np.asarray(self.classes)[answer[:, 0].astype(int)]
        return answer[:, 0] if len(self.columns) == 1 else answer

    def _read_into(self, graph, table, method):
        assert method == self.method
        return table.select(self.columns).numbers(graph)


def graph_of(n_columns, names=None):
    """Start a graph over raw rows, and return it with their table."""
    given = [f"x{i}" for i in range(n_columns)] if names is None else names
    graph = Graph(given, named=names is not None)
    return graph, Table.of_raw_rows(graph)


def evaluated(graph, node, X):
    """Run a graph up to one node on rows of numbers, shape (n_samples, n_columns)."""
    program = graph.program(node, "values")
    return evaluate(program, list(np.asarray(X, dtype=np.float64).T))[0]
