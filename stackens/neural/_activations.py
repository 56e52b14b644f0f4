"""What the layers of a network get and give on data, in the order of calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from stackens.neural._batch_norm import BATCH_NORMS, ChannelMoments, uncompiled
from stackens.neural._batches import call_with_batch
from stackens.neural._modules import evaluating, unwrapped

__all__ = ["TRANSPOSED", "Activations", "layers_of", "reached", "stop", "watch"]

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# Not by class: a subclass with a forward of its own need not be linear in its weight.
_FORWARDS = [layer.forward for layer in (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)]


@dataclass
class Activations:
    """What a pass of data through a network showed.

    Attributes
    ----------
    moments : dict of str to ChannelMoments
        Of the outputs of layers, and of the inputs of BatchNorm, in the order of calls.
    repeated : set of str
        Parts that one batch reached more than once.
    normalised : set of str
        Layers whose output is the input of a BatchNorm layer.
    n_batches : int
    """

    moments: dict[str, ChannelMoments] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    normalised: set[str] = field(default_factory=set)
    n_batches: int = 0

    def of(self, name: str) -> ChannelMoments:
        """Return the moments of a part, without values if no batch reached it."""
        return self.moments.get(name, ChannelMoments())


class _Measured(Exception):
    """Ends a forward pass: what lies behind the part that is measured is not needed."""


def stop(name: str, seen: Activations) -> None:
    """Do nothing with what was measured, and measure no more."""
    raise _Measured


def layers_of(module: nn.Module) -> dict[str, Any]:
    """Return layers with a weight of their own and BatchNorm layers, by their plain names."""
    inside = list(unwrapped(module).named_modules())
    uses = Counter(id(tensor) for _, part in inside for tensor in part._parameters.values())
    parts: dict[str, Any] = {}
    for name, part in inside:
        plain = ".".join(piece for piece in name.split(".") if piece != "_orig_mod")
        if isinstance(part, BATCH_NORMS):
            if part.running_mean is not None:
                parts[plain] = part
        elif type(part).forward in _FORWARDS and part.weight.is_floating_point():
            own = [tensor for tensor in (part.weight, part.bias) if tensor is not None]
            if all(uses[id(tensor)] == 1 for tensor in own):  # neither shared nor computed
                parts[plain] = part
    return parts


def watch(
    module: nn.Module,
    parts: Mapping[str, Any],
    batches: Any,
    *,
    then: Callable[[str, Activations], None] | None = None,
) -> Activations:
    """Pass all batches through the module and measure its parts.

    What ``then`` does with a part as soon as it is measured counts for the rest of the pass.
    """
    seen = Activations()
    called: set[str] = set()
    latest: tuple[str, Any, int] = ("", None, 0)  # layer, its output, the version of that

    def note(
        name: str, part: Any, inputs: tuple[Any, ...], named: dict[str, Any], output: Any
    ) -> Any:
        nonlocal latest
        if isinstance(part, BATCH_NORMS):
            (values,) = (*inputs, *named.values())
            # An activation in place returns the same tensor, with another version.
            if values is latest[1] and values._version == latest[2]:
                seen.normalised.add(latest[0])
        else:
            latest = (name, output, output._version)
            channels = output.movedim(-1 - len(getattr(part, "kernel_size", ())), -1)
            values = channels.reshape(-1, channels.shape[-1])
        if name in called:
            seen.repeated.add(name)
        called.add(name)
        seen.moments.setdefault(name, ChannelMoments()).add(values)
        if then is None:
            return output
        then(name, seen)
        return part.forward(*inputs, **named)

    hooks = [
        part.register_forward_hook(partial(note, name), with_kwargs=True)
        for name, part in parts.items()
    ]
    try:
        with evaluating(module), uncompiled(module):
            for batch in batches:
                called.clear()
                seen.n_batches += 1
                with suppress(_Measured):
                    call_with_batch(module, batch)
    finally:
        for handle in hooks:
            handle.remove()
    return seen


def reached(
    module: nn.Module, part: nn.Module, batch: Any
) -> tuple[tuple[Any, ...], dict[str, Any], torch.Tensor] | None:
    """Return what a part is called with for a batch, by place and by name, and what it gives.

    None if no call reaches it. What lies behind the part is not run.
    """
    found: list[tuple[tuple[Any, ...], dict[str, Any], torch.Tensor]] = []

    def note(part: Any, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        found.append((inputs, named, output))
        raise _Measured

    handle = part.register_forward_hook(note, with_kwargs=True)
    try:
        with evaluating(module), uncompiled(module), suppress(_Measured):
            call_with_batch(module, batch)
    finally:
        handle.remove()
    return found[0] if found else None
