"""Builds, trains and asks the network of a tabular estimator: the part of it that needs torch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from stackens.neural._losses import cross_entropy, squared_error
from stackens.neural._modules import check_same_tensors, load_tensors, tensors_of
from stackens.neural._moving_average import (
    ExponentialMovingAverage,
    LastAverage,
    MovingAverage,
    StochasticWeightAverage,
)
from stackens.neural._network import InputLayer, TabularNetwork, initialise
from stackens.neural._table import TargetRows, bin_edges
from stackens.neural._threads import torch_threads
from stackens.neural._training import Loss, Rows, Training, train

__all__ = [
    "device_named",
    "loaded",
    "new_network",
    "outputs",
    "train_network",
    "usual_batch_size",
]

_ROWS_AT_ONCE = 4096
_SMALL_BATCH, _USUAL_BATCH, _LARGE_BATCH = 16, 256, 1024


def new_network(
    rows: TargetRows,
    code_columns: list[tuple[int, int]],
    n_outputs: int,
    *,
    hidden: tuple[int, ...],
    activation: str,
    n_bins: int,
    seed: int,
    first_outputs: np.ndarray | None = None,
) -> TabularNetwork:
    """Build an untrained network.

    It first says `first_outputs`; None is the logarithm of the class frequencies, or zero, the
    mean of standardised numbers.
    """
    positions = {position for position, _ in code_columns}
    edges = bin_edges(rows.table, rows.weights, n_bins, positions)
    # whatever device, precision and mode the program has set for tensors of its own
    with torch.inference_mode(False), torch.device("cpu"):
        inputs = InputLayer(rows.table.shape[1], edges, code_columns)
        network = TabularNetwork(inputs, hidden, n_outputs, activation).float()
    bias = np.zeros(n_outputs) if first_outputs is None else first_outputs
    if rows.target.ndim == 1:
        totals = np.bincount(rows.target, rows.weights, minlength=n_outputs)
        bias = np.log(totals / totals.sum())
    initialise(network, bias, torch.Generator("cpu").manual_seed(seed))
    return network


@torch.inference_mode(False)
def loaded(network: TabularNetwork, state: Mapping[str, Any]) -> TabularNetwork:
    """Return a copy of a network with other weights: tensors or arrays by name."""
    tensors = {name: torch.as_tensor(value) for name, value in state.items()}
    check_same_tensors(tensors_of(network), tensors, "The state")
    network = copy.deepcopy(network)
    load_tensors(network, tensors)
    return network


@torch.inference_mode(False)
def train_network(
    network: TabularNetwork,
    rows: TargetRows,
    validation: TargetRows | None,
    *,
    batch_size: int | str,
    weight_decay: float | str,
    dropout: float,
    average: str | None,
    epochs: int,
    device: str,
    n_jobs: int | None,
    seed: int,
    on_epoch: Callable[[nn.Module, int, float | None], object] | None,
    loss: Loss | None = None,
    **settings: Any,
) -> tuple[TabularNetwork, Training]:
    """Train a network and bring it back to the CPU.

    Parameters
    ----------
    network : TabularNetwork
    rows, validation : TargetRows
        Class codes, standardised numbers, or whatever `loss` reads.
    batch_size, weight_decay : number or "auto"
    dropout : float
    average : {"ema", "swa", "last_n"} or None
    epochs, device, n_jobs, seed, on_epoch
    loss : callable or None, default=None
        As for :func:`stackens.neural.train`. None is cross-entropy for class codes, otherwise the
        squared error.
    **settings
        The rest, as for :func:`stackens.neural.train`.
    """
    place = device_named(device)
    network = network.to(place)
    network.set_dropout(dropout, torch.Generator(place).manual_seed(seed))
    if batch_size == "auto":
        batch_size = usual_batch_size(len(rows))
    if weight_decay == "auto":
        weight_decay = min(3.0, 1000 / len(rows))
    keeper, every, start = _averaging(average, network, epochs)
    with torch_threads(n_jobs):
        history = train(
            network,
            _tensors(rows),
            loss or (cross_entropy if rows.target.ndim == 1 else squared_error),
            epochs=epochs,
            batch_size=int(batch_size),
            weight_decay=float(weight_decay),
            validation=None if validation is None else _tensors(validation),
            average=keeper,
            average_every=every,
            average_from=start,
            on_epoch=on_epoch,
            generator=torch.Generator("cpu").manual_seed(seed),
            **settings,
        )
    network.set_dropout(dropout)
    return network.to("cpu"), history


def outputs(network: nn.Module, table: np.ndarray, device: str, n_jobs: int | None) -> np.ndarray:
    """Ask a network in double precision, so that an answer does not depend on the rows beside it.

    Parameters
    ----------
    network : torch.nn.Module
    table : float32 array of shape (n_samples, n_columns)

    Returns
    -------
    float64 array of shape (n_samples, n_outputs)
    """
    place = device_named(device)
    if place.type == "mps":  # which has no double precision
        place = torch.device("cpu")
    state = {
        name: tensor.to(place, torch.float64 if tensor.is_floating_point() else None)
        for name, tensor in tensors_of(network).items()
    }
    answers = []
    with torch_threads(n_jobs), torch.no_grad():
        for start in range(0, len(table), _ROWS_AT_ONCE):
            piece = torch.from_numpy(table[start : start + _ROWS_AT_ONCE])
            answer = functional_call(network, state, (piece.to(place, torch.float64),))
            answers.append(answer.cpu().numpy())
    return np.concatenate(answers)


def _tensors(rows: TargetRows) -> Rows:
    target = torch.from_numpy(rows.target)
    weights = rows.weights if np.ptp(rows.weights) > 0 else None
    return Rows(
        torch.from_numpy(rows.table),
        target.float() if target.is_floating_point() else target,
        None if weights is None else torch.from_numpy(weights / weights.mean()).float(),
    )


def usual_batch_size(n_rows: int) -> int:
    """About ten steps an epoch, between 16 and 256 rows each; more rows from 50,000 on."""
    wanted = max(_SMALL_BATCH, min(n_rows / 10, _USUAL_BATCH), min(n_rows / 200, _LARGE_BATCH))
    return 2 ** int(math.log2(wanted))


def _averaging(
    kind: str | None, network: nn.Module, epochs: int
) -> tuple[MovingAverage | None, Literal["step", "epoch"], int]:
    """Return the average to keep up, when it is updated, and from which epoch on."""
    # the buffers, edges of bins, never change: averaging them could only round them
    if kind == "ema":
        ema = ExponentialMovingAverage(network, 0.99, bias_correction=True, buffers="newest")
        return ema, "step", 0
    if kind == "last_n":
        return LastAverage(network, 10, buffers="newest"), "epoch", 0
    if kind == "swa":
        return StochasticWeightAverage(network, buffers="newest"), "epoch", epochs // 2
    return None, "step", 0


def device_named(name: str) -> torch.device:
    """Return the device of a name, after a look whether it is there; "auto" prefers CUDA.

    Raises
    ------
    ValueError
        If torch does not know the name, or the machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            "The 'device' parameter must be 'auto' or a device that torch can use here, such as "
            f"'cpu'. Got {name!r} ({error!s:.200}). Use device='auto' to take a GPU only where "
            "there is one."
        ) from error
    return device
