"""save: a fitted object as one file, without pickle."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from stackens.exceptions import DamagedFileError, ExportError, ExportMismatchError
from stackens.export.saving._archive import GRAPH, write_archive
from stackens.export.saving._frame_forms import write_frame
from stackens.export.saving._light_copy import light_copy
from stackens.export.saving._load import as_path, read_object
from stackens.export.saving._manifest import describe
from stackens.export.saving._model_forms import write_booster
from stackens.export.saving._parts import PartWriter
from stackens.export.saving._probe import probe_of
from stackens.export.saving._python_forms import write_python
from stackens.export.saving._torch_forms import TorchWriter

__all__ = ["save"]


def save(model: Any, path: str | os.PathLike[str], X: Any = None) -> None:
    """Save a fitted object to one file that :func:`stackens.load` reads.

    Saved is the whole object with its parameters: estimators of stackens, scikit-learn, LightGBM
    and XGBoost, pipelines of them, torch modules, tables of predictions, however nested. The
    file is a zip: scikit-learn's objects as skops holds them, boosters and tensors in their own
    formats, and a manifest with the versions of all packages and a hash of every part. Nothing
    in it is pickled, and no code is kept, only the names of classes and functions.

    Parameters
    ----------
    model : object
        It is not changed.
    path : str or path-like
        The name is free; ``.stackens`` is the usual ending. A file that is there is replaced
        once the new one is complete, and kept if anything fails.
    X : DataFrame or array of shape (n_samples, n_features) or None, default=None
        Rows to remember: the first 32 are kept in the file with the model's answers, and
        :func:`stackens.load` asks them again. Anyone with the file can read them. None: rows of
        random numbers and known categories, for models that ``stackens.export`` can write.

    Raises
    ------
    ExportError
        If something in the object can't be saved, such as a lambda or an open file. The message
        says what, where in the object it is, and what to do.
    ExportMismatchError
        If the file, read again, gives other answers for these rows. It is not kept.
    FileNotFoundError
        If there is no folder to write in.
    IsADirectoryError
        If the path is a folder.
    TypeError
        If the path is neither text nor path-like, or the object has no method to ask X by.

    See Also
    --------
    stackens.load : Reads the file.

    Notes
    -----
    An ensemble keeps the predictions for its training rows, and for some settings these rows;
    ``ensemble.compact()`` is a copy that predicts the same without them, in a smaller file.

    The file is read again before it gets its name, so that what was saved can be loaded.
    Tensors come back on the CPU, and paths of pathlib as pure paths, which reach no files, unless
    ``trusted=["pathlib.Path"]`` is said on loading.

    Examples
    --------
    >>> import os, tempfile
    >>> import stackens as se
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_iris(return_X_y=True)
    >>> blend = se.BlendedClassifier([LogisticRegression(max_iter=500), GaussianNB()]).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "blend.stackens")
    >>> se.save(blend, path, X)
    >>> (se.load(path).predict_proba(X) == blend.predict_proba(X)).all()
    np.True_
    """
    path = _checked(path)
    probe = probe_of(model, X)
    parts = PartWriter()
    writers: list[Callable[[Any], tuple[Any, ...] | None]] = [
        partial(write_python, parts=parts),
        partial(write_frame, parts=parts),
        partial(write_booster, parts=parts),
        TorchWriter(parts),
    ]
    graph = light_copy(model, probe, writers)
    files: list[tuple[str, Callable[[BinaryIO], object]]]
    files = [*parts.files, (GRAPH, partial(_write_graph, graph))]
    manifest = describe(model, (name for name, _ in parts.files))
    with write_archive(path, files, manifest) as unfinished:
        del graph, files, parts, writers
        _read_back(unfinished, model)


def _checked(path: str | os.PathLike[str]) -> Path:
    path = as_path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"The path must be that of a file. Got {path}, a folder. Add a name, such as "
            f"{path / 'model.stackens'}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"The folder of the file must be there. Got {path}. Make {path.parent} first."
        )
    return path


def _write_graph(graph: Any, file: BinaryIO) -> None:
    import skops.io  # it goes through all of scikit-learn, and through torch with it

    try:
        held = skops.io.dumps(graph)
    except (TypeError, ValueError, RecursionError) as error:
        raise ExportError(
            f"Everything in the object must be of a kind that can be saved. Got: {error}. Replace "
            "it by plain values, arrays, or estimators."
        ) from error
    file.write(_numbered(held))


def _numbered(held: bytes) -> bytes:
    """Return skops' zip without dates and places in memory: equal objects give equal bytes."""
    numbered = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(held)) as old, zipfile.ZipFile(numbered, "w") as new:
        schema = json.loads(old.read("schema.json"))
        numbers: dict[int, int] = {}
        names: dict[str, str] = {}
        waiting = [schema]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                if "__id__" in value:
                    value["__id__"] = numbers.setdefault(value["__id__"], len(numbers))
                name = value.get("file")
                if isinstance(name, str) and "__loader__" in value:
                    ending = name.rpartition(".")[2]
                    value["file"] = names.setdefault(name, f"{len(names)}.{ending}")
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)
        for name, number in names.items():
            new.writestr(zipfile.ZipInfo(number), old.read(name))
        new.writestr(zipfile.ZipInfo("schema.json"), json.dumps(schema, indent=2))
    return numbered.getvalue()


def _read_back(path: Path, model: Any) -> None:
    """Raise unless the file gives an object of the same class, and the same answers."""
    try:
        loaded = read_object(path, trusted=None)
        found = f"a {type(loaded).__name__}"
    except ExportMismatchError as error:
        told = str(error).replace(str(path), "The file")
        raise ExportMismatchError(f"{told} It was not kept.") from error
    except DamagedFileError as error:
        loaded, found = None, str(error.__cause__ or error)
    if type(loaded) is not type(model):
        raise ExportError(
            f"A saved {type(model).__name__} must come back when it is loaded. Got {found}. Take "
            "out what is not of scikit-learn or stackens, one by one, to find the cause."
        )
