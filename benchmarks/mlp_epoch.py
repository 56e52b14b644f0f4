"""An epoch of our training on whole tensors against the usual loop over a DataLoader.

    OMP_NUM_THREADS=1 python benchmarks/mlp_epoch.py --repeats 7

Both train the same network (two hidden layers) by the same AdamW on the same tensors, with soft
targets and batches of 256 rows drawn anew in every epoch. The sides run in turn; what counts is the
median ratio of neighbouring runs. The goal is at least 1.8 times faster. The losses after training
are printed, too: both sides must learn the same.
"""

from __future__ import annotations

import argparse
import copy

import torch
from timing import alternate
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from stackens.neural import Rows, soft_cross_entropy, train

RATE, DECAY = 1e-3, 0.01


def network(n_features: int, units: int, n_classes: int) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Linear(n_features, units),
        nn.ReLU(),
        nn.Linear(units, units),
        nn.ReLU(),
        nn.Linear(units, n_classes),
    )


def usual_loop(
    module: nn.Module, X: torch.Tensor, targets: torch.Tensor, epochs: int, batch_size: int
) -> None:
    """Train as tutorials do."""
    loader = DataLoader(TensorDataset(X, targets), batch_size=batch_size, shuffle=True)
    matrices = [parameter for parameter in module.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in module.parameters() if parameter.ndim == 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, fused=True)
    module.train()
    for _ in range(epochs):
        for rows, wanted in loader:
            optimiser.zero_grad()
            soft_cross_entropy(module(rows), wanted).mean().backward()
            optimiser.step()


def main() -> None:
    """Time both sides in turn, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=40)
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=3, help="of one run")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()

    torch.manual_seed(0)
    X = torch.randn(given.rows, given.features)
    targets = torch.softmax(3 * torch.randn(given.features, given.classes).T @ X.T, dim=0).T
    targets = targets.contiguous()
    start = network(given.features, given.units, given.classes)
    sides = {"ours": copy.deepcopy(start), "theirs": copy.deepcopy(start)}

    def ours() -> None:
        train(
            sides["ours"],
            Rows(X, targets),
            soft_cross_entropy,
            epochs=given.epochs,
            batch_size=given.batch_size,
            learning_rate=RATE,
            weight_decay=DECAY,
            schedule="constant",
        )

    def theirs() -> None:
        usual_loop(sides["theirs"], X, targets, given.epochs, given.batch_size)

    ratio = alternate(ours, theirs, repeats=given.repeats)
    print(f"{torch.get_num_threads()} thread(s), {given.rows} rows of {given.features} numbers,")
    print(f"2 x {given.units} units, batches of {given.batch_size} rows")
    print(f"stackens   {1e3 * ratio.ours / given.epochs:8.1f} ms an epoch")
    print(f"DataLoader {1e3 * ratio.theirs / given.epochs:8.1f} ms an epoch")
    print(f"ours takes {ratio} of theirs: {1 / ratio.median:.2f} times faster (goal: 1.8)")
    with torch.no_grad():
        for name, module in sides.items():
            loss = soft_cross_entropy(module(X), targets).mean()
            print(
                f"{name}: loss {float(loss):.4f} after {given.epochs * (given.repeats + 1)} epochs"
            )


if __name__ == "__main__":
    main()
