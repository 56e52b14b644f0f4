"""A whole model in the vocabulary of nodes: what it reads, what it does, what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stackens.export.program._nodes import Dense, Lookup, Node, Numbers
from stackens.export.program._trees import Trees

__all__ = ["InputColumn", "Program", "needed_nodes"]

Kind = Literal["number", "category", "datetime", "timedelta"]
Response = Literal["probabilities", "scores", "values"]


@dataclass(frozen=True)
class InputColumn:
    """One column of the raw rows.

    Attributes
    ----------
    name : str
        Name in the rows that the source model was fitted on; ``x0``, ``x1``, ... where they had
        none.
    kind : {"number", "category", "datetime", "timedelta"}
        What reaches the nodes. "number": a double, NaN where it is missing, 0 and 1 for booleans.
        "category": a text or a missing value; other values stand for the text that
        :func:`stackens.preprocessing.level_text` writes. "datetime": microseconds since
        1970-01-01 (UTC where it has a time zone), as a double. "timedelta": seconds, as a double.
        A column that no node reads is a "number", and ignored.
    """

    name: str
    kind: Kind


@dataclass(frozen=True, eq=False)
class Program:
    """A model as a list of nodes over the columns of raw rows.

    Attributes
    ----------
    columns : tuple of InputColumn
        In the order of the rows that the source model was fitted on.
    named : bool
        Whether the source was fitted on rows with names (then rows may be dicts or frames).
    nodes : tuple of Node
        In an order in which the sources of each stand before it; none is without use.
    output : int
        Position of the node with the answer.
    response : {"probabilities", "scores", "values"}
        What the answer is: a probability for each class (rows sum to one); a score for each
        class (one column, positive for the second class, where there are two), the largest wins;
        or predicted values, one column for each target.
    classes : array of shape (n_classes,) or None
        Labels of the classes (None: regression).
    refused : int or None
        A node whose matrix is not finite (NaN or infinite somewhere in the row) exactly in the
        rows that the source model refuses with an error, such as those with a missing value where
        it takes none. Exports refuse such rows too, where they can; else they answer NaN.
    one_target : bool
        For values: whether the source's ``predict`` gives one dimension.
    sums_in_single : bool
        Whether the source adds up in single precision what the nodes add up in double.
    """

    columns: tuple[InputColumn, ...]
    named: bool
    nodes: tuple[Node, ...]
    output: int
    response: Response
    classes: np.ndarray | None
    refused: int | None = None
    one_target: bool = True
    sums_in_single: bool = False

    def __iter__(self) -> Iterator[tuple[int, Node]]:
        return iter(enumerate(self.nodes))

    @property
    def n_outputs(self) -> int:
        """Number of columns of the answer."""
        return self.nodes[self.output].width

    @property
    def decides_by_sign(self) -> bool:
        """Whether the answer is one score of two classes, whose sign decides on the label."""
        return self.response == "scores" and self.n_outputs == 1

    def needed_for(self, nodes: Iterable[int]) -> list[int]:
        """Return the positions of these nodes and of all that they are made from, in order."""
        return needed_nodes(self.nodes, nodes)

    def read_columns(self) -> list[int]:
        """Return the positions of the columns that some node reads."""
        read: set[int] = set()
        for node in self.nodes:
            if isinstance(node, Numbers):
                read.update(node.columns.tolist())
            elif isinstance(node, Lookup):
                read.add(node.column)
        return sorted(read)

    def row_columns(self) -> list[tuple[str, str]]:
        """Return names and kinds of the columns of rows, of kind "unread" where no node reads."""
        read = set(self.read_columns())
        return [(c.name, c.kind if i in read else "unread") for i, c in enumerate(self.columns)]

    @property
    def single_precision(self) -> bool:
        """Whether some step of the source is computed in single precision."""
        return self.sums_in_single or any(
            isinstance(n, Dense) and n.weights.dtype == np.float32 for n in self.nodes
        )

    def trees(self) -> list[Trees]:
        """Return the nodes that are trees."""
        return [node for node in self.nodes if isinstance(node, Trees)]


def needed_nodes(nodes: Sequence[Node], wanted: Iterable[int]) -> list[int]:
    """Return the positions of the wanted nodes and of all that they are made from, in order."""
    needed = set(wanted)
    for position in range(max(needed), -1, -1):
        if position in needed:
            needed.update(nodes[position].sources)
    return sorted(needed)
