"""safetensors: read the header, plan a file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._layout import FixedLayout, Piece, Slot
from stackens.weight_averaging.files._sources import Extent, Tensor

__all__ = ["is_safetensors", "plan_safetensors", "read_safetensors"]

# Formats of the safetensors library that count only together with a scale, or are one.
_QUANTISED = {"F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}
_LONGEST_HEADER = 100_000_000  # bytes; the bound of the safetensors library


class _OtherFormatError(Exception):
    """A header speaks of number formats that are not averaged."""


def is_safetensors(start: bytes) -> bool:
    """Whether a file that starts with these bytes may be a safetensors file."""
    return len(start) > 8 and start[8:9] == b"{" and start[4:8] == bytes(4)


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file and its free-text metadata, from its header alone.

    Names that ``safetensors.torch.save_model`` left out, because they share a tensor with another
    name, are listed in the metadata; they are among the tensors again.

    Raises
    ------
    ValueError
        If the header is not valid, or the tensors do not fill the file without gap or overlap.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(size - 8, _LONGEST_HEADER):
            raise _broken(path, f"a header of {length} bytes in a file of {size}")
        content = file.read(length)
    try:
        header = json.loads(content, object_pairs_hook=_without_repeats)
        metadata = header.pop("__metadata__", None) or {}
        other = sorted({entry["dtype"] for entry in header.values()} & _QUANTISED)
        if other:
            raise _OtherFormatError
        found = {name: _tensor(path, 8 + length, entry) for name, entry in header.items()}
    except _OtherFormatError as error:
        raise ValueError(
            f"{path} must hold numbers that have a mean. Got {', '.join(other)}, the formats of "
            "quantised weights and their scales. Average the models before quantising, or "
            "dequantise them first."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(path, f"a header that is not valid ({error})") from error
    end = 8 + length
    for name, tensor in sorted(found.items(), key=lambda item: _extent(item[1])):
        begin, n_bytes = _extent(tensor)
        if begin != end:
            how = "overlaps what is before it" if begin < end else "leaves a gap before it"
            raise _broken(path, f"a tensor {name!r} that {how}")
        end += n_bytes
    if end != size:
        raise _broken(path, f"{size} bytes where its header speaks of {end}")
    tensors: dict[str, Tensor] = dict(found)
    shared = {name: kept for name, kept in metadata.items() if kept in found and name not in found}
    tensors.update((name, found[kept]) for name, kept in shared.items())
    return tensors, {name: text for name, text in metadata.items() if name not in shared}


def _tensor(path: Path, data: int, entry: Mapping[str, Any]) -> Any:
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    dtype = DTYPES.get(entry["dtype"])
    if dtype is None:
        raise ValueError(f"dtype {entry['dtype']!r} is not known")
    numbers = (begin, end, *shape)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"shape {shape} and offsets {begin}, {end} must be whole numbers")
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{end - begin} bytes for shape {shape} of {dtype}")
    return Tensor(dtype, shape, Extent(path, data + begin))


def _extent(tensor: Any) -> tuple[int, int]:
    return tensor.source.offset, tensor.nbytes


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name stands there twice")
    return names


def _broken(path: Path, found: str) -> ValueError:
    return ValueError(
        f"{path} must be a whole safetensors file. Got {found}: it was cut short, is damaged or is "
        "something else. Write or fetch it again."
    )


def plan_safetensors(
    slots: Iterable[Slot], *, metadata: Mapping[str, str], name: str = ""
) -> FixedLayout:
    """Plan a file that holds these tensors.

    Tied weights are written once; the other names go to the metadata, where
    ``safetensors.torch.load_model`` and this package look for them.

    Raises
    ------
    ValueError
        If the format has no room for a dtype.
    """
    # The widest numbers first, so that each tensor begins at a multiple of its own item size.
    slots = sorted(slots, key=lambda slot: -slot.dtype.itemsize)
    tied = {alias: slot.name for slot in slots for alias in slot.aliases}
    header: dict[str, Any] = {"__metadata__": {**metadata, **tied}} if metadata or tied else {}
    places, n_bytes, end = {}, {}, 0
    for slot in slots:
        if slot.dtype.code == "C128":
            raise ValueError(
                f"safetensors files hold no complex128. Got it in {slot.name!r}. Write a .pt or "
                ".npz file."
            )
        places[slot.name], n_bytes[slot.name] = end, slot.nbytes
        offsets = [end, end + slot.nbytes]
        entry = {"dtype": slot.dtype.code, "shape": list(slot.shape), "data_offsets": offsets}
        header[slot.name] = entry
        end += slot.nbytes
    content = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    content += b" " * (-len(content) % 8)
    start: list[Piece] = [(0, len(content).to_bytes(8, "little") + content)]
    data = 8 + len(content)
    places = {key: data + place for key, place in places.items()}
    return FixedLayout(name, data + end, places, n_bytes, lambda crcs: start)
