"""Reads fitted models into programs: one file for each family of models."""

from stackens.export.readers import ensembles, models, preprocessing, trees
from stackens.export.readers._registry import (
    Method,
    read_response,
    read_transform,
    reads_model,
    reads_transformer,
)
from stackens.export.readers._table import ComputedColumn, RawColumn, Table

__all__ = [
    "ComputedColumn",
    "Method",
    "RawColumn",
    "Table",
    "ensembles",
    "models",
    "preprocessing",
    "read_response",
    "read_transform",
    "reads_model",
    "reads_transformer",
    "trees",
]
