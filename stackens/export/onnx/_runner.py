"""Runs exported ONNX files with onnxruntime, quickly for single rows."""

from __future__ import annotations

import json
import math
import threading
from array import array
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from stackens._core._optional import require
from stackens.exceptions import ExportError
from stackens.export.numpy import columns_of
from stackens.export.onnx._bound_row import BoundRow, picker

__all__ = ["OnnxRunner", "manifest_text", "open_onnx"]

_PLAIN_TEXTS = {str, type(None)}


def open_onnx(file: str | PathLike[str] | bytes) -> OnnxRunner:
    """Open an exported file with onnxruntime, on one thread.

    Parameters
    ----------
    file : str, path-like or bytes
        Path or content of a file that :func:`stackens.export.to_onnx` wrote.

    Returns
    -------
    OnnxRunner

    Raises
    ------
    MissingExtraError
        If onnxruntime is missing.
    ExportError
        If the file is none of ours or damaged, or onnxruntime cannot load it.

    Examples
    --------
    >>> from stackens.export.onnx import open_onnx, write_onnx
    >>> from stackens.export.program import Graph
    >>> graph = Graph(["length", "width"])
    >>> area = graph.arithmetic("multiply", graph.numbers([0]), graph.numbers([1]))
    >>> runner = open_onnx(write_onnx(graph.program(area, "values"), "{}"))
    >>> float(runner.ask([2.0, 3.5]))
    7.0
    """
    session = _session(file)
    try:
        return OnnxRunner(session)
    except ExportError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(error) from error


def manifest_text(file: str | PathLike[str] | bytes) -> str:
    """Return the manifest in an exported file.

    Raises
    ------
    ExportError
        If there is none.
    """
    return _metadata(_session(file))["stackens"]


class OnnxRunner:
    """An exported model in onnxruntime.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Of a file that stackens wrote.

    Attributes
    ----------
    columns : list of (name, kind)
        Of raw rows, as :func:`stackens.export.numpy.columns_of` takes them.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        metadata = _metadata(session)
        manifest, columns = json.loads(metadata["stackens"]), json.loads(metadata["columns"])
        self.columns = [(column["name"], column["kind"]) for column in columns]
        self._named = bool(manifest.get("named", True))
        (answer,) = [each for each in session.get_outputs() if each.name != "label"]
        self._answer = [answer.name]
        self._answer_shape = tuple(answer.shape[1:])
        self._n_outputs = answer.shape[1] if len(answer.shape) == 2 else 1
        texts = (metadata["missing_text"], metadata["unknown_text"])
        self._blocks = [
            _Block(each.name, _held(columns, each.name), self.columns, each.type, *texts)
            for each in session.get_inputs()
        ]
        self._is_one_matrix = len(self._blocks) == 1 and self._blocks[0].is_of_numbers
        self._of_thread = threading.local()

    def outputs(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Answer as :class:`~stackens.export.verification.Runner` says."""
        if len(columns[0]) == 0:  # sorting none crashes onnxruntime 1.23 and older
            return np.empty((0, self._n_outputs))
        answer = self.run({block.name: block.of_columns(columns) for block in self._blocks})
        return answer.reshape(-1, self._n_outputs)

    def ask(self, row: Sequence[Any]) -> Any:
        """Answer one row.

        Parameters
        ----------
        row : sequence
            Raw values in the order of the columns.

        Returns
        -------
        float, or array of shape (n_outputs,)
        """
        if self._is_one_matrix and type(row) in (list, tuple):
            answer = self._bound_row().ask(row)
            if answer is not None:
                return answer
        return self.session.run(self._answer, self.prepared(row))[0][0]

    def _bound_row(self) -> BoundRow:
        """Return the memory that this thread asks single rows with."""
        try:
            bound: BoundRow = self._of_thread.bound_row
        except AttributeError:
            (block,) = self._blocks
            bound = self._of_thread.bound_row = BoundRow(
                self.session,
                block.name,
                self._answer[0],
                block.column_at_each_place(),
                len(self.columns),
                self._answer_shape,
            )
        return bound

    def prepared(self, row: Sequence[Any]) -> dict[str, np.ndarray]:
        """Return what onnxruntime is fed for one row, a list in the order of the columns.

        Raises
        ------
        ValueError, TypeError
            If a value is not of its column's kind; the message names both.
        """
        feed: dict[str, np.ndarray] = {}
        quick = type(row) in (list, tuple) and len(row) == len(self.columns)
        for block in self._blocks if quick else ():
            matrix = block.of_plain_row(row)
            if matrix is None:
                break
            feed[block.name] = matrix
        else:
            if quick:
                return feed
        columns, _ = columns_of(row, self.columns, self._named)
        return {block.name: block.of_columns(columns) for block in self._blocks}

    def run(self, feed: dict[str, np.ndarray]) -> np.ndarray:
        """Answer what was prepared."""
        answer: np.ndarray = self.session.run(self._answer, feed)[0]
        return answer


class _Block:
    """One input of the graph, made from rows or columns; a column that nothing reads is NaN."""

    def __init__(
        self,
        name: str,
        held: list[tuple[int, bool]],
        columns: Sequence[tuple[str, str]],
        type_name: str,
        missing: str,
        unknown: str,
    ) -> None:
        self.name = name
        self.is_text = type_name == "tensor(string)"
        # plain numbers are no moments, though the graph reads moments as such
        has_moments = any(columns[column][1] == "datetime" for column, _ in held)
        self.is_of_numbers = not self.is_text and not has_moments
        self._missing, self._unknown = missing, unknown
        self._width = len(held)
        self._columns = [column for column, is_read in held if is_read]
        self._places = [place for place, (_, is_read) in enumerate(held) if is_read]
        self._pick = picker(self._columns)
        self._is_whole_row = self._columns == list(range(len(columns)))

    def column_at_each_place(self) -> list[int | None]:
        """Return the columns of the matrix, None where nothing is read."""
        found: list[int | None] = [None] * self._width
        for column, place in zip(self._columns, self._places, strict=True):
            found[place] = column
        return found

    def of_columns(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Put columns side by side."""
        if not self.is_text:
            matrix = np.full((len(columns[0]), self._width), np.nan)
            for column, place in zip(self._columns, self._places, strict=True):
                matrix[:, place] = columns[column]
            return matrix
        matrix = np.empty((len(columns[0]), self._width), dtype=object)
        for column, place in zip(self._columns, self._places, strict=True):
            matrix[:, place] = [self._text(value) for value in columns[column].tolist()]
        return matrix

    def of_plain_row(self, row: Sequence[Any]) -> np.ndarray | None:
        """Return a matrix of one row, or None where its values need careful reading."""
        values = row if self._is_whole_row else self._pick(row)
        if self.is_text:
            if not _PLAIN_TEXTS.issuperset(map(type, values)):
                return None
            return np.array([[self._text(value) for value in values]], dtype=object)
        if not self.is_of_numbers:
            return None
        numbers = _numbers_of(values)
        if numbers is None:
            return None
        matrix = np.frombuffer(numbers).reshape(1, -1)
        if len(values) == self._width:
            return matrix
        whole = np.full((1, self._width), np.nan)
        whole[0, self._places] = matrix
        return whole

    def _text(self, value: str | None) -> str:
        """Keep a text that is by chance the one for missing values from being taken for one.

        And halves of characters, which no file knows, from reaching onnxruntime: it raises.
        """
        if value is None:
            return self._missing
        known = value != self._missing and (value.isascii() or _is_whole(value))
        return value if known else self._unknown


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _numbers_of(values: Sequence[Any]) -> array[float] | None:
    """Return doubles of numbers and None; None where some value is anything else, such as text."""
    try:
        return array("d", values)
    except (TypeError, OverflowError):
        pass  # None, or what is no number, or an integer beyond doubles
    try:
        return array("d", [math.nan if value is None else value for value in values])
    except (TypeError, OverflowError):
        return None


def _held(columns: Sequence[dict[str, Any]], name: str) -> list[tuple[int, bool]]:
    """Return what an input holds, in its order: positions in raw rows, and whether it is read."""
    held = [i for i, column in enumerate(columns) if column["input"] == name]
    held.sort(key=lambda i: int(columns[i]["position"]))
    return [(i, columns[i]["kind"] != "unread") for i in held]


def _session(file: str | PathLike[str] | bytes) -> Any:
    runtime = require("onnxruntime", extra="onnx", purpose="stackens.export.onnx.open_onnx")
    options = runtime.SessionOptions()
    # More threads cost time for single rows, and add trees up in another order.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, not printed too
    name = "the content" if isinstance(file, bytes) else fspath(file)
    source = file if isinstance(file, bytes) else str(Path(name))
    try:
        return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions share no base class
        raise ExportError(
            f"A file must be ONNX that onnxruntime {runtime.__version__} can load (stackens needs "
            f"1.21 or newer). Got {name}: {error}. Update onnxruntime, or export again."
        ) from error


def _metadata(session: Any) -> dict[str, str]:
    try:
        metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise _damaged(error) from error
    if "stackens" not in metadata:
        raise ExportError(
            "An ONNX file must have been written by stackens.export.to_onnx. Got one without its "
            f"metadata, only {sorted(metadata)}. Use onnxruntime itself for other files."
        )
    return metadata


def _damaged(error: Exception) -> ExportError:
    return ExportError(
        f"The metadata of an ONNX file must be whole. Got some that cannot be read ({error!r}). "
        "Export the model again."
    )
