"""What an export returns: where the file is, how it was checked, and a way to ask it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stackens.evaluation import as_bytes, as_seconds
from stackens.exceptions import ExportError
from stackens.export._manifest import Manifest
from stackens.export._targets import manifest_in, open_target
from stackens.export.numpy import columns_of, is_one_row
from stackens.export.verification import Check, Runner

__all__ = ["Artifact", "ExportReport"]


@dataclass(frozen=True)
class ExportReport:
    """What is known about an exported file.

    Attributes
    ----------
    target : {"onnx", "numpy", "c"}
    source : str
        Qualified name of the class of the source model.
    check : Check or None
        How it compared with its source (None: the check was switched off).
    n_bytes : int
        Size of what is deployed: the file, or the compiled extension where there is one.
    one_row_us, one_row_p99_us : float
        Median and 99th percentile of the microseconds for one raw row, over distinct rows, on one
        thread. NaN without a check.
    batch_us_per_row : float
        Microseconds for a row in a batch of 1,000.
    versions : dict of str -> str
        Python and packages that it was made and checked with.

    Examples
    --------
    >>> from stackens.export import ExportReport
    >>> report = ExportReport("c", "sklearn.svm.SVC", None, 41_200, 1.5, 2.5, 0.4, versions={})
    >>> print(report)
    SVC as c: 41.2 kB, not checked against its source
    """

    target: str
    source: str
    check: Check | None
    n_bytes: int
    one_row_us: float
    one_row_p99_us: float
    batch_us_per_row: float
    versions: dict[str, str] = field(repr=False)

    @property
    def max_difference(self) -> float:
        """Largest difference from the source; NaN without a check."""
        return math.nan if self.check is None else self.check.max_difference

    @property
    def n_rows(self) -> int:
        """Rows that were compared with the source."""
        return 0 if self.check is None else self.check.n_rows

    def __str__(self) -> str:
        source = self.source.rpartition(".")[2]
        lines = [f"{source} as {self.target}: {as_bytes(self.n_bytes)}"]
        if self.check is None:
            return f"{lines[0]}, not checked against its source"
        n_tried, n_left_out = self.check.n_cuts_tried, self.check.n_cuts_left_out
        beside = f"{n_tried:,} thresholds"
        if n_left_out:
            beside = f"{n_tried:,} of {n_tried + n_left_out:,} thresholds"
        lines.append(
            f"checked on {self.check.n_rows:,} rows ({self.check.n_cuts:,} on or beside "
            f"{beside}, {self.check.n_refused:,} refused by both): largest difference "
            f"{self.check.max_difference:.3g}, allowed {self.check.tolerance:g}"
        )
        times = (self.one_row_us, self.one_row_p99_us, self.batch_us_per_row)
        one, high, in_batch = (as_seconds(1e-6 * microseconds) for microseconds in times)
        lines.append(f"one row {one} (p99 {high}), in a batch {in_batch}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class Artifact:
    """An exported model.

    Attributes
    ----------
    path : Path
        The file; absolute.
    report : ExportReport
        Size, speed, and how it compared with its source.
    manifest : Manifest
        What the file says about itself.
    extension : Path or None
        The compiled Python extension beside a C file.

    Examples
    --------
    >>> import os, tempfile
    >>> import stackens as se
    >>> from sklearn.linear_model import LinearRegression
    >>> model = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> artifact = se.export.to_numpy(model, os.path.join(tempfile.mkdtemp(), "line.py"))
    >>> artifact.path.name, artifact.manifest.target, artifact.predict([2.0])
    ('line.py', 'numpy', np.float64(5.0))
    >>> artifact
    <Artifact line.py: LinearRegression as numpy: ... kB, largest difference 0>
    """

    path: Path
    report: ExportReport
    manifest: Manifest
    extension: Path | None = None

    def __repr__(self) -> str:
        said = str(self.report).splitlines()[0]
        if self.report.check is not None:
            said += f", largest difference {self.report.max_difference:.3g}"
        return f"<Artifact {self.path.name}: {said}>"

    def __getstate__(self) -> dict[str, Any]:
        # What is opened stays behind, and is opened again from the file.
        return {each.name: self.__dict__[each.name] for each in fields(self)}

    @cached_property
    def _runner(self) -> Runner:
        if manifest_in(self.path).to_json() != self.manifest.to_json():
            raise ExportError(
                f"The file of an artifact must be the one that was exported. Got {self.path}, in "
                "whose place another export was written since. Use what that one returned, or "
                "export this model again under another name."
            )
        return open_target(self.manifest.target, self.extension or self.path)

    def _outputs_of_one(self, row: Any) -> np.ndarray:
        outputs = np.array(self._runner.ask(row), dtype=np.float64, ndmin=1)
        if outputs[0] != outputs[0] and np.isnan(outputs).all():
            raise _refused("a row")
        return outputs

    def _outputs(self, rows: Any) -> np.ndarray:
        columns, _ = columns_of(rows, self.manifest.columns, self.manifest.named)
        outputs = self._runner.outputs(columns)
        refused = np.flatnonzero(np.isnan(outputs).all(axis=1))
        if len(refused):
            raise _refused(f"row {refused[0]}")
        return outputs

    @cached_property
    def predict_proba(self) -> Callable[[Any], np.ndarray]:
        """Return probabilities from the file, by the runtime it is made for: ``f(rows)``.

        Only files of classifiers with probabilities have it. Rows are one raw row (dict, list,
        tuple, array) or several (list of those, array, DataFrame); the answer is an array of shape
        (n_rows, n_classes), or of shape (n_classes,) for one row.
        """
        # A property, since a check at each call would cost more than a small model in C.
        if self.manifest.response != "probabilities":
            raise AttributeError(
                f"predict_proba needs a model with probabilities. Got one of "
                f"{self.manifest.response}. Call predict."
            )
        return self._probabilities

    def _probabilities(self, rows: Any) -> np.ndarray:
        return self._outputs_of_one(rows) if is_one_row(rows) else self._outputs(rows)

    @cached_property
    def decision_function(self) -> Callable[[Any], Any]:
        """Return scores from the file: ``f(rows)``.

        Only files of classifiers without probabilities have it. The answer is an array of shape
        (n_rows, n_classes), or for two classes of shape (n_rows,), positive for the second; for one
        row it has one dimension less.
        """
        if self.manifest.response != "scores":
            raise AttributeError(
                f"decision_function needs a model with scores. Got one of "
                f"{self.manifest.response}. Call predict."
            )
        return self._scores

    def _scores(self, rows: Any) -> Any:
        if is_one_row(rows):
            one = self._outputs_of_one(rows)
            return one[0] if len(one) == 1 else one
        outputs = self._outputs(rows)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def predict(self, rows: Any) -> Any:
        """Return labels or values from the file, for one raw row or several."""
        alone = is_one_row(rows)
        outputs = self._outputs_of_one(rows).reshape(1, -1) if alone else self._outputs(rows)
        if self.manifest.classes is not None:
            by_sign = self.manifest.response == "scores" and outputs.shape[1] == 1
            best = outputs[:, 0] > 0 if by_sign else outputs.argmax(axis=1)
            answers = np.asarray(self.manifest.classes)[best.astype(int)]
        else:
            answers = outputs[:, 0] if self.manifest.one_target else outputs
        return answers[0] if alone else answers


def _refused(which: str) -> ValueError:
    return ValueError(
        f"Rows must be such as the model was fitted on. Got {which}, which it refuses: a missing "
        "or infinite number, or a category, that it cannot take. Fill it in, or leave the row out."
    )
