"""The three targets by name: how each is written and opened."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from stackens.exceptions import ExportError
from stackens.export.verification import Runner

__all__ = ["SUFFIXES", "open_target", "target_of"]

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
