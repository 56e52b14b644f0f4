"""What a file says about its object: what it is, what made it, and what it reads."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.utils import get_tags

from stackens.exceptions import OtherVersionWarning
from stackens.export.saving._archive import FORMAT

__all__ = ["describe", "warn_of_other_versions"]

_ALWAYS = ("stackens", "scikit-learn", "numpy", "scipy", "pandas", "skops")
_BY_PART = {"lightgbm": "lightgbm", "polars": "polars", "tensors": "torch", "xgboost": "xgboost"}


def describe(model: Any, parts: Iterable[str]) -> dict[str, Any]:
    """Return the manifest of an object, as JSON values.

    Parameters
    ----------
    model : object
    parts : iterable of str
        Names of the parts beside the graph.
    """
    folders = {name.split("/")[0] for name in parts}
    packages = [*_ALWAYS, *(_BY_PART[folder] for folder in sorted(folders & _BY_PART.keys()))]
    return {
        "format": FORMAT,
        "kind": _kind(model),
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in packages},
        "schema": {
            "features": _listed(model, "feature_names_in_"),
            "n_features": _number(model, "n_features_in_"),
            "classes": _listed(model, "classes_"),
        },
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # installed by hand, without its metadata
        return "unknown"


def _kind(model: Any) -> str:
    try:
        kind = get_tags(model).estimator_type
    except Exception:  # no estimator, or one that holds none yet
        return "object"
    return kind or ("transformer" if hasattr(model, "transform") else "object")


def _listed(model: Any, name: str) -> list[Any] | None:
    """Return an attribute as JSON values; what has no such form as its text."""
    value = _attribute(model, name)
    if value is None:
        return None
    if isinstance(value, list):  # of several outputs
        return [np.asarray(each).astype(str).tolist() for each in value]
    values = np.asarray(value)
    if values.dtype.kind in "biuf":
        return values.tolist()
    return [v if isinstance(v, str | int | bool) else str(v) for v in values.ravel().tolist()]


def _number(model: Any, name: str) -> int | None:
    value = _attribute(model, name)
    return None if value is None else int(value)


def _attribute(model: Any, name: str) -> Any:
    try:
        return getattr(model, name, None)
    except Exception:  # a property of someone's class; the manifest can do without
        return None


def warn_of_other_versions(path: Path, manifest: Mapping[str, Any], *, stacklevel: int) -> None:
    """Warn if scikit-learn is of another minor version than the one that wrote the file."""
    written = str(manifest["versions"].get("scikit-learn"))
    here = sklearn.__version__
    if written.split(".")[:2] != here.split(".")[:2]:
        warnings.warn(
            f"{path} was saved with scikit-learn {written}, and this is {here}. scikit-learn does "
            "not promise that its objects mean the same in another minor version. Compare "
            f"predictions, or load it where scikit-learn {written} is installed.",
            OtherVersionWarning,
            stacklevel=stacklevel + 1,
        )
