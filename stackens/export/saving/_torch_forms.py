"""Forms of torch's values: tensors as safetensors; modules are plain objects that hold them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from stackens._core._optional import require
from stackens.exceptions import ExportError
from stackens.export.saving._parts import PartReader, PartWriter

__all__ = ["PART_READERS", "READERS", "TorchWriter"]

_BATCH = 1 << 26  # bytes of tensors in one part, which is what is in memory twice


class TorchWriter:
    """Returns the forms of tensors and the like, and gathers tensors in parts.

    Parameters
    ----------
    parts : PartWriter
    """

    def __init__(self, parts: PartWriter) -> None:
        self._parts = parts
        self._batch: dict[str, Any] = {}
        self._name = ""
        self._n_bytes = 0
        self._places: dict[Any, tuple[str, str]] = {}

    def __call__(self, found: Any) -> tuple[Any, ...] | None:
        torch = sys.modules.get("torch")  # without it there are no tensors
        if torch is None or not type(found).__module__.startswith("torch"):
            return None
        if isinstance(found, torch.Tensor):
            return self._tensor(found, torch)
        if isinstance(found, torch.Generator):
            # the state of another device's means nothing here
            state = found.get_state().numpy() if found.device.type == "cpu" else None
            return "torch_generator", state
        if isinstance(found, torch.dtype):
            return "torch_dtype", str(found).removeprefix("torch.")
        if isinstance(found, torch.device):
            return "torch_device", str(found)
        if isinstance(found, torch.Size):
            return "torch_size", list(found)
        if isinstance(found, torch.nn.Module):
            _check_module(found, torch)
        return None

    def _tensor(self, tensor: Any, torch: Any) -> tuple[Any, ...]:
        kinds = {torch.Tensor: "tensor", torch.nn.Parameter: "parameter"}
        kind = kinds.get(type(tensor))
        if kind is None or tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise ExportError(
                "Tensors must be plain and dense to be saved. Got a "
                f"{type(tensor).__name__} of layout {tensor.layout} and dtype {tensor.dtype}. "
                "Convert it, for example with to_dense() or dequantize()."
            )
        memory = (tensor.device, tensor.data_ptr())
        place = (*memory, tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if tensor.numel() == 0 or place not in self._places:
            self._places[place] = self._placed(tensor)
        return "tensor", *self._places[place], kind, tensor.requires_grad

    def _placed(self, tensor: Any) -> tuple[str, str]:
        if not self._name or self._n_bytes + tensor.nbytes > _BATCH:
            batch = self._batch = {}
            self._name = self._parts.add(
                "tensors", "safetensors", lambda file: _write_tensors(file, batch)
            )
            self._n_bytes = 0
        self._n_bytes += tensor.nbytes
        key = str(len(self._batch))
        self._batch[key] = tensor
        return self._name, key


def _write_tensors(file: BinaryIO, batch: dict[str, Any]) -> None:
    safetensors = require(
        "safetensors.torch", extra="torch", purpose="Saving a model with torch tensors"
    )
    # copies of their own: safetensors takes no views of shared memory
    own = {
        key: tensor.detach().cpu().resolve_conj().resolve_neg().clone(memory_format=_plain())
        for key, tensor in batch.items()
    }
    file.write(safetensors.save(own))


def _plain() -> Any:
    return require("torch", extra="torch", purpose="torch").contiguous_format


def _check_module(module: Any, torch: Any) -> None:
    is_script = isinstance(module, torch.jit.ScriptModule)
    if is_script or hasattr(module, "_orig_mod") or hasattr(module, "parametrizations"):
        raise ExportError(
            "Torch modules must be of a class that can be imported. Got a scripted, compiled or "
            f"parametrised {type(module).__name__}. Put the plain module in its place "
            "(module._orig_mod of a compiled one, remove_parametrizations() for the others)."
        )


def _read_tensor(parts: PartReader, name: str, key: str, kind: str, requires_grad: bool) -> Any:
    tensor = parts.tensors(name)[key]
    torch = sys.modules["torch"]
    if kind == "parameter":
        return torch.nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.clone().requires_grad_(requires_grad)


def _torch() -> Any:
    return require("torch", extra="torch", purpose="Loading a model with torch tensors")


def _read_generator(state: np.ndarray | None) -> Any:
    torch = _torch()
    generator = torch.Generator()
    if state is not None:
        generator.set_state(torch.from_numpy(state.copy()))
    return generator


def _read_dtype(name: str) -> Any:
    torch = _torch()
    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise TypeError(f"torch has no dtype {name!r}")
    return dtype


READERS: dict[str, Callable[..., Any]] = {
    "torch_device": lambda name: _torch().device(name),
    "torch_dtype": _read_dtype,
    "torch_generator": _read_generator,
    "torch_size": lambda sizes: _torch().Size(sizes),
}
PART_READERS: dict[str, Callable[..., Any]] = {"tensor": _read_tensor}
