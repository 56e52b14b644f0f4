"""How long `align` takes for one pair of networks: wall time and CPU time, by number of threads.

    python benchmarks/alignment_timing.py --networks mlp:1024 lstm:256 --repeats 5

Medians. Networks are trained for a few epochs, so that their weights are not mere noise: noise is
the hardest case and has no meaning. torch.export loads its modules once in a process, so that the
first call is shown on its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from alignment import data_of, pair_of, untrained
from threadpoolctl import threadpool_limits
from torch import nn

from stackens import weight_averaging as wa


def short_pair(kind: str, width: int, epochs: int) -> list[nn.Module]:
    """Return two networks after a few epochs."""
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        network, recipe = untrained(kind, width)
        networks.append(replace(recipe, epochs=epochs).train(network, data_of(kind)))
    return networks


def seconds(pair: list[nn.Module], example: torch.Tensor, reference: Any) -> tuple[float, float]:
    """Return wall time and CPU time of one call of `align`."""
    start, start_cpu = time.perf_counter(), time.process_time()
    wa.align(pair, reference, example)
    return time.perf_counter() - start, time.process_time() - start_cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["mlp:1024", "lstm:256"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5, help="of training before")
    parser.add_argument("--kept", type=Path, help="folder of trained networks to use")
    parser.add_argument("--barycentre", action="store_true", help="rather than the first network")
    arguments = parser.parse_args()
    reference: Any = "barycentre" if arguments.barycentre else 0
    rows = []
    for kind, width in (of.split(":") for of in arguments.networks):
        if arguments.kept:
            pair = list(pair_of(kind, int(width), 0, arguments.kept))
        else:
            pair = short_pair(kind, int(width), arguments.epochs)
        example = data_of(kind).X_test[:8]
        first = seconds(pair, example, reference)[0]
        for threads in arguments.threads:
            torch.set_num_threads(threads)
            with threadpool_limits(threads):
                runs = [seconds(pair, example, reference) for _ in range(arguments.repeats)]
            wall, cpu = zip(*runs, strict=True)
            rows.append(
                {
                    "network": f"{kind} {width}",
                    "threads": threads,
                    "seconds": statistics.median(wall),
                    "slowest": max(wall),
                    "CPU seconds": statistics.median(cpu),
                    "first call": first,
                    "load": os.getloadavg()[0],
                }
            )
    print(pd.DataFrame(rows).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
