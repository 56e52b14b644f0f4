"""The graph of operators of a torch module, traced without changing the module."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stackens.neural._modules import tensors_of, unwrapped
from stackens.weight_averaging.adapters._containers import canonical_names
from stackens.weight_averaging.adapters._torch import TorchAdapter
from stackens.weight_averaging.alignment._traceable import traceable

__all__ = ["Graph"]

# Of errors that are raised anyway.
_LOGS = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes")


class Graph:
    """The operators of a module, and the tensors that they start from.

    Attributes
    ----------
    module : torch.fx.GraphModule
        Its inputs are the parameters, the constants and then those of the module.
    nodes : list of torch.fx.Node
    parameters : dict of str to str
        Name of a placeholder -> name of a tensor of the module.
    constants : dict of str to tensor
        Name of a placeholder -> a tensor that is not saved with the module.
    first_names : dict of str to str
        Name of each tensor that can change -> first name of the same tensor.
    unlearnt : frozenset of str
        Those that are neither weights nor running statistics, such as masks: their entries may
        trade places, but no sign, scale or matrix may change them.
    notes : list of str
        Weights that cannot change, and why.
    """

    def __init__(
        self, module: nn.Module, example: Any, constants: Collection[str] = frozenset()
    ) -> None:
        bare = unwrapped(module)
        copy = TorchAdapter().copy(bare)
        self._like = _first_float(copy)
        program = _exported(copy, *self._called_with(example))
        self.module_name = type(bare).__name__
        self.module = program.graph_module
        self.nodes = list(self.module.graph.nodes)
        state = bare.state_dict(keep_vars=True)
        tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
        plain = {own: name for name, own in canonical_names(tensors).items()}
        first: dict[Any, str] = {}
        self.first_names = {
            plain[name]: first.setdefault(_memory(tensor), plain[name])
            for name, tensor in tensors.items()
            if tensor.is_floating_point() and plain[name] not in constants
        }
        self.unlearnt = frozenset(
            plain[name]
            for name, _ in bare.named_buffers(remove_duplicate=False)
            if name in plain and not name.rpartition(".")[2].startswith("running_")
        )
        self.notes = [
            f"{plain[name]}: complex numbers stay as they are"
            for name, tensor in tensors.items()
            if tensor.is_complex() and isinstance(tensor, nn.Parameter)
        ]
        self.notes += [
            f"{plain[name]}: a buffer that all models share, so units that meet it stay"
            for name, tensor in tensors.items()
            if plain[name] in constants and bool((tensor != tensor.flatten()[:1]).any())
        ]
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

    def inputs(self, arrays: Mapping[str, NDArray], rows: Any) -> list[Any]:
        """Return what ``module`` is called with.

        Parameters
        ----------
        arrays : dict of str to array
            The tensors of the network.
        rows : inputs
            Of the shapes that the example had.
        """
        given = iter(torch.utils._pytree.tree_leaves(self._called_with(rows)))
        inputs = []
        for node in self.nodes:
            if node.name in self.parameters:
                array = np.array(arrays[self.parameters[node.name]])
                like = node.meta["val"]
                inputs.append(torch.from_numpy(array).to(like.device, like.dtype))
            elif node.name in self.constants:
                inputs.append(self.constants[node.name].detach().clone())
            elif node.op == "placeholder":
                inputs.append(next(given))
        return inputs

    def _called_with(self, example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and named arguments of a call of the network."""

        def tensor_of(leaf: Any) -> Any:
            if not isinstance(leaf, np.ndarray):
                return leaf
            tensor = torch.tensor(leaf, device=self._like.device)
            return tensor.to(self._like.dtype) if tensor.is_floating_point() else tensor

        example = torch.utils._pytree.tree_map(tensor_of, example)
        empty = [0 in np.shape(leaf) for leaf in torch.utils._pytree.tree_leaves(example)]
        if empty and all(empty):
            raise ValueError(
                "Networks are followed on example inputs. Got inputs without any rows. Give a few "
                "rows, as for a call of the network."
            )
        if isinstance(example, Mapping):
            return (), dict(example)
        return example if isinstance(example, tuple) else (example,), {}


def _first_float(module: nn.Module) -> torch.Tensor:
    floats = (tensor for tensor in tensors_of(module).values() if tensor.is_floating_point())
    return next(floats, torch.zeros(()))


def _memory(tensor: torch.Tensor) -> Any:
    """What is equal for two names of one tensor, and for two tensors over the same numbers."""
    if tensor.is_meta or tensor.numel() == 0:
        return id(tensor)
    return tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride()


def _exported(module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    try:
        with _quiet_tracing(module), traceable(module):
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
    logs = [logging.getLogger(name) for name in _LOGS]
    levels = [log.level for log in logs]
    devices = sorted({t.device.index for t in module.parameters() if t.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices), torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the weights of recurrent layers, in every trace
        for log in logs:
            log.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for log, level in zip(logs, levels, strict=True):
                log.setLevel(level)
