"""torch modules as named tensors: parameters and persistent buffers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from numbers import Number
from typing import Any

from numpy.typing import NDArray

from stackens.weight_averaging.adapters._adapter import Adapter
from stackens.weight_averaging.adapters._containers import EXTRA_STATE, canonical_names
from stackens.weight_averaging.adapters._values import from_array, is_tensor

__all__ = ["TorchAdapter"]


class TorchAdapter(Adapter):
    """``torch.nn.Module``, also compiled, wrapped for several devices or with parametrisations.

    Names are those of ``state_dict()`` without the prefixes of wrappers. Device, ``requires_grad``,
    training mode, hooks and tied parameters are those of the module that is copied, and so is
    whatever is not in the state dict. The classes of the layers are compared, so that a ReLU is
    not averaged with a tanh; what shows neither in a class nor in a tensor (a stride, an activation
    inside ``forward``) is not.
    """

    kind = "torch modules"

    def accepts(self, model: Any) -> bool:
        torch = sys.modules.get("torch")
        return torch is not None and isinstance(model, torch.nn.Module)

    def facts(self, model: Any, like: Any) -> dict[str, Any]:
        leaves = {
            f"{name}.": type(module).__name__
            for name, module in model.named_modules()
            if not any(True for _ in module.children())
        }
        plain = canonical_names(leaves)
        return {f"layer {name.removesuffix('.')!r}": leaves[own] for name, own in plain.items()}

    def tensors(self, model: Any, like: Any) -> dict[str, Any]:
        state = model.state_dict(keep_vars=True)
        if not state:
            raise ValueError(
                f"A module must have weights. Got a {type(model).__name__} without parameters or "
                "buffers. Leave it out."
            )
        lazy = [name for name, value in state.items() if _is_lazy(value)]
        if lazy:
            raise ValueError(
                f"A module must have tensors with shapes. Got a {type(model).__name__} with lazy "
                f"ones: {lazy}. Run it once on a few rows."
            )
        tensors, odd = {}, []
        for plain, name in canonical_names(state).items():
            if is_tensor(state[name]):
                tensors[plain] = state[name]
            elif not (name.endswith(EXTRA_STATE) or _is_note(state[name])):
                odd.append(name)
        if odd:
            raise TypeError(
                f"A module must keep its weights in tensors. Got {odd} of other types in a "
                f"{type(model).__name__}, as quantised layers have them. Average the models before "
                "quantising."
            )
        return tensors

    def copy(self, model: Any) -> Any:
        from stackens.neural._modules import copied

        return copied(model)

    def write(self, model: Any, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        torch = sys.modules["torch"]
        tensors = self.tensors(model, model)
        written: dict[int, str] = {}
        with torch.no_grad():
            for name, array in arrays:
                tensor, values = tensors[name], from_array(array, like=tensors[name])
                first = written.setdefault(id(tensor), name)
                if first == name:
                    tensor.copy_(values)
                elif not torch.equal(tensor, values):
                    raise ValueError(
                        f"{first!r} and {name!r} share one tensor in the model whose copy holds "
                        "the result, but their averages differ. Tie them in all models or in none, "
                        "and give them the same weights."
                    )
        return model


def _is_note(value: Any) -> bool:
    """Whether a value that a module adds to its state dict, such as a version, can't be weights."""
    return value is None or isinstance(value, str | bytes | Number | sys.modules["torch"].dtype)


def _is_lazy(value: Any) -> bool:
    return bool(sys.modules["torch"].nn.parameter.is_lazy(value))
