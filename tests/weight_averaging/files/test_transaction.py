"""An output is there whole or not at all, whatever goes wrong."""

import errno
import os
import shutil
from collections import namedtuple

import pytest

from stackens.weight_averaging.files._layout import FixedLayout
from stackens.weight_averaging.files._transaction import check_output, write


def layout(name=""):
    return FixedLayout(name, 4, {}, {}, lambda _: [(0, b"done")])


@pytest.fixture
def output(tmp_path):
    return tmp_path / "output"


def finish(paths, journal):
    for path in paths:
        layout().finish(path, {})


def interrupt(paths, journal):
    journal.record(0, 5)
    raise KeyboardInterrupt


def test_a_file(output):
    write(output, [layout()], "x", finish, folder=False, resume=True)
    assert output.read_bytes() == b"done"
    assert os.listdir(output.parent) == ["output"]
    write(output, [layout()], "x", finish, folder=False, resume=True)


def test_a_folder(output):
    for ready in (False, True):
        if ready:
            shutil.rmtree(output)
            output.mkdir()
        write(output, [layout("a"), layout("b")], "x", finish, folder=True, resume=True)
        assert sorted(os.listdir(output)) == ["a", "b"]
    assert os.listdir(output.parent) == ["output"]


@pytest.mark.parametrize("folder", [False, True])
def test_nothing_is_left_after_an_error(output, folder):
    def fail(paths, journal):
        raise ValueError("an error")

    with pytest.raises(ValueError, match=r"an error"):
        write(output, [layout("a" * folder)], "x", fail, folder=folder, resume=True)
    assert os.listdir(output.parent) == []
    output.write_text("before")
    if not folder:
        with pytest.raises(ValueError, match=r"an error"):
            write(output, [layout()], "x", fail, folder=False, resume=True)
        assert output.read_text() == "before"


def test_an_interrupted_run_is_taken_up_again(output):
    seen = []

    def look(paths, journal):
        seen.append(dict(journal.finished))
        finish(paths, journal)

    for fingerprint, resume, expected in (("x", True, {0: 5}), ("y", True, {}), ("x", False, {})):
        with pytest.raises(KeyboardInterrupt):
            write(output, [layout()], "x", interrupt, folder=False, resume=True)
        assert sorted(os.listdir(output.parent)) == ["output.part", "output.part.journal"]
        write(output, [layout()], fingerprint, look, folder=False, resume=resume)
        assert seen.pop() == expected
        assert os.listdir(output.parent) == ["output"]
        output.unlink()


def test_a_part_that_is_gone_is_made_again(output):
    seen = []
    with pytest.raises(KeyboardInterrupt):
        write(output, [layout()], "x", interrupt, folder=False, resume=True)
    output.with_name("output.part").unlink()
    write(
        output,
        [layout()],
        "x",
        lambda paths, journal: (seen.append(journal.finished), finish(paths, journal)),
        folder=False,
        resume=True,
    )
    assert seen == [{}]


def test_a_full_disk_is_said_before_anything_is_written(output, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 7, 3))
    with pytest.raises(OSError, match=r"must fit the disk. Got 4 bytes for 3") as caught:
        write(output, [layout()], "x", finish, folder=False, resume=True)
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(output.parent) == []


def test_a_disk_that_fills_up_leaves_nothing(output):
    def full(paths, journal):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"No space left"):
        write(output, [layout()], "x", full, folder=False, resume=True)
    assert os.listdir(output.parent) == []


def test_inputs_are_never_written_to(tmp_path):
    path = tmp_path / "input"
    path.write_text("x")
    (tmp_path / "hard").hardlink_to(path)
    (tmp_path / "soft").symlink_to(path)
    for output in (path, tmp_path / "hard", tmp_path / "soft", tmp_path / "." / "input"):
        with pytest.raises(ValueError, match=r"must not be one of the inputs"):
            check_output(output, [path], folder=False)
    check_output(tmp_path / "new", [path], folder=False)
    path.rename(tmp_path / "new.part")  # where the output would be made
    with pytest.raises(ValueError, match=r"its '.part' neither"):
        check_output(tmp_path / "new", [tmp_path / "new.part"], folder=False)


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Make .*missing first"):
        check_output(tmp_path / "missing" / "a.pt", [], folder=False)
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileExistsError, match=r"folder, a folder"):
        check_output(tmp_path / "folder", [], folder=False)
    check_output(tmp_path / "folder", [], folder=True)
    (tmp_path / "folder" / "file").touch()
    for name in ("folder", "folder/file"):
        with pytest.raises(FileExistsError, match=r"must be new or empty"):
            check_output(tmp_path / name, [], folder=True)


def test_a_folder_that_cannot_be_replaced_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileExistsError, match=r"where this process works or a disk is mounted"):
        check_output(tmp_path, [], folder=True)
    monkeypatch.chdir("/")
    check_output(tmp_path, [], folder=True)
    monkeypatch.setattr(os.path, "ismount", lambda path: path == tmp_path)
    with pytest.raises(FileExistsError, match=r"Give a new folder in it"):
        check_output(tmp_path, [], folder=True)
