"""Warnings that point at the user's line, not at one of ours or of scikit-learn's."""

from __future__ import annotations

import inspect
import os
import warnings

import sklearn

__all__ = ["warn"]

_FOLDERS = os.path.dirname(os.path.dirname(__file__)), os.path.dirname(sklearn.__file__)
_INSIDE = tuple(os.path.join(folder, "") for folder in _FOLDERS)


def warn(message: str, category: type[Warning]) -> None:
    """Warn as if from the first caller outside stackens and scikit-learn.

    Parameters
    ----------
    message : str
    category : type of Warning
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    # in a worker's thread there is none; then the caller is as good as any
    warnings.warn(message, category, stacklevel=2 if frame is None else level)
