"""The three targets by name: how each is written and opened."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from stackens.exceptions import ExportError
from stackens.export._manifest import Manifest, require_unchanged
from stackens.export.verification import Runner

__all__ = ["SUFFIXES", "manifest_in", "open_target", "target_of"]

# suffix of a file -> its target
SUFFIXES = {".onnx": "onnx", ".py": "numpy", ".c": "c", ".so": "c", ".pyd": "c"}


def target_of(path: Path) -> str:
    """Return the target that a file belongs to, by its suffix."""
    target = SUFFIXES.get(path.suffix.lower())
    if target is None:
        raise ExportError(
            f"An exported file must end in one of {', '.join(SUFFIXES)}. Got {path.name!r}. Give "
            "the path that stackens.export wrote."
        )
    return target


def open_target(target: str, path: Path) -> Runner:
    """Open an exported file with the runtime that is installed for it."""
    opened: Callable[[Path], Runner] = getattr(
        import_module(f"stackens.export.{target}"), f"open_{target}"
    )
    return opened(path)


def manifest_in(file: Path) -> Manifest:
    """Return what an exported file says about itself, once it is found to be unchanged.

    Raises
    ------
    ExportError
        If there is no such file, or it is none of ours, or changed since it was written.
    """
    if not file.is_file():
        raise ExportError(
            f"An exported file must exist. Got {str(file)!r}. Check the path and its folder."
        )
    if target_of(file) == "onnx":
        from stackens.export.onnx import manifest_text

        require_unchanged(file.read_bytes(), file.name, is_text=False)
        return Manifest.from_json(manifest_text(file), file.name)
    source = file
    if file.suffix.lower() in (".so", ".pyd"):
        source = file.with_name(file.name.partition(".")[0] + ".c")
        if not source.is_file():
            raise ExportError(
                f"The C file of an extension must lie beside it. Got no {source.name!r}. Put it "
                "there, or verify the C file."
            )
    require_unchanged(source.read_bytes(), source.name, is_text=True)
    return Manifest.of_text_file(source)
