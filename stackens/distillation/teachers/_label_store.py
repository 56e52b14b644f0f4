"""A folder of labels: written whole or not at all, found again by what they are labels of."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import types
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from stackens._core._rows import as_array
from stackens._core._warning import warn
from stackens.exceptions import DamagedCacheWarning

__all__ = ["LabelStore", "hash_of_teacher"]

# What numpy and zipfile raise on files with bytes cut or changed anywhere.
_DAMAGE = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile)


class LabelStore:
    """Arrays in files named after a hash of what they belong to; nothing is ever unpickled.

    Parameters
    ----------
    folder : path
        It is made where it does not exist.

    Raises
    ------
    ValueError
        If it cannot be written to: better now than when there are labels to store.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()
        except OSError as error:
            raise ValueError(
                f"A cache of labels needs a folder that can be written to. Got {str(folder)!r} "
                f"({error}). Pass another path, or cache=None."
            ) from error

    def key(self, kind: str, **parts: Any) -> str:
        """Return the name of what is made from these parts.

        Raises
        ------
        ValueError
            If a part cannot be hashed.
        """
        versions = version("stackens"), version("scikit-learn")
        hashes = {}
        for name, part in parts.items():
            try:
                hashes[name] = joblib.hash(_plain(part))
            except Exception as error:  # whatever pickling raises, of objects of any library
                raise ValueError(
                    f"A cache of labels needs a hash of {name!r}. Got {type(part).__name__}, which "
                    f"cannot be pickled ({error}). Pass it in another form (splits as a list, "
                    "functions by their names in a module), or set cache=None."
                ) from error
        return str(joblib.hash((kind, versions, hashes)))

    def get(self, key: str, **shapes: tuple[int, ...]) -> dict[str, np.ndarray] | None:
        """Return the arrays stored under a key, or None.

        Parameters
        ----------
        key : str
        **shapes : tuple of int
            The arrays that must be there. A file without them is damaged, of which a
            :class:`~stackens.exceptions.DamagedCacheWarning` tells.
        """
        path = self._path(key)
        if not path.exists():
            return None
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            for name, shape in shapes.items():
                if arrays[name].shape != shape:
                    raise ValueError(f"{name} has the shape {arrays[name].shape}, not {shape}")
        except _DAMAGE as error:
            warn(
                f"A file of labels is damaged and is made again: {path} ({error}).",
                DamagedCacheWarning,
            )
            return None
        return arrays

    def put(self, key: str, **arrays: Any) -> None:
        """Store arrays under a key; a run that is killed leaves the whole file or none."""
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)
            os.replace(name, self._path(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"


def hash_of_teacher(teacher: Any, cache_key: str | None) -> str:
    """Return what stands for a teacher in a cache: its parameters or weights, or the user's key.

    Raises
    ------
    ValueError
        If it has neither: a function is pickled by its name, which stays when its code changes.
    """
    if cache_key is not None:
        return f"key: {cache_key}"
    try:
        function = teacher
        while isinstance(function, functools.partial):
            function = function.func
        if isinstance(function, types.FunctionType | types.BuiltinFunctionType):
            raise TypeError("the code of a function is not part of its pickle")
        return str(joblib.hash(_plain(teacher)))
    except Exception as error:  # whatever pickling raises, of objects of any library
        raise ValueError(
            "A cache of labels needs something that stands for the teacher. Got "
            f"{teacher!r:.100}, of which there is no hash ({error}). Pass cache_key='a name that "
            "changes with the teacher', or cache=None."
        ) from error


def _plain(part: Any) -> Any:
    """Return networks and tensors as arrays, since a slice of a tensor pickles all of it."""
    keras, torch = sys.modules.get("keras"), sys.modules.get("torch")
    if keras is not None and isinstance(part, keras.Model):
        return (
            "keras",
            part.to_json(),
            [as_array(weight.value) for weight in part.weights],  # tensors of the backend
        )
    if torch is not None and isinstance(part, torch.nn.Module):
        state = {name: _plain(value) for name, value in part.state_dict().items()}
        return type(part).__qualname__, repr(part), state
    if torch is not None and isinstance(part, torch.Tensor):
        return "tensor", as_array(part.contiguous())
    if hasattr(part, "network") and hasattr(part, "get_params"):  # a FrozenNetwork
        return type(part).__qualname__, {
            name: _plain(value) for name, value in part.get_params(deep=False).items()
        }
    return part
