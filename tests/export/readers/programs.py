"""Reads a model of raw rows into a program, and runs that on rows of numbers."""

import numpy as np

from stackens.export.program import Graph, evaluate
from stackens.export.readers import Table, read_response


def program_of(model, columns, method="predict_proba", response="values"):
    """Read a model whose rows have these columns: their names, or the number of unnamed ones."""
    named = not isinstance(columns, int)
    graph = Graph(list(columns) if named else [f"x{i}" for i in range(columns)], named=named)
    node = read_response(model, graph, Table.of_raw_rows(graph), method)
    return graph.program(node, response, getattr(model, "classes_", None))


def run(program, X):
    """Return the answers to rows of numbers, and whether each row is refused."""
    return run_columns(program, np.ascontiguousarray(np.asarray(X, dtype=np.float64).T))


def run_columns(program, columns):
    """Return the answers to rows in columns, and whether each row is refused."""
    wanted = [program.output] + ([] if program.refused is None else [program.refused])
    answers, *refused = evaluate(program, list(columns), wanted)
    if not refused:
        return answers, np.zeros(len(answers), dtype=bool)
    return answers, ~np.isfinite(refused[0]).all(axis=1)


def answers_of(read, X):
    """Return what a reader's node answers to rows of numbers: ``read(graph, source)``."""
    graph = Graph([f"x{i}" for i in range(X.shape[1])])
    node = read(graph, graph.numbers(range(X.shape[1])))
    return evaluate(graph.program(node, "values"), list(X.T))[0]
