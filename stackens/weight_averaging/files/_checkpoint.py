"""A checkpoint in files of any format: its tensors by name, from headers alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.adapters._containers import canonical_names
from stackens.weight_averaging.files._hdf5 import Hdf5File, is_hdf5, layer_order, read_hdf5
from stackens.weight_averaging.files._keras import check_keras, is_keras, weights_in_keras
from stackens.weight_averaging.files._nested import state_dict_in
from stackens.weight_averaging.files._npz import is_npz, read_npz
from stackens.weight_averaging.files._safetensors import is_safetensors, read_safetensors
from stackens.weight_averaging.files._sources import Tensor
from stackens.weight_averaging.files._torch import is_torch_zip, read_torch
from stackens.weight_averaging.files._zip import entries
from stackens.weight_averaging.rules import State

__all__ = ["Checkpoint", "open_all", "open_checkpoint", "read_checkpoint", "with_names_of"]

# What a folder of Hugging Face may keep its weights in, the best first.
_WEIGHTS = (
    "model.safetensors.index.json",
    "model.safetensors",
    "adapter_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
    "adapter_model.bin",
)


_OLD_TORCH = bytes.fromhex("6cfc9c46f9206aa85019")  # the number at the start of its files
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint, none of them read yet.

    Parameters
    ----------
    path : Path
        As the user gave it.
    tensors : dict of str to Tensor
        By name, without what wrappers such as DataParallel put in front; `numpy.asarray` reads one.
    own_names : dict of str to str
        From these names to those in the file.
    files : tuple of Path
        All files that hold the tensors.
    format : str
        ``"safetensors"``, ``"torch"``, ``"npz"``, ``"hdf5"`` or ``"keras"``.
    metadata : dict of str to str
        Free text in the file.
    layers : tuple of str
        Names of the tensors in the order of layers, for files in which names are no matter.
    """

    path: Path
    tensors: dict[str, Tensor]
    own_names: dict[str, str]
    files: tuple[Path, ...]
    format: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """The tensors as rules see them: arrays that are read when they are asked for."""
        return cast(State, self.tensors)


def open_checkpoint(path: Path, *, key: str | None = None, trusted: bool = False) -> Checkpoint:
    """Read the headers of a checkpoint; the content of the files says what format they have.

    Parameters
    ----------
    path : Path
        A file, an index of shards (``*.index.json``), or a folder as Hugging Face writes it.
    key : str or None, default=None
        For torch's files: where the weights are in a whole training checkpoint.
    trusted : bool, default=False
        Whether a pickle may run code.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of no known format, refused, or holds no tensors.
    """
    if path.is_dir():
        found = next((path / name for name in _WEIGHTS if (path / name).exists()), None)
        if found is None:
            raise ValueError(
                f"A folder must hold weights as Hugging Face names them. Got {path} without "
                f"{_WEIGHTS[0]}, {_WEIGHTS[1]} and the like. Give the files themselves, or the "
                "folder of one model; what torch.distributed or DeepSpeed wrote in parts must "
                "be put together first (dcp_to_torch_save, zero_to_fp32)."
            )
        checkpoint = replace(open_checkpoint(found, key=key, trusted=trusted), path=path)
    elif path.name.endswith(".index.json"):
        checkpoint = _from_index(path, key, trusted)
    else:
        checkpoint = _from_file(path, key, trusted)
    if not checkpoint.tensors:
        raise ValueError(f"A checkpoint must hold tensors. Got {path} without any. Leave it out.")
    return checkpoint


def _from_file(path: Path, key: str | None, trusted: bool) -> Checkpoint:
    if not path.is_file():
        raise FileNotFoundError(
            f"A checkpoint must be there. Got {path}, which is not a file. Check the name; a "
            "pattern such as '*.pt' is not searched."
        )
    with open(path, "rb") as file:
        start = file.read(64)
    metadata: Mapping[str, str] = {}
    layers: tuple[str, ...] = ()
    # Asked first: the length of its header, at the start, can look like any other format's mark.
    plain = is_safetensors(start)
    names = set(entries(path)) if start.startswith(b"PK") and not plain else set()
    if start.startswith(b"\x80") and _OLD_TORCH not in start and not plain:
        raise ValueError(
            f"A pickle must be one of torch.save. Got {path}, which something else has written. "
            "Load it with that, if you trust it, and give the models or arrays to average()."
        )
    if is_torch_zip(names) or (start.startswith(b"\x80") and not plain):
        kind = "torch"
        tensors = state_dict_in(read_torch(path, trusted=trusted), path, key)
    elif key is not None:
        raise ValueError(
            f"The 'key' parameter is for torch's files. Got {key!r} with {path}. Leave it out."
        )
    elif is_keras(names):
        check_keras(path)
        kind, tensors = "keras", read_hdf5(weights_in_keras(path))
    elif is_npz(names):
        kind, tensors = "npz", read_npz(path)
    elif is_hdf5(start):
        kind, tensors = "hdf5", read_hdf5(Hdf5File(path))
        layers = tuple(layer_order(Hdf5File(path)))
    elif plain:
        kind = "safetensors"
        tensors, metadata = read_safetensors(path)
    else:
        raise ValueError(
            f"A checkpoint must be a safetensors, torch, npz, HDF5 or Keras file. Got {path}, "
            f"which begins with {start[:16]!r}: it was cut short or is something else. "
            f"{'Fetch it with git lfs pull' if start.startswith(_POINTER) else 'Write it again'}."
        )
    own = canonical_names(tensors)
    if len(own) < len(tensors):
        raise ValueError(
            f"Names must differ without 'module.' and '_orig_mod.'. Got some in {path} that do "
            "not. Save the model without its wrapper."
        )
    by_name = {name: tensors[own_name] for name, own_name in own.items()}
    return Checkpoint(path, by_name, own, (path,), kind, metadata, layers)


def _from_index(path: Path, key: str | None, trusted: bool) -> Checkpoint:
    """Read the headers of all shards that an index names."""
    try:
        weight_map = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        shards = {shard: path.parent / shard for shard in weight_map.values()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} must be an index of shards. Got one without a valid 'weight_map' ({error}). "
            "Write or fetch it again."
        ) from error
    outside = [shard for shard in shards if Path(shard).name != shard]
    missing = [shard for shard, file in shards.items() if not file.is_file()]
    if outside or missing:
        raise ValueError(
            f"All shards of {path} must be files beside it. Got {sorted({*outside, *missing})}, "
            "which are missing or elsewhere. Fetch the folder again."
        )
    opened = {shard: _from_file(file, key, trusted) for shard, file in shards.items()}
    inside = {
        shard: {own: checkpoint.tensors[name] for name, own in checkpoint.own_names.items()}
        for shard, checkpoint in opened.items()
    }
    absent = [
        f"{name!r} in {shard}" for name, shard in weight_map.items() if name not in inside[shard]
    ]
    if absent:
        raise ValueError(
            f"{path} must agree with its shards. Got no {', '.join(absent[:20])}. Fetch the folder "
            "again."
        )
    tensors = {name: inside[shard][name] for name, shard in weight_map.items()}
    listed = set(tensors.values())
    for found in inside.values():  # an index does not list the other names of tied weights
        tensors.update((name, tensor) for name, tensor in found.items() if tensor in listed)
    own = canonical_names(tensors)
    by_name = {name: tensors[own_name] for name, own_name in own.items()}
    first = next(iter(opened.values()))
    return Checkpoint(path, by_name, own, tuple(shards.values()), first.format, first.metadata)


def open_all(
    paths: Sequence[Path], *, newest: int = -1, key: str | None = None, trusted: bool = False
) -> list[Checkpoint]:
    """Read the headers of several checkpoints of one model, and report all bad files at once.

    Parameters
    ----------
    paths : sequence of Path
    newest : int, default=-1
        Which of them is the newest, whose names the others get where names are no matter.
    key, trusted
        See `open_checkpoint`.
    """
    opened: dict[Path, Checkpoint] = {}
    errors: dict[Path, Exception] = {}
    for path in dict.fromkeys(paths):
        try:
            opened[path] = open_checkpoint(path, key=key, trusted=trusted)
        except (ValueError, FileNotFoundError) as error:
            errors[path] = error
    if len(errors) == 1:
        raise next(iter(errors.values()))
    if errors:
        listed = "\n  ".join(str(error) for error in errors.values())
        raise ValueError(f"{len(errors)} of {len(opened) + len(errors)} checkpoints:\n  {listed}")
    return _with_tied([with_names_of(opened[paths[newest]], opened[path]) for path in paths])


def _with_tied(checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    """Give tied tensors all their names where some files keep one, as those of Hugging Face do."""
    states = [checkpoint.tensors for checkpoint in checkpoints]
    everywhere = set(states[0]).intersection(*states[1:])
    names = dict.fromkeys(name for s in states if len(s) > len(everywhere) for name in s)
    lacking = [name for name in names if name not in everywhere]
    if not lacking or len(lacking) > len(everywhere):
        return checkpoints  # all alike, or models of other architectures
    called: dict[int, dict[Tensor, list[str]]] = {}  # of each checkpoint that is asked
    tied = {}
    for name in lacking:
        having = [i for i, state in enumerate(states) if name in state]
        i, tensor = having[0], states[having[0]][name]
        if i not in called:
            called[i] = {}
            for other in states[i]:
                if other in everywhere:
                    called[i].setdefault(states[i][other], []).append(other)
        for other in called[i].get(tensor, ()):
            if tensor.size and all(states[j][other] == states[j][name] for j in having):
                tied[name] = other
                break
    return [_also_called(checkpoint, tied) for checkpoint in checkpoints]


def _also_called(checkpoint: Checkpoint, tied: Mapping[str, str]) -> Checkpoint:
    own = checkpoint.tensors
    new = {name: own[other] for name, other in tied.items() if name not in own}
    if not new:
        return checkpoint
    own_names = {**checkpoint.own_names, **{name: name for name in new}}
    return replace(checkpoint, tensors={**own, **new}, own_names=own_names)


def with_names_of(newest: Checkpoint, other: Checkpoint) -> Checkpoint:
    """Return a checkpoint under the names of another one, if both are ordered by layers."""
    same_length = newest.layers and len(newest.layers) == len(other.layers)
    if not same_length or set(newest.tensors) == set(other.tensors):
        return other
    pairs = dict(zip(other.layers, newest.layers, strict=True))
    tensors = {pairs.get(name, name): tensor for name, tensor in other.tensors.items()}
    return replace(other, tensors=tensors)


def read_checkpoint(
    path: str | os.PathLike[str], *, key: str | None = None, trusted: bool = False
) -> dict[str, NDArray]:
    """Read a checkpoint of any format into memory, as arrays under the names in the file.

    Parameters
    ----------
    path : path-like
        A file, an index of shards, or a folder as Hugging Face writes it.
    key, trusted
        See `average_checkpoints`.

    Returns
    -------
    dict of str to ndarray
        Formats that numpy does not know (bfloat16, the 8-bit floats) become float32, which holds
        each of their values. Tied weights are one array.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> path = Path(tempfile.mkdtemp(), "model.npz")
    >>> np.savez(path, w=np.arange(3.0))
    >>> wa.read_checkpoint(path)
    {'w': array([0., 1., 2.])}
    """
    checkpoint = open_checkpoint(Path(path), key=key, trusted=trusted)
    arrays: dict[Tensor, NDArray] = {}
    named = {}
    for name, tensor in checkpoint.tensors.items():
        if tensor not in arrays:
            arrays[tensor] = np.asarray(tensor)
        named[checkpoint.own_names[name]] = arrays[tensor]
    return named
