"""What a file may name: classes of which empty objects are made, and functions that compute."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import is_dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

__all__ = ["check_attributes", "class_named", "function_named", "names_outside"]

_WORDS = r"(?:\.[A-Za-z_][A-Za-z0-9_]*)+"
# Modules whose classes may be made as empty objects that take their state. No constructor runs.
# Of the first line these are estimators, of the others all that is not made by code of its own.
_ESTIMATORS = re.compile(rf"(?:sklearn|stackens|lightgbm\.sklearn|xgboost\.sklearn){_WORDS}")
_PARTS = re.compile(
    rf"sklearn\.(?:_loss\.(?:link|loss)|calibration|cluster\._(?:birch|bisect_k_means)"
    r"|compose\._column_transformer|gaussian_process\.kernels|metrics\._(?:dist_metrics|scorer)"
    r"|model_selection\._(?:search|split)|neighbors\._(?:ball|kd)_tree"
    rf"|neural_network\._stochastic_optimizers|utils\._metadata_requests){_WORDS}"
    r"|stackens\.(?:_core\._task|blending|combiners|comparison|displays|distillation|ensemble"
    r"|evaluation|neural|out_of_fold|preprocessing|schedules|stacking|weight_averaging)"
    rf"{_WORDS}|torch\.nn\.modules{_WORDS}|scipy\.interpolate{_WORDS}"
)
# Running a module is running code; these are no parts of a library but programs and their tests,
# or work with files and memory that a state must not point at.
_PROGRAMS = {
    "__main__", "_build_utils", "_mocking", "_test_common", "_testing", "callback", "cli",
    "conftest", "datasets", "estimator_checks", "export", "externals", "files", "testing", "tests",
}  # fmt: skip
_FUNCTIONS = re.compile(
    r"sklearn\.metrics(?:\._?[a-z]\w*)*\.[a-z]\w*"
    r"|sklearn\.feature_selection(?:\._univariate_selection|\._mutual_info)?\.[a-z]\w*"
    rf"|stackens\.schedules{_WORDS}"
    r"|sklearn\.cluster\._kmeans\._kmeans_single_(?:lloyd|elkan)"
    r"|sklearn\.utils\.validation\.check_array"
    rf"|numpy\.[a-z0-9_]+|scipy\.special\.[a-z0-9_]+|torch\.(?:nn\.functional\.)?[a-z0-9_]+"
)
# A metric compares two arrays; others, such as check_scoring, call methods of what they are given.
_OF_METRICS = {"a", "labels_true", "x", "X", "y1", "y_true"}
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
# What repeated folds repeat.
_PLAIN_TYPES |= {f"sklearn.model_selection._split.{cls}" for cls in ("KFold", "StratifiedKFold")}
# What models ask of metadata routing.
_REQUESTS = "MetadataRequest", "MethodMetadataRequest"
_PLAIN_TYPES |= {f"sklearn.utils._metadata_requests.{cls}" for cls in _REQUESTS}
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
            own = name in trusted
            fine = own or _is_object_class(name)
            if fine and not own:
                _check_state(node, class_named(name))
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


def _check_state(node: dict[str, Any], cls: type) -> None:
    """Refuse the state of an object unless it is a dict, of names that may be attributes."""
    content = node.get("content")
    if content is None or (content["__loader__"], content.get("content")) == ("JsonNode", "null"):
        return
    if content["__loader__"] == "DictNode":
        check_attributes(cls, content["content"])
        return
    own = getattr(cls, "__setstate__", None)
    is_compiled = own is not None and not inspect.isfunction(own)
    if not (is_compiled and content["__loader__"] in ("ListNode", "TupleNode")):
        # pairs would make a dict, too: only compiled classes take them one by one
        raise ValueError(f"the attributes of a {cls.__name__} must be a plain dict")


def check_attributes(cls: type, names: Iterable[str]) -> None:
    """Refuse attributes that would take the place of a method, or mean something to Python.

    Raises
    ------
    ValueError
        If a name is that of a method of the class, or special, such as ``__array_interface__``,
        by which numpy would read and write memory at any address.
    """
    for name in names:
        if name.startswith("__") and name.endswith("__"):
            raise ValueError(f"the special {name:.60} can't be an attribute of a {cls.__name__}")
        found = inspect.getattr_static(cls, name, None)
        is_field = is_dataclass(cls) and name in cls.__dataclass_fields__
        bound = hasattr(type(found), "__get__") and not hasattr(type(found), "__set__")
        if bound and not is_field and not isinstance(found, cached_property):
            raise ValueError(f"{name:.60} is a method of {cls.__name__} and can't be replaced")


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
    if package not in ("sklearn", "stackens"):
        return last in _OF_NUMPY or isinstance(_named(name), np.ufunc)
    found = _named(name)
    own = f"{getattr(found, '__module__', '')}.{getattr(found, '__name__', '')}"
    # what a module only imported is another function
    if not inspect.isfunction(found) or not _FUNCTIONS.fullmatch(own):
        return False
    return not own.startswith("sklearn.metrics") or (
        next(iter(inspect.signature(found).parameters), None) in _OF_METRICS
    )


def _is_object_class(name: str) -> bool:
    is_part = bool(_PARTS.fullmatch(name))
    if not (is_part or _ESTIMATORS.fullmatch(name)):
        return False
    if not _PROGRAMS.isdisjoint(name.split(".")):
        return False
    found = class_named(name)
    package = name.split(".")[0]
    if found.__module__.split(".")[0] != package:  # only imported there
        return False
    # The others of LightGBM and XGBoost hold addresses in memory, which a state must not set.
    return issubclass(found, BaseEstimator) or (is_part and _is_plain_class(found, package))


def _is_plain_class(cls: type, package: str) -> bool:
    """Whether all of a class is of its package: none of it is a file, an unpickler or a table."""
    own = {package, "abc", "sklearn", "torch", "typing"}
    bases = [base for base in cls.__mro__ if base is not object]
    if not all(base.__module__.split(".")[0] in own for base in bases):
        return False
    if package == "torch":
        from torch.nn import Module

        return issubclass(cls, Module)
    return (
        package != "scipy" or cls.__name__ in importlib.import_module("scipy.interpolate").__all__
    )


def _is_type(name: str) -> bool:
    if name in _PLAIN_TYPES:
        return True
    if re.fullmatch(r"numpy\.[a-z0-9_]+", name):
        found = _named(name)
        return isinstance(found, type) and issubclass(found, np.generic)
    return _is_object_class(name) and issubclass(class_named(name), BaseEstimator)
