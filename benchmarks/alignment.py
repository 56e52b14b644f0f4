"""What aligning networks before averaging is worth, on digits, and how long it takes.

    python benchmarks/alignment.py                                  one pair of each, quick
    python benchmarks/alignment.py --pairs 5 --widths 64 256 512 1024 --output alignment.csv

Multilayer perceptrons 64-h-h-h-10 (ReLU, Adam 1e-3, 60 epochs, 1,400 training rows) from different
seeds: the barrier is the largest excess of the cross-entropy on the other 397 rows over the line
between both ends, on 11 points from one network to the other. "git re-basin" is weight matching as
published, with scipy's assignment. LSTMs read the same digits as 8 steps of 8 pixels; two clients
have the same rows or half of them each; the server sees weights only. FedMA compares input
weights, biases and head without signs ("unsigned linear").

References
----------
Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin", arXiv:2209.04836.
Wang et al. (2020), "Federated learning with matched averaging", arXiv:2002.06440.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn.functional import cross_entropy

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, Transformation, Units
from stackens.weight_averaging.alignment.matching._weights import match_weights

Arrays = Mapping[str, NDArray]
N_LAYERS = 4
POINTS = np.linspace(0.0, 1.0, 11)


# ---------------------------------------------------------------- networks and data


def digits() -> list[torch.Tensor]:
    """Training rows, other rows, and the labels of both."""
    X, y = load_digits(return_X_y=True)
    split = train_test_split(X / 16, y, train_size=1400, stratify=y, random_state=0)
    return [torch.tensor(part, dtype=torch.float32) for part in split[:2]] + [
        torch.tensor(part) for part in split[2:]
    ]


def perceptron(width: int) -> torch.nn.Sequential:
    sizes = [64, *[width] * (N_LAYERS - 1), 10]
    layers: list[torch.nn.Module] = []
    for i in range(N_LAYERS):
        layers += [torch.nn.Linear(sizes[i], sizes[i + 1]), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def perceptron_symmetry(width: int) -> Symmetry:
    sizes = [64, *[width] * (N_LAYERS - 1), 10]

    def units(i: int, power: int) -> tuple[Part, ...]:
        if not 0 <= i < N_LAYERS - 1:
            return (Part(sizes[i + 1]),)
        return (Part(width, units=f"units{i}", scales=((f"scales{i}", power),)),)

    layout: dict[str, Any] = {}
    for i in range(N_LAYERS):
        layout |= {
            f"{2 * i}.weight": (units(i, 1), units(i - 1, -1)),
            f"{2 * i}.bias": (units(i, 1),),
        }
    hidden = range(N_LAYERS - 1)
    return Symmetry(
        layout,
        {f"units{i}": Units(width) for i in hidden},
        scales={f"scales{i}": f"units{i}" for i in hidden},
    )


class Recurrent(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.rnn = torch.nn.LSTM(8, width, batch_first=True)
        self.head = torch.nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(x.reshape(-1, 8, 8))[0][:, -1])


def recurrent_symmetry(width: int) -> Symmetry:
    gates = tuple(
        Part(width, units="units", signs=("signs",) if gate == "g" else ()) for gate in "ifgo"
    )
    columns = (Part(width, units="units", signs=("signs",)),)
    layout = {
        "rnn.weight_ih_l0": (gates, (Part(8),)),
        "rnn.weight_hh_l0": (gates, columns),
        "rnn.bias_ih_l0": (gates,),
        "rnn.bias_hh_l0": (gates,),
        "head.weight": ((Part(10),), columns),
    }
    return Symmetry(
        layout,
        {"units": Units(width)},
        signs={"signs": "units"},
        summed=(("rnn.bias_ih_l0", "rnn.bias_hh_l0", 0, 4 * width),),
    )


def train(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    X: torch.Tensor,
    y: torch.Tensor,
    epochs: int,
    batch_size: int,
) -> dict[str, NDArray]:
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(batch_size):
            optimizer.zero_grad()
            cross_entropy(network(X[rows]), y[rows]).backward()
            optimizer.step()
    return {name: p.detach().numpy().copy() for name, p in network.state_dict().items()}


def scores(network: torch.nn.Module, arrays: Arrays, data: list[torch.Tensor]) -> NDArray:
    """Return cross-entropy and accuracy in percent, on rows that training has not seen."""
    tensors = {name: torch.tensor(array, dtype=torch.float32) for name, array in arrays.items()}
    network.load_state_dict(tensors)
    with torch.no_grad():
        outputs = network(data[1])
    accuracy = (outputs.argmax(dim=1) == data[3]).double().mean()
    return np.array([cross_entropy(outputs, data[3]), 100 * accuracy])


def between(first: Arrays, second: Arrays, t: float) -> dict[str, NDArray]:
    return {name: (1 - t) * first[name] + t * second[name] for name in first}


def git_re_basin(width: int, reference: Arrays, model: Arrays, seed: int) -> tuple[Any, int]:
    """Weight matching as published: coordinate descent with one assignment per layer."""
    rng = np.random.default_rng(seed)
    orders = {i: np.arange(width) for i in range(N_LAYERS - 1)}
    sweeps, is_moving = 0, True
    while is_moving:
        sweeps, is_moving = sweeps + 1, False
        for i in rng.permutation(N_LAYERS - 1):
            below = model[f"{2 * i}.weight"]
            below = below[:, orders[i - 1]] if i else below
            above = model[f"{2 * i + 2}.weight"]
            above = above[orders[i + 1]] if i < N_LAYERS - 2 else above
            gains = reference[f"{2 * i}.weight"] @ below.T
            gains += reference[f"{2 * i + 2}.weight"].T @ above
            gains += np.outer(reference[f"{2 * i}.bias"], model[f"{2 * i}.bias"])
            found = linear_sum_assignment(gains, maximize=True)[1]
            places = np.arange(width)
            is_moving |= gains[places, found].sum() > gains[places, orders[i]].sum() + 1e-9
            orders[i] = found
    return Transformation({f"units{i}": order for i, order in orders.items()}), sweeps


# ---------------------------------------------------------------- what is measured


def perceptrons(width: int, pair: int, data: list[torch.Tensor]) -> list[dict[str, Any]]:
    trained = []
    for seed in (2 * pair, 2 * pair + 1):
        torch.manual_seed(seed)
        network = perceptron(width)
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        trained.append(train(network, optimizer, data[0], data[2], 60, 100))
    reference, model = trained
    symmetry = perceptron_symmetry(width)
    rows = []
    for method in ("naive", "git re-basin", "ours"):
        change, sweeps, start = Transformation(), 0, time.perf_counter()
        if method == "git re-basin":
            change, sweeps = git_re_basin(width, reference, model, pair)
        elif method == "ours":
            match = match_weights(symmetry, reference, model, rng=np.random.default_rng(pair))
            change, sweeps = match.transformation, match.sweeps
        elapsed = time.perf_counter() - start
        aligned = symmetry.apply(change, model)
        line = np.array([scores(network, between(reference, aligned, t), data) for t in POINTS])
        ends = (1 - POINTS) * line[0, 0] + POINTS * line[-1, 0]
        product = sum(np.vdot(reference[name], aligned[name]) for name in reference)
        rows.append(
            {
                "network": f"MLP {width}",
                "pair": pair,
                "method": method,
                "parents": (line[0, 1] + line[-1, 1]) / 2,
                "midpoint": line[5, 1],
                "barrier": (line[:, 0] - ends).max(),
                "inner product": product,
                "sweeps": sweeps,
                "seconds": elapsed,
            }
        )
    return rows


def recurrents(
    width: int, pair: int, data: list[torch.Tensor], *, is_shared: bool
) -> list[dict[str, Any]]:
    torch.manual_seed(pair)
    order = torch.randperm(len(data[0]))
    halves = [order, order] if is_shared else list(order.chunk(2))
    trained = []
    for client, rows in enumerate(halves):
        torch.manual_seed(1000 + 2 * pair + client)
        network = Recurrent(width)
        optimizer = torch.optim.AdamW(network.parameters(), 5e-3, weight_decay=1e-2)
        epochs = 40 if is_shared else 60
        trained.append(train(network, optimizer, data[0][rows], data[2][rows], epochs, 64))
    reference, model = trained
    symmetry = recurrent_symmetry(width)
    parents = np.mean([scores(network, side, data)[1] for side in trained])
    methods = {"naive": None} | {
        f"{'signed' if signed else 'unsigned'} {'linear' if linear else 'quadratic'}": {
            "signed": signed,
            "linear_only": linear,
        }
        for signed in (False, True)
        for linear in (True, False)
    }
    results = []
    for method, options in methods.items():
        change, sweeps, start = Transformation(), 0, time.perf_counter()
        if options is not None:
            rng = np.random.default_rng(pair)
            match = match_weights(symmetry, reference, model, rng=rng, **options)
            change, sweeps = match.transformation, match.sweeps
        elapsed = time.perf_counter() - start
        aligned = symmetry.apply(change, model)
        results.append(
            {
                "network": f"LSTM {width}, {'same rows' if is_shared else 'half the rows each'}",
                "pair": pair,
                "method": method,
                "parents": parents,
                "midpoint": scores(network, between(reference, aligned, 0.5), data)[1],
                "sweeps": sweeps,
                "seconds": elapsed,
            }
        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1, help="pairs of networks of each kind")
    parser.add_argument("--widths", type=int, nargs="*", default=[64, 256], help="of the MLPs")
    parser.add_argument("--recurrent", type=int, nargs="*", default=[64], help="of the LSTMs")
    parser.add_argument("--output", help="CSV file for a row per pair and method")
    arguments = parser.parse_args()
    data = digits()
    rows: list[dict[str, Any]] = []
    for pair in range(arguments.pairs):
        for width in arguments.widths:
            rows += perceptrons(width, pair, data)
        for width in arguments.recurrent:
            for is_shared in (True, False):
                rows += recurrents(width, pair, data, is_shared=is_shared)
    frame = pd.DataFrame(rows)
    if arguments.output:
        frame.to_csv(arguments.output, index=False)
    means = frame.drop(columns="pair").groupby(["network", "method"], sort=False).mean()
    print(means.round(3).to_string(na_rep=""))


if __name__ == "__main__":
    main()
