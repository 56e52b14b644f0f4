"""What exported files say about themselves, and how damage is told."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from stackens.exceptions import ExportError
from stackens.export._manifest import (
    FORMAT,
    Manifest,
    installed_versions,
    manifest_of,
    require_unchanged,
    sealed,
)
from stackens.export.program import Graph


def _manifest(classes=("no", "yes")):
    graph = Graph(["a", "city"])
    known = graph.lookup(1, ("é*/\n",), np.eye(1), missing=np.zeros(1), unknown=np.zeros(1))
    second = graph.elementwise("sigmoid", graph.arithmetic("add", graph.numbers([0]), known))
    program = graph.program(graph.two_classes(second), "probabilities", np.array(classes))
    probes = [np.array([0.1, np.nan]), np.array(["é*/\n", None], dtype=object)]
    expected = np.array([[0.25, 0.75], [np.nan, np.nan]])
    return manifest_of(LogisticRegression(), program, "numpy", 1e-10, probes, expected)


def test_a_manifest_comes_back_whole():
    given = _manifest()
    text = given.to_json()
    assert "\n" not in text
    found = Manifest.from_json(text, "model.py")
    assert found.columns == given.columns
    assert found.classes == ["no", "yes"]
    assert found.source == "sklearn.linear_model._logistic.LogisticRegression"
    assert found.versions["numpy"] == np.__version__
    np.testing.assert_array_equal(found.probes[0], given.probes[0])
    assert found.probes[1].tolist() == ["é*/\n", None]
    np.testing.assert_array_equal(found.expected, given.expected)
    assert found.to_json() == text


@pytest.mark.parametrize(
    ("before", "after"), [("# stackens-manifest: ", ""), ("/* stackens-manifest: ", " */")]
)
def test_it_is_found_in_a_comment_of_a_text_file(tmp_path, before, after):
    text = _manifest().to_json().replace("/", "\\/")
    path = tmp_path / "model.txt"
    path.write_text(f"code = 1\n{before}{text}{after}\n", encoding="utf-8")
    assert Manifest.of_text_file(path).to_json() == _manifest().to_json()


def test_files_of_others_have_none(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("print('hello')\n")
    with pytest.raises(ExportError, match=r"model\.py, which has no manifest"):
        Manifest.of_text_file(path)


def test_damage_and_newer_formats_are_told():
    text = _manifest().to_json()
    newer = json.dumps(json.loads(text) | {"format": FORMAT + 1})
    with pytest.raises(ExportError, match="Update stackens"):
        Manifest.from_json(newer, "model.py")
    probes = json.loads(text)["probes"]
    damaged = [
        text[:-5],
        "[1]",
        "{}",
        text.replace(probes, probes[:-8]),
        text.replace(probes, probes[:20] + "AAAA" + probes[24:]),
        text.replace('"columns":[["a"', '"columns":[["a","number"],["b"'),
    ]
    for broken in damaged:
        with pytest.raises(ExportError, match=r"manifest of model\.py must be whole"):
            Manifest.from_json(broken, "model.py")


def test_a_sealed_file_shows_every_change():
    # a column may have the name of the hash's place
    code = b'columns = [\'"sha256":"' + b"0" * 64 + b"\"'] # " + _manifest().to_json().encode()
    content = sealed(code)
    assert len(content) == len(code)
    assert content.startswith(code[:80])
    require_unchanged(content, "model.py", is_text=True)
    assert sealed(code) == content
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1
        if bytes(changed).rfind(b'"sha256":"') == content.rfind(b'"sha256":"'):
            with pytest.raises(ExportError, match=r"model\.py, which was changed"):
                require_unchanged(bytes(changed), "model.py", is_text=True)


def test_ends_of_lines_count_in_binary_files_only():
    content = sealed(b"one\ntwo " + _manifest().to_json().encode())
    other = content.replace(b"\n", b"\r\n")
    require_unchanged(other, "model.py", is_text=True)
    with pytest.raises(ExportError, match="changed"):
        require_unchanged(other, "model.onnx", is_text=False)


def test_labels_must_be_plain():
    assert _manifest(classes=(3, 4)).classes == [3, 4]
    with pytest.raises(ExportError, match="Labels"):
        _manifest(classes=np.array(["2020-01-01", "2021-01-01"], dtype="M8[ns]").astype("M8[D]"))


def test_versions_are_those_of_loaded_packages():
    versions = installed_versions()
    assert {"python", "stackens", "numpy", "scikit-learn"} <= set(versions)
