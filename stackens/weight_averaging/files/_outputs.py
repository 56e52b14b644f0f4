"""What is written: the files of an output, by its suffix, and what is copied along."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackens.weight_averaging.files._checkpoint import Checkpoint
from stackens.weight_averaging.files._hdf5 import Hdf5File, plan_hdf5
from stackens.weight_averaging.files._keras import plan_keras, weights_in_keras
from stackens.weight_averaging.files._layout import FixedLayout, OutputFile, Slot
from stackens.weight_averaging.files._npz import plan_npz
from stackens.weight_averaging.files._safetensors import plan_safetensors
from stackens.weight_averaging.files._torch import plan_torch

__all__ = ["OutputKind", "companions", "output_kind", "plan_files"]

_TORCH = (".pt", ".pth", ".bin", ".ckpt")
_HDF5 = (".h5", ".hdf5")
_SUFFIXES = (".safetensors", *_TORCH, ".npz", *_HDF5, ".keras")
# Weights and what only training needs; all else in a folder of Hugging Face goes along.
_NOT_COPIED = (
    *(".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf"),
    *(".pkl", ".distcp"),
)
_OTHER_STEPS = re.compile(r"(checkpoint-|global_step)\d+$")  # folders of a run, beside its result
_METADATA = {"format": "pt"}  # transformers refuses files that do not say it
# What the libraries look for in a folder, other than "model": adapters of PEFT, diffusers.
_STEMS = ("adapter_model", "diffusion_pytorch_model")


@dataclass(frozen=True)
class OutputKind:
    """The kind of an output: ``"safetensors"``, ``"torch"``, ``"npz"``, ``"hdf5"`` or ``"keras"``.

    Parameters
    ----------
    format : str
    folder : bool
        Whether it is a folder of safetensors files.
    """

    format: str
    folder: bool = False

    @property
    def ties(self) -> bool:
        """Whether the format can say that names share a tensor."""
        return self.format in ("safetensors", "torch")


def output_kind(output: Path, newest: Checkpoint, max_shard_bytes: int | None) -> OutputKind:
    """Return the kind that the suffix of an output asks for.

    Raises
    ------
    ValueError
        If the suffix is not known, does not go with shards, or needs inputs of another kind.
    """
    suffix = output.suffix.lower()
    if suffix not in _SUFFIXES:
        # Names of models have dots too, so a suffix that is none is no mistake where a folder is
        # expected.
        if not suffix or output.is_dir() or newest.path.is_dir() or max_shard_bytes is not None:
            return OutputKind("safetensors", folder=True)
        raise ValueError(
            f"The output must end in one of {', '.join(_SUFFIXES)}, or be a folder without a "
            f"suffix. Got {output}. Choose the format by the suffix."
        )
    if max_shard_bytes is not None:
        raise ValueError(
            "The 'max_shard_bytes' parameter needs a folder as output. Got the file "
            f"{output}. Give a folder, or leave the parameter out."
        )
    if suffix in _HDF5 and newest.format not in ("hdf5", "keras"):
        raise ValueError(
            "An output in HDF5 is a copy of the newest checkpoint with other numbers. Got "
            f"{output} for {newest.path}. Give HDF5 files, or write .safetensors, .pt or .npz."
        )
    if suffix == ".keras" and newest.format != "keras":
        raise ValueError(
            "A .keras output is a copy of the newest checkpoint with other numbers. Got "
            f"{output} for {newest.path}. Give .keras files, or write another format."
        )
    if suffix in _TORCH:
        return OutputKind("torch")
    return OutputKind("hdf5" if suffix in _HDF5 else suffix.removeprefix("."))


def plan_files(
    kind: OutputKind, newest: Checkpoint, slots: Sequence[Slot], max_shard_bytes: int | None
) -> list[OutputFile]:
    """Plan the files of an output, with a place for each tensor.

    Raises
    ------
    ValueError
        If the format has no room for a dtype.
    """
    metadata = newest.metadata or _METADATA
    if kind.folder:
        own = newest.files[0].name
        stem = next((stem for stem in _STEMS if own.startswith(stem)), "model")
        return list(_shards(slots, metadata, max_shard_bytes, stem))
    if kind.format == "safetensors":
        return [plan_safetensors(slots, metadata=metadata)]
    if kind.format == "torch":
        return [plan_torch(slots)]
    if kind.format == "npz":
        return [plan_npz(slots)]
    path = newest.files[0]
    if kind.format == "keras":
        return [plan_keras(path, slots)]
    source = weights_in_keras(path) if newest.format == "keras" else Hdf5File(path)
    return [plan_hdf5(source, slots)]


def _shards(
    slots: Sequence[Slot], metadata: Mapping[str, str], max_shard_bytes: int | None, stem: str
) -> Iterator[OutputFile]:
    """Plan files of at most so many bytes of tensors (or one tensor), and the index of them."""
    shards: list[list[Slot]] = [[]]
    size = 0
    for slot in slots:
        if max_shard_bytes is not None and shards[-1] and size + slot.nbytes > max_shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(slot)
        size += slot.nbytes
    if len(shards) == 1:
        yield plan_safetensors(slots, metadata=metadata, name=f"{stem}.safetensors")
        return
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = f"{stem}-{number:05d}-of-{len(shards):05d}.safetensors"
        weight_map.update((slot.name, name) for slot in shard)
        yield plan_safetensors(shard, metadata=metadata, name=name)
    total = sum(slot.nbytes for slot in slots)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    content = (json.dumps(index, indent=2) + "\n").encode()
    name = f"{stem}.safetensors.index.json"
    yield FixedLayout(name, len(content), {}, {}, lambda _: [(0, content)])


def companions(newest: Checkpoint) -> list[Path]:
    """Return the other files of a folder of Hugging Face, relative to it: configuration and all."""
    if not newest.path.is_dir():
        return []
    files = (file.relative_to(newest.path) for file in sorted(newest.path.rglob("*")))
    return [
        file
        for file in files
        if (newest.path / file).is_file()
        and not any(part.startswith(".") or _OTHER_STEPS.match(part) for part in file.parts)
        and file.suffix not in _NOT_COPIED
        and not file.name.endswith(".index.json")
    ]
