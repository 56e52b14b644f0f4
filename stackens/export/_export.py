"""Exports a fitted model: read, written, opened, compared with its source, then put in place."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from keyword import iskeyword
from os import PathLike
from pathlib import Path
from sysconfig import get_config_var
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from stackens.evaluation import least_seconds, single_row_latency
from stackens.exceptions import ExportError
from stackens.export._artifact import Artifact, ExportReport
from stackens.export._manifest import installed_versions, manifest_of, sealed
from stackens.export._program_of import program_of
from stackens.export._targets import open_target
from stackens.export.numpy import columns_of
from stackens.export.program import InputColumn, Program
from stackens.export.saving import as_path
from stackens.export.verification import (
    Probes,
    Runner,
    answers_of_source,
    check,
    make_probes,
    raw_rows,
    require_types_without_effect,
    size_of,
    tolerance_of,
)

__all__ = ["to_c", "to_numpy", "to_onnx"]

_PROBES = 8
_LATENCY_ROWS = 200
_BATCH_ROWS = 1_000
_BATCHES = 3

_Write = Callable[[Program, str], str | bytes]


def to_onnx(
    model: Any,
    path: str | PathLike[str],
    *,
    X: Any = None,
    inputs: Literal["auto", "matrix", "blocks", "columns"] = "auto",
    verify: bool = True,
) -> Artifact:
    """Write a fitted model, preprocessing included, as an ONNX file.

    Trees are computed in double precision, and so answer exactly as their source. What cannot be
    expressed exactly is refused. Needs the extra ``onnx``.

    Parameters
    ----------
    model : object
        A fitted model: a student, a distilled, stacked or blended estimator, an estimator or
        pipeline of scikit-learn, LightGBM, XGBoost, a :class:`~stackens.TorchMLPClassifier`.
    path : str or path-like
        Where to write. A file that is there is replaced once the new one is checked.
    X : rows as the model takes them, default=None
        Rows to check the file with, besides those that are made up. Needed where the model insists
        on types of columns, such as ``category``; worth giving wherever rows are at hand. An export
        reads numbers as doubles: with rows in single precision scikit-learn computes in single
        precision, which only a check with such rows can tell.
    inputs : {"auto", "matrix", "blocks", "columns"}, default="auto"
        "matrix" is one input ``X`` of shape (n_rows, n_columns), for columns that are all numbers;
        "blocks" are two, ``numbers`` and ``categories`` (text), each with its columns in their
        order; "columns" is an input of shape (n_rows, 1) for each column that is used, under its
        name, which is slower. "auto" is "matrix" where it can be, else "blocks".
    verify : bool, default=True
        Whether the written file is compared with the model before it is put in place.

    Returns
    -------
    Artifact
        Its ``report`` says how the file compares with the model, its size and its speed.

    Raises
    ------
    ExportError
        If a part of the model cannot be written exactly, or the model is not fitted.
    ExportMismatchError
        If the file answers other than the model; it is not kept.

    Examples
    --------
    >>> import tempfile, os
    >>> import stackens as se
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> folder = tempfile.mkdtemp()
    >>> artifact = se.export.to_onnx(model, os.path.join(folder, "model.onnx"))
    >>> artifact.report.check.max_difference < 1e-12
    True
    >>> artifact.predict(X.iloc[:3]).tolist()
    [0, 0, 0]
    """
    from stackens.export.onnx import write_onnx

    def write(program: Program, manifest: str) -> bytes:
        try:
            return write_onnx(program, manifest, inputs=inputs)
        except UnicodeEncodeError as error:
            raise ExportError(
                f"Texts in an ONNX file must be UTF-8. Got {error.object!r:.100}, which holds half "
                "a character. Replace it before fit, or use stackens.export.to_numpy."
            ) from error

    return _exported(model, path, "onnx", ".onnx", write, X, verify)


def to_numpy(
    model: Any,
    path: str | PathLike[str],
    *,
    X: Any = None,
    dependencies: Literal["auto", "numpy", "none"] = "auto",
    verify: bool = True,
) -> Artifact:
    """Write a fitted model, preprocessing included, as one Python file that needs only numpy.

    The file has ``predict`` and, for classifiers, ``predict_proba`` (or ``decision_function``).
    They take a raw row (a dict, or a list in the order of the columns) or many (lists of those, an
    array, a DataFrame).

    Parameters
    ----------
    model, X, verify
        As for :func:`to_onnx`.
    path : str or path-like
        Where to write; a file name that ends in ``.py``.
    dependencies : {"auto", "numpy", "none"}, default="auto"
        "none" writes plain Python that needs no package at all, for linear models and small trees;
        "auto" does so where the model is small enough.

    Returns
    -------
    Artifact

    Raises
    ------
    ExportError, ExportMismatchError
        As :func:`to_onnx`.

    Examples
    --------
    >>> import tempfile, os
    >>> import stackens as se
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    >>> folder = tempfile.mkdtemp()
    >>> artifact = se.export.to_numpy(tree, os.path.join(folder, "tree.py"))
    >>> artifact.report.check.max_difference
    0.0
    """
    from stackens.export.numpy import write_numpy

    def write(program: Program, manifest: str) -> str:
        return write_numpy(program, manifest, dependencies=dependencies)

    return _exported(model, path, "numpy", ".py", write, X, verify)


def to_c(
    model: Any,
    path: str | PathLike[str],
    *,
    X: Any = None,
    compile: bool = False,
    verify: bool = True,
) -> Artifact:
    """Write a fitted model, preprocessing included, as one C99 file without dependencies.

    Parameters
    ----------
    model, X
        As for :func:`to_onnx`.
    path : str or path-like
        Where to write; a file name that ends in ``.c``. It is the name of the Python module too.
    compile : bool, default=False
        Whether a Python extension is built beside it. Its functions are those of
        :func:`to_numpy`'s file.
    verify : bool, default=True
        Whether the file is compiled and compared with the model. Needs a C compiler.

    Returns
    -------
    Artifact
        ``artifact.extension`` is the path of the extension, None without ``compile``.

    Raises
    ------
    ExportError
        If a part of the model cannot be written exactly, or there is no C compiler.
    ExportMismatchError
        If the file answers other than the model; it is not kept.

    Examples
    --------
    >>> import os, tempfile
    >>> import stackens as se
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> tree = DecisionTreeRegressor().fit([[0.0], [1.0]], [2.0, 5.0])
    >>> path = os.path.join(tempfile.mkdtemp(), "tree.c")
    >>> se.export.to_c(tree, path, verify=False)  # needs no compiler
    <Artifact tree.c: DecisionTreeRegressor as c: ... kB, not checked against its source>
    """
    from stackens.export.c import compile_extension, write_c

    build = compile_extension if compile else None
    artifact = _exported(model, path, "c", ".c", write_c, X, verify, build)
    older = artifact.path.with_name(artifact.path.stem + (get_config_var("EXT_SUFFIX") or ".so"))
    if not compile and older.exists():
        warnings.warn(
            f"{older.name} beside the C file is of an earlier export, and is what Python imports. "
            "Export with compile=True, or delete it.",
            stacklevel=2,
        )
    return artifact


def _exported(
    model: Any,
    path: str | PathLike[str],
    target: str,
    suffix: str,
    write: _Write,
    X: Any,
    verify: bool,
    build: Callable[[Path], Path] | None = None,
) -> Artifact:
    """Export in a folder beside the file, and move the results in place at the very end."""
    final = _checked_path(path, suffix)
    folder = _folder_beside(final)
    try:
        program = _named_like(program_of(model), X)
        given = None if X is None else columns_of(X, program.row_columns(), program.named)[0]
        if given is not None and len(getattr(X, "shape", ())) == 2:
            require_types_without_effect(model, program, X, given)
        probes = make_probes(program, given)
        if not verify:  # only the rows that the file carries are asked
            probes = probes.few(4 * _PROBES)
        tolerance = tolerance_of(program)
        expected = answers_of_source(model, program, probes.columns, like=X)
        shown = _to_carry(probes, expected)
        manifest = manifest_of(
            model,
            program,
            target,
            tolerance,
            probes.rows(shown),
            expected[shown],
            size=size_of(expected),
        )
        written = write(program, manifest.to_json())
        content = sealed(written if isinstance(written, bytes) else written.encode("utf-8"))
        file = folder / final.name
        file.write_bytes(content)
        built = build(file) if build is not None else None
        result, latency = None, (np.nan, np.nan, np.nan)
        if verify:
            runner = open_target(target, built or file)
            result = check(runner, program, probes, expected, tolerance)
            latency = _latency(runner, program, probes, expected)
            del runner
        n_bytes = (built or file).stat().st_size
        extension = None
        if built is not None:
            extension = final.with_name(built.name)
            os.replace(built, extension)
        os.replace(file, final)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report = ExportReport(
        target, manifest.source, result, n_bytes, *latency, versions=installed_versions()
    )
    return Artifact(final, report, manifest, extension)


def _checked_path(path: str | PathLike[str], suffix: str) -> Path:
    final = as_path(path).absolute()  # an artifact is asked later, wherever the program is then
    # compilers take "model.C" for C++, and Python does not import "model.PY"
    if final.suffix != suffix and (suffix != ".onnx" or final.suffix.lower() != suffix):
        raise ExportError(
            f"The file must end in {suffix!r}. Got {final.name!r}. Name it "
            f"{(final.stem or 'model') + suffix!r}."
        )
    if suffix != ".onnx" and (not final.stem.isidentifier() or iskeyword(final.stem)):
        raise ExportError(
            "The file's name is that of a Python module, and must be an identifier. Got "
            f"{final.name!r}. Use letters, digits and underscores, as in 'model{suffix}'."
        )
    if final.is_dir():
        raise ExportError(
            f"A file cannot take the place of a folder. Got {str(final)!r}. Choose another name."
        )
    if not final.parent.is_dir():
        raise ExportError(
            f"The folder of the file must exist. Got {str(final.parent)!r}. Make it, or choose "
            "another."
        )
    return final


def _folder_beside(final: Path) -> Path:
    """Make a folder on the same disk, before the work: what cannot be written is said at once."""
    try:
        return Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.stem:.100}-"))
    except OSError as error:
        raise ExportError(
            f"The folder of the file must be one to write in. Got {str(final.parent)!r}: "
            f"{error.strerror}. Choose another, or ask for the right to write there."
        ) from error


def _named_like(program: Program, X: Any) -> Program:
    """Give columns their names in X, where LightGBM has written underscores for spaces."""
    names = [str(name) for name in getattr(X, "columns", ())]
    own = [column.name for column in program.columns]
    if names == own or [name.replace(" ", "_") for name in names] != own:
        return program
    pairs = zip(names, program.columns, strict=True)
    return replace(program, columns=tuple(InputColumn(name, c.kind) for name, c in pairs))


def _to_carry(probes: Probes, expected: np.ndarray) -> np.ndarray:
    """Choose the rows that the file carries: ordinary, on cuts and odd, none with an infinity."""
    fit = np.isfinite(expected).all(axis=1)
    for column in probes.columns:
        if column.dtype != object:
            fit &= ~np.isinf(column)
    chosen = []
    for part, wanted in zip(
        probes.parts(), (_PROBES // 2, _PROBES // 4, _PROBES // 4), strict=True
    ):
        part = part[fit[part]]
        chosen.append(part[np.linspace(0, len(part) - 1, min(wanted, len(part))).astype(int)])
    return np.concatenate(chosen)


def _latency(
    runner: Runner, program: Program, probes: Probes, expected: np.ndarray
) -> tuple[float, float, float]:
    """Return microseconds: median and 99th percentile of one row, and for a row of a batch."""
    ordinary = np.arange(probes.n_random)
    ordinary = ordinary[~np.isnan(expected[ordinary]).all(axis=1)]
    if len(ordinary) == 0:
        return np.nan, np.nan, np.nan
    few = ordinary[:_LATENCY_ROWS]
    rows = raw_rows(program, probes.rows(few))
    batch = probes.rows(ordinary[:_BATCH_ROWS])
    with threadpool_limits(limits=1):
        median, high = single_row_latency(runner.ask, rows)
        together = least_seconds(runner.outputs, [batch] * _BATCHES)
    return median, high, 1e6 * together / len(batch[0])
