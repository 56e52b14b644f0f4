"""Tests for building extensions: what is missing or wrong is said, and nothing is left."""

import shutil
import sys

import pytest

from stackens.exceptions import ExportError
from stackens.export.c import _compile, compile_extension, open_c, write_c
from stackens.export.c._compile import find_compiler
from tests.export.c.built import needs_compiler, ratio


@needs_compiler
def test_the_extension_lies_beside_the_file(tmp_path):
    path = tmp_path / "ratios.c"
    path.write_text(write_c(ratio(), "{}"))
    built = compile_extension(path)
    assert built.parent == tmp_path
    assert built.name.startswith("ratios.")
    assert built.suffix in (".so", ".pyd")
    assert sorted(tmp_path.iterdir()) == sorted([path, built])
    assert open_c(built).ask([3, 4]) == 0.75
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert compile_extension(path, elsewhere).parent == elsewhere


@needs_compiler
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files are signed elsewhere")
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_damaged_extension_is_refused_before_it_is_loaded(by_hand, tmp_path):
    path = tmp_path / "ratios.c"
    path.write_text(write_c(ratio(), "{}"))
    built = compile_extension(path)
    whole = built.read_bytes()
    if by_hand:  # by make, say: no hash, but an end that must be there
        whole = whole[: whole.rindex(_compile._SEAL)]
    built.write_bytes(whole)
    assert open_c(built).ask([3, 4]) == 0.75
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    damaged = [whole[: len(whole) * i // 9] for i in range(1, 9)] + [whole[:-100]]
    for content in damaged if by_hand else [*damaged, bytes(flipped), whole + b" "]:
        built.write_bytes(content)
        with pytest.raises(ExportError, match="damaged on its way"):
            open_c(built)


@pytest.mark.parametrize("name", ["my-model.c", "3.c", "größe.c", "a b.c", "class.c"])
def test_the_file_is_named_like_a_module(tmp_path, name):
    path = tmp_path / name
    path.write_text(write_c(ratio(), "{}"))
    with pytest.raises(ExportError, match="must be named like one"):
        compile_extension(path)


@pytest.mark.skipif(sys.platform == "win32", reason="setuptools finds the compiler there")
def test_without_a_compiler(tmp_path, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(_compile.shutil, "which", lambda name: None)
    assert find_compiler() is None
    path = tmp_path / "model.c"
    path.write_text(write_c(ratio(), "{}"))
    with pytest.raises(ExportError, match=r"needs a C compiler. Got none. .*to_numpy"):
        compile_extension(path)
    assert list(tmp_path.iterdir()) == [path]


@needs_compiler
@pytest.mark.skipif(sys.platform == "win32", reason="setuptools words it in its own way")
def test_what_the_compiler_says_is_shown(tmp_path):
    path = tmp_path / "model.c"
    path.write_text('#error "no way"\n')
    with pytest.raises(ExportError, match="no way"):
        compile_extension(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="CC is not asked for there")
def test_the_environment_names_a_compiler(tmp_path, monkeypatch):
    path = tmp_path / "model.c"
    path.write_text(write_c(ratio(), "{}"))
    fake = tmp_path / "fake cc"
    fake.write_text("#!/bin/sh\necho this is the fake >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("CC", f"'{fake}' -x")
    assert find_compiler() == [str(fake), "-x"]
    with pytest.raises(ExportError, match="this is the fake"):
        compile_extension(path)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("'unbalanced", 'CC must be a command. Got "\'unbalanced": No closing quotation'),
        ("no-such-compiler -O2", "CC must name a C compiler.*no 'no-such-compiler'"),
    ],
)
def test_a_compiler_that_is_not_there_is_not_replaced_by_another(command, message, monkeypatch):
    monkeypatch.setenv("CC", command)
    with pytest.raises(ExportError, match=message):
        find_compiler()
    monkeypatch.setenv("CC", " ")
    find_compiler()


@pytest.mark.skipif(shutil.which("true") is None, reason="needs a command that does nothing")
def test_a_compiler_that_makes_no_file(tmp_path, monkeypatch):
    path = tmp_path / "model.c"
    path.write_text(write_c(ratio(), "{}"))
    monkeypatch.setenv("CC", "true")
    with pytest.raises(ExportError, match="no error, and no file"):
        compile_extension(path)
    assert list(tmp_path.iterdir()) == [path]


@needs_compiler
def test_setuptools_builds_the_same(tmp_path, monkeypatch):
    pytest.importorskip("setuptools")
    monkeypatch.setattr(_compile, "_build", _compile._build_with_setuptools)
    if sys.platform != "win32":
        monkeypatch.setattr(_compile, "_MICROSOFT_FLAGS", ("-O1",))
    path = tmp_path / "ratios.c"
    path.write_text(write_c(ratio(), "{}"))
    built = compile_extension(path)
    assert sorted(tmp_path.iterdir()) == sorted([path, built])
    assert open_c(built).ask([3, 4]) == 0.75
    path.write_text("#error no\n")
    with pytest.raises(ExportError, match=r"must build ratios.c"):
        compile_extension(path)
