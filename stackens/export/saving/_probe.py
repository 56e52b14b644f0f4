"""A few rows with the answers of the saved object, asked again when it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from stackens._core._rows import as_features, n_rows, take_rows
from stackens.exceptions import ExportMismatchError

__all__ = ["check_probe", "probe_of"]

_ROWS = 32
_WAYS = ("predict_proba", "decision_function", "predict", "transform")


def probe_of(model: Any, X: Any) -> dict[str, Any] | None:
    """Return up to 32 rows of X and what the model says about them; None without X.

    Raises
    ------
    TypeError
        If the model has no method to ask.
    """
    if X is None:
        return None
    way = next((way for way in _WAYS if hasattr(model, way)), None)
    if way is None:
        raise TypeError(
            f"Rows X can be kept with an object that answers by one of {', '.join(_WAYS)}. Got a "
            f"{type(model).__name__}. Save it without X."
        )
    X = as_features(X)
    rows = take_rows(X, np.arange(min(_ROWS, n_rows(X))))
    return {"rows": rows, "way": way, "answers": _answers(model, way, rows)}


def _answers(model: Any, way: str, rows: Any) -> Any:
    answers = getattr(model, way)(rows)
    if isinstance(answers, list):  # of several outputs
        answers = np.hstack(answers)
    answers = getattr(answers, "values", answers)
    return answers.toarray() if sparse.issparse(answers) else np.asarray(answers)


def check_probe(path: Path, model: Any, probe: dict[str, Any], *, single: bool) -> None:
    """Ask the model again.

    Parameters
    ----------
    path : Path
        For the message.
    model : object
    probe : dict
        As :func:`probe_of` made it.
    single : bool
        Whether parts of the model compute in single precision: answers then may differ by 1e-6,
        otherwise by 1e-9, of the larger of 1 and the answer.

    Raises
    ------
    ExportMismatchError
        If an answer is another one; the message names the worst row.
    """
    way, expected = probe["way"], probe["answers"]
    got = _answers(model, way, probe["rows"])
    if got.shape != expected.shape:
        raise ExportMismatchError(
            f"{path} must answer here as where it was saved. Got answers of shape {got.shape} by "
            f"{way} instead of {expected.shape}. Install the versions that its manifest names."
        )
    flat = expected.reshape(len(expected), -1)
    distance = _distances(got.reshape(flat.shape), flat)
    tolerance = 1e-6 if single or expected.dtype == np.float32 else 1e-9
    if (distance > tolerance).any():
        row = int(distance.max(axis=1).argmax())
        raise ExportMismatchError(
            f"{path} must answer here as where it was saved. Got {got[row]!s:.100} for row {row} "
            f"by {way} instead of {expected[row]!s:.100}, the worst of {len(expected)} rows kept "
            "with it. Install the versions of the packages that its manifest names."
        )


def _distances(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    if expected.dtype.kind not in "biuf" or got.dtype.kind not in "biuf":
        return np.where(got == expected, 0.0, np.inf)
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of two infinities
        distance = np.abs(got - expected) / np.maximum(1.0, np.abs(expected))
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance))
