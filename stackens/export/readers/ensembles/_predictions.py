"""The prediction table of an exported ensemble: a node for each base model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._table import Table
from stackens.export.readers.ensembles._answers import read_answer
from stackens.out_of_fold import CrossFit, PredictionTable

__all__ = ["Predictions", "read_predictions"]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a combiner combines.

    Attributes
    ----------
    nodes : tuple of int or None
        The answers of each model, of width ``like.n_outputs``; None for one that is not asked.
    like : PredictionTable
        A table of the same models: their names, what they answer, and the task.
    features : Table
        The columns that the models were fitted on.
    """

    nodes: tuple[int | None, ...]
    like: PredictionTable
    features: Table

    def of(self, model: int) -> int:
        """Return the node of a model that was asked."""
        node = self.nodes[model]
        if node is None:
            raise IndexError(f"The model {self.like.names[model]!r} is not asked.")
        return node

    def matrix(self, graph: Graph) -> int:
        """Return the informative columns side by side, as :meth:`PredictionTable.matrix`."""
        parts = groupby(self.like.columns(), key=lambda column: column[0])
        return graph.concatenate(
            [graph.select(self.of(model), [output for _, output in run]) for model, run in parts]
        )


def read_predictions(
    cross_fit: CrossFit, graph: Graph, table: Table, *, skip: Collection[str] = ()
) -> Predictions:
    """Read the models of a cross-fit.

    Parameters
    ----------
    cross_fit : CrossFit
    graph : Graph
    table : Table
        The columns that they were fitted on.
    skip : collection of str, default=()
        Names of models that are not asked, as in :meth:`CrossFit.predict`.

    Raises
    ------
    ExportError
        If one of them cannot be written exactly.
    """
    like = cross_fit.out_of_fold
    nodes: list[int | None] = []
    for name, response in zip(like.names, like.response, strict=True):
        if name in skip:
            nodes.append(None)
            continue
        try:
            nodes.append(read_answer(cross_fit.models[name], graph, table, response, like.task))
        except ExportError as error:
            raise ExportError(f"Base model {name!r}: {error}") from error
    return Predictions(tuple(nodes), like, table)
