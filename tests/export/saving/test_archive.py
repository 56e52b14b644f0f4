"""Tests of the file itself: complete or absent, and refused where a byte or a name is wrong."""

import json
import os
import stat
import struct
import sys
import zipfile
import zlib

import pytest

from stackens.exceptions import DamagedFileError
from stackens.export.saving import _archive
from stackens.export.saving._archive import open_archive, write_archive

MANIFEST = {"format": 1, "versions": {"stackens": "0.1"}}
GRAPH = ("graph.skops", lambda file: file.write(b"nodes"))


def written(path, *parts, manifest=MANIFEST):
    with write_archive(path, [GRAPH, *parts], manifest):
        pass
    return path


def sealed(path, content):
    """Write bytes with the seal that fits them."""
    path.write_bytes(content)
    _archive._seal(path)
    return path


def zipped(path, entries, **options):
    """Write a sealed zip of (name or ZipInfo, content) entries, with a manifest that fits."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content, **options)
        archive.comment = _archive._SEAL + b"0" * 64
    _archive._seal(path)
    return path


def manifest_of(**parts):
    return json.dumps({**MANIFEST, "parts": parts}).encode()


def part_of(content):
    import hashlib

    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_what_was_written_is_read(tmp_path):
    large = bytes(range(256)) * 10_000
    path = written(tmp_path / "file", ("arrays/1.npy", lambda file: file.write(large)))
    with open_archive(path) as archive:
        assert bytes(archive.read("graph.skops")) == b"nodes"
        assert bytes(archive.read("arrays/1.npy")) == large
        assert archive.manifest["versions"] == {"stackens": "0.1"}
        with pytest.raises(DamagedFileError, match="is missing"):
            archive.read("arrays/2.npy")


def test_equal_contents_give_equal_bytes(tmp_path):
    one, other = (written(tmp_path / name).read_bytes() for name in "ab")
    assert one == other


def test_a_zip_program_can_read_it(tmp_path):
    with zipfile.ZipFile(written(tmp_path / "file")) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["graph.skops", "manifest.json"]


def test_text_is_compressed_unless_it_would_look_like_a_bomb(tmp_path):
    parts = [
        ("lightgbm/1.txt", lambda file: file.write(b"".join(b"%d," % i for i in range(9999)))),
        ("lightgbm/2.txt", lambda file: file.write(bytes(10**6))),
    ]
    path = written(tmp_path / "file", *parts)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("lightgbm/1.txt").compress_type == zipfile.ZIP_DEFLATED
        assert archive.getinfo("lightgbm/2.txt").compress_type == zipfile.ZIP_STORED
    with open_archive(path) as archive:
        assert archive.read("lightgbm/2.txt") == bytes(10**6)


@pytest.mark.parametrize("where", ["part", "block"])
def test_a_failure_leaves_what_was_there(where, tmp_path):
    path = tmp_path / "file"
    path.write_text("before")

    def fail(file):
        if where == "part":
            raise OSError("disk full")

    with (
        pytest.raises(OSError, match="disk full"),
        write_archive(path, [GRAPH, ("lightgbm/1.txt", fail)], MANIFEST),
    ):
        raise OSError("disk full")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    with write_archive(path, [GRAPH], MANIFEST) as unfinished:
        assert path.read_text() == "before"
        assert unfinished.parent == path.parent
    assert path.read_bytes()[:2] == b"PK"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_the_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_text("")
    path = written(tmp_path / "file")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(os.stat(tmp_path / "usual").st_mode)


@pytest.mark.parametrize("n_bytes", [0, 1, 64, 1000])
def test_other_files_and_short_ones_are_refused(n_bytes, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * n_bytes)
    with pytest.raises(DamagedFileError, match="cut short, or is another"), open_archive(path):
        pass


def test_a_newer_format_says_which_version_wrote_it(tmp_path):
    path = written(tmp_path / "file", manifest={"format": 2, "versions": {"stackens": "9.0"}})
    with pytest.raises(DamagedFileError, match=r"format 2, of stackens 9\.0"), open_archive(path):
        pass


@pytest.mark.parametrize("number", [0, -1, True, "1", None, 1.0])
def test_a_format_must_be_a_number(number, tmp_path):
    path = written(tmp_path / "file", manifest={**MANIFEST, "format": number})
    with pytest.raises(DamagedFileError, match="names no format"), open_archive(path):
        pass


NODES = ("graph.skops", b"nodes")
SAID = part_of(b"nodes")


def link():
    info = zipfile.ZipInfo("arrays/1.npy")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([NODES], "one manifest.json and has 0"),
        ([NODES, ("manifest.json", b"{"), ("manifest.json", b"{}")], "has 2"),
        ([NODES, ("manifest.json", b"{")], "can't be read"),
        ([NODES, ("manifest.json", b"[1]")], "names no versions"),
        ([NODES, ("manifest.json", json.dumps(MANIFEST).encode())], "does not list its parts"),
        ([NODES, ("manifest.json", b'{"format": 1, "versions": []}')], "names no versions"),
        ([NODES, ("manifest.json", manifest_of(**{"graph.skops": 1}))], "does not list its parts"),
        ([("manifest.json", manifest_of())], "does not list its parts"),
        ([NODES, NODES, ("manifest.json", manifest_of(**{"graph.skops": SAID}))], "same name"),
        (
            [NODES, ("arrays/1.npy", b""), ("manifest.json", manifest_of(**{"graph.skops": SAID}))],
            r"disagree about \['arrays/1.npy'\]",
        ),
        (
            [NODES, ("manifest.json", manifest_of(**{"graph.skops": SAID, "arrays/1.npy": SAID}))],
            "disagree about",
        ),
        (
            [NODES, ("manifest.json", manifest_of(**{"graph.skops": {**SAID, "size": 2**50}}))],
            "another size",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_list_of_parts_that_does_not_fit_is_refused(entries, why, tmp_path):
    path = zipped(tmp_path / "file", entries)
    with pytest.raises(DamagedFileError, match=why), open_archive(path):
        pass


@pytest.mark.parametrize(
    "name",
    [
        "../evil.npy",
        "/etc/passwd",
        "arrays/../../evil.npy",
        "arrays\\1.npy",
        "C:/evil.npy",
        "arrays/1.pkl",
        "data.pkl",
        "arrays/",
        "arrays/1.npy\n",
        "arrays/١.npyx",
    ],
)
def test_names_are_of_a_fixed_set(name, tmp_path):
    said = manifest_of(**{"graph.skops": SAID, name: part_of(b"x")})
    path = zipped(tmp_path / "file", [NODES, (name, b"x"), ("manifest.json", said)])
    with pytest.raises(DamagedFileError, match="can't have the name|disagree"), open_archive(path):
        pass


def test_links_are_refused(tmp_path):
    said = manifest_of(**{"graph.skops": SAID, "arrays/1.npy": part_of(b"/etc")})
    path = zipped(tmp_path / "file", [NODES, (link(), b"/etc"), ("manifest.json", said)])
    with pytest.raises(DamagedFileError, match="a link"), open_archive(path):
        pass


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method, tmp_path):
    said = manifest_of(**{"graph.skops": SAID})
    entries = [NODES, ("manifest.json", said)]
    path = zipped(tmp_path / "file", entries, compress_type=method)
    with pytest.raises(DamagedFileError, match="compressed in another way"), open_archive(path):
        pass


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path):
    bomb = bytes(10**7)
    said = manifest_of(**{"graph.skops": part_of(bomb)})
    path = tmp_path / "file"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("graph.skops", bomb, zipfile.ZIP_DEFLATED)
        archive.writestr("manifest.json", said)
        archive.comment = _archive._SEAL + b"0" * 64
    _archive._seal(path)
    with pytest.raises(DamagedFileError, match="announces 10000000 bytes"), open_archive(path):
        pass


def test_an_entry_that_announces_more_than_it_has_is_refused(tmp_path):
    content = b"some text that is compressed, text that is text, text" * 20
    small = zlib.compress(content)
    said = manifest_of(**{"graph.skops": {**part_of(content), "size": 3000}})
    path = tmp_path / "file"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("graph.skops", content, zipfile.ZIP_DEFLATED)
        archive.writestr("manifest.json", said)
        archive.comment = _archive._SEAL + b"0" * 64
    raw = path.read_bytes().replace(struct.pack("<L", len(content)), struct.pack("<L", 3000))
    assert len(small) * 100 > 3000
    with pytest.raises(DamagedFileError), open_archive(sealed(path, raw)) as archive:
        archive.read("graph.skops")


def test_a_part_with_another_hash_is_named(tmp_path):
    said = manifest_of(**{"graph.skops": {**SAID, "sha256": "0" * 64}})
    path = zipped(tmp_path / "file", [NODES, ("manifest.json", said)])
    with (
        pytest.raises(DamagedFileError, match="'graph.skops' is not the one that was written"),
        open_archive(path) as archive,
    ):
        archive.read("graph.skops")


def test_a_file_that_is_replaced_while_it_is_read_is_whole(tmp_path, monkeypatch):
    path = written(tmp_path / "file", ("arrays/1.npy", lambda file: file.write(bytes(5000))))
    other = written(tmp_path / "other")
    check = _archive._digest

    def digest(file, n_bytes):
        if other.exists():  # as another process does, once the file is open
            os.replace(other, path)
        return check(file, n_bytes)

    monkeypatch.setattr(_archive, "_digest", digest)
    with open_archive(path) as archive:
        assert len(archive.read("arrays/1.npy")) == 5000
    assert not other.exists()


def test_a_file_that_is_replaced_before_it_is_measured_is_whole(tmp_path, monkeypatch):
    path = written(tmp_path / "file", ("arrays/1.npy", lambda file: file.write(bytes(5000))))
    other = written(tmp_path / "other")

    def opened(name, mode):
        file = open(name, mode)  # noqa: SIM115
        os.replace(other, path)
        return file

    monkeypatch.setattr(_archive, "open", opened, raising=False)
    with open_archive(path) as archive:
        assert len(archive.read("arrays/1.npy")) == 5000
