"""torch's .pt files: find the tensors, without torch and without running a pickle; plan a file.

A file of ``torch.save`` is a zip file: ``data.pkl`` describes objects, in which a tensor names a
storage with offset, shape and strides, and each storage is an entry of its own, uncompressed. The
description is read by an unpickler that knows nothing but tensors and plain containers.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackens.weight_averaging.files._dtypes import DTYPES, DType, by_name
from stackens.weight_averaging.files._layout import FixedLayout, Slot
from stackens.weight_averaging.files._sources import (
    Deflated,
    Extent,
    Source,
    Strided,
    Tensor,
    Unread,
)
from stackens.weight_averaging.files._torch_load import load_with_torch
from stackens.weight_averaging.files._zip import NewEntry, ZipEntry, entries, plan_zip

__all__ = ["is_torch_zip", "plan_torch", "read_torch"]

# The classes under which torch has always pickled storages. Newer formats are untyped.
_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
_STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "ComplexFloatStorage": "C64",
    "ComplexDoubleStorage": "C128",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}
_DATES = ("date", "datetime", "time", "timedelta", "timezone")
_DTYPE_NAMES = ("float", "bfloat", "complex", "int", "uint", "bool")
_OTHER_TENSORS = {
    "torch._utils._rebuild_sparse_tensor": "sparse",
    "torch._utils._rebuild_sparse_csr_tensor": "sparse",
    "torch._utils._rebuild_qtensor": "quantised",
    "torch._utils._rebuild_meta_tensor_no_storage": "on the meta device, without numbers",
    "torch._utils._rebuild_wrapper_subclass": "spread over devices or packed by a class of its own",
    "torch._utils._rebuild_nested_tensor": "nested",
}
_STORAGE_OF = {code: name for name, code in _STORAGES.items()}


def is_torch_zip(names: Iterable[str]) -> bool:
    """Whether a zip file with these entries was written by torch.save."""
    return any(name.endswith("/data.pkl") or name == "data.pkl" for name in names)


def read_torch(path: Path, *, trusted: bool) -> Any:
    """Return the object in a file of torch.save, with a `Tensor` in the place of each tensor.

    Parameters
    ----------
    path : Path
    trusted : bool
        Whether torch may run a pickle that holds more than tensors and plain containers.

    Raises
    ------
    ValueError
        If the file holds more and is not trusted, or is damaged.
    """
    with open(path, "rb") as file:
        if not file.read(4).startswith(b"PK"):
            return load_with_torch(path, trusted=trusted)
    found = entries(path)
    try:
        return _Unpickler(path, found).read()
    except _NotPlainError as error:
        if trusted:
            return load_with_torch(path, trusted=True)
        raise ValueError(
            f"{path} must hold nothing but tensors and plain containers. Got {error}, which can "
            "run any code when it is loaded. If you trust whoever wrote the file, pass "
            "trusted=True; or save the state dict alone."
        ) from error
    except _OtherTensorError as error:
        raise ValueError(
            f"{path} must hold dense tensors. Got one that is {error}. Load the file, turn such "
            "tensors into plain ones (to_dense(), dequantize(), full_tensor()) or leave them out, "
            "and save it again."
        ) from error
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} must be a whole file of torch.save. Got one that can't be read ({error}). "
            "Write or fetch it again."
        ) from error


# ---------------------------------------------------------------- reading without torch


class _NotPlainError(Exception):
    """A pickle asks for something else than tensors and plain containers."""


class _OtherTensorError(Exception):
    """A file holds tensors that are no plain arrays of numbers."""


class _Ignored:
    """Stands for an object that is harmless and of no interest, such as settings of a run."""

    def __init__(self, *args: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def _storage_dtype(name: str) -> DType:
    return DTYPES[_STORAGES[name]]


@dataclass(frozen=True)
class _Storage:
    entry: ZipEntry
    dtype: DType | None  # None: untyped


_PLAIN: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "collections.defaultdict": defaultdict,
    "collections.Counter": dict,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.bytearray": bytearray,
    "builtins.bytes": bytes,
    "builtins.complex": complex,
    "builtins.list": list,
    "builtins.dict": dict,
    "builtins.int": int,
    "builtins.long": int,  # of Python 2
    "builtins.float": float,
    "builtins.slice": _Ignored,
    "torch.Size": tuple,
    "torch.Tensor": None,
    "torch.device": _Ignored,
    "torch.nn.parameter.Parameter": None,
    "torch.serialization._get_layout": _Ignored,
    "torch.storage.UntypedStorage": None,
    "torch._tensor._rebuild_from_type_v2": lambda rebuild, _, arguments, *__: rebuild(*arguments),
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
    "_codecs.encode": lambda *_: b"",  # how bytes are pickled
    "argparse.Namespace": _Ignored,
    "types.SimpleNamespace": _Ignored,
    "collections.deque": lambda *_: [],
    "decimal.Decimal": _Ignored,
    **dict.fromkeys(("builtins.range", "builtins.xrange"), _Ignored),
    **{f"datetime.{name}": _Ignored for name in _DATES},
    **{f"pathlib.{name}": _Ignored for name in _PATHS},
    **{f"pathlib._local.{name}": _Ignored for name in _PATHS},  # of Python 3.13
    **dict.fromkeys(("numpy.dtype", "numpy.core.multiarray.scalar"), _Ignored),
    "numpy._core.multiarray.scalar": _Ignored,
    "numpy.ndarray": None,
    "numpy.core.multiarray._reconstruct": Unread,  # arrays, such as the state of a generator
    "numpy._core.multiarray._reconstruct": Unread,
    "numpy.core.numeric._frombuffer": Unread,  # the same in protocol 5
    "numpy._core.numeric._frombuffer": Unread,
    **{f"torch.{name}": _storage_dtype(name) for name in _STORAGES},
}


class _Unpickler(pickle.Unpickler):
    """Reads the description of objects; whatever is not on the list above is refused."""

    def __init__(self, path: Path, found: Mapping[str, ZipEntry]) -> None:
        name = next(n for n in found if n.endswith("data.pkl"))
        self._folder = name.removesuffix("data.pkl")
        self._path, self._entries = path, found
        order = found.get(f"{self._folder}byteorder")
        if order is not None and order.read(path) != b"little":
            raise ValueError(f"{path} must be little-endian. Got another byte order. Save it anew.")
        super().__init__(io.BytesIO(found[name].read(path)))

    def read(self) -> Any:
        return self.load()

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module.replace('__builtin__', 'builtins')}.{name}"  # as Python 2 called it
        if full in _PLAIN:
            return _PLAIN[full]
        rebuild: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_tensor_v3": self._untyped_tensor,
        }
        if full in rebuild:
            return rebuild[full]
        if full in _OTHER_TENSORS:
            raise _OtherTensorError(_OTHER_TENSORS[full])
        if module == "torch" and name.startswith(_DTYPE_NAMES):
            try:
                return by_name(name)
            except ValueError as error:
                raise _OtherTensorError(f"of {name}, which is not averaged") from error
        raise _NotPlainError(f"an object of {full}")

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, _, _ = pid
        return _Storage(self._entries[f"{self._folder}data/{key}"], dtype)

    def _tensor(
        self,
        storage: _Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        requires_grad: bool = False,
        hooks: object = None,
        metadata: object = None,
    ) -> Tensor:
        if storage.dtype is None or metadata:
            raise _NotPlainError("a tensor of another kind than those with plain numbers")
        return _in_storage(self._path, storage.entry, storage.dtype, offset, shape, strides)

    def _untyped_tensor(
        self,
        storage: _Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        requires_grad: bool,
        hooks: object,
        dtype: DType,
        metadata: object = None,
    ) -> Tensor:
        typed = _Storage(storage.entry, dtype)
        return self._tensor(typed, offset, shape, strides, metadata=metadata)


def _in_storage(
    path: Path,
    entry: ZipEntry,
    dtype: DType,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
) -> Tensor:
    """Return a tensor that is a view of a storage."""
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError(f"a tensor of shape {shape} and strides {strides} at {offset}")
    empty = 0 in shape
    steps = zip(shape, strides, strict=True)
    end = 0 if empty else offset + 1 + sum((n - 1) * step for n, step in steps)
    if end * dtype.itemsize > entry.size:
        raise ValueError(f"a tensor that reaches over the end of its storage, {entry.name!r}")
    start = offset * dtype.itemsize
    fills = math.prod(shape) * dtype.itemsize == entry.size
    extent = Extent(path, entry.offset + start, entry.crc if fills else None)
    source: Source
    if empty or _is_contiguous(shape, strides):
        source = Deflated(path, entry.name, start) if entry.compressed else extent
    elif entry.compressed:
        raise ValueError(f"a tensor that is not contiguous in a compressed entry, {entry.name!r}")
    else:
        stored = extent if extent.crc is not None and offset == 0 else None
        source = Strided(path, extent.offset, shape, strides, stored)
    return Tensor(dtype, shape, source)


def _is_contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    expected = 1
    for n, step in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1 and step != expected:
            return False
        expected *= n
    return True


# ---------------------------------------------------------------- writing


def plan_torch(slots: Iterable[Slot], *, name: str = "") -> FixedLayout:
    """Plan a file whose content is a state dict, readable by ``torch.load(weights_only=True)``.

    Tied weights share a storage, as they do when torch saves them.
    """
    slots = list(slots)
    new = [
        NewEntry("archive/data.pkl", _pickled(slots)),
        NewEntry("archive/byteorder", b"little"),
        *(NewEntry(f"archive/data/{i}", slot=slot) for i, slot in enumerate(slots)),
        NewEntry("archive/version", b"3\n"),
    ]
    return plan_zip(new, name=name)


def _pickled(slots: list[Slot]) -> bytes:
    """Pickle an OrderedDict of tensors, operation by operation, as torch would."""
    items = [
        _text(name) + _tensor(slot, str(key))
        for key, slot in enumerate(slots)
        for name in (slot.name, *slot.aliases)
    ]
    dictionary = _global("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    content = pickle.MARK + b"".join(items) + pickle.SETITEMS
    return pickle.PROTO + b"\x02" + dictionary + content + pickle.STOP


def _tensor(slot: Slot, key: str) -> bytes:
    """Call the function that rebuilds a tensor, on its storage."""
    typed = slot.dtype.code in _STORAGE_OF
    size = slot.nbytes // slot.dtype.itemsize
    storage = _tuple(
        _text("storage"),
        _global("torch", _STORAGE_OF[slot.dtype.code])
        if typed
        else _global("torch.storage", "UntypedStorage"),
        _text(key),
        _text("cpu"),
        _integer(size if typed else slot.nbytes),
    )
    strides: list[int] = []
    step = 1
    for n in reversed(slot.shape):
        strides.insert(0, step)
        step *= max(n, 1)
    hooks = _global("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    arguments = _tuple(
        storage + pickle.BINPERSID,
        _integer(0),
        _tuple(*map(_integer, slot.shape)),
        _tuple(*map(_integer, strides)),
        pickle.NEWFALSE,
        hooks,
        *([] if typed else [_global("torch", slot.dtype.name)]),
    )
    version = "v2" if typed else "v3"
    return _global("torch._utils", f"_rebuild_tensor_{version}") + arguments + pickle.REDUCE


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    encoded = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(encoded)) + encoded


def _integer(value: int) -> bytes:
    return pickle.dumps(value, protocol=2)[2:-1]  # without the protocol before and the stop after


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE
