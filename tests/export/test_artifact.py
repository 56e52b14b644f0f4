"""What an export returns."""

import copy
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import stackens as se
from stackens.exceptions import ExportError
from stackens.export import Artifact, ExportReport
from stackens.export.c._compile import find_compiler
from stackens.export.verification import Check


def test_the_report_in_words():
    check = Check(8_000, 3_000, 12, 2e-16, 1e-10, 1_000)
    report = ExportReport("c", "a.b.Model", check, 2_048, 1.5, 2.5, 0.4, {})
    assert (report.max_difference, report.n_rows) == (2e-16, 8_000)
    unchecked = replace(report, check=None)
    assert np.isnan(unchecked.max_difference)
    assert unchecked.n_rows == 0
    assert str(report) == (
        "Model as c: 2.05 kB\n"
        "checked on 8,000 rows (3,000 on or beside 1,000 thresholds, 12 refused by both): largest "
        "difference 2e-16, allowed 1e-10\n"
        "one row 1.5 µs (p99 2.5 µs), in a batch 0.4 µs"
    )
    slow = replace(report, one_row_us=13_300.0, one_row_p99_us=2.1e6)
    assert str(slow).endswith("one row 13.3 ms (p99 2.1 s), in a batch 0.4 µs")


def test_an_artifact_in_one_line(tmp_path):
    model = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    checked = se.export.to_numpy(model, tmp_path / "line.py")
    assert repr(checked).startswith("<Artifact line.py: LinearRegression as numpy: ")
    assert repr(checked).endswith(" kB, largest difference 0>")
    unchecked = se.export.to_numpy(model, tmp_path / "other.py", verify=False)
    assert repr(unchecked).endswith(" kB, not checked against its source>")


def test_thresholds_that_were_left_out_are_told():
    check = Check(74_000, 71_994, 0, 0.0, 1e-10, 23_998, 7_310)
    report = ExportReport("c", "a.b.Model", check, 2_048, 1.5, 2.5, 0.4, {})
    assert "(71,994 on or beside 23,998 of 31,308 thresholds, 0 refused" in str(report)


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


@pytest.mark.parametrize(
    "target",
    [
        "numpy",
        "onnx",
        pytest.param("c", marks=pytest.mark.skipif(not find_compiler(), reason="no C compiler")),
    ],
)
def test_one_class_is_the_answer_to_every_row(target, tmp_path):
    X = np.arange(8.0).reshape(4, 2)
    model = GaussianNB().fit(X, np.full(4, "only"))
    write, suffix = {
        "numpy": (se.export.to_numpy, "py"),
        "onnx": (se.export.to_onnx, "onnx"),
        "c": (partial(se.export.to_c, compile=True), "c"),
    }[target]
    artifact = write(model, tmp_path / f"model.{suffix}")
    assert artifact.predict(X).tolist() == ["only"] * 4
    assert artifact.predict(X[0]) == "only"
    assert artifact.predict_proba(X).tolist() == [[1.0]] * 4
    assert artifact.predict_proba(X[0]).tolist() == [1.0]
    if target == "onnx":
        assert artifact._runner.session.run(["label"], {"X": X})[0].tolist() == ["only"] * 4
    else:
        module = artifact._runner.module
        assert list(module.predict(X)) == ["only"] * 4
        assert module.predict([1.0, 2.0]) == "only"
        assert module.predict_proba([1.0, 2.0]) == [1.0]


@pytest.mark.parametrize("target", ["numpy", "onnx"])
def test_a_used_artifact_can_be_copied_and_pickled(target, tmp_path):
    X = np.arange(8.0).reshape(4, 2)
    model = LogisticRegression().fit(X, [0, 1, 0, 1])
    path = tmp_path / ("model.py" if target == "numpy" else "model.onnx")
    artifact = getattr(se.export, f"to_{target}")(model, path)
    wanted = artifact.predict_proba(X)
    for other in (copy.deepcopy(artifact), pickle.loads(pickle.dumps(artifact))):
        np.testing.assert_array_equal(other.predict_proba(X), wanted)
        assert other.path == path
        assert str(other.report) == str(artifact.report)
        assert other.manifest.to_json() == artifact.manifest.to_json()


def test_an_artifact_is_of_one_file_wherever_the_program_goes(tmp_path, monkeypatch):
    X = np.arange(8.0).reshape(4, 2)
    monkeypatch.chdir(tmp_path)
    first = se.export.to_numpy(LinearRegression().fit(X, X[:, 0]), "model.py", verify=False)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert first.path == tmp_path / "model.py"
    late = copy.copy(first)
    np.testing.assert_allclose(first.predict(X), X[:, 0], atol=1e-12)
    se.export.to_numpy(LinearRegression().fit(X, 5 * X[:, 1]), first.path, verify=False)
    np.testing.assert_allclose(first.predict(X), X[:, 0], atol=1e-12)  # opened before
    with pytest.raises(ExportError, match="another export was written since"):
        late.predict(X)
    first.path.unlink()
    with pytest.raises(ExportError, match="must exist"):
        copy.copy(first).predict(X)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_are_there_for_classifiers_without_probabilities(n_classes, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = RidgeClassifier().fit(X, np.digitize(X[:, 0], [0.0, 0.5]) % n_classes)
    artifact = se.export.to_numpy(model, tmp_path / "model.py")
    np.testing.assert_allclose(
        artifact.decision_function(X), model.decision_function(X), atol=1e-12
    )
    one = artifact.decision_function(X[3])
    assert np.shape(one) == (() if n_classes == 2 else (3,))
    np.testing.assert_allclose(one, model.decision_function(X[[3]])[0], atol=1e-12)
    assert not hasattr(artifact, "predict_proba")
    probabilities = se.export.to_numpy(
        LogisticRegression().fit(X, X[:, 0] > 0), tmp_path / "other.py", verify=False
    )
    with pytest.raises(AttributeError, match="Got one of probabilities"):
        probabilities.decision_function(X)


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
