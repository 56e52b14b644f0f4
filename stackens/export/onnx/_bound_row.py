"""One row of numbers through onnxruntime, by memory that is bound to its input and answer once."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

__all__ = ["BoundRow", "picker"]


class BoundRow:
    """Memory for one row and its answer, which onnxruntime reads and writes directly.

    Handing over arrays instead costs as much as a small model. Not for several threads at once.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    input_name, answer_name : str
        A matrix of doubles, and an array or matrix of them.
    columns : sequence of int or None
        The column of a raw row at each place of the matrix; None where nothing is read.
    n_columns : int
        Of a raw row.
    answer_shape : tuple of int
        Of the answer to one row: ``()`` or ``(n_outputs,)``.
    """

    def __init__(
        self,
        session: Any,
        input_name: str,
        answer_name: str,
        columns: Sequence[int | None],
        n_columns: int,
        answer_shape: tuple[int, ...],
    ) -> None:
        self._matrix = np.zeros((1, len(columns)))
        self._answer = np.empty((1, *answer_shape))
        self._binding = session.io_binding()
        for bind, name, memory in (
            (self._binding.bind_input, input_name, self._matrix),
            (self._binding.bind_output, answer_name, self._answer),
        ):
            bind(name, "cpu", 0, np.float64, memory.shape, memory.ctypes.data)
        self._run = session.run_with_iobinding
        self._n_columns = n_columns
        self._write = struct.Struct(
            "".join("8x" if column is None else "d" for column in columns)
        ).pack_into
        read = [column for column in columns if column is not None]
        self._pick = None if read == list(range(n_columns)) else picker(read)

    def ask(self, row: Sequence[Any]) -> Any:
        """Answer a row of numbers.

        Returns
        -------
        float, array of shape (n_outputs,), or None
            None if the row has another length or a value that is no plain number; NaN where the
            source refuses the row.
        """
        if len(row) != self._n_columns:
            return None
        try:
            self._write(self._matrix.data, 0, *(row if self._pick is None else self._pick(row)))
        except (struct.error, OverflowError):
            return None
        self._run(self._binding)
        return self._answer[0].copy()


def picker(columns: list[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Return a function that takes these columns of a row."""
    if len(columns) > 1:
        return itemgetter(*columns)
    return lambda row: tuple(row[column] for column in columns)
