"""What a merge has finished, on disk, so that one that was interrupted can be taken up again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Journal"]


class Journal:
    """An append-only text file: what is being made, then a line for each finished block.

    A line is the number of the block and the CRC-32 of its bytes, so that a block is believed only
    if the bytes on disk are still those. Only one process at a time can hold a journal.

    Parameters
    ----------
    path : Path
    fingerprint : str
        One line that changes when anything does on which the output depends.

    Attributes
    ----------
    finished : dict of int to int
        Number and CRC-32 of the blocks that an earlier run with the same fingerprint finished.

    Raises
    ------
    RuntimeError
        If another process holds the journal.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._file = path.open("a+b")
        try:
            _lock(self._file)
        except OSError as error:
            self._file.close()
            raise RuntimeError(
                f"Only one process can write an output at a time. Got another one that holds "
                f"{path}. Wait until it has finished, or give another output."
            ) from error
        self._fingerprint = fingerprint
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]  # the end may have cut the last line short
        self._file.truncate(len(whole))
        first, *lines = whole.decode().splitlines() or [""]
        self.finished: Mapping[int, int] = _blocks(lines) if first == fingerprint else {}

    def restart(self) -> None:
        """Forget what an earlier run finished."""
        self.finished = {}
        self._file.truncate(0)
        self._file.write(f"{self._fingerprint}\n".encode())
        self._file.flush()

    def record(self, block: int, crc: int) -> None:
        """Note that the bytes of a block are in the file."""
        self._file.write(f"{block} {crc:08x}\n".encode())
        self._file.flush()

    def remove(self) -> None:
        """Delete the journal: its output is complete, or will never be."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def _blocks(lines: list[str]) -> dict[int, int]:
    fields = [line.split(" ") for line in lines]
    return {int(block): int(crc, 16) for block, crc in fields}


if sys.platform == "win32":
    import msvcrt

    def _lock(file: Any) -> None:
        file.seek(0x7FFFFFFF)  # far behind the end, where nothing is ever read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: Any) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
