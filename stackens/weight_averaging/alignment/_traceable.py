"""What torch.export cannot follow, said in a way that it can: causal masks, packed sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode

__all__ = ["traceable"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

# Name of an argument and its place. Where it is None, these layers look at the entries of a mask
# to see whether it is causal; False takes the mask as it is.
_ASKS_ITS_MASK = {
    nn.TransformerEncoder: ("is_causal", 3),
    nn.TransformerDecoder: ("tgt_is_causal", 6),
}


@contextmanager
def traceable(module: nn.Module) -> Iterator[None]:
    """Let a module be traced whose operators depend on the numbers in its inputs.

    Transformers do not look at their masks. Packed sequences stay padded and lose nothing at
    their ends: whatever the lengths, the same weights meet the same units.

    Parameters
    ----------
    module : torch.nn.Module
        Gets hooks for as long as the context lasts.
    """
    with ExitStack() as stack:
        for layer in module.modules():
            for kind, (name, place) in _ASKS_ITS_MASK.items():
                if isinstance(layer, kind):
                    hook = layer.register_forward_pre_hook(_given(name, place), with_kwargs=True)
                    stack.callback(hook.remove)
            if isinstance(layer, nn.RNNBase):
                before, after = _without_packing(layer)
                hook = layer.register_forward_pre_hook(before, with_kwargs=True)
                stack.callback(hook.remove)
                stack.callback(layer.register_forward_hook(after).remove)
        stack.enter_context(_Padded())
        yield


def _given(name: str, place: int) -> Callable[..., Arguments]:
    def hook(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        if len(args) > place:
            return (*args[:place], bool(args[place]), *args[place + 1 :]), kwargs
        return args, {**kwargs, name: bool(kwargs.get(name))}

    return hook


class _Padded(TorchFunctionMode):
    """Packing keeps all steps of all rows, as if they had the full length."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        instead = {"_pack_padded_sequence": _packed, "_pad_packed_sequence": _unpacked}
        return instead.get(getattr(func, "__name__", ""), func)(*args, **(kwargs or {}))


def _packed(
    padded: torch.Tensor, lengths: Any, batch_first: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    by_time = padded.transpose(0, 1) if batch_first else padded
    n_steps, n_rows = by_time.shape[:2]
    return by_time.flatten(0, 1), torch.full((n_steps,), n_rows)


def _unpacked(
    data: torch.Tensor,
    batch_sizes: torch.Tensor,
    batch_first: bool,
    padding_value: float = 0.0,
    total_length: int = -1,
) -> tuple[torch.Tensor, torch.Tensor]:
    n_steps = len(batch_sizes)
    by_time = data.unflatten(0, (n_steps, -1))
    lengths = torch.full((by_time.shape[1],), n_steps)
    return by_time.transpose(0, 1) if batch_first else by_time, lengths


def _without_packing(layer: nn.RNNBase) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return hooks by which a layer takes a packed sequence as a padded one, and gives one back."""
    packed: list[PackedSequence] = []

    def before(layer: nn.RNNBase, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        given = args[0] if args else kwargs["input"]
        if not isinstance(given, PackedSequence):
            return args, kwargs
        packed.append(given)
        padded, _ = _unpacked(given.data, given.batch_sizes, layer.batch_first)
        return ((padded, *args[1:]), kwargs) if args else (args, {**kwargs, "input": padded})

    def after(layer: nn.RNNBase, args: tuple[Any, ...], outputs: Any) -> Any:
        if not packed:
            return outputs
        data, _ = _packed(outputs[0], None, layer.batch_first)
        return packed.pop()._replace(data=data), outputs[1]

    return before, after
