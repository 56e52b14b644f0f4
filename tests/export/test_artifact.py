"""What an export returns."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import stackens as se
from stackens.export import Artifact, ExportReport
from stackens.export.verification import Check


def test_the_report_in_words():
    check = Check(8_000, 3_000, 12, 2e-16, 1e-10)
    report = ExportReport("c", "a.b.Model", check, 2_048, 1.5, 2.5, 0.4, {})
    assert (report.max_difference, report.n_rows) == (2e-16, 8_000)
    unchecked = replace(report, check=None)
    assert np.isnan(unchecked.max_difference)
    assert unchecked.n_rows == 0
    assert str(report) == (
        "Model as c: 2.05 kB\n"
        "checked on 8,000 rows (3,000 on or beside thresholds, 12 refused by both): largest "
        "difference 2e-16, allowed 1e-10\n"
        "one row 1.5 µs (p99 2.5), in a batch 0.4 µs"
    )


def test_an_artifact_of_values(tmp_path):
    X = np.arange(8.0).reshape(4, 2) % 3
    model = LinearRegression().fit(X, X[:, 0] - X[:, 1])
    artifact = se.export.to_numpy(model, tmp_path / "model.py")
    assert isinstance(artifact, Artifact)
    np.testing.assert_allclose(artifact.predict(X), model.predict(X), atol=1e-14)
    assert np.ndim(artifact.predict([1.0, 2.0])) == 0
    assert artifact.extension is None
    with pytest.raises(ValueError, match="x1"):
        artifact.predict([[1.0, "text"]])
