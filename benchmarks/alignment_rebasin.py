"""Alignment against the rebasin package, pair by pair: how alike the weights get, and how fast.

    pip install rebasin        # 0.0.47; an environment of its own, beside stackens[torch]
    python benchmarks/alignment_rebasin.py --pairs 2 --kinds mlp:512 mlp:1024 cnn:64 lstm:64

Both align the second network of a pair to the first. "product" is the sum of inner products of all
trained tensors, which rebasin and weight matching make as large as they can; rebasin moves units
only, so that "align, order only" is the like of it, while "align" also moves scales and signs.
"change of outputs" is relative to the largest output, as the network is used; "in training" takes
the statistics of each batch in BatchNorm layers, whose running statistics rebasin leaves behind.
Midpoints have theirs recalibrated. The networks are those of alignment.py.
"""

from __future__ import annotations

import argparse
import copy
import time
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from alignment import by_align, by_align_order_only, data_of, pair_of
from rebasin import PermutationCoordinateDescent
from torch import nn

from stackens import weight_averaging as wa


def by_rebasin(reference: nn.Module, model: nn.Module, example: torch.Tensor) -> nn.Module:
    """Align with the package, which changes the model that it is given."""
    changed = copy.deepcopy(model)
    PermutationCoordinateDescent(reference, changed, example).rebasin()
    return changed


def change_of_outputs(before: nn.Module, after: nn.Module, X: torch.Tensor) -> float:
    with torch.no_grad():
        expected, found = before(X), after(X)
    return ((expected - found).abs().max() / expected.abs().max()).item()


def measured(kind: str, width: int, pair: int, kept: Path | None) -> list[dict[str, Any]]:
    """Return one row for each way to align a pair."""
    data = data_of(kind)
    first, second = pair_of(kind, width, pair, kept)
    example = data.X_test[:8]
    results = []
    for method, change in (
        ("naive", lambda _, model, __: model),
        ("rebasin", by_rebasin),
        ("align, order only", by_align_order_only),
        ("align, order only, 4 restarts", partial(by_align_order_only, n_restarts=4)),
        ("align", by_align),
    ):
        row = {"network": f"{kind} {width}", "pair": pair, "method": method}
        start, start_cpu = time.perf_counter(), time.process_time()
        try:
            aligned = change(first, second, example)
        except Exception as error:  # whatever the other package raises is the result
            if method != "rebasin":
                raise
            results.append({**row, "failed": f"{type(error).__name__}: {error}"[:200]})
            continue
        row |= {
            "seconds": time.perf_counter() - start,
            "CPU seconds": time.process_time() - start_cpu,
        }
        ours, theirs = (
            torch.cat([p.detach().double().ravel() for p in network.parameters()])
            for network in (first, aligned)
        )
        average = wa.average([first, aligned])
        if kind == "cnn":
            wa.recalibrate_batch_norm(average, data.X[:2000].split(500))
        row |= {
            "product": (ours @ theirs).item(),
            "cosine": (ours @ theirs / ours.norm() / theirs.norm()).item(),
            "change of outputs": change_of_outputs(second, aligned, data.X_test),
            "in training": change_of_outputs(
                copy.deepcopy(second).train(), copy.deepcopy(aligned).train(), data.X_test
            ),
            "midpoint": data.accuracy(average),
        }
        results.append(row)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=["mlp:512", "cnn:64", "lstm:64"])
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--kept", type=Path, help="folder where trained networks are kept")
    parser.add_argument("--output", help="CSV file for a row per pair and method")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for kind, width in (of.split(":") for of in arguments.kinds):
        for pair in range(arguments.pairs):
            rows += measured(kind, int(width), pair, arguments.kept)
    frame = pd.DataFrame(rows)
    if arguments.output:
        frame.to_csv(arguments.output, index=False)
    print(frame.to_string(index=False, na_rep=""))


if __name__ == "__main__":
    main()
