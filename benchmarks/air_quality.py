"""One model for a station that no data came from: all twelve choices of the one left out.

    OMP_NUM_THREADS=1 python benchmarks/air_quality.py beijing_air.csv.gz --output air_quality.csv

Trains, merges and scores as `examples/weight_averaging/one_global_model.py` does. What counts is
the merged model's R² against the mean of the single models and against the ensemble of all.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

sys.path.append(str(Path(__file__).parents[1] / "examples" / "weight_averaging"))
from one_global_model import leave_one_out, read_windows

OTHERS = ["ensemble", "naive average", "aligned average", "merged", "pooled data"]


def main() -> None:
    """Leave out each station in turn, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    windows = read_windows(options.csv)
    rows = {}
    for name in windows:
        scores = leave_one_out(
            windows, name, rows=options.rows, epochs=options.epochs, steps=options.steps
        )
        single = scores.drop(OTHERS)
        rows[name] = {"mean single": single.mean(), "best single": single.max(), **scores[OTHERS]}
        print(pd.DataFrame(rows).T.round(3).to_string(), flush=True)
        if options.output:
            pd.DataFrame(rows).T.to_csv(options.output)
    table = pd.DataFrame(rows).T
    behind = table["ensemble"] - table["merged"]
    print("\nMean over stations")
    print(table.mean().round(4).to_string())
    print(f"merged below the ensemble by {behind.mean():.4f}, at most {behind.max():.4f}")
    print(f"merged at least the mean single: {(table['merged'] >= table['mean single']).sum()} of")
    print(f"{len(table)} stations")


if __name__ == "__main__":
    main()
