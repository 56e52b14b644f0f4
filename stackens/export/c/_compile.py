"""Builds a Python extension from an exported C file, with whatever compiler there is."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
from keyword import iskeyword
from pathlib import Path

from stackens.exceptions import ExportError

__all__ = ["compile_extension", "find_compiler", "require_whole"]

# No -march=native: the file would fail on other machines, and gains nothing; matrix products pick
# a version for the processor at run time. None of these changes a result. Ways down several trees
# are quicker as plain instructions side by side than as vectors, hence no "slp".
_FLAGS = (
    *("-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-tree-slp-vectorize"),
    *("-ffp-contract=off", "-fPIC"),
)
_MICROSOFT_FLAGS = ("/O2", "/fp:precise", "/utf-8")
_SHARED = {"darwin": ("-bundle", "-undefined", "dynamic_lookup")}
_WITHOUT = (
    "Install one (gcc, clang, or on Windows the Build Tools for Visual Studio and setuptools), "
    "name it in the environment variable CC, or use stackens.export.to_numpy, which needs none."
)
_SEAL = b"\nstackens-sha256:"  # what follows the library in its file, with the hash of that
_SHOWN = 3_000  # characters of what the compiler says


def find_compiler() -> list[str] | None:
    """Return the command of a C compiler: CC, or else the one that built Python, or a usual name.

    Raises
    ------
    ExportError
        If the environment variable CC names none.
    """
    wanted = os.environ.get("CC", "").strip()
    if wanted:
        return _named_compiler(wanted)
    for command in filter(None, [sysconfig.get_config_var("CC"), "cc", "gcc", "clang"]):
        words = shlex.split(command)
        if words and shutil.which(words[0]) is not None:
            return words
    return None


def _named_compiler(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ExportError(
            f"The environment variable CC must be a command. Got {command!r}: {error}. Correct it, "
            "or unset it."
        ) from error
    if shutil.which(words[0]) is None:
        raise ExportError(
            f"The environment variable CC must name a C compiler. Got {command!r}, and there is no "
            f"{words[0]!r}. Correct it, or unset it."
        )
    return words


def compile_extension(path: str | Path, folder: str | Path | None = None) -> Path:
    """Build the Python extension of a C file that :func:`write_c` wrote.

    The module has the name of the file. It runs on machines of this kind (system, processor
    family) with this version of Python.

    Parameters
    ----------
    path : str or Path
        A file name that is a Python name, ending in ``.c``.
    folder : str or Path, default=None
        Where the extension goes; None: beside the file. One that is there is replaced.

    Returns
    -------
    Path
        The extension.

    Raises
    ------
    ExportError
        If the file's name is no Python name, there is no compiler, or it fails.
    """
    path = Path(path)
    name = path.stem
    if not (name.isidentifier() and name.isascii()) or iskeyword(name):
        raise ExportError(
            "A C file that becomes a Python module must be named like one: letters, digits and _. "
            f"Got {path.name!r}. Rename it, for example to 'model.c'."
        )
    suffix = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
    goal = Path(path.parent if folder is None else folder) / f"{name}{suffix}"
    # Beside the goal, so that it can be moved there in one step.
    with tempfile.TemporaryDirectory(dir=goal.parent, ignore_cleanup_errors=True) as scratch:
        built = Path(scratch) / goal.name
        if sys.platform == "win32":
            _build_with_setuptools(path, name, built)
        else:
            _build(path, name, built)
        if not built.is_file():
            raise _failed(path, "the compiler", "no error, and no file")
        if sys.platform != "darwin":  # where files are signed; elsewhere loaders skip what follows
            with built.open("ab") as file:
                file.write(_SEAL + hashlib.sha256(built.read_bytes()).hexdigest().encode())
        os.replace(built, goal)
    return goal


def require_whole(extension: Path) -> None:
    """Raise where an extension is not as it was built: to load it could end the whole process.

    One that was built by hand carries no hash; of it, only a lost end is seen, and on Linux alone.

    Raises
    ------
    ExportError
    """
    content = extension.read_bytes()
    library, seal, digest = content.rpartition(_SEAL)
    if seal:
        whole = hashlib.sha256(library).hexdigest().encode() == digest
    else:  # the table of sections, which ends the file, by where the header says it is
        is_elf = content[:6] == b"\x7fELF\x02\x01" and len(content) >= 64
        start, size, count = struct.unpack_from("<40xQ10xHH", content) if is_elf else (0, 0, 0)
        whole = start + size * count <= len(content)
    if not whole:
        raise ExportError(
            f"An extension must be as it was built. Got {extension.name}, which was changed since, "
            "or damaged on its way. Copy it again, or build it again from its C file."
        )


def _build(path: Path, name: str, built: Path) -> None:
    compiler = find_compiler()
    if compiler is None:
        raise ExportError(f"A Python extension needs a C compiler. Got none. {_WITHOUT}")
    command = [
        *compiler,
        *_FLAGS,
        *_SHARED.get(sys.platform, ("-shared",)),
        f"-DSTACKENS_PYTHON={name}",
        f"-I{sysconfig.get_paths()['include']}",
        f"-I{sysconfig.get_paths()['platinclude']}",
        str(path),
        "-o",
        str(built),
        "-lm",
    ]
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise _failed(path, compiler[0], str(error)) from error
    if result.returncode != 0:
        raise _failed(path, shlex.join(command), result.stderr or result.stdout)


def _build_with_setuptools(path: Path, name: str, built: Path) -> None:
    """Build with the compiler that setuptools finds: Microsoft's, on Windows."""
    try:
        from setuptools import Distribution, Extension
    except ImportError as error:
        raise ExportError(
            f"A Python extension needs setuptools on Windows. Got {error}. {_WITHOUT}"
        ) from error
    extension = Extension(
        name,
        [str(path.resolve())],
        define_macros=[("STACKENS_PYTHON", name)],
        extra_compile_args=list(_MICROSOFT_FLAGS),
    )
    distribution = Distribution({"name": name, "ext_modules": [extension]})
    command = distribution.get_command_obj("build_ext")
    command.build_lib = str(built.parent)
    command.build_temp = str(built.parent / "objects")
    try:
        command.ensure_finalized()
        command.run()
    except Exception as error:  # setuptools has no one class for all that can go wrong
        raise _failed(path, "setuptools", f"{type(error).__name__}: {error}") from error


def _failed(path: Path, command: str, output: str) -> ExportError:
    shown = output if len(output) <= _SHOWN else f"...\n{output[-_SHOWN:]}"
    return ExportError(
        f"The C compiler must build {path.name}. Got this from {command}:\n{shown.rstrip()}\n"
        f"Try another compiler in the environment variable CC. {_WITHOUT}"
    )
