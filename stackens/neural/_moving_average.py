"""Averages of a network's weights that are kept while it trains: EMA, SWA and the last n."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import torch
from torch import nn

from stackens.neural._modules import check_same_tensors, load_tensors, tensors_of, unwrapped

__all__ = ["ExponentialMovingAverage", "LastAverage", "MovingAverage", "StochasticWeightAverage"]


class MovingAverage(ABC):
    """Base of the averages that follow a module: call `update` after each step or epoch.

    Parameters
    ----------
    module : torch.nn.Module
        The network in training. It may be compiled or wrapped for data parallelism.
    buffers : {"average", "newest"}, default="average"
        What becomes of floating buffers such as the running statistics of BatchNorm. For the
        best of them call :func:`recalibrate_batch_norm` on the averaged module.

    Notes
    -----
    Half precisions are averaged in single precision and rounded once, when the average is read:
    in bfloat16 itself an update of less than 0.4% is lost, so that an average with a decay of
    0.999 never moves. Integers and booleans, such as the number of batches seen, are never
    averaged, nor is what holds infinities from the start, such as a mask of attention: the newest
    count.
    """

    def __init__(self, module: nn.Module, *, buffers: str = "average") -> None:
        if buffers not in ("average", "newest"):
            raise ValueError(
                f"The 'buffers' parameter of {type(self).__name__} must be 'average' or 'newest'. "
                f"Got {buffers!r} instead. Use 'newest' to take them as they are in the module."
            )
        self._module = module
        self.n_updates = 0
        tensors = tensors_of(module)
        kept = {name for name, _ in unwrapped(module).named_buffers(remove_duplicate=False)}
        with torch.inference_mode(False):  # so that updates outside of it can change them
            masters = {
                name: _master(tensor)
                for name, tensor in tensors.items()
                if (tensor.is_floating_point() or tensor.is_complex())
                and (buffers == "average" or name not in kept)
            }
        masters = {name: master for name, master in masters.items() if not master.isinf().any()}
        self._averaged, self._masters = list(masters), list(masters.values())

    def __repr__(self) -> str:
        of = type(unwrapped(self._module)).__name__
        return f"<{type(self).__name__} of a {of} after {self.n_updates} updates>"

    @abstractmethod
    def _merge(self, newest: Sequence[torch.Tensor]) -> None:
        """Let the newest tensors, in the precision of the masters, enter the average."""

    @torch.no_grad()
    def update(self, module: nn.Module | None = None) -> None:
        """Let the weights of now enter the average.

        Parameters
        ----------
        module : torch.nn.Module or None, default=None
            Where to read the weights; None reads the module given at the start.

        Raises
        ------
        ValueError
            If the module has other tensors than the first one; every difference is listed.
        """
        if module is not None:
            check_same_tensors(tensors_of(self._module), tensors_of(module), "The updating module")
            self._module = module
        tensors = tensors_of(self._module)
        self.n_updates += 1
        self._merge(
            [
                tensors[name].to(master)  # its device and precision
                for name, master in zip(self._averaged, self._masters, strict=True)
            ]
        )

    @torch.no_grad()
    def average_state(self) -> dict[str, torch.Tensor]:
        """Return the average as a new state dict, in the module's own precisions.

        Before the first update it holds the weights that the module had at the start.
        """
        tensors = tensors_of(self._module)
        average = dict(zip(self._averaged, self._masters, strict=True))
        return {
            name: average.get(name, tensor).to(tensor.device, tensor.dtype, copy=True)
            for name, tensor in tensors.items()
        }

    @contextmanager
    def swapped_in(self) -> Iterator[nn.Module]:
        """Put the average into the module for the length of a ``with`` block.

        The module gets its own weights back afterwards, also after an error.

        Yields
        ------
        torch.nn.Module
        """
        own = {name: tensor.clone() for name, tensor in tensors_of(self._module).items()}
        try:
            load_tensors(self._module, self.average_state())
            yield self._module
        finally:
            load_tensors(self._module, own)

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on later, in full precision, for ``torch.save``."""
        return {
            "kind": type(self).__name__,
            "n_updates": self.n_updates,
            "average": dict(zip(self._averaged, self._masters, strict=True)),
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Parameters
        ----------
        state : mapping

        Raises
        ------
        ValueError
            If it is of another kind of average or of another architecture.
        """
        if state.get("kind") != type(self).__name__:
            raise ValueError(
                f"The state must come from a {type(self).__name__}. Got one of "
                f"{state.get('kind')!r}. Make an average of that kind to go on from it."
            )
        own = dict(zip(self._averaged, self._masters, strict=True))
        check_same_tensors(own, state["average"], "The state")
        for name, master in own.items():
            master.copy_(state["average"][name])
        self.n_updates = int(state["n_updates"])


class ExponentialMovingAverage(MovingAverage):
    """Average in which each update multiplies what was there before by a decay.

    Parameters
    ----------
    module : torch.nn.Module
    decay : float, default=0.999
        Share of the old average that stays in an update, from 0 up to below 1. About
        ``1 / (1 - decay)`` updates count.
    bias_correction : bool, default=False
        Whether the weights before the first update are left out, so that the average is one of
        updates alone from the start on, as in Adam. Otherwise they count as the average so far.
    buffers : {"average", "newest"}, default="average"
        What becomes of floating buffers.

    References
    ----------
    Polyak & Juditsky (1992), SIAM J. Control Optim. 30(4). Kingma & Ba (2015), section 3,
    arXiv:1412.6980, for the correction.

    Examples
    --------
    >>> import torch
    >>> from stackens.neural import ExponentialMovingAverage
    >>> net = torch.nn.Linear(1, 1, dtype=torch.bfloat16)
    >>> _ = torch.nn.init.ones_(net.weight)
    >>> ema = ExponentialMovingAverage(net, decay=0.999)
    >>> _ = torch.nn.init.constant_(net.weight, 2.0)
    >>> for _ in range(5000):
    ...     ema.update()
    >>> ema.average_state()["weight"].item()  # 1.99328 in the nearest bfloat16
    1.9921875
    >>> with ema.swapped_in() as averaged:
    ...     averaged.weight.item()
    1.9921875
    >>> net.weight.item()
    2.0
    """

    def __init__(
        self,
        module: nn.Module,
        decay: float = 0.999,
        *,
        bias_correction: bool = False,
        buffers: str = "average",
    ) -> None:
        if not 0 <= decay < 1:
            raise ValueError(
                "The 'decay' parameter of ExponentialMovingAverage must be at least 0 and below 1. "
                f"Got {decay!r} instead. Use 0.99 for about the last 100 updates."
            )
        super().__init__(module, buffers=buffers)
        self.decay = decay
        self.bias_correction = bias_correction

    def _merge(self, newest: Sequence[torch.Tensor]) -> None:
        share = 1 - self.decay
        if self.bias_correction:
            share /= 1 - self.decay**self.n_updates
        torch._foreach_lerp_(self._masters, list(newest), share)


class StochasticWeightAverage(MovingAverage):
    """Equal average of all updates, commonly one for each epoch of the last part of a training.

    Parameters
    ----------
    module : torch.nn.Module
    buffers : {"average", "newest"}, default="average"
        What becomes of floating buffers.

    References
    ----------
    Izmailov et al. (2018), Averaging Weights Leads to Wider Optima and Better Generalization,
    arXiv:1803.05407.

    Examples
    --------
    >>> import torch
    >>> from stackens.neural import StochasticWeightAverage
    >>> net = torch.nn.Linear(1, 1)
    >>> swa = StochasticWeightAverage(net)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = torch.nn.init.constant_(net.weight, value)
    ...     swa.update()
    >>> swa.average_state()["weight"].item()
    3.0
    """

    def _merge(self, newest: Sequence[torch.Tensor]) -> None:
        torch._foreach_lerp_(self._masters, list(newest), 1 / self.n_updates)


class LastAverage(MovingAverage):
    """Equal average of the last few updates, commonly one for each epoch.

    Parameters
    ----------
    module : torch.nn.Module
    n : int, default=10
        Number of updates that count. As many copies of the weights are held.
    buffers : {"average", "newest"}, default="average"
        What becomes of floating buffers.

    Examples
    --------
    >>> import torch
    >>> from stackens.neural import LastAverage
    >>> net = torch.nn.Linear(1, 1)
    >>> last = LastAverage(net, n=2)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = torch.nn.init.constant_(net.weight, value)
    ...     last.update()
    >>> last.average_state()["weight"].item()
    4.0
    """

    def __init__(self, module: nn.Module, n: int = 10, *, buffers: str = "average") -> None:
        if not isinstance(n, Integral) or n < 1:
            raise ValueError(
                "The 'n' parameter of LastAverage must be an int of at least 1. "
                f"Got {n!r} instead. Use 10 for the last ten updates."
            )
        super().__init__(module, buffers=buffers)
        self._window: deque[list[torch.Tensor]] = deque(maxlen=int(n))

    def _merge(self, newest: Sequence[torch.Tensor]) -> None:
        self._window.append([tensor.clone() for tensor in newest])
        for master, *versions in zip(self._masters, *self._window, strict=True):
            master.copy_(torch.stack(versions).mean(dim=0))

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "window": [list(tensors) for tensors in self._window]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._window.clear()
        for tensors in state["window"]:
            self._window.append(
                [t.to(master) for t, master in zip(tensors, self._masters, strict=True)]
            )


def _master(tensor: torch.Tensor) -> torch.Tensor:
    dtype = torch.float32 if tensor.dtype.itemsize < 4 else tensor.dtype
    return tensor.to(dtype, copy=True)
