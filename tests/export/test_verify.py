"""Checking files again with what they carry."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.exceptions import ExportError, ExportMismatchError
from stackens.export.c._compile import find_compiler
from stackens.export.numpy import NumpyRunner

X, Y = load_iris(return_X_y=True)
TARGETS = [
    "numpy",
    "onnx",
    pytest.param("c", marks=pytest.mark.skipif(not find_compiler(), reason="no C compiler")),
]


@pytest.fixture
def artifact(tmp_path):
    return se.export.to_numpy(LogisticRegression(max_iter=500).fit(X, Y), tmp_path / "model.py")


def without_hash(content):
    """As files were before they had one."""
    return re.sub(rb',"sha256":"\w{64}"', b"", content)


def test_a_file_that_answers_as_before(artifact):
    found = se.export.verify(artifact.path)
    assert found.n_rows == len(artifact.manifest.expected) > 0
    assert found.max_difference <= 1e-14


def with_another_number(path):
    text = path.read_text(encoding="utf-8")
    number = re.search(r"\d\.\d{10,}", text).group()
    return text.replace(number, str(float(number) + 0.5), 1).encode()


def test_a_file_with_other_numbers_in_it(artifact):
    artifact.path.write_bytes(with_another_number(artifact.path))
    with pytest.raises(ExportError, match=r"Got model\.py, which was changed"):
        se.export.verify(artifact.path)


def test_a_file_without_a_hash_is_checked_by_its_rows(artifact):
    changed = with_another_number(artifact.path)
    artifact.path.write_bytes(without_hash(artifact.path.read_bytes()))
    assert b'"sha256"' not in artifact.path.read_bytes()
    assert se.export.verify(artifact.path).max_difference <= 1e-14
    artifact.path.write_bytes(without_hash(changed))
    with pytest.raises(ExportMismatchError, match=r"model\.py must answer as its source did"):
        se.export.verify(artifact.path)


@pytest.mark.parametrize("target", TARGETS)
def test_flipped_bits_are_found_or_harmless(target, tmp_path):
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, Y)
    suffix = {"numpy": ".py"}.get(target, f".{target}")
    artifact = getattr(se.export, f"to_{target}")(tree, tmp_path / f"tree{suffix}", verify=False)
    content, rng = artifact.path.read_bytes(), np.random.default_rng(0)
    # a flip in the hash's key leaves a file without a hash, which is otherwise whole
    key = range(content.rindex(b'"sha256"'), content.rindex(b'"sha256"') + 10)
    for place in rng.choice(len(content), 80, replace=False):
        if place in key:
            continue
        flipped = bytearray(content)
        flipped[place] ^= 1 << rng.integers(8)
        artifact.path.write_bytes(flipped)
        with pytest.raises(ExportError, match="was changed"):
            se.export.verify(artifact.path)
    artifact.path.write_bytes(content)
    assert se.export.verify(artifact.path).max_difference == 0.0


def test_other_ends_of_lines_are_no_change(artifact):
    artifact.path.write_bytes(artifact.path.read_bytes().replace(b"\n", b"\r\n"))
    assert se.export.verify(artifact.path).max_difference <= 1e-14


def test_what_a_runtime_raises_is_told(artifact, monkeypatch):
    def fail(runner, columns):
        raise RuntimeError("Non-zero status code returned")

    monkeypatch.setattr(NumpyRunner, "outputs", fail)
    with pytest.raises(ExportError, match=r"model\.py must answer .* RuntimeError: Non-zero"):
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
