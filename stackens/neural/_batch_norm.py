"""Running statistics of BatchNorm layers computed anew: after averaging they fit no network."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from stackens.neural._batches import call_with_batch, repeatable_batches
from stackens.neural._modules import evaluating, load_tensors, tensors_of, unwrapped

__all__ = [
    "BATCH_NORMS",
    "ChannelMoments",
    "recalibrate_batch_norm",
    "set_statistics",
    "uncompiled",
]

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@dataclass
class ChannelMoments:
    """Mean and squared deviations of each channel over all rows seen, however they were batched.

    Parameters
    ----------
    count : int
        Values seen of each channel.
    n_batches : int
    mean, squares : float64 tensor of shape (n_channels,)
        Mean, and sum of the squared deviations from it.

    References
    ----------
    Chan, Golub & LeVeque (1983), The American Statistician 37(3).
    """

    count: int = 0
    n_batches: int = 0
    mean: torch.Tensor | float = 0.0
    squares: torch.Tensor | float = 0.0

    def add(self, input: torch.Tensor) -> None:
        """Add a batch of shape (n_samples, n_channels, ...)."""
        rows = input.detach().transpose(0, 1).flatten(start_dim=1).double()
        count = rows.shape[1]
        if count == 0:
            return
        mean = rows.mean(dim=1)
        total = self.count + count
        shift = mean - self.mean
        self.squares = (
            self.squares
            + (rows - mean[:, None]).square().sum(dim=1)
            + shift.square() * (self.count * count / total)
        )
        self.mean = self.mean + shift * (count / total)
        self.count = total
        self.n_batches += 1


def recalibrate_batch_norm(module: nn.Module, data: Any, *, exact: bool = True) -> nn.Module:
    """Set the running statistics of each BatchNorm layer to those of the data.

    Averaged weights give activations whose mean and variance are not the averages of the
    ingredients' running statistics. Without this step an averaged network with BatchNorm may be
    no better than chance.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place: ``running_mean``, ``running_var`` and ``num_batches_tracked``. Nothing
        else changes; training modes are as before afterwards, momentum is not touched.
    data : tensor, array, tuple, dict, list, DataLoader or generator
        Rows of the training data, without random augmentation. A tensor, an array, a tuple or
        a dict is one batch, everything else is made of batches. Of a tuple or list the first
        entries go to ``forward``, as many as it needs; of a dict those that it names.
    exact : bool, default=True
        Whether each layer is measured with all layers before it already set, which takes one
        pass over the data for each BatchNorm layer. False takes a single pass in which the
        layers normalise by the statistics of each batch, as in training: quick, and close for
        batches of hundreds of values in each channel.

    Returns
    -------
    module : torch.nn.Module
        The same.

    Raises
    ------
    ValueError
        If there is no batch, or a layer saw fewer than two values of a channel, NaN or infinity.
        Nothing is changed then.

    Notes
    -----
    Compared with ``torch.optim.swa_utils.update_bn``: every row counts the same, whatever the
    size of its batch; the variance includes what varies between batches, and is the unbiased
    one, as in training; dropout is off; in the exact form the result does not depend on how
    rows are batched. A layer in which no data arrive keeps its statistics.

    References
    ----------
    Izmailov et al. (2018), Averaging Weights Leads to Wider Optima and Better Generalization,
    section 3.2, arXiv:1803.05407. Jordan et al. (2023), REPAIR, arXiv:2211.08403.

    Examples
    --------
    >>> import torch
    >>> from stackens.neural import recalibrate_batch_norm
    >>> layer = torch.nn.BatchNorm1d(1)
    >>> batches = [torch.zeros(1000, 1), torch.ones(2, 1)]
    >>> recalibrate_batch_norm(layer, batches).running_mean.item()
    0.001996
    """
    layers = [
        part
        for part in unwrapped(module).modules()
        if isinstance(part, BATCH_NORMS) and part.running_mean is not None
    ]
    if not layers:
        return module
    before = {name: tensor.clone() for name, tensor in tensors_of(module).items()}
    try:
        # A DataLoader draws from torch's global generator whenever it is gone through.
        with torch.random.fork_rng(devices=[]), evaluating(module), uncompiled(module):
            batches = repeatable_batches(data)
            if exact:
                for layer in _in_order_of_calls(layers, module, batches):
                    set_statistics(_moments([layer], module, batches))
            else:
                set_statistics(_moments(layers, module, batches, by_batch=True))
    except BaseException:
        load_tensors(module, before)
        raise
    return module


def uncompiled(module: nn.Module) -> AbstractContextManager[Any]:
    """Run compiled parts as they were written: hooks set after compiling are not called."""
    if any(hasattr(part, "_orig_mod") for part in unwrapped(module).modules()):
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


def _in_order_of_calls(layers: list[Any], module: nn.Module, batches: Any) -> list[Any]:
    """Return the layers in the order in which batches reach them; not all may go the same way."""
    order: list[Any] = []
    reached: list[Any] = []
    hooks = [
        layer.register_forward_pre_hook(lambda part, _: reached.append(part)) for layer in layers
    ]
    batch = None
    try:
        for batch in batches:
            reached.clear()
            call_with_batch(module, batch)
            place = 0
            for layer in reached:
                if layer not in order:
                    order.insert(place, layer)
                place = max(place, order.index(layer) + 1)
            if len(order) == len(layers):
                break
    finally:
        for hook in hooks:
            hook.remove()
    if batch is None:
        raise _no_batch()
    return order


def _moments(
    layers: list[Any], module: nn.Module, batches: Any, *, by_batch: bool = False
) -> dict[Any, ChannelMoments]:
    """Pass all batches through the module and measure what arrives at the layers.

    With ``by_batch`` the layers normalise by the statistics of each batch, except for one of a
    single value, which has none.
    """
    moments = {layer: ChannelMoments() for layer in layers}

    def note(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        (values,) = (*inputs, *named.values())
        moments[layer].add(values)
        layer.training = by_batch and values.numel() > values.shape[1]

    batch = None
    hooks = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in layers]
    try:
        for batch in batches:
            call_with_batch(module, batch)
    finally:
        for hook in hooks:
            hook.remove()
    if batch is None:
        raise _no_batch()
    return moments


def _no_batch() -> ValueError:
    return ValueError(
        "BatchNorm statistics need rows of data. Got no batch. Give rows of the training data."
    )


def set_statistics(moments: dict[Any, ChannelMoments]) -> None:
    """Make moments the running statistics of their layers; without values they stay as they are."""
    for layer, seen in moments.items():
        if seen.count == 0:
            continue
        if seen.count == 1:
            raise ValueError(
                "BatchNorm statistics need at least two values of each channel. Got one row. "
                "Pass more data."
            )
        if not (torch.isfinite(seen.mean) & torch.isfinite(seen.squares)).all():
            raise ValueError(
                "BatchNorm statistics must be finite. Got NaN or infinity in what a layer gets. "
                "Look for such values in the data and in the weights."
            )
        layer.running_mean.copy_(seen.mean)
        layer.running_var.copy_(seen.squares / (seen.count - 1))
        layer.num_batches_tracked.fill_(seen.n_batches)
