"""Recurrent networks of sites unlike each other, merged: who is asked about which row?

    OMP_NUM_THREADS=1 python benchmarks/one_shot_unlike_sites.py --seeds 3 --output unlike.csv

Five sites measure the same kind of made-up series, each at a level, of a scale and with a trend of
its own, and learn to predict it six steps ahead from 24 steps, between scalers of their own. Each
sends weights, scalers, the number of its rows, and quantiles and correlations of its inputs.
With weights="auto" a site counts the less for a row the farther that lies outside of the ranges it
declared; with weights="equal" all count alike. A sixth site takes no part: its level and scale lie
between those of the others.

R² on the last fifth of each series, over the variance of that site alone: the mean of the five
sites that took part, and the sixth.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import r2_score
from torch import nn

from stackens.weight_averaging.one_shot import InputSchema, Site, one_shot_merge

SITES, STEPS_BACK, STEPS_AHEAD, LENGTH, UNITS = 5, 24, 6, 2500, 32


class Forecaster(nn.Module):
    """An LSTM or a GRU that reads a window of two features."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        layer = {"LSTM": nn.LSTM, "GRU": nn.GRU}[kind]
        self.recurrent = layer(2, UNITS, batch_first=True)
        self.head = nn.Linear(UNITS, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(x)[0][:, -1]).squeeze(-1)


def series_of(levels: list[float], rng: np.random.Generator) -> list[Any]:
    """Return (windows, targets) of each site: a wave, a driver that moves it later, noise."""
    sites = []
    for level in levels:
        scale, drift = rng.uniform(4, 12), rng.uniform(-1, 1)
        t = np.arange(LENGTH)
        driver, slow = np.zeros(LENGTH), np.zeros(LENGTH)
        for i in range(1, LENGTH):
            driver[i] = 0.95 * driver[i - 1] + 0.3 * rng.standard_normal()
            slow[i] = 0.9 * slow[i - 1] + 0.25 * np.tanh(driver[i - 1])
        wave = np.sin(2 * np.pi * t / 24 + rng.uniform(0, 6))
        values = wave + slow + drift * t / LENGTH + 0.1 * rng.standard_normal(LENGTH)
        both = np.stack([level + scale * values, driver], axis=1).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(both, STEPS_BACK, axis=0)
        windows = windows.transpose(0, 2, 1)[:-STEPS_AHEAD]
        sites.append((windows, both[STEPS_BACK + STEPS_AHEAD - 1 :, 0]))
    return sites


def trained(kind: str, X: Any, y: Any, seed: int, epochs: int = 12) -> Site:
    """Train the network of a site to the end, and return what it sends."""
    torch.manual_seed(seed)
    rows = X.reshape(-1, X.shape[-1])
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    network = Forecaster(kind)
    inputs = torch.tensor((X - centre) / spread)
    target = torch.tensor((y - y.mean()) / y.std())
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=1e-3)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(y)).split(64):
            loss = (network(inputs[batch]) - target[batch]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        rates.step()
    return Site(
        network.state_dict(),
        n_rows=len(y),
        input_scaler=(centre, spread),
        output_scaler=(y.mean(), y.std()),
        input_schema=InputSchema.describe(X, detailed=True),
        name=f"site {seed}",
    )


def merged(kind: str, sites: list[Site], parts: list[Any], **settings: Any) -> pd.DataFrame:
    """Merge sites, and return the R² of every network in the report on each part."""
    scores = []

    def evaluate(network: Any) -> float:
        with torch.no_grad():
            scores.append([r2_score(y, network(torch.tensor(X)).numpy()) for X, y in parts])
        return float(np.mean(scores[-1]))

    with warnings.catch_warnings(action="ignore"):  # equal weights do end below the sites
        model = one_shot_merge(sites, lambda: Forecaster(kind), evaluate=evaluate, **settings)
    return pd.DataFrame(scores, index=model.report.frame().index)


def results(kind: str, seed: int, steps: int) -> list[dict[str, Any]]:
    """Train sites, merge them in both ways, and score everything."""
    rng = np.random.default_rng(seed)
    levels = np.sort(rng.uniform(0, 100, SITES)).tolist()
    series = series_of([*levels, rng.uniform(levels[0], levels[-1])], rng)
    cut = int(0.8 * LENGTH)
    late = [(X[cut:], y[cut:]) for X, y in series]
    n = cut - STEPS_BACK - STEPS_AHEAD  # no window of the first part reaches into the last
    sites = [trained(kind, X[:n], y[:n], i) for i, (X, y) in enumerate(series[:SITES])]
    table = []
    for weights in ("auto", "equal"):
        r2 = merged(kind, sites, late, weights=weights, steps=steps, random_state=seed)
        row = {"network": kind, "weights": weights, "seed": seed}
        row["single, at home"] = float(np.mean([r2.iloc[i, i] for i in range(SITES)]))
        for place, columns in {"five sites": list(range(SITES)), "a sixth": [SITES]}.items():
            mean = r2[columns].mean(axis=1)
            row[f"single, {place}"] = mean.iloc[:SITES].mean()
            for name in ("ensemble", "naive average", "merged"):
                row[f"{name}, {place}"] = mean[name]
        table.append(row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--kinds", nargs="+", default=["LSTM", "GRU"])
    parser.add_argument("--output")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for kind in arguments.kinds:
        for seed in range(arguments.seeds):
            rows += results(kind, seed, arguments.steps)
            print(pd.DataFrame(rows[-2:]).round(3).T.to_string(header=False), flush=True)
    frame = pd.DataFrame(rows)
    means = frame.drop(columns="seed").groupby(["network", "weights"]).mean()
    print(means.round(3).T.to_string())
    if arguments.output:
        frame.to_csv(arguments.output, index=False)


if __name__ == "__main__":
    main()
