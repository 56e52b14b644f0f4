"""Columns of tensors side by side, moved only where a step needs them in one tensor.

Selecting and concatenating cost nothing this way: trees and matrix products read the columns where
they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stackens.export.onnx._builder import Builder, Tensor, TensorKind

__all__ = ["Layout", "View"]

_NUMBERS: dict[TensorKind, int] = {"float": 1, "int64": 7, "bool": 9, "double": 11}


@dataclass(frozen=True, eq=False)
class View:
    """The matrix of a node, as columns of tensors.

    Attributes
    ----------
    tensors : tuple of Tensor
        Each once.
    which, column : int arrays of shape (width,)
        Tensor, and column in that tensor.
    """

    tensors: tuple[Tensor, ...]
    which: np.ndarray
    column: np.ndarray

    @classmethod
    def of(cls, tensor: Tensor, columns: Sequence[int] | np.ndarray | None = None) -> View:
        """Return columns of one tensor, all of them by default."""
        column = np.arange(tensor.width) if columns is None else np.asarray(columns)
        return cls((tensor,), np.zeros(len(column), dtype=np.intp), column)

    @classmethod
    def beside(cls, views: Sequence[View]) -> View:
        """Put views side by side."""
        tensors = tuple(dict.fromkeys(tensor for view in views for tensor in view.tensors))
        which = [
            np.array([tensors.index(tensor) for tensor in view.tensors], dtype=np.intp)[view.which]
            for view in views
        ]
        return cls(tensors, np.concatenate(which), np.concatenate([v.column for v in views]))

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.column)

    @property
    def constant(self) -> bool:
        """Whether all rows are the same."""
        return all(tensor.constant for tensor in self.tensors)

    def select(self, columns: np.ndarray) -> View:
        """Take columns, and leave tensors that are no more needed."""
        which, place = np.unique(self.which[columns], return_inverse=True)
        return View(tuple(self.tensors[i] for i in which), place, self.column[columns])


class Layout:
    """Turns views into tensors.

    Parameters
    ----------
    builder : Builder
    anchor : Tensor
        An input, for the number of rows.
    """

    def __init__(self, builder: Builder, anchor: Tensor) -> None:
        self.builder = builder
        self._anchor = anchor

    def constant(self, values: np.ndarray) -> Tensor:
        """Return a row of doubles."""
        row = np.asarray(values, dtype=np.float64)
        return Tensor(self.builder.constant(row), len(row), "double", constant=True)

    def cast(self, tensor: Tensor, kind: TensorKind) -> Tensor:
        """Change the type."""
        if tensor.kind == kind:
            return tensor
        name = self.builder.node("Cast", tensor.name, to=_NUMBERS[kind])
        return replace(tensor, name=name, kind=kind)

    def whole(self, view: View, kind: TensorKind = "double") -> Tensor:
        """Return one tensor with exactly these columns, of one row where all rows are the same."""
        tensor, place = self.loose(view, kind)
        if tensor.width == view.width and np.array_equal(place, np.arange(view.width)):
            return tensor
        name = self.builder.node("Gather", tensor.name, self.builder.constant(place), axis=-1)
        return Tensor(name, view.width, kind, tensor.constant)

    def loose(self, view: View, kind: TensorKind = "double") -> tuple[Tensor, np.ndarray]:
        """Return a tensor in which these columns lie among others, and where.

        Returns
        -------
        tensor : Tensor
        place : int array of shape (width,)
        """
        if len(view.tensors) == 1:
            return self.cast(view.tensors[0], kind), view.column
        kinds = {tensor.kind for tensor in view.tensors}
        common: TensorKind = kinds.pop() if len(kinds) == 1 else kind
        parts = [self.cast(tensor, common) for tensor in view.tensors]
        if not view.constant:
            parts = [self.in_every_row(part) for part in parts]
        start = np.cumsum([0] + [part.width for part in parts])
        name = self.builder.node("Concat", *[part.name for part in parts], axis=-1)
        zero = frozenset(s + j for s, p in zip(start, parts) for j in p.always_zero)  # noqa: B905
        whole = Tensor(name, int(start[-1]), common, view.constant, zero)
        return self.cast(whole, kind), start[view.which] + view.column

    def in_every_row(self, tensor: Tensor) -> Tensor:
        """Repeat a constant for each row of the input."""
        if not tensor.constant:
            return tensor
        n_rows = self.builder.node("Shape", self._anchor.name, start=0, end=1)
        width = self.builder.constant(np.array([tensor.width]))
        shape = self.builder.node("Concat", n_rows, width, axis=0)
        return replace(tensor, name=self.builder.node("Expand", tensor.name, shape), constant=False)
