"""Reads selectors of columns."""

from __future__ import annotations

from typing import Any

from sklearn.utils import get_tags

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import reads_transformer
from stackens.export.readers._table import Table
from stackens.export.readers.preprocessing._pipelines import gives_frames
from stackens.export.readers.preprocessing._refusal import refuse_not_finite

__all__: list[str] = []


@reads_transformer(
    "sklearn.GenericUnivariateSelect",
    "sklearn.RFE",
    "sklearn.RFECV",
    "sklearn.SelectFdr",
    "sklearn.SelectFpr",
    "sklearn.SelectFromModel",
    "sklearn.SelectFwe",
    "sklearn.SelectKBest",
    "sklearn.SelectPercentile",
    "sklearn.SequentialFeatureSelector",
    "sklearn.VarianceThreshold",
)
def _selector(selector: Any, graph: Graph, table: Table) -> Table:
    kept = selector.get_support(indices=True)
    if len(kept) == 0:
        raise ExportError(
            f"A selector must keep at least one column. Got {selector!r:.200}, which keeps none. "
            "Loosen it."
        )
    _refuse(selector, graph, table)
    return table.select(kept)


def _refuse(selector: Any, graph: Graph, table: Table) -> None:
    if gives_frames(selector) and table.names is not None:
        return  # a frame passes through unread
    if not get_tags(selector).input_tags.allow_nan:
        refuse_not_finite(graph, table.numbers(graph))
