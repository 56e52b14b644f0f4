"""Opens an exported Python file, as a module that nothing else sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from stackens.exceptions import ExportError

__all__ = ["NumpyRunner", "open_numpy", "quickest"]


class NumpyRunner:
    """An exported Python file, opened.

    Attributes
    ----------
    module : module
        With ``predict``, ``predict_proba`` or ``decision_function``, COLUMNS and CLASSES.
    ask : callable
        The quickest public function for one raw row.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.ask = quickest(module)

    def outputs(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Answer as :class:`~stackens.export.verification.Runner` says."""
        if hasattr(self.module, "answer_columns"):
            answers, refused = self.module.answer_columns(list(columns))
            answers[refused] = np.nan
            return answers
        rows = zip(*(column.tolist() for column in columns), strict=True)
        found = [self._answer(list(row)) for row in rows]
        width = self.module.N_OUTPUTS
        refused_row = [np.nan] * width
        return np.array(
            [refused_row if answer is None else answer for answer in found], dtype=np.float64
        ).reshape(-1, width)

    def _answer(self, values: list[Any]) -> list[float] | None:
        refused = getattr(self.module, "RefusedRow", ())
        try:
            return self.module.answer_row(values)
        except refused:
            return None


def quickest(module: ModuleType) -> Callable[[Any], Any]:
    """Return the public function of an exported module that says all of one raw row soonest."""
    public = ("predict_proba", "decision_function", "predict")
    return next(getattr(module, name) for name in public if hasattr(module, name))


def open_numpy(path: str | Path) -> NumpyRunner:
    """Open a file that :func:`write_numpy` wrote. This runs the file: trust it first.

    Nothing is left in ``sys.modules`` or beside the file.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    ExportError
        If the file cannot be run, or is no exported model.
    """
    path = Path(path)
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    except Exception as error:
        raise ExportError(
            f"An exported Python file must run. Got {path.name}, which fails with "
            f"{type(error).__name__}: {error}. Export the model again."
        ) from error
    if not hasattr(module, "answer_row") or not hasattr(module, "predict"):
        raise ExportError(
            f"An exported Python file must hold a model. Got {path.name}, which was not written "
            "by stackens.export.to_numpy. Export the model again."
        )
    return NumpyRunner(module)
