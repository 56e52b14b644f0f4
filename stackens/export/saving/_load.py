"""load: the object in a file, without running code from it."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from stackens.exceptions import (
    DamagedFileError,
    ExportError,
    ExportMismatchError,
    UntrustedTypesError,
)
from stackens.export.saving import _frame_forms, _model_forms, _python_forms, _torch_forms
from stackens.export.saving._allowed import names_outside
from stackens.export.saving._archive import GRAPH, Archive, damaged, open_archive
from stackens.export.saving._checked_object import MisplacedError, check_data, check_object
from stackens.export.saving._forms import reading
from stackens.export.saving._manifest import warn_of_other_versions
from stackens.export.saving._parts import PartReader
from stackens.export.saving._probe import check_can_be_asked, check_probe

__all__ = ["as_path", "load", "read_object"]

_FORMS = (_python_forms, _frame_forms, _torch_forms)
# By kind, of a payload alone, and of what reads parts of the file as well.
_READERS = {kind: read for forms in _FORMS for kind, read in forms.READERS.items()}
_PART_READERS = {
    kind: read for forms in (*_FORMS, _model_forms) for kind, read in forms.PART_READERS.items()
}
_SINGLE_PRECISION = {"tensors", "xgboost"}


def load(path: str | os.PathLike[str], *, trusted: Sequence[str | type] | None = None) -> Any:
    """Load an object that :func:`stackens.save` saved.

    The file holds no code. It can only name classes and functions: models and their parts of
    scikit-learn, stackens, LightGBM, XGBoost and torch's layers, and functions that compute, all
    taken from what is installed, and those that you trust by name. What stands in it is looked at
    before anything is asked: where models are called there must be models, and the methods that
    an object keeps by name must be those that predict. Then rows that were saved with it are
    asked again.

    Parameters
    ----------
    path : str or path-like
    trusted : sequence of str or type, or None, default=None
        Further classes and functions that the file may use, such as ``["my_package.nets.Net"]``
        for modules of your own. Their modules are imported, which runs them, and objects of a
        trusted class may hold and call whatever the file says.

    Returns
    -------
    object
        Equal to the one that was saved, with tensors on the CPU.

    Raises
    ------
    DamagedFileError
        If the file was cut short or altered, is no such file, or is of a newer format.
    UntrustedTypesError
        If it uses classes or functions that are not allowed, or holds, where a model is called,
        what is none; the message names them.
    ExportMismatchError
        If the object answers other than where it was saved; the message names the worst row.
    FileNotFoundError
        If there is no such file.
    TypeError
        If the path is neither text nor path-like, or what is trusted is no name.

    Warns
    -----
    OtherVersionWarning
        If it was saved with another minor version of scikit-learn.

    See Also
    --------
    stackens.save : Writes the file.

    Notes
    -----
    What is checked is that no function or method is called that could run code of the file's
    choosing. Three things are not, so a file of a stranger is best opened where little can be
    lost, such as in a container:

    - The compiled code of scikit-learn, LightGBM, XGBoost and torch trusts the numbers and shapes
      of a model that it is given. Made-up ones can use up time and memory, end the process, or
      have it read and write memory beside its arrays, when rows are asked here or later.
    - The model may predict anything, and a model may read a file that its parameters name: an
      XGBoost model takes text as the name of one.
    - Parameters are for the next ``fit``. Look at them before you call it: the ``memory`` of a
      Pipeline, for one, is a folder from which joblib loads pickles.

    Examples
    --------
    >>> import os, tempfile
    >>> import stackens as se
    >>> from sklearn.linear_model import LinearRegression
    >>> path = os.path.join(tempfile.mkdtemp(), "line.stackens")
    >>> se.save(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), path)
    >>> se.load(path).predict([[2.0]])
    array([5.])
    """
    path = as_path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"The path must be that of a saved file. Got {path}, which is "
            f"{'a folder' if path.is_dir() else 'not there'}. Check the name."
        )
    return read_object(path, trusted=_names(trusted), stacklevel=2)


def as_path(path: Any) -> Path:
    """Return a path, or say what is no path."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise TypeError(
            f"The path must be a str or a path of pathlib. Got {path!r:.100}. Pass the name of a "
            "file, such as 'model.stackens'."
        )
    return Path(text)


def _names(trusted: Any) -> frozenset[str]:
    if isinstance(trusted, str | bytes | bool) or not (
        trusted is None or hasattr(trusted, "__iter__")
    ):
        raise TypeError(
            "The 'trusted' parameter must be a list of names of classes and functions, or of "
            f"classes. Got {trusted!r}. Name each one that you trust, such as "
            '["my_package.nets.Net"].'
        )
    return frozenset(_name(each) for each in trusted or ())


def _name(trusted: Any) -> str:
    if isinstance(trusted, str):
        return trusted
    if not (hasattr(trusted, "__module__") and hasattr(trusted, "__qualname__")):
        raise TypeError(
            "Each of 'trusted' must be the name of a class or function, or one of them. Got "
            f"{trusted!r:.100}. Name it by its module, such as 'my_package.nets.Net'."
        )
    return f"{trusted.__module__}.{trusted.__qualname__}"


def read_object(path: Path, *, trusted: Collection[str] | None, stacklevel: int = 1) -> Any:
    """Return the object in a file; with ``trusted=None`` everything in it is trusted."""
    with open_archive(path) as archive:
        warn_of_other_versions(path, archive.manifest, stacklevel=stacklevel + 1)
        graph, names = _checked_graph(archive, trusted)
        parts = PartReader(archive, names.union(["pathlib.Path"] if trusted is None else trusted))

        def made(kind: str, payload: tuple[Any, ...]) -> Any:
            check_data(payload)
            if kind in _READERS:
                return _READERS[kind](*payload)
            return _PART_READERS[kind](parts, *payload)

        try:
            with reading(made):
                root = _constructed(graph, names)
            if not (isinstance(root, dict) and root.keys() == {"shared", "object", "probe"}):
                raise ValueError("it holds no object")
            unused = archive.manifest["parts"].keys() - parts.used - {GRAPH}
            if unused:
                raise ValueError(f"nothing uses the parts {sorted(unused)}")
            _check_parts(path, root, names, trusted)
        except (DamagedFileError, ExportError, ImportError, OSError, UntrustedTypesError):
            raise
        except Exception as error:  # whatever classes do with a state that makes no sense
            raise damaged(
                path, f"its object can't be put together ({type(error).__name__}: {error})"
            ) from error
    if root["probe"] is not None:
        folders = {name.split("/")[0] for name in parts.used}
        single = not folders.isdisjoint(_SINGLE_PRECISION)
        try:
            check_probe(path, root["object"], root["probe"], single=single)
        except (ExportMismatchError, ImportError):
            raise
        except Exception as error:  # whatever a model does that no longer fits its libraries
            raise ExportMismatchError(
                f"{path} must answer here as where it was saved. Got {type(error).__name__}: "
                f"{error}. Install the versions of the packages that its manifest names."
            ) from error
    return root["object"]


def _check_parts(
    path: Path, root: dict[str, Any], names: set[str], trusted: Collection[str] | None
) -> None:
    """Refuse an object that may do other things than predict, before it is asked anything."""
    if root["probe"] is not None:
        check_can_be_asked(root["object"], root["probe"], names)
    if trusted is None:
        return
    try:
        check_object(root["object"], trusted, is_asked=root["probe"] is not None)
    except MisplacedError as error:
        raise UntrustedTypesError(
            f"{path} must hold models where models are asked, or its classes must be trusted. Got "
            f"a file in which {error}. If you know who made it, load it with "
            f"trusted={sorted({error.holder, *trusted})}."
        ) from error


def _checked_graph(archive: Archive, trusted: Collection[str] | None) -> tuple[bytes, set[str]]:
    """Return the graph and the names that it uses, all of them allowed or trusted."""
    content = bytes(archive.read(GRAPH))
    try:
        schema = _schema(content)
        inside, outside = names_outside(schema, trusted or ())
    except (
        zipfile.BadZipFile, ValueError, KeyError, TypeError, IndexError, AttributeError,
        RecursionError, NotImplementedError,
    ) as error:  # fmt: skip
        raise damaged(archive.path, f"its graph can't be read ({error})") from error
    if outside and trusted is not None:
        raise UntrustedTypesError(
            f"{archive.path} uses classes or functions that are not allowed without being trusted. "
            f"Got {sorted(outside)}. If you know who made the file, and what these do, load it "
            f"with trusted={sorted({*outside, *trusted})}."
        )
    return content, inside | outside


def _schema(content: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(content)) as graph:
        names = graph.namelist()
        if len(set(names)) != len(names):
            raise ValueError("two entries have the same name")
        for info in graph.infolist():
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(content):
                raise ValueError(f"the entry {info.filename!r:.80} is too large")
        schema = json.loads(graph.read("schema.json"))
    if schema.get("protocol", 0) < 2:
        # older protocols name types in places where nobody looks
        raise ValueError("it is of an old protocol, which is not written")
    return schema


def _constructed(graph: bytes, names: Collection[str]) -> Any:
    import skops.io  # it goes through all of scikit-learn, and through torch with it

    with warnings.catch_warnings():
        # one warning of ours in place of one for each object
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        return skops.io.loads(graph, trusted=sorted(names))
