"""The file: a zip of a manifest and parts, whole or not there, and refused where it was altered."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from stackens.exceptions import DamagedFileError

__all__ = ["FORMAT", "GRAPH", "Archive", "damaged", "open_archive", "write_archive"]

FORMAT = 1
GRAPH = "graph.skops"
_MANIFEST = "manifest.json"
_NAMES = re.compile(
    r"graph\.skops|arrays/\d{1,9}\.npy|tensors/\d{1,9}\.safetensors"
    r"|lightgbm/\d{1,9}\.txt|xgboost/\d{1,9}\.ubj|polars/\d{1,9}\.arrow"
)
_LARGEST_MANIFEST = 1 << 28  # bytes
_LARGEST_RATIO = 100  # of sizes before and after compression; a zip bomb reaches 1,000
_CHUNK = 1 << 20  # bytes read at a time
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
# The file ends with this comment of the zip and the SHA-256 of everything before the digits.
_SEAL = b"stackens, SHA-256 of all bytes before: "
_DIGITS = 64


@contextmanager
def write_archive(
    path: Path,
    parts: Iterable[tuple[str, Callable[[BinaryIO], object]]],
    manifest: Mapping[str, Any],
) -> Iterator[Path]:
    """Write a file under another name; it moves to its own when the block ends without an error.

    Parameters
    ----------
    path : Path
    parts : iterable of (str, callable)
        Name of each part and what writes it. They are asked for one by one.
    manifest : mapping
        JSON values; the sizes and hashes of the parts are added.

    Yields
    ------
    Path
        The complete file under its other name.

    Raises
    ------
    OSError
        If the folder is not there, or the disk is full.
    """
    unfinished = path.with_name(f".{path.name[:100]}.{uuid4().hex}.part")
    try:
        with open(unfinished, "xb") as file:
            _write(file, parts, manifest)
        _seal(unfinished)
        yield unfinished
        os.replace(unfinished, path)
        _sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _write(
    file: BinaryIO,
    parts: Iterable[tuple[str, Callable[[BinaryIO], object]]],
    manifest: Mapping[str, Any],
) -> None:
    written = {}
    with zipfile.ZipFile(file, "w") as archive:
        for name, write in parts:
            compressed = name.endswith((".txt", ".skops"))
            with _Measured(archive, name, compressed) as entry:
                write(entry)  # type: ignore[arg-type]
            written[name] = {"size": entry.size, "sha256": entry.hash.hexdigest()}
        text = json.dumps({**manifest, "parts": written}, indent=1)
        archive.writestr(_entry(_MANIFEST), text)
        archive.comment = _SEAL + b"0" * _DIGITS


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(
        name
    )  # dated 1980: equal objects give equal bytes, but for the order of sets


class _Measured:
    """An entry of a zip that is being written: counts and hashes what passes.

    What shrinks beyond belief is stored as it is, so that a reader can tell a zip bomb.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str, compressed: bool) -> None:
        self._archive, self._name, self._compressed = archive, name, compressed
        self._held = bytearray()
        self.size, self.hash = 0, hashlib.sha256()

    def write(self, content: Any) -> int:
        view = memoryview(content).cast("B")
        self.size += len(view)
        self.hash.update(view)
        if self._compressed:
            self._held += view
        else:
            self._file.write(view)
        return len(view)

    def __enter__(self) -> _Measured:
        if not self._compressed:
            self._file = self._archive.open(_entry(self._name), "w", force_zip64=True)
        return self

    def __exit__(self, kind: object, *details: object) -> None:
        if not self._compressed:
            self._file.close()
        elif kind is None:
            entry = _entry(self._name)
            small = zlib.compress(self._held)
            if len(small) * _LARGEST_RATIO > len(self._held) > len(small):
                entry.compress_type = zipfile.ZIP_DEFLATED
            with self._archive.open(entry, "w", force_zip64=True) as file:
                file.write(self._held)


def _seal(path: Path) -> None:
    """Write the hash of all bytes before it to the end of the file, and all to the disk."""
    with open(path, "r+b") as file:
        digits = _digest(file, os.fstat(file.fileno()).st_size - _DIGITS)
        file.seek(-_DIGITS, os.SEEK_END)
        file.write(digits)
        file.flush()
        os.fsync(file.fileno())


def _digest(file: BinaryIO, n_bytes: int) -> bytes:
    found = hashlib.sha256()
    file.seek(0)
    while n_bytes > 0 and (chunk := file.read(min(_CHUNK, n_bytes))):
        found.update(chunk)
        n_bytes -= len(chunk)
    return found.hexdigest().encode()


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere folders can't be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# ---------------------------------------------------------------- reading


class Archive:
    """An open file whose manifest and names were checked.

    Attributes
    ----------
    path : Path
    manifest : dict
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, n_bytes: int) -> None:
        self.path = path
        self._archive = archive
        self._n_bytes = n_bytes
        self.manifest = self._read_manifest()
        self._check_parts()

    def read(self, name: str) -> bytearray:
        """Return the bytes of a part.

        Raises
        ------
        DamagedFileError
            If there is no such part, or it is not what the manifest says.
        """
        said = self.manifest["parts"].get(name)
        if said is None:
            raise damaged(self.path, f"the part {name!r:.80} is missing")
        content = self._content(name)
        if hashlib.sha256(content).hexdigest() != said.get("sha256"):
            raise damaged(self.path, f"the part {name!r} is not the one that was written")
        return content

    def _content(self, name: str) -> bytearray:
        content = bytearray(self._archive.getinfo(name).file_size)
        view, filled = memoryview(content), 0
        with self._archive.open(name) as file:
            while filled < len(content) and (n := file.readinto(view[filled : filled + _CHUNK])):  # type: ignore[attr-defined]
                filled += n
            if filled < len(content) or file.read(1):
                raise damaged(self.path, f"the part {name!r} has another size than announced")
        return content

    def _read_manifest(self) -> dict[str, Any]:
        names = self._archive.namelist()
        if names.count(_MANIFEST) != 1:
            raise damaged(
                self.path, f"it must have one {_MANIFEST} and has {names.count(_MANIFEST)}"
            )
        if self._archive.getinfo(_MANIFEST).file_size > _LARGEST_MANIFEST:
            raise damaged(self.path, f"its {_MANIFEST} is too large")
        self._check_entry(self._archive.getinfo(_MANIFEST))
        try:
            manifest = json.loads(self._content(_MANIFEST))
        except ValueError as error:
            raise damaged(self.path, f"its {_MANIFEST} can't be read ({error})") from error
        if not isinstance(manifest, dict) or not isinstance(manifest.get("versions"), dict):
            raise damaged(self.path, f"its {_MANIFEST} names no versions")
        number = manifest.get("format")
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise damaged(self.path, f"its {_MANIFEST} names no format")
        if number > FORMAT:
            raise DamagedFileError(
                f"{self.path} must be in a format up to {FORMAT}, which this stackens can read. "
                f"Got format {number}, of stackens {manifest['versions'].get('stackens')}. "
                "Load it with that version or a newer one."
            )
        return manifest

    def _check_parts(self) -> None:
        entries = {info.filename: info for info in self._archive.infolist()}
        said = self.manifest.get("parts")
        if len(entries) != len(self._archive.infolist()):
            raise damaged(self.path, "two entries have the same name")
        if (
            not isinstance(said, dict)
            or GRAPH not in said
            or not all(isinstance(part, dict) for part in said.values())
        ):
            raise damaged(self.path, f"its {_MANIFEST} does not list its parts")
        if entries.keys() - {_MANIFEST} != said.keys():
            odd = sorted((entries.keys() - {_MANIFEST}) ^ said.keys())
            raise damaged(self.path, f"entries and {_MANIFEST} disagree about {odd!r:.200}")
        for name, info in entries.items():
            if name != _MANIFEST and not _NAMES.fullmatch(name):
                raise damaged(self.path, f"a part can't have the name {name!r:.80}")
            if name != _MANIFEST and said[name].get("size") != info.file_size:
                raise damaged(self.path, f"the part {name!r} has another size than announced")
            self._check_entry(info)

    def _check_entry(self, info: zipfile.ZipInfo) -> None:
        stored = info.compress_type == zipfile.ZIP_STORED
        if not stored and info.compress_type != zipfile.ZIP_DEFLATED:
            raise damaged(self.path, f"the entry {info.filename!r} is compressed in another way")
        if info.flag_bits & 1 or stat.S_ISLNK(info.external_attr >> 16):
            raise damaged(self.path, f"the entry {info.filename!r} is encrypted or a link")
        most = info.compress_size * (1 if stored else _LARGEST_RATIO)
        if info.file_size > most or info.compress_size > self._n_bytes:
            raise damaged(
                self.path, f"the entry {info.filename!r} announces {info.file_size} bytes"
            )


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a file, and refuse it unless every byte is as it was written.

    Raises
    ------
    DamagedFileError
        If it is no file of ours, cut short, altered, or of a newer format.
    OSError
        If there is none, or it can't be opened.
    """
    with open(path, "rb") as file:
        # of the open file: another one may have its name by now
        size = os.fstat(file.fileno()).st_size
        tail = len(_SEAL) + _DIGITS
        file.seek(max(0, size - tail))
        end = file.read()
        if not end.startswith(_SEAL) or len(end) != tail:
            raise damaged(path, "it does not end as our files do: it was cut short, or is another")
        if _digest(file, size - _DIGITS) != end[len(_SEAL) :]:
            raise damaged(path, "its bytes are not those that were written")
        try:
            archive = zipfile.ZipFile(file)
        except (*_BAD_ZIP, ValueError, struct.error, OverflowError) as error:
            raise damaged(path, f"its list of parts can't be read ({error})") from error
        try:
            with archive:
                yield Archive(path, archive, size)
        except _BAD_ZIP as error:
            raise damaged(path, f"its parts can't be read ({error})") from error


def damaged(path: Path, why: str) -> DamagedFileError:
    """Return the error for a file that is not what was written."""
    return DamagedFileError(
        f"{path} must be a whole file of stackens.save. Got one that is not: {why}. Save it again, "
        "or fetch it anew."
    )
