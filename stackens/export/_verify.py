"""Checks an exported file again, with the rows that it carries and the runtime that is here."""

from __future__ import annotations

from os import PathLike

from stackens.exceptions import ExportError, ExportMismatchError
from stackens.export._targets import manifest_in, open_target, target_of
from stackens.export.saving import as_path
from stackens.export.verification import Check, largest_difference

__all__ = ["verify"]


def verify(path: str | PathLike[str]) -> Check:
    """Check that an exported file is unchanged, and answers the rows that it carries as before.

    For a new machine, or after a runtime was updated: onnxruntime has given other answers from one
    release to the next.

    Parameters
    ----------
    path : str or path-like
        A file that :func:`to_onnx`, :func:`to_numpy` or :func:`to_c` wrote. For a compiled
        extension the C file must lie beside it.

    Returns
    -------
    Check
        The rows compared and the largest difference.

    Raises
    ------
    ExportError
        If the file is none of ours, changed since it was written, or does not run.
    ExportMismatchError
        If its answers differ from the expected ones.

    Examples
    --------
    >>> import tempfile, os
    >>> import stackens as se
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "tree.py")
    >>> artifact = se.export.to_numpy(tree, path)
    >>> se.export.verify(path).max_difference
    0.0
    """
    file = as_path(path)
    manifest = manifest_in(file)
    runner = open_target(target_of(file), file)
    try:
        outputs = runner.outputs(manifest.probes)
    except Exception as error:  # whatever a runtime raises
        raise ExportError(
            f"{file.name} must answer the rows that it carries. Got {type(error).__name__}: "
            f"{error}. It was made with {manifest.versions}; install those versions, or export the "
            "model again."
        ) from error
    difference, row = largest_difference(manifest.expected, outputs, manifest.size)
    if not difference <= manifest.tolerance:
        values = {
            name: values[row]
            for (name, _), values in zip(manifest.columns, manifest.probes, strict=True)
        }
        raise ExportMismatchError(
            f"{file.name} must answer as its source did, to {manifest.tolerance:g}. Got a "
            f"difference of {difference:.3g}: {outputs[row].tolist()} instead of "
            f"{manifest.expected[row].tolist()} for the row {values}. It was made with "
            f"{manifest.versions}; install those versions, or export the model again."
        )
    return Check(len(outputs), 0, 0, difference, manifest.tolerance)
