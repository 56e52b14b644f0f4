"""Writes a program as one Python file: with numpy, or for small models with nothing at all."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.numpy import (
    _branches,
    _forest,
    _refusals,
    _rows,
    _scalars,
    _steps,
    _values,
)
from stackens.export.numpy._batch_code import batch_function, constants, plain_constants
from stackens.export.numpy._behind import columns_behind
from stackens.export.numpy._forest_data import depth
from stackens.export.numpy._literals import sequence_literal
from stackens.export.numpy._public import glue, public_names
from stackens.export.numpy._row_code import row_function
from stackens.export.numpy._sources import defined_names, definitions
from stackens.export.program import Dense, Lookup, Program, Ramps, Trees

__all__ = ["write_numpy"]

_MODULES = (_values, _refusals, _scalars, _steps, _rows, _branches, _forest)

# What plain Python reads in some milliseconds.
_FEW_TERMS = 2_000
_FEW_LEAVES = 1_000
_DEEPEST = 60
# What it reads at all.
_MOST_TERMS = 100_000
_MOST_LEAVES = 50_000
_NESTED = 90  # levels of `if`; Python takes a hundred levels of indentation

_NUMBERS_AT_A_TIME = 4_000_000  # in all matrices of a part of the rows
_NAMES = {"answer_columns", "answer_row", "answer_rows", "answers_of"}  # of functions in all files
_NAMES |= {"predict", "predict_proba", "decision_function"}
_RULE = f"# {'-' * 98}\n# "


def write_numpy(
    program: Program, manifest: str, dependencies: Literal["auto", "numpy", "none"] = "auto"
) -> str:
    """Write a program as the text of one Python file.

    Parameters
    ----------
    program : Program
    manifest : str
        JSON in one line, kept in a comment at the end.
    dependencies : {"auto", "numpy", "none"}, default="auto"
        What the file imports beside the standard library. "none" suits linear models and small
        trees: it loads in milliseconds, and its many rows are answered one by one. "auto" takes
        "none" for those and "numpy" for others.

    Returns
    -------
    str

    Raises
    ------
    ExportError
        If "none" is asked for a model that is too large for it.

    Examples
    --------
    >>> from stackens.export.numpy import write_numpy
    >>> from stackens.export.program import Graph
    >>> graph = Graph(["age", "income"])
    >>> score = graph.dense(graph.numbers([0, 1]), np.array([[0.5], [-2.0]]), np.array([3.0]))
    >>> text = write_numpy(graph.program(score, "values"), "{}")
    >>> print(text[text.index("def answer_row") : text.index("# ---")].rstrip())
    def answer_row(values):
        \"\"\"Answer one row, given as its values.\"\"\"
        age, income = values
        return [0.5 * age - 2.0 * income + 3.0]
    """
    numpy = _with_numpy(program, dependencies)
    modules = _MODULES if numpy else _MODULES[: _MODULES.index(_steps)]
    taken = {*defined_names(modules), *_NAMES}
    functions = [glue(program, numpy=numpy)]
    functions.append("\n".join(row_function(program, numpy=numpy, taken=taken)))
    if numpy:
        functions.append("\n".join(batch_function(program)))
    code = "\n\n\n".join(functions)
    data = _data(program, code, numpy)
    imports, runtime = definitions("\n".join([code, *data]), modules)
    head = [_docstring(program, numpy), "\n".join(imports), _facts(program)]
    blocks = [
        "\n\n".join(text for text in head if text),
        code,
        _RULE + "Reading of rows, and steps of the model.",
        *runtime,
        _RULE + "Numbers of the model.\n\n" + "\n".join(data),
    ]
    # "/" only stands in texts of JSON, where "\/" means the same
    escaped = manifest.replace("/", "\\/")
    return "\n\n\n".join(blocks) + f"\n\n# stackens-manifest: {escaped}\n"


def _with_numpy(program: Program, dependencies: str) -> bool:
    """Decide whether the file needs numpy."""
    terms, trees = 0, []
    for _, node in program:
        if isinstance(node, Trees):
            trees.append(node)
        elif isinstance(node, (Dense, Ramps)):
            terms += node.weights.size
        else:
            terms += node.width * (len(node.keys) if isinstance(node, Lookup) else 1)
    leaves = sum(len(node.leaf) for node in trees)
    if dependencies == "auto" and (terms > _FEW_TERMS or leaves > _FEW_LEAVES):
        return True
    if dependencies == "numpy":
        return True
    nested = max(map(depth, trees), default=0)
    if dependencies == "auto":
        return nested > _DEEPEST
    if dependencies != "none":
        raise ValueError(
            "The dependencies of an exported file must be 'auto', 'numpy' or 'none'. Got "
            f"{dependencies!r}. Leave it at 'auto'."
        )
    if terms > _MOST_TERMS or leaves > _MOST_LEAVES or nested > _NESTED:
        raise ExportError(
            f"A file without numpy holds models of up to {_MOST_TERMS:,} terms and "
            f"{_MOST_LEAVES:,} leaves in trees of {_NESTED} levels. Got {terms:,} terms and "
            f"{leaves:,} leaves in {nested} levels. Export with dependencies='numpy', or to C."
        )
    return False


def _docstring(program: Program, numpy: bool) -> str:
    public = public_names(program)[-1]
    needs = "numpy alone" if numpy else "nothing but Python"
    columns = (
        "found by name, in any order; others are ignored"
        if program.named
        else "those of COLUMNS by their order, whatever they are called"
    )
    return f'''\
"""A trained model as one Python file, written by stackens. It needs {needs}.

    from this_file import {public}

    {public}(row)

A row is raw: a dict with the names in COLUMNS, or a list, tuple or array with a value for each
of COLUMNS, in their order. Several rows are a list of such, a matrix, or a DataFrame (pandas or
polars; its columns are {columns}).

None, NaN and their like are missing values. Numbers may be of any type; categories are text (a
number or boolean stands for its text); moments are datetime, date, numpy.datetime64 or text in ISO
form; durations are timedelta or seconds.

One row gives one answer. What cannot be read, and rows that the original model refuses, raise
ValueError.
"""'''


def _facts(program: Program) -> str:
    """Write what is public of the file, beside its functions."""
    facts = [("COLUMNS", [column.name for column in program.columns])]
    if program.classes is not None:
        facts.append(("CLASSES", program.classes.tolist()))
    names = [name for name, _ in facts] + public_names(program)
    lines = [f"__all__ = {sequence_literal(names)}", ""]
    return "\n".join(lines + [f"{name} = {sequence_literal(values)}" for name, values in facts])


def _data(program: Program, code: str, numpy: bool) -> list[str]:
    """Write the numbers of the model that the code uses."""
    data = {
        "INPUT": sequence_literal(program.row_columns()),
        "NAMED": repr(program.named),
        "N_OUTPUTS": str(program.n_outputs),
        "READ": "row_reader(INPUT)",
    }
    if program.refused is not None:
        data["BEHIND"] = sequence_literal(columns_behind(program, program.refused))
    if numpy:
        widths = sum(node.width for node in program.nodes)
        widths += sum(len(node.column) for node in program.nodes if isinstance(node, Ramps))
        data["ROWS_AT_A_TIME"] = str(max(256, min(65_536, _NUMBERS_AT_A_TIME // widths)))
        if program.classes is not None:
            data["LABELS"] = _labels(program.classes)
    for i, node in program:
        data.update(constants(i, node, program) if numpy else plain_constants(i, node, program))
    used = set(re.findall(r"\w+", code)) | {"INPUT", "N_OUTPUTS"}
    return [f"{name} = {value}" for name, value in data.items() if name in used]


def _labels(classes: np.ndarray) -> str:
    one_type = len(set(map(type, classes.tolist()))) == 1
    return "np.array(CLASSES)" if one_type else "np.array(CLASSES, dtype=object)"
