"""Reads pipelines, and transformers that hand columns to several others."""

from __future__ import annotations

from typing import Any

from sklearn import get_config

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import (
    Method,
    read_response,
    read_transform,
    reads_model,
    reads_transformer,
)
from stackens.export.readers._table import Table

__all__ = ["gives_frames"]


def _step(transformer: Any, graph: Graph, table: Table) -> Table:
    """Read one step, which may be "passthrough", and name its columns where it does."""
    if transformer is None or transformer == "passthrough":
        return table
    out = read_transform(transformer, graph, table)
    return out.renamed(_output_names(transformer) if gives_frames(transformer) else None)


def gives_frames(transformer: Any) -> bool:
    """Whether a transformer of scikit-learn is set to give frames, by itself or for all."""
    config = getattr(transformer, "_sklearn_output_config", {})
    return config.get("transform", get_config()["transform_output"]) != "default"


def _output_names(transformer: Any) -> list[str] | None:
    try:
        return [str(name) for name in transformer.get_feature_names_out()]
    except (AttributeError, ValueError):
        # a FunctionTransformer without names, or a step that saw none
        return None


# A sampler of imbalanced-learn, which the pipeline skips when it predicts.
def _steps(pipeline: Any) -> list[Any]:
    return [step for _, step in pipeline.steps if not hasattr(step, "fit_resample")]


@reads_transformer("sklearn.Pipeline", "imblearn.Pipeline")
def _pipeline(pipeline: Any, graph: Graph, table: Table) -> Table:
    for step in _steps(pipeline):
        table = _step(step, graph, table)
    return table


@reads_model("sklearn.Pipeline", "imblearn.Pipeline")
def _pipeline_model(pipeline: Any, graph: Graph, table: Table, method: Method) -> int:
    *steps, model = _steps(pipeline)
    for step in steps:
        table = _step(step, graph, table)
    return read_response(model, graph, table, method)


@reads_transformer("sklearn.FrozenEstimator")
def _frozen(frozen: Any, graph: Graph, table: Table) -> Table:
    return _step(frozen.estimator, graph, table)


@reads_transformer("sklearn.ColumnTransformer")
def _column_transformer(transformer: Any, graph: Graph, table: Table) -> Table:
    table = _in_fitted_order(transformer, table)
    weights = transformer.transformer_weights or {}
    parts = []
    for name, step, _ in transformer.transformers_:
        # what the user gave (names, slices, masks, callables), as positions
        positions = transformer._transformer_to_input_indices[name]
        if len(positions) > 0 and not _is_drop(step):
            part = _step(step, graph, table.select(positions))
            parts.append(_weighted(graph, part, weights.get(name)))
    return _side_by_side(parts, sparse=getattr(transformer, "sparse_output_", False))


@reads_transformer("sklearn.FeatureUnion")
def _feature_union(union: Any, graph: Graph, table: Table) -> Table:
    weights = union.transformer_weights or {}
    parts = [
        _weighted(graph, _step(step, graph, table), weights.get(name))
        for name, step in union.transformer_list
        if not _is_drop(step)
    ]
    return _side_by_side(parts, sparse=any(part.sparse for part in parts))


def _is_drop(step: Any) -> bool:
    return isinstance(step, str) and step == "drop"


def _in_fitted_order(transformer: Any, table: Table) -> Table:
    """Find the columns by their names, as a ColumnTransformer does between two frames."""
    names = getattr(transformer, "feature_names_in_", None)
    if names is None or table.names is None or tuple(names) == table.names:
        return table
    place = {name: i for i, name in enumerate(table.names)}
    absent = [name for name in names if name not in place]
    if absent:
        raise ExportError(
            f"ColumnTransformer needs the columns that it was fitted on. Got none named {absent} "
            f"among {list(table.names)!r:.500}. Fit the pipeline as a whole."
        )
    return table.select([place[name] for name in names])


def _weighted(graph: Graph, part: Table, weight: float | None) -> Table:
    if weight is None:
        return part
    node = graph.times(part.numbers(graph), float(weight))
    return Table.of_node(graph, node, part.names)


def _side_by_side(parts: list[Table], *, sparse: bool) -> Table:
    columns = [column for part in parts for column in part.columns]
    if not columns:
        raise ExportError(
            "A transformer must give at least one column. Got one that drops them all. Remove it."
        )
    return Table(tuple(columns), sparse=bool(sparse))
