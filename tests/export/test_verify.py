"""Checking files again with what they carry."""

import re

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import stackens as se
from stackens.exceptions import ExportError, ExportMismatchError


@pytest.fixture
def artifact(tmp_path):
    X, y = load_iris(return_X_y=True)
    return se.export.to_numpy(LogisticRegression(max_iter=500).fit(X, y), tmp_path / "model.py")


def test_a_file_that_answers_as_before(artifact):
    found = se.export.verify(artifact.path)
    assert found.n_rows == len(artifact.manifest.expected) > 0
    assert found.max_difference <= 1e-14


def test_a_file_with_other_numbers_in_it(artifact):
    text = artifact.path.read_text(encoding="utf-8")
    number = re.search(r"\d\.\d{10,}", text).group()
    changed = text.replace(number, str(float(number) + 0.5), 1)
    artifact.path.write_text(changed, encoding="utf-8")
    with pytest.raises(ExportMismatchError, match=r"model\.py must answer as its source did"):
        se.export.verify(artifact.path)


def test_files_that_are_none_of_ours(tmp_path):
    with pytest.raises(ExportError, match="must exist"):
        se.export.verify(tmp_path / "missing.py")
    (tmp_path / "other.py").write_text("x = 1\n")
    with pytest.raises(ExportError, match="no manifest"):
        se.export.verify(tmp_path / "other.py")
    (tmp_path / "other.txt").write_text("")
    with pytest.raises(ExportError, match="must end in"):
        se.export.verify(tmp_path / "other.txt")
    (tmp_path / "alone.so").write_bytes(b"")
    with pytest.raises(ExportError, match=r"alone\.c"):
        se.export.verify(tmp_path / "alone.so")
