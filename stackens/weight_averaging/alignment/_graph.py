"""The graph of operators of a torch module, traced without changing the module."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from stackens.neural._modules import tensors_of, unwrapped
from stackens.weight_averaging.adapters._torch import TorchAdapter

__all__ = ["Graph"]


class Graph:
    """The operators of a module, and the tensors that they start from.

    Attributes
    ----------
    nodes : list of torch.fx.Node
    parameters : dict of str to str
        Name of a placeholder -> name of a tensor of the module.
    constants : dict of str to tensor
        Name of a placeholder -> a tensor that is not saved with the module.
    first_names : dict of str to str
        Name of each tensor that can change -> first name of the same tensor.
    """

    def __init__(self, module: nn.Module, example: Any) -> None:
        bare = unwrapped(module)
        copy = TorchAdapter().copy(bare)
        program = _exported(copy, example)
        self.module_name = type(bare).__name__
        self.nodes = list(program.graph_module.graph.nodes)
        state = bare.state_dict(keep_vars=True)
        tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
        plain = dict(zip(tensors, tensors_of(bare), strict=True))
        first: dict[Any, str] = {}
        self.first_names = {
            plain[name]: first.setdefault(_memory(tensor), plain[name])
            for name, tensor in tensors.items()
            if tensor.is_floating_point()
        }
        self.parameters: dict[str, str] = {}
        self.constants: dict[str, torch.Tensor] = {}
        for spec in program.graph_signature.input_specs:
            name = plain.get(spec.target or "")
            if name in self.first_names:
                self.parameters[spec.arg.name] = self.first_names[name]
            elif spec.target in program.constants:
                self.constants[spec.arg.name] = program.constants[spec.target]
            elif spec.target in program.state_dict:
                self.constants[spec.arg.name] = program.state_dict[spec.target]


def _memory(tensor: torch.Tensor) -> Any:
    """What is equal for two names of one tensor, and for two tensors over the same numbers."""
    if tensor.is_meta or tensor.numel() == 0:
        return id(tensor)
    return tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride()


def _exported(module: nn.Module, example: Any) -> Any:
    floats = (tensor for tensor in tensors_of(module).values() if tensor.is_floating_point())
    like = next(floats, torch.zeros(()))

    def tensor_of(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray):
            return leaf
        tensor = torch.tensor(leaf, device=like.device)
        return tensor.to(like.dtype) if tensor.is_floating_point() else tensor

    example = torch.utils._pytree.tree_map(tensor_of, example)
    named = isinstance(example, Mapping)
    keywords = dict(example) if named else {}
    arguments = () if named else example if isinstance(example, tuple) else (example,)
    try:
        with _quiet_tracing(module):
            return torch.export.export(module, arguments, keywords, strict=False)
    except Exception as error:  # tracing runs the user's code: anything may happen
        raise ValueError(
            f"The module must be one that torch.export can trace with the example. Got "
            f"{type(error).__name__} from a {type(module).__name__}: {_first_line(error)}. Give an "
            "example input that the module accepts, or say which axes of its tensors change "
            "together: symmetry={'layer1.weight': ('hidden', None), 'layer1.bias': ('hidden',), "
            "'layer2.weight': (None, 'hidden')}."
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no message").rstrip(".")


@contextmanager
def _quiet_tracing(module: nn.Module) -> Iterator[None]:
    """Trace in evaluation mode, with gradients: without them attention becomes one operator."""
    for parameter in module.parameters():
        if parameter.is_floating_point() or parameter.is_complex():
            parameter.requires_grad_(True)
    module.eval()
    devices = sorted({t.device.index for t in module.parameters() if t.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices), torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the weights of recurrent layers, in every trace
        yield
