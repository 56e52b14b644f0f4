"""What every exported file says about itself: origin, columns, versions, rows to check it with."""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.program import Program

__all__ = [
    "FORMAT",
    "Manifest",
    "installed_versions",
    "manifest_of",
    "require_unchanged",
    "sealed",
]

FORMAT = 1
_MARK = "stackens-manifest: "
_HASH = b'"sha256":"'
_NO_HASH = "0" * 64  # what stands for the hash of a file while that is computed
_PACKAGES = ("stackens", "numpy", "scikit-learn", "lightgbm", "xgboost", "torch", "onnxruntime")
_MODULES = {"scikit-learn": "sklearn"}


@dataclass(frozen=True, eq=False)
class Manifest:
    """The part of an exported file that says what it is.

    Attributes
    ----------
    target : {"onnx", "numpy", "c"}
    source : str
        Qualified name of the class of the model that it was made from.
    columns : tuple of (str, str)
        Names and kinds, as :meth:`Program.row_columns` gives them.
    response : {"probabilities", "scores", "values"}
    classes : list or None
    named, one_target : bool
        As in a :class:`~stackens.export.program.Program`.
    versions : dict of str -> str
        Of Python and of the packages that were loaded when it was made.
    tolerance : float
        Largest difference from the expected answers.
    probes : list of arrays of shape (n_probes,)
        Rows to check the file with, as columns.
    expected : float64 array of shape (n_probes, n_outputs)
        What the source answered to them.
    size : float64 array of shape (n_outputs,)
        How large its answers usually are, to which differences are relative.
    """

    target: str
    source: str
    columns: tuple[tuple[str, str], ...]
    response: str
    classes: list[Any] | None
    named: bool
    one_target: bool
    versions: dict[str, str]
    tolerance: float
    probes: list[np.ndarray]
    expected: np.ndarray
    size: np.ndarray

    def to_json(self) -> str:
        """Write it as one line of JSON, with room for the hash of the file: see `sealed`."""
        rows = json.dumps(
            {
                "columns": [_plain(column) for column in self.probes],
                "expected": [_plain(row) for row in self.expected],
            },
            separators=(",", ":"),
        )
        return json.dumps(
            {
                "format": FORMAT,
                "target": self.target,
                "source": self.source,
                "columns": self.columns,
                "response": self.response,
                "classes": self.classes,
                "named": self.named,
                "one_target": self.one_target,
                "versions": self.versions,
                "tolerance": self.tolerance,
                "size": self.size.tolist(),
                "sha256": _NO_HASH,
                "probes": base64.b64encode(zlib.compress(rows.encode(), 9)).decode("ascii"),
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str, name: str) -> Manifest:
        """Read it again.

        Raises
        ------
        ExportError
            If it is damaged, or of a newer format.
        """
        try:
            given = json.loads(text)
            if given["format"] > FORMAT:
                raise ExportError(
                    f"A file must be of format {FORMAT} or older. Got {name} of format "
                    f"{given['format']}. Update stackens to read it."
                )
            columns = tuple((str(name), str(kind)) for name, kind in given["columns"])
            rows = json.loads(zlib.decompress(base64.b64decode(given["probes"], validate=True)))
            probes = [
                np.array(values, dtype=object if kind == "category" else np.float64)
                for (_, kind), values in zip(columns, rows["columns"], strict=True)
            ]
            expected = np.array(rows["expected"], dtype=np.float64)
            return cls(
                given["target"],
                given["source"],
                columns,
                given["response"],
                given["classes"],
                given["named"],
                given["one_target"],
                given["versions"],
                float(given["tolerance"]),
                probes,
                expected.reshape(len(rows["expected"]), -1),
                np.array(given["size"], dtype=np.float64),
            )
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            if isinstance(error, ExportError):
                raise
            raise ExportError(
                f"The manifest of {name} must be whole. Got one that cannot be read ({error}). "
                "Export the model again."
            ) from error

    @classmethod
    def of_text_file(cls, path: Path) -> Manifest:
        """Read the manifest in the last line of a text file that holds one.

        Raises
        ------
        ExportError
            If the file has none.
        """
        with path.open("rb") as file:
            lines = [line for line in file if _MARK.encode() in line]
        if not lines:
            raise ExportError(
                f"A file to verify must have been written by stackens.export. Got {path.name}, "
                "which has no manifest. Export the model again."
            )
        text = lines[-1].decode("utf-8", errors="replace")
        text = text[text.index(_MARK) + len(_MARK) :].strip().removesuffix("*/").strip()
        return cls.from_json(text, path.name)


def manifest_of(
    model: Any,
    program: Program,
    target: str,
    tolerance: float,
    probes: Sequence[np.ndarray],
    expected: np.ndarray,
    size: np.ndarray | None = None,
) -> Manifest:
    """Describe an export.

    Raises
    ------
    ExportError
        If the labels of the classes are neither text, numbers nor booleans.
    """
    classes = None
    if program.classes is not None:
        classes = program.classes.tolist()
        if not all(isinstance(label, str | int | float | bool) for label in classes):
            raise ExportError(
                "Labels of an exported model must be text, numbers or booleans. Got "
                f"{classes[:5]}. Fit it on labels of these types."
            )
    return Manifest(
        target,
        f"{type(model).__module__}.{type(model).__qualname__}",
        tuple(program.row_columns()),
        program.response,
        classes,
        program.named,
        program.one_target,
        installed_versions(),
        tolerance,
        list(probes),
        expected,
        np.ones(program.n_outputs) if size is None else size,
    )


def sealed(content: bytes) -> bytes:
    """Put the hash of a file into its manifest: of all of it, with zeros in the hash's place."""
    place = _place_of_hash(content)
    return content[:place] + _hash(content, place) + content[place + len(_NO_HASH) :]


def require_unchanged(content: bytes, name: str, *, is_text: bool) -> None:
    """Raise where a file is other than it was written; older files without a hash pass.

    Parameters
    ----------
    content : bytes
    name : str
        For the message.
    is_text : bool
        Whether other ends of lines are no change.

    Raises
    ------
    ExportError
    """
    if is_text:
        content = content.replace(b"\r\n", b"\n")
    place = _place_of_hash(content)
    if place >= 0 and _hash(content, place) != content[place : place + len(_NO_HASH)]:
        raise ExportError(
            f"An exported file must be as it was written. Got {name}, which was changed since, or "
            "damaged on its way: its hash is another. Copy it again, or export the model again."
        )


def _place_of_hash(content: bytes) -> int:
    """Return where the digits are, or -1. Quotes in texts of JSON are escaped: it is no such."""
    found = content.rfind(_HASH)
    return found if found < 0 else found + len(_HASH)


def _hash(content: bytes, place: int) -> bytes:
    view = memoryview(content)
    parts = (view[:place], _NO_HASH.encode(), view[place + len(_NO_HASH) :])
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest().encode()


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of those packages that are loaded."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        if _MODULES.get(package, package) in sys.modules:
            try:
                versions[package] = _version(package)
            except PackageNotFoundError:  # a module of that name without a distribution
                continue
    return versions


@cache  # of a distribution, which does not change while its module is loaded
def _version(package: str) -> str:
    return version(package)


def _plain(values: np.ndarray) -> list[Any]:
    """Return texts and numbers that JSON keeps exactly; NaN becomes null."""
    return [None if value != value else value for value in values.tolist()]
