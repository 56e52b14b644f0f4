"""load: the object in a file, without running code from it."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Collection, Sequence
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
from stackens.export.saving._forms import reading
from stackens.export.saving._manifest import warn_of_other_versions
from stackens.export.saving._parts import PartReader
from stackens.export.saving._probe import check_probe

__all__ = ["load", "read_object"]

_READERS: dict[str, Callable[..., Any]] = {
    **_python_forms.READERS,
    **_frame_forms.READERS,
    **_model_forms.READERS,
    **_torch_forms.READERS,
}
_SINGLE_PRECISION = {"tensors", "xgboost"}


def load(path: str | os.PathLike[str], *, trusted: Sequence[str | type] | None = None) -> Any:
    """Load an object that :func:`stackens.save` saved.

    The file runs no code. It can only name classes and functions: those of scikit-learn,
    stackens, LightGBM, XGBoost and torch's layers, which are taken from what is installed, and
    those that you trust by name. Rows that were saved with the object are asked again.

    Parameters
    ----------
    path : str or path-like
    trusted : sequence of str or type, or None, default=None
        Further classes and functions that the file may use, such as ``["my_package.nets.Net"]``
        for modules of your own. Their modules are imported, which runs them.

    Returns
    -------
    object
        Equal to the one that was saved, with tensors on the CPU.

    Raises
    ------
    DamagedFileError
        If the file was cut short or altered, is no such file, or is of a newer format.
    UntrustedTypesError
        If it uses classes or functions that are not allowed; the message lists them.
    ExportMismatchError
        If the object answers other than where it was saved; the message names the worst row.
    FileNotFoundError
        If there is no such file.

    Warns
    -----
    OtherVersionWarning
        If it was saved with another minor version of scikit-learn.

    See Also
    --------
    stackens.save : Writes the file.

    Notes
    -----
    That no code runs does not make the model of a stranger a good one: it may predict anything,
    and libraries such as LightGBM trust the numbers of a model that they are given.

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
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"The path must be that of a saved file. Got {path}, which is "
            f"{'a folder' if path.is_dir() else 'not there'}. Check the name."
        )
    return read_object(path, trusted=_names(trusted), stacklevel=2)


def _names(trusted: Any) -> frozenset[str]:
    if isinstance(trusted, str | bool) or not (trusted is None or hasattr(trusted, "__iter__")):
        raise TypeError(
            "The 'trusted' parameter must be a list of names of classes and functions, or of "
            f"classes. Got {trusted!r}. Name each one that you trust, such as "
            '["my_package.nets.Net"].'
        )
    return frozenset(
        name if isinstance(name, str) else f"{name.__module__}.{name.__qualname__}"
        for name in trusted or ()
    )


def read_object(path: Path, *, trusted: Collection[str] | None, stacklevel: int = 1) -> Any:
    """Return the object in a file; with ``trusted=None`` everything in it is trusted."""
    with open_archive(path) as archive:
        warn_of_other_versions(path, archive.manifest, stacklevel=stacklevel + 1)
        graph, names = _checked_graph(archive, trusted)
        parts = PartReader(archive, names)
        try:
            with reading(lambda kind, payload: _READERS[kind](parts, *payload)):
                root = _constructed(graph, names)
            if not (isinstance(root, dict) and root.keys() == {"shared", "object", "probe"}):
                raise ValueError("it holds no object")
            unused = archive.manifest["parts"].keys() - parts.used - {GRAPH}
            if unused:
                raise ValueError(f"nothing uses the parts {sorted(unused)}")
        except (DamagedFileError, ExportError, ImportError, OSError):
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
