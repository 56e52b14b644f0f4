"""What a loaded object holds, looked at before anything of it is asked: models where models act.

Names of classes and functions are checked before anything is made, but not what stands where. A
table has methods that run text as code or write files, and scikit-learn's ensembles call methods
whose names they keep: each of these alone is harmless.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import HashingVectorizer

__all__ = ["MisplacedError", "check_data", "check_object", "name_of"]

_LIBRARIES = {"lightgbm", "sklearn", "stackens", "xgboost"}
# Attributes that keep the name of a method, which is called.
_METHOD_NAMES = {
    "_response_method", "chain_method", "chain_method_", "response", "response_method",
    "stack_method", "stack_method_",
}  # fmt: skip
_METHODS = {
    "auto", "decision_function", "predict", "predict_log_proba", "predict_proba", "score_samples",
    "value",
}  # fmt: skip
# Parameters whose methods are called, and the same of objects that are no estimators.
_MODELS = {
    "ask", "base_estimator", "calibrators", "classifier", "combiner", "encoder", "estimator",
    "estimators", "final_estimator", "function", "lightgbms", "model", "models", "network",
    "preprocess", "regressor", "steps", "student", "transformer", "transformer_list",
    "transformers", "tree",
}  # fmt: skip
# Classes of ours whose call fits models or writes files: for the objects that they are made for.
_ACTING = {"stackens.comparison._refit.Refit", "stackens.neural._recorder.CheckpointRecorder"}
# Learnt attributes that hold what a user gave, and nothing is called of it.
_GIVEN = {"_columns", "best_params_", "cv_results_", "feature_names_in_"}
# What makes numpy, or another library, read an object as memory at an address that it tells.
_AS_MEMORY = (
    "__array_interface__", "__array_struct__", "__array__", "__arrow_c_array__",
    "__arrow_c_stream__", "__cuda_array_interface__", "__dataframe__", "__dlpack__",
)  # fmt: skip
_VALUES = (
    type(None), bool, int, float, complex, str, bytes, bytearray, np.generic, np.dtype,
    np.ufunc, types.FunctionType, types.BuiltinFunctionType, type(np.mean),
)  # fmt: skip
_CONTAINERS = (Mapping, list, tuple, set, frozenset, np.ndarray, functools.partial)


class MisplacedError(ValueError):
    """Something that must not stand where it does, unless the class that holds it is trusted.

    Attributes
    ----------
    holder : str
        Module and name of that class.
    """

    def __init__(self, why: str, holder: str) -> None:
        super().__init__(why)
        self.holder = holder


def name_of(cls: type) -> str:
    """Return module and name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def check_data(values: Any) -> None:
    """Refuse what claims to be an array by an attribute, in lists and tuples too.

    Raises
    ------
    ValueError
        If there is such an object.
    """
    seen: set[int] = set()  # of what the caller holds
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list | tuple):
            waiting.extend(each for each in value if not isinstance(each, _VALUES))
        elif isinstance(value, np.ndarray) and value.dtype == object:
            waiting.extend(each for each in _items(value) if not isinstance(each, _VALUES))
        else:
            _check_no_memory(value)


def _check_no_memory(value: Any) -> None:
    cls = type(value)
    if isinstance(value, type | np.ndarray | pd.DataFrame | pd.Series):
        return
    for name in _AS_MEMORY:
        if not hasattr(cls, name) and hasattr(value, name):
            raise ValueError(f"a {cls.__name__} can't have the special attribute {name}")


def check_object(root: Any, trusted: Collection[str], *, is_asked: bool) -> None:
    """Look at every object that is reached from one, before any method of them is called.

    Parameters
    ----------
    root : object
    trusted : collection of str
        Names of classes that may hold anything.
    is_asked : bool
        Whether rows will be asked: then vectorisers must not take them as names of files.

    Raises
    ------
    MisplacedError
        If an estimator holds a table or path where a model belongs, or the name of a method that
        is none of predictions.
    ValueError
        If an object claims to be an array.
    """
    seen: dict[int, Any] = {}  # holds them, so that no other object gets the id of one
    waiting = [(type(root).__name__, root)]
    while waiting:
        place, value = waiting.pop()
        if id(value) in seen or isinstance(value, _VALUES):
            continue
        seen[id(value)] = value
        inside = list(_inside(place, value))
        if name_of(type(value)) not in trusted:
            _check_roles(place, value, is_asked)
            _check_calls(inside, type(value))
        _check_no_memory(value)
        waiting.extend(inside)


def _inside(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Return what a container or an object holds beside values, and where, as one types it."""
    if isinstance(value, Mapping):
        inside = ((f"[{key!r:.40}]", each) for key, each in value.items() if _is_more(each))
    elif isinstance(value, list | tuple | set | frozenset):
        inside = ((f"[{i}]", each) for i, each in enumerate(value) if _is_more(each))
    elif isinstance(value, np.ndarray | pd.Index):
        items = _items(value) if value.dtype == object else []
        inside = ((f"[{i}]", each) for i, each in enumerate(items) if _is_more(each))
    elif isinstance(value, functools.partial):
        inside = ((f".{name}", getattr(value, name)) for name in ("func", "args", "keywords"))
    elif isinstance(value, type) or _is_table(value):
        return
    else:
        inside = ((f".{name}", each) for name, each in _attributes(value) if _is_more(each))
    for step, each in inside:
        yield f"{place}{step}", each


def _items(array: Any) -> list[Any]:
    return np.asarray(array).ravel().tolist()  # those behind a mask too


def _is_more(value: Any) -> bool:
    return not isinstance(value, _VALUES)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    yield from tuple(getattr(value, "__dict__", {}).items())
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name, getattr(value, name)


def _is_table(value: Any) -> bool:
    module = type(value).__module__.split(".")[0]
    return isinstance(value, pd.DataFrame | pd.Series) or module == "polars"


def _is_booster(value: Any) -> bool:
    packages = [sys.modules.get(name) for name in ("lightgbm", "xgboost")]
    return any(package is not None and isinstance(value, package.Booster) for package in packages)


def _check_roles(place: str, value: Any, is_asked: bool) -> None:
    """Refuse an object of a library whose parts are not what the library would put there."""
    cls = type(value)
    package = cls.__module__.split(".")[0]
    if package not in _LIBRARIES or not hasattr(value, "__dict__"):
        return
    parameters: Collection[str] = ()
    is_strict = package != "stackens" and isinstance(value, BaseEstimator)
    if is_strict:
        parameters = inspect.signature(cls).parameters
    for name, held in vars(value).items():
        where = f"{place}.{name}"
        if name in _METHOD_NAMES:
            _check_method_names(where, held, cls)
        elif name == "importance_getter" and isinstance(held, str) and "__" in held:
            raise MisplacedError(f"{where} is {held!r:.60}, no name of an attribute", name_of(cls))
        elif name.strip("_") in _MODELS:
            _check_models(where, held, name, cls)
        elif is_strict and name not in parameters and name not in _GIVEN:
            _check_models(where, held, name, cls, learnt=True)
    source = vars(value).get("input", "content") if isinstance(value, _vectorizers()) else "content"
    if is_asked and source != "content":
        raise MisplacedError(
            f"{place} reads files, since its input is {source!r:.20}, and rows are to be asked",
            name_of(cls),
        )


def _check_calls(inside: list[tuple[str, Any]], holder: type) -> None:
    """Refuse what acts when it is called in an object that calls what it holds."""
    if holder.__module__.split(".")[0] in ("builtins", "stackens"):
        return
    for place, value in inside:
        if name_of(type(value)) in _ACTING:
            raise MisplacedError(
                f"{place} is a {type(value).__name__}, no function", name_of(holder)
            )


def _vectorizers() -> tuple[type, ...]:
    # HashingVectorizer and CountVectorizer share it, and have no public class in common
    return (next(cls for cls in HashingVectorizer.__mro__ if cls.__name__ == "_VectorizerMixin"),)


def _check_method_names(place: str, held: Any, cls: type) -> None:
    names = _items(held) if isinstance(held, np.ndarray) else held
    for name in names if isinstance(names, list | tuple) else [names]:
        if name is not None and not (isinstance(name, str) and name in _METHODS):
            raise MisplacedError(f"{place} is {name!r:.60}, no method that predicts", name_of(cls))


def _check_models(place: str, held: Any, name: str, cls: type, *, learnt: bool = False) -> None:
    seen: set[int] = set()
    waiting = [(place, held)]
    while waiting:
        where, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        is_acting = name_of(type(value)) in _ACTING
        if not learnt:
            # a booster reads the file that a text names, and methods of a class take any object
            is_acting |= _is_booster(value) or isinstance(value, type)
        if is_acting or isinstance(value, PurePath) or _is_table(value):
            raise MisplacedError(f"{where} is a {type(value).__name__}, no model", name_of(cls))
        if isinstance(value, tuple) and name in ("transformers", "transformers_"):
            value = value[:2]  # and which columns
        # others may give out what they hold, too: modules of torch are lists of modules
        package = type(value).__module__.split(".")[0]
        if isinstance(value, _CONTAINERS) or package in ("pandas", "torch"):
            waiting.extend(_inside(where, value))
