"""Optional packages: one way to ask for them, one clear message when they are missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from stackens.exceptions import MissingExtraError

__all__ = ["require"]


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package or say how to install it.

    Parameters
    ----------
    module : str
        Dotted name of the module to import.
    extra : str
        The extra of stackens that brings it.
    purpose : str
        What it is needed for, as the start of the message, such as ``"report.plot()"``.

    Raises
    ------
    MissingExtraError
        If the import fails, also when the package is installed but broken.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".", maxsplit=1)[0]
        raise MissingExtraError(
            f"{purpose} needs the package {package!r}, which could not be imported ({error}). "
            f'Install it with: python -m pip install "stackens[{extra}]"'
        ) from error
