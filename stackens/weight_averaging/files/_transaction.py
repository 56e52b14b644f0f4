"""An output that is there whole or not at all: made beside its place, moved when complete."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stackens.weight_averaging.files._journal import Journal
from stackens.weight_averaging.files._layout import OutputFile, sync

__all__ = ["check_output", "write"]


def check_output(output: Path, inputs: Iterable[Path], *, folder: bool) -> None:
    """Raise unless an output can be written there without harm.

    Raises
    ------
    ValueError
        If it is one of the inputs, by whatever name or link.
    FileExistsError
        If a folder with files in it, or a folder in place of a file, is there already.
    FileNotFoundError
        If there is no folder to write it in.
    """
    if not output.parent.is_dir():
        raise FileNotFoundError(
            f"The folder of the output must be there. Got {output}. Make {output.parent} first."
        )
    for path in inputs:
        for name in (output, _part(output)):
            if name.exists() and name.samefile(path):
                raise ValueError(
                    f"The output must not be one of the inputs, and its '.part' neither. Got "
                    f"{output} with the input {path}. Give it another name."
                )
    if output.is_dir() and not folder:
        raise FileExistsError(
            f"The output must be a file. Got {output}, a folder. Give it another name."
        )
    if folder and output.is_dir() and (output.samefile(os.curdir) or os.path.ismount(output)):
        raise FileExistsError(
            f"A folder as output is made beside its place and moved there. Got {output}, where "
            "this process works or a disk is mounted. Give a new folder in it."
        )
    if folder and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FileExistsError(
            f"A folder as output must be new or empty. Got {output}, where something is. Give it "
            "another name, or remove that first."
        )


def write(
    output: Path,
    files: Sequence[OutputFile],
    fingerprint: str,
    fill: Callable[[Sequence[Path], Journal], object],
    *,
    folder: bool,
    resume: bool,
) -> None:
    """Make an output: create its files under another name, have them filled, and move them.

    Whatever goes wrong, nothing is at the output's place, or what was there before. After an error
    nothing else is left either; after an interruption the half-finished files and the journal are,
    and the next call with the same fingerprint goes on with them.

    Parameters
    ----------
    output : Path
    files : sequence of OutputFile
    fingerprint : str
        Of everything on which the output depends.
    fill : callable
        Gets the paths of the files and a journal, and completes the files.
    folder : bool
        Whether the output is a folder of these files, else it is the one file.
    resume : bool
        Whether to go on with what an earlier run left.

    Raises
    ------
    OSError
        If there is not enough room on the disk.
    """
    part = _part(output)
    paths = [part / file.name if folder else part for file in files]
    with Journal(part.with_name(f"{part.name}.journal"), fingerprint) as journal:
        try:
            whole = all(
                path.is_file() and path.stat().st_size == file.size
                for path, file in zip(paths, files, strict=True)
            )
            if not (resume and journal.finished and whole):
                _remove(part)
                journal.restart()
                _check_room(output.parent, sum(file.size for file in files))
                if folder:
                    part.mkdir()
                for path, file in zip(paths, files, strict=True):
                    file.create(path)
            fill(paths, journal)
            for path in paths:
                sync(path)
            if folder:
                sync(part)
                if output.is_dir():
                    output.rmdir()  # it is empty
            os.replace(part, output)
            sync(output.parent)
        except Exception:
            _remove(part)
            journal.remove()
            raise
        journal.remove()


def _part(output: Path) -> Path:
    """Return the name under which an output is made."""
    return output.with_name(f"{output.name}.part")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _check_room(folder: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise OSError(
            errno.ENOSPC,
            f"The output must fit the disk. Got {n_bytes} bytes for {free} that are free in "
            f"{folder}. Make room, or write elsewhere",
        )
