"""What a file may name: classes of which empty objects are made, and functions that compute."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

__all__ = ["class_named", "function_named", "names_outside"]

_WORDS = r"(?:\.[A-Za-z_][A-Za-z0-9_]*)+"
# Modules whose classes may be made as empty objects that take their state. No constructor runs.
_OBJECTS = re.compile(
    rf"(?:sklearn|stackens|lightgbm\.sklearn|xgboost\.sklearn|torch\.nn\.modules"
    rf"|scipy\.interpolate){_WORDS}"
)
# Running a module is running code; these are no parts of a library but programs.
_PROGRAMS = {"__main__", "conftest", "tests", "externals", "testing", "datasets"}
_FUNCTIONS = re.compile(
    rf"sklearn\.(?:metrics|feature_selection){_WORDS}|stackens\.schedules{_WORDS}"
    r"|sklearn\.cluster\._kmeans\._kmeans_single_(?:lloyd|elkan)"
    r"|sklearn\.utils\.validation\.check_array"
    rf"|numpy\.[a-z0-9_]+|scipy\.special\.[a-z0-9_]+|torch\.(?:nn\.functional\.)?[a-z0-9_]+"
)
# Functions of arrays that only compute. numpy has others, which read and write files.
_OF_NUMPY = set(
    """all amax amin any argmax argmin around asarray average clip cumprod cumsum diff max mean
    median min nan_to_num nanmax nanmean nanmedian nanmin nanstd nansum ndim ones_like prod ravel
    reshape round squeeze std sum transpose var where zeros_like""".split()  # noqa: SIM905
)
_OF_TORCH = set(
    """celu elu gelu glu hardsigmoid hardswish hardtanh leaky_relu log_softmax logsigmoid mish
    normalize prelu relu relu6 selu sigmoid silu softmax softmin softplus softsign tanh
    tanhshrink""".split()  # noqa: SIM905
)
_PLAIN_TYPES = {
    f"builtins.{cls.__name__}"
    for cls in (bool, bytes, complex, dict, float, frozenset, int, list, object, set, str, tuple)
} | {"collections.OrderedDict", "collections.defaultdict"}
_LOSSES = re.compile(
    r"sklearn\._loss\._loss\.Cy[A-Za-z]+"
    r"|sklearn\.linear_model\._sgd_fast\.(?:(?:Squared)?(?:Hinge|EpsilonInsensitive|Loss)"
    r"|ModifiedHuber|Huber|Log)"
)
_FORM = "stackens.export.saving.Form"
# The nodes of skops that we write, with the only types that each may have.
_EXACT = {
    "BytearrayNode": {"builtins.bytearray"},
    "BytesNode": {"builtins.bytes"},
    "ConstructorFromReduceNode": {_FORM},
    "DictNode": {"builtins.dict"},
    "JsonNode": {"builtins.str"},
    "ListNode": {"builtins.list"},
    "NdArrayNode": {"numpy.ndarray"},
    "RandomStateNode": {"numpy.random.mtrand.RandomState"},
    "SetNode": {"builtins.set"},
    "TupleNode": {"builtins.tuple"},
}


def names_outside(schema: Any, trusted: Collection[str]) -> tuple[set[str], set[str]]:
    """Look at every node of a graph, before anything of it is made.

    Parameters
    ----------
    schema : JSON value
        Of a file of skops.
    trusted : collection of str
        Further names that are allowed.

    Returns
    -------
    inside, outside : set of str
        Names of classes and functions that the graph uses: allowed or trusted, and neither.

    Raises
    ------
    ValueError
        If a node is none that we write.
    """
    inside: set[str] = set()
    outside: set[str] = set()
    for node in _nodes(schema):
        kind, name = node["__loader__"], f"{node['__module__']}.{node['__class__']}"
        if kind in _EXACT:
            if name not in _EXACT[kind] or not _is_as_written(node):
                raise ValueError(f"a {kind} can't hold a {name:.100} like this")
            fine = True
            function = _function_of(node) if name == _FORM else None
            if function is not None:
                inside.add(name)
                name, fine = function, function in trusted or _is_function(function)
        elif kind == "LossNode":
            fine = bool(_LOSSES.fullmatch(name))
        elif kind == "ObjectNode":
            fine = name in trusted or _is_object_class(name)
        elif kind == "TypeNode":
            fine = name in trusted or _is_type(name)
        else:
            raise ValueError(f"{kind!r:.100} is no kind of node that is written")
        (inside if fine else outside).add(name)
    return inside, outside


def _is_as_written(node: dict[str, Any]) -> bool:
    """Whether a dict has texts as keys, as skops calls their types, and an array numbers."""
    if node["__loader__"] == "DictNode":
        keys = node["key_types"]["content"]
        return all((key["__module__"], key["__class__"]) == ("builtins", "str") for key in keys)
    return node["__loader__"] != "NdArrayNode" or node["type"] == "numpy"


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "__loader__" in value:
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _function_of(node: dict[str, Any]) -> str | None:
    """Return the name of the function that a form stands for, or None if it is another form."""
    payload = node["content"]["content"]
    if json.loads(payload[0]["content"]) != "function":
        return None
    return str(json.loads(payload[1]["content"]))


def class_named(name: str) -> type:
    """Return a class by module and name.

    Raises
    ------
    ValueError
        If there is no such class.
    """
    found = _named(name)
    if not isinstance(found, type):
        raise ValueError(f"{name} is no class")
    return found


def function_named(name: str, trusted: Collection[str]) -> Any:
    """Return an allowed or trusted function by module and name.

    Raises
    ------
    ValueError
        If it is neither, or there is none.
    """
    if not (name in trusted or _is_function(name)):
        raise ValueError(f"the function {name} is not allowed")
    return _named(name)


def _named(name: str) -> Any:
    module, _, last = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), last)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"there is no {name} in what is installed here ({error})") from error


def _is_function(name: str) -> bool:
    if not _FUNCTIONS.fullmatch(name) or not _PROGRAMS.isdisjoint(name.split(".")):
        return False
    package, last = name.split(".")[0], name.rpartition(".")[2]
    if package == "torch":
        return last in _OF_TORCH
    if package in ("sklearn", "stackens"):
        found = _named(name)
        own = f"{getattr(found, '__module__', '')}.{getattr(found, '__name__', '')}"
        # what a module only imported is another function
        return callable(found) and not isinstance(found, type) and bool(_FUNCTIONS.fullmatch(own))
    return last in _OF_NUMPY or isinstance(_named(name), np.ufunc)


def _is_object_class(name: str) -> bool:
    if not _OBJECTS.fullmatch(name) or not _PROGRAMS.isdisjoint(name.split(".")):
        return False
    found = class_named(name)
    package = name.split(".")[0]
    if found.__module__.split(".")[0] != package:  # only imported there
        return False
    # Others of theirs hold addresses in memory, which a state must not set.
    return package not in ("lightgbm", "xgboost") or issubclass(found, BaseEstimator)


def _is_type(name: str) -> bool:
    if name in _PLAIN_TYPES:
        return True
    if re.fullmatch(r"numpy\.[a-z0-9_]+", name):
        found = _named(name)
        return isinstance(found, type) and issubclass(found, np.generic)
    return _is_object_class(name) and issubclass(class_named(name), BaseEstimator)
