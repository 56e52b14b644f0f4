"""Forms of plain values: mappings, functions by name, arrays, dates, trees, sparse matrices."""

from __future__ import annotations

import datetime
import enum
import functools
import json
import sys
import types
import zoneinfo
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from sklearn.utils import Bunch

from stackens._core._sklearn import tree_class, tree_predictor_class
from stackens.export.saving._allowed import check_attributes, function_named
from stackens.export.saving._parts import PartReader, PartWriter

__all__ = ["PART_READERS", "READERS", "write_python"]

_LARGE = 65536  # bytes; arrays from here on are parts of their own
_MANY = 16  # plain values; so many or more are one text instead of a node each
_JSON = frozenset({type(None), bool, int, float, str})
_MAPPINGS: dict[str, Any] = {
    "dict": dict,
    "OrderedDict": OrderedDict,
    "Counter": Counter,
    "Bunch": Bunch,
    "mappingproxy": types.MappingProxyType,
}
_SEQUENCES: dict[str, Any] = {"list": list, "tuple": tuple, "dict": dict}
# Values that a call of their class with these arguments makes again.
_VALUES: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    complex: lambda v: (v.real, v.imag),
    frozenset: lambda v: (list(v),),
    range: lambda v: (v.start, v.stop, v.step),
    slice: lambda v: (v.start, v.stop, v.step),
    datetime.date: lambda v: (v.year, v.month, v.day),
    datetime.datetime: lambda v: (*v.timetuple()[:6], v.microsecond, v.tzinfo, v.fold),
    datetime.time: lambda v: (v.hour, v.minute, v.second, v.microsecond, v.tzinfo, v.fold),
    datetime.timedelta: lambda v: (v.days, v.seconds, v.microseconds),
    datetime.timezone: lambda v: (v.utcoffset(None),),
    zoneinfo.ZoneInfo: lambda v: (v.key,),
    Decimal: lambda v: (str(v),),
    Fraction: lambda v: (v.numerator, v.denominator),
}
_FUNCTIONS = (np.ufunc, types.FunctionType, types.BuiltinFunctionType)
_VALUE_CLASSES = {cls.__name__: cls for cls in _VALUES}


def write_python(found: Any, parts: PartWriter) -> tuple[Any, ...] | None:
    """Return the form of a value, or None."""
    cls = type(found)
    if cls in (dict, list, tuple):
        return _write_container(found)
    if cls in _VALUES:
        arguments = _VALUES[cls](found)
        if cls is datetime.datetime:  # fold can only be given by name
            arguments = (list(arguments[:-1]), arguments[-1])
        return "value", cls.__name__, *arguments
    if sparse.issparse(found):  # one of them is a dict, too
        return _write_sparse(found)
    if cls is defaultdict:
        return "defaultdict", found.default_factory, *_items(found)
    if isinstance(found, dict | types.MappingProxyType):
        name = next((name for name, known in _MAPPINGS.items() if known is cls), None)
        return None if name is None else ("mapping", name, *_items(found))
    if isinstance(found, tuple) and hasattr(cls, "_fields"):
        return "named_tuple", cls, list(found)
    if isinstance(found, enum.Enum):
        return "enum", cls, found.name
    if isinstance(found, PurePath):
        return "path", isinstance(found, Path), found.as_posix()
    if isinstance(found, functools.partial):
        return "partial", found.func, list(found.args), dict(found.keywords)
    if isinstance(found, _FUNCTIONS) or _is_array_function(found):
        name = _name_of(found)
        return None if name is None else ("function", name)
    return _write_numbers(found, parts)


def _write_container(found: Any) -> tuple[Any, ...] | None:
    is_dict = type(found) is dict
    if is_dict and not all(type(key) is str for key in found):
        return "mapping", "dict", *_items(found)
    if len(found) < _MANY:
        return None
    values = found.values() if is_dict else found
    if not all(type(value) in _JSON for value in values):
        return None
    return "json", type(found).__name__, json.dumps(found, separators=(",", ":"))


def _items(found: Any) -> tuple[list[Any], list[Any]]:
    return list(found.keys()), list(found.values())


def _is_array_function(found: Any) -> bool:
    return type(found) is type(np.mean) and getattr(found, "__module__", "").startswith("numpy")


def _name_of(function: Any) -> str | None:
    """Return module and name by which a function can be found again, or None."""
    name = function.__name__
    own = getattr(function, "__module__", None)
    # universal functions, and torch's compiled ones, do not know where they are
    modules = [own] if own else ["numpy", "scipy.special", "torch", "torch.nn.functional"]
    for module in modules:
        if getattr(sys.modules.get(module), name, None) is function:
            return f"{module}.{name}"
    return None


def _write_numbers(found: Any, parts: PartWriter) -> tuple[Any, ...] | None:
    if isinstance(found, np.generic):
        return "scalar", np.asarray(found)
    if isinstance(found, np.dtype):
        return "dtype", np.lib.format.dtype_to_descr(found)
    is_mapped = isinstance(found, np.memmap)
    if is_mapped or type(found) is np.ndarray:
        if found.dtype == object:
            return "objects", list(found.shape), found.ravel().tolist()
        if found.dtype.hasobject or (found.nbytes < _LARGE and not is_mapped):
            return None
        return "array", parts.add("arrays", "npy", lambda file: _write_array(file, found))
    if isinstance(found, np.ma.MaskedArray):
        return "masked", np.asarray(found.data), np.asarray(found.mask), found.fill_value
    if isinstance(found, np.random.Generator):
        bits = found.bit_generator
        return "generator", type(bits).__name__, bits.state
    if type(found).__module__ == "sklearn.tree._tree" and type(found).__name__ == "Tree":
        _, arguments, state = found.__reduce__()
        return "tree", *arguments, state
    if isinstance(found, BSpline):  # holds functions that only this version of scipy has
        return "spline", found.t, found.c, found.k, found.extrapolate, found.axis
    if type(found).__name__ == "TreePredictor" and type(found).__module__.startswith("sklearn."):
        return "tree_predictor", dict(vars(found))
    return None


def _write_array(file: Any, array: np.ndarray) -> None:
    np.lib.format.write_array(file, array, allow_pickle=False)


def _write_sparse(found: Any) -> tuple[Any, ...]:
    is_array = isinstance(found, sparse.sparray)
    kept = found if found.format in ("csr", "csc", "bsr") else found.tocoo()
    if kept.format == "coo":
        numbers = [kept.data, *kept.coords]
    else:
        numbers = [kept.data, kept.indices, kept.indptr]
    return "sparse", found.format, is_array, list(found.shape), numbers


# ---------------------------------------------------------------- reading
# Each takes just what is written, and no further argument that a file might add.


def _read_value(name: str, *arguments: Any) -> Any:
    if name == "datetime":
        return datetime.datetime(*arguments[0], fold=arguments[1])
    if name == "time":
        return datetime.time(*arguments[:-1], fold=arguments[-1])
    return _VALUE_CLASSES[name](*arguments)


def _read_kept(parts: PartReader, place: int, found: Any) -> Any:
    parts.shared[place] = found
    return found


def _read_mapping(name: str, keys: list[Any], values: list[Any]) -> Any:
    pairs = dict(zip(keys, values, strict=True))
    return Bunch(**pairs) if name == "Bunch" else _MAPPINGS[name](pairs)


def _read_named_tuple(cls: Any, items: list[Any]) -> Any:
    if not (isinstance(cls, type) and issubclass(cls, tuple)):
        raise TypeError(f"{cls!r} is no named tuple")
    return tuple.__new__(cls, items)


def _read_enum(cls: Any, name: str) -> Any:
    if not (isinstance(cls, type) and issubclass(cls, enum.Enum)):
        raise TypeError(f"{cls!r} is no enumeration")
    return cls[name]


def _read_path(parts: PartReader, is_concrete: bool, text: str) -> PurePath:
    # a concrete path has methods that write files, and remove them
    is_trusted = any(name.startswith("pathlib.") for name in parts.trusted)
    return Path(text) if is_concrete and is_trusted else PurePath(text)


def _read_scalar(array: np.ndarray) -> Any:
    if not (isinstance(array, np.ndarray) and array.shape == ()):
        raise TypeError("a single number is not one")
    return array[()]


def _read_objects(shape: list[int], items: list[Any]) -> np.ndarray:
    flat = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):  # an assignment at once would look into the items
        flat[i] = item
    return flat.reshape(shape)


def _read_generator(name: str, state: Any) -> np.random.Generator:
    kinds = {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"}
    if name not in kinds:
        raise ValueError(f"{name!r} is no bit generator of numpy")
    bits = getattr(np.random, name)()
    bits.state = state
    return np.random.Generator(bits)


def _read_sparse(format: str, is_array: bool, shape: list[int], numbers: list[np.ndarray]) -> Any:
    stored = format if format in ("csr", "csc", "bsr") else "coo"
    cls = getattr(sparse, f"{stored}_{'array' if is_array else 'matrix'}")
    data, *places = numbers
    entries = (data, tuple(places)) if stored == "coo" else (data, *places)
    matrix = cls(entries, shape=tuple(shape))
    if stored != "coo":
        matrix.check_format(full_check=True)
    return matrix.asformat(format)


def _read_tree(n_features: int, n_classes: np.ndarray, n_outputs: int, state: Any) -> Any:
    nodes = state["nodes"]
    _check_children(nodes["left_child"], nodes["right_child"])
    inner = nodes["left_child"] >= 0
    features = nodes["feature"][inner]
    if len(features) and not (features.min() >= 0 and features.max() < n_features):
        raise ValueError("a tree asks for a column that it does not have")
    tree = tree_class()(n_features, n_classes, n_outputs)
    tree.__setstate__(state)
    return tree


def _read_predictor(state: Any) -> Any:
    nodes = state["nodes"]
    inner = nodes["is_leaf"] == 0
    left, right = (np.where(inner, nodes[side].astype(np.int64), -1) for side in ("left", "right"))
    _check_children(left, right)
    cls = tree_predictor_class()
    check_attributes(cls, state)
    predictor = cls.__new__(cls)
    vars(predictor).update(state)
    return predictor


def _check_children(left: np.ndarray, right: np.ndarray) -> None:
    """Refuse a tree whose walk could leave its nodes or never end: compiled code does not look."""
    n = len(left)
    place = np.arange(n)
    for child in (left, right):
        bad = (child >= 0) & ((child <= place) | (child >= n))
        if bad.any() or ((left >= 0) != (right >= 0)).any():
            raise ValueError("the nodes of a tree do not form a tree")


READERS: dict[str, Callable[..., Any]] = {
    "defaultdict": lambda factory, keys, values: defaultdict(
        factory, zip(keys, values, strict=True)
    ),
    "dtype": lambda description: np.lib.format.descr_to_dtype(description),
    "enum": _read_enum,
    "generator": _read_generator,
    "json": lambda name, text: _SEQUENCES[name](json.loads(text)),
    "mapping": _read_mapping,
    "masked": lambda data, mask, fill: np.ma.MaskedArray(data, mask=mask, fill_value=fill),
    "named_tuple": _read_named_tuple,
    "objects": _read_objects,
    "partial": lambda function, arguments, named: functools.partial(function, *arguments, **named),
    "scalar": _read_scalar,
    "sparse": _read_sparse,
    "spline": lambda t, c, k, extrapolate, axis: BSpline(t, c, k, extrapolate, axis),
    "tree": _read_tree,
    "tree_predictor": _read_predictor,
    "value": _read_value,
}
PART_READERS: dict[str, Callable[..., Any]] = {
    "array": PartReader.array,
    "function": lambda parts, name: function_named(name, parts.trusted),
    "keep": _read_kept,
    "path": _read_path,
    "shared": lambda parts, place: parts.shared[place],
}
