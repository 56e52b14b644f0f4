"""Finds the reader of a fitted model or transformer by the name of its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._table import Table

__all__ = ["Method", "read_response", "read_transform", "reads_model", "reads_transformer"]

# What is asked of a model. "predict" of a classifier means the position of the label in
# `classes_`, one column; of a regressor its values, a column for each target. "predict_proba"
# is a column for each class; "decision_function" as well, but one for two classes.
Method = Literal["predict_proba", "decision_function", "predict"]

ModelReader = Callable[[Any, Graph, Table, Method], int]
TransformerReader = Callable[[Any, Graph, Table], Table]

# Qualified class names, so that no library is imported in order to be recognised.
_MODELS: dict[str, ModelReader] = {}
_TRANSFORMERS: dict[str, TransformerReader] = {}
_REFUSED: set[str] = set()  # those whose reader always says why not


def reads_model(*names: str, refuses: bool = False) -> Callable[[ModelReader], ModelReader]:
    """Register a reader for classes, each given as ``package.Class`` or ``package.module.Class``.

    The first and the last part count: where in the package the class stands does not. Only the
    class itself is meant: what a subclass changes is unknown. A reader that `refuses` only says
    why these cannot be exported; they are not listed among what can.
    """

    def register(reader: ModelReader) -> ModelReader:
        _MODELS.update(dict.fromkeys(map(_short, names), reader))
        _REFUSED.update(map(_short, names if refuses else ()))
        return reader

    return register


def reads_transformer(
    *names: str, refuses: bool = False
) -> Callable[[TransformerReader], TransformerReader]:
    """Register a reader for transformers, as :func:`reads_model` does for models."""

    def register(reader: TransformerReader) -> TransformerReader:
        _TRANSFORMERS.update(dict.fromkeys(map(_short, names), reader))
        _REFUSED.update(map(_short, names if refuses else ()))
        return reader

    return register


def read_response(model: Any, graph: Graph, table: Table, method: Method) -> int:
    """Read a fitted model, and return the node of its answer.

    Parameters
    ----------
    model : object
        A fitted model, of scikit-learn, LightGBM, XGBoost or stackens. One that stands above this
        layer has a method ``_read_into(graph, table, method)`` that reads its parts.
    graph : Graph
    table : Table
        The columns that the model was fitted on.
    method : {"predict_proba", "decision_function", "predict"}

    Raises
    ------
    ExportError
        If the model cannot be written exactly.
    """
    own = getattr(model, "_read_into", None)
    if own is not None:
        return own(graph, table, method)
    reader = _MODELS.get(_class_name(model))
    if reader is None:
        raise _unknown(model, "model")
    return reader(model, graph, table, method)


def read_transform(transformer: Any, graph: Graph, table: Table) -> Table:
    """Read a fitted transformer, and return the table of its output.

    Raises
    ------
    ExportError
        If the transformer cannot be written exactly.
    """
    reader = _TRANSFORMERS.get(_class_name(transformer))
    if reader is None:
        raise _unknown(transformer, "transformer")
    return reader(transformer, graph, table)


def _class_name(thing: Any) -> str:
    return _short(f"{type(thing).__module__}.{type(thing).__qualname__}")


def _short(name: str) -> str:
    package, _, rest = name.partition(".")
    return f"{package}.{rest.rpartition('.')[2]}"


def _unknown(thing: Any, what: str) -> ExportError:
    known = sorted((_MODELS if what == "model" else _TRANSFORMERS).keys() - _REFUSED)
    return ExportError(
        f"The {what} {type(thing).__name__} of {type(thing).__module__.partition('.')[0]} cannot "
        f"be exported. Got {thing!r:.200}. What can: {', '.join(known)}. Replace it, or distil "
        "the whole model into a student that can be exported."
    )
