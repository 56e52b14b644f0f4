"""What an export returns."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

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


def test_one_row_of_any_form_is_answered_as_in_a_batch(tmp_path):
    X = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": ["x", "y", "x", "y"]})
    model = make_pipeline(se.TabularEncoder(), LogisticRegression()).fit(X, [0, 1, 0, 1])
    artifact = se.export.to_onnx(model, tmp_path / "model.onnx")
    expected = model.predict_proba(X)
    np.testing.assert_allclose(artifact.predict_proba(X), expected, atol=1e-14)
    for row in ([1.0, "y"], (1.0, "y"), {"b": "y", "a": 1.0}, X.iloc[1], X.to_numpy()[1]):
        np.testing.assert_allclose(artifact.predict_proba(row), expected[1], atol=1e-14)
        assert artifact.predict(row) == 1


def test_probabilities_are_there_for_classifiers_only(tmp_path):
    X = np.arange(8.0).reshape(4, 2)
    artifact = se.export.to_numpy(LinearRegression().fit(X, X[:, 0]), tmp_path / "model.py")
    assert not hasattr(artifact, "predict_proba")
    with pytest.raises(AttributeError, match="Call predict"):
        artifact.predict_proba(X)
