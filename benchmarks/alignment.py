"""What aligning networks before averaging is worth: barriers and averages, before and after.

    python benchmarks/alignment.py                           one pair of each kind, a few minutes
    python benchmarks/alignment.py --kinds mlp --widths 512 1024 --pairs 5 --output mlp.csv
    python benchmarks/alignment.py --kinds fashion cnn --widths 512 128

Pairs of networks from different seeds; the second is aligned to the first. The barrier is the
largest excess of the cross-entropy on rows that nobody trained on over the line between both ends,
on 11 points from one network to the other; "midpoint" is the accuracy in percent of the average,
"parents" the mean accuracy of the two, "repaired" and "least squares" the accuracy of the average
after `repair` by either of its methods, with training rows without labels (all of the small data,
2,000 of Fashion-MNIST), which leaves recurrent layers as they are. The kinds:

    mlp      64-h-h-h-10 on scikit-learn's digits (1,400 rows to train on, 397 to score on),
             Adam 1e-3, 60 epochs of batches of 100
    lstm     the digits as 8 steps of 8 pixels; both networks have the same rows
    clients  likewise, and each network has half of the rows
    fashion  784-h-h-10 on 10,000 rows of Fashion-MNIST, 2,000 to score on
    cnn      three convolutions of h channels with BatchNorm on the same rows; the statistics of
             every point of the line are recalibrated on training rows

"git re-basin" is weight matching as published, with scipy's assignment. "order only" is `align`
with the scales and signs of units held still, "unsigned" with their signs. "linear" variants
compare only input weights, biases and the head of an LSTM, as FedMA does.

References
----------
Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin", arXiv:2209.04836.
Jordan et al. (2023), "REPAIR", arXiv:2211.08403.
Wang et al. (2020), "Federated learning with matched averaging", arXiv:2002.06440.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from alignment_networks import (
    Data,
    Recipe,
    Recurrent,
    convolutional,
    digits,
    fashion,
    perceptron,
)
from scipy.optimize import linear_sum_assignment
from torch import nn

from stackens import weight_averaging as wa
from stackens.weight_averaging.alignment._torch import torch_symmetry
from stackens.weight_averaging.alignment.matching._weights import match_weights

Method = Callable[[nn.Module, nn.Module], nn.Module]
DEFAULT_WIDTHS = {"mlp": 512, "lstm": 64, "clients": 64, "fashion": 512, "cnn": 64}


# ---------------------------------------------------------------- ways to align the second network


def by_align(
    reference: nn.Module, model: nn.Module, example: torch.Tensor, **options: Any
) -> nn.Module:
    return wa.align([reference, model], 0, example, **options)[1]


def by_align_order_only(
    reference: nn.Module, model: nn.Module, example: torch.Tensor, **options: Any
) -> nn.Module:
    free = torch_symmetry(model, example)
    free = free.without({*free.scales, *free.signs}, "held still, as in git re-basin")
    return by_align(reference, model, example, symmetry=free, **options)


def by_linear_matching(
    reference: nn.Module, model: nn.Module, example: torch.Tensor, *, signed: bool
) -> nn.Module:
    symmetry = torch_symmetry(model, example)
    first, second = (
        {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        for network in (reference, model)
    )
    rng = np.random.default_rng(0)
    found = match_weights(symmetry, first, second, rng=rng, signed=signed, linear_only=True)
    return _with_arrays(model, symmetry.apply(found.transformation, second))


def by_git_re_basin(reference: nn.Module, model: nn.Module, seed: int) -> nn.Module:
    """Align perceptrons as published: coordinate descent with one assignment for each layer."""
    rng = np.random.default_rng(seed)
    ours, theirs = (
        [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in network[::2]]
        for network in (reference, model)
    )
    n_hidden = len(ours) - 1
    orders = [np.arange(len(bias)) for _, bias in ours]  # that of the outputs stays
    is_moving = True
    while is_moving:
        is_moving = False
        for i in rng.permutation(n_hidden):
            below = theirs[i][0][:, orders[i - 1]] if i else theirs[i][0]
            above = theirs[i + 1][0][orders[i + 1]]
            gains = ours[i][0] @ below.T + ours[i + 1][0].T @ above
            gains += np.outer(ours[i][1], theirs[i][1])
            found = linear_sum_assignment(gains, maximize=True)[1]
            places = np.arange(len(found))
            is_moving |= gains[places, found].sum() > gains[places, orders[i]].sum() + 1e-9
            orders[i] = found
    moved = {}
    for i, (weight, bias) in enumerate(theirs):
        weight = weight[orders[i]]
        moved[f"{2 * i}.weight"] = weight[:, orders[i - 1]] if i else weight
        moved[f"{2 * i}.bias"] = bias[orders[i]]
    return _with_arrays(model, moved)


def _with_arrays(model: nn.Module, arrays: Mapping[str, Any]) -> nn.Module:
    changed = copy.deepcopy(model)
    changed.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    return changed


# ---------------------------------------------------------------- the pairs


def pair_of(kind: str, width: int, pair: int, kept: Path | None) -> tuple[nn.Module, nn.Module]:
    """Return two networks, trained, or loaded from the folder where they are kept."""
    data = data_of(kind)
    halves: list[torch.Tensor] = [torch.arange(len(data.X))] * 2
    if kind == "clients":
        halves = list(torch.from_numpy(np.random.default_rng(pair).permutation(1400)).chunk(2))
    networks = []
    for side, rows in enumerate(halves):
        torch.manual_seed(2 * pair + side)
        network, recipe = untrained(kind, width)
        path = None if kept is None else kept / f"{kind}-{width}-{2 * pair + side}.pt"
        networks.append(recipe.train(network, data.rows(rows), path))
    return networks[0], networks[1]


def data_of(kind: str) -> Data:
    shapes = {"fashion": (784,), "cnn": (1, 28, 28)}
    if kind in shapes:
        return fashion(shapes[kind])
    return digits() if kind == "mlp" else digits((8, 8))


def untrained(kind: str, width: int) -> tuple[nn.Module, Recipe]:
    if kind == "mlp":
        return perceptron(64, width, width, width, 10), Recipe(60, 100)
    if kind == "fashion":
        return perceptron(784, width, width, 10), Recipe(20, 200, 1e-3, 0.1, one_cycle=True)
    if kind == "cnn":
        return convolutional(width), Recipe(12, 100, 3e-3, 0.1, True, bfloat16=True)
    return Recurrent(width), Recipe(60 if kind == "clients" else 40, 64, 5e-3, 1e-2)


def methods_for(kind: str, example: torch.Tensor, pair: int) -> dict[str, Method]:
    methods: dict[str, Method] = {"naive": lambda _, model: model}
    if kind in ("mlp", "fashion"):
        methods["git re-basin"] = partial(by_git_re_basin, seed=pair)
    if kind in ("mlp", "fashion", "cnn"):
        methods["align, order only"] = partial(by_align_order_only, example=example)
    else:
        methods["unsigned linear"] = partial(by_linear_matching, example=example, signed=False)
        methods["signed linear"] = partial(by_linear_matching, example=example, signed=True)
        methods["align, unsigned"] = partial(by_align, example=example, signed=False)
    methods["align"] = partial(by_align, example=example)
    return methods


# ---------------------------------------------------------------- what is measured


def measured(kind: str, width: int, pair: int, kept: Path | None) -> list[dict[str, Any]]:
    """Return one row for each way to align a pair."""
    data = data_of(kind)
    first, second = pair_of(kind, width, pair, kept)
    rows = data.X[:: max(1, len(data.X) // 2000)]

    def as_used(network: nn.Module) -> nn.Module:
        """Return the network with the statistics of its own BatchNorm layers, if it has any."""
        if kind == "cnn":
            return wa.recalibrate_batch_norm(copy.deepcopy(network), rows.split(500))
        return network

    results = []
    for method, change in methods_for(kind, data.X_test[:8], pair).items():
        start, start_cpu = time.perf_counter(), time.process_time()
        aligned = change(first, second)
        took, took_cpu = time.perf_counter() - start, time.process_time() - start_cpu
        line = wa.interpolate(first, aligned, loss=lambda model: data.loss(as_used(model)))
        average = wa.average([first, aligned])
        repaired, fitted = (
            wa.repair(average, [first, aligned], rows.split(500), method=by)
            for by in ("moments", "least_squares")
        )
        weights = zip(first.parameters(), aligned.parameters(), strict=True)
        product = sum((a * b).sum().item() for a, b in weights)
        results.append(
            {
                "network": f"{kind} {width}",
                "pair": pair,
                "method": method,
                "parents": (data.accuracy(first) + data.accuracy(second)) / 2,
                "midpoint": data.accuracy(as_used(average)),
                "repaired": data.accuracy(repaired),
                "least squares": data.accuracy(fitted),
                "barrier": line.barrier,
                "loss at midpoint": line.scores[5].mean,
                "inner product": product,
                "seconds": took,
                "CPU seconds": took_cpu,
            }
        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=DEFAULT_WIDTHS, default=list(DEFAULT_WIDTHS))
    parser.add_argument("--widths", type=int, nargs="+", help="h, for every kind; default by kind")
    parser.add_argument("--pairs", type=int, default=1, help="pairs of networks of each width")
    parser.add_argument("--kept", type=Path, help="folder where trained networks are kept")
    parser.add_argument("--output", help="CSV file for a row per pair and method")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for kind in arguments.kinds:
        for width in arguments.widths or [DEFAULT_WIDTHS[kind]]:
            for pair in range(arguments.pairs):
                rows += measured(kind, width, pair, arguments.kept)
                print(f"{kind} {width}, pair {pair}", flush=True)
    frame = pd.DataFrame(rows)
    if arguments.output:
        frame.to_csv(arguments.output, index=False)
    means = frame.drop(columns="pair").groupby(["network", "method"], sort=False).mean()
    print(means.round(3).to_string(na_rep=""))


if __name__ == "__main__":
    main()
