"""Eleven air-quality stations train an LSTM each; only weights travel; the twelfth gets one model.

    python examples/weight_averaging/one_global_model.py --csv beijing_air.csv.gz

Each station predicts its PM2.5 six hours ahead from the last 24 hours, with scalers of its own, and
writes one file: weights, scalers, number of rows, quantiles of its measurements. The server has
these files, and no data. What it merges is scored at a station that none of the others has seen.

The table is "Beijing Multi-Site Air Quality" of the UCI repository: hourly rows of 12 stations in
one CSV file with the columns time, station, PM2.5, PM10, SO2, NO2, CO, O3, TEMP, PRES, DEWP, RAIN,
wd and WSPM.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import r2_score
from torch import nn

from stackens import weight_averaging as wa

HOURS, AHEAD = 24, 6
MEASURED = ["PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "RAIN"]
WIND = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE"]
WIND += ["S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]
FEATURES = [*MEASURED, "wind_north", "wind_east", "hour_sin", "hour_cos"]


def main():
    arguments = parse_arguments()
    if not arguments.csv.is_file():
        sys.exit(f"--csv must be the table of all stations. Got {arguments.csv}, which is no file.")
    print(f"Reading {arguments.csv}", flush=True)
    windows = read_windows(arguments.csv)
    names = sorted(windows)
    held_out = arguments.station or names[-1]
    if held_out not in names:
        sys.exit(f"--station must be one of {names}. Got {held_out!r}.")
    results = leave_one_out(
        windows, held_out, rows=arguments.rows, epochs=arguments.epochs, steps=arguments.steps
    )
    print(f"\nR² of PM2.5 six hours ahead at {held_out}, the last fifth of the hours:")
    print(results.round(3).to_string())


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, required=True, help="the table of all stations")
    parser.add_argument("--station", help="the station left out (default: the last by name)")
    parser.add_argument(
        "--rows", type=int, default=4000, help="windows of each station (default: 4000)"
    )
    parser.add_argument("--epochs", type=int, default=6, help="at each station (default: 6)")
    parser.add_argument("--steps", type=int, default=600, help="of the merge (default: 600)")
    return parser.parse_args()


def leave_one_out(windows, held_out, *, rows, epochs, steps):
    """Train at all stations but one, merge, and score everything at that one."""
    inputs, target = test_part(*windows[held_out])

    def score(model):
        with torch.no_grad():
            return r2_score(target, model(inputs).numpy())

    with tempfile.TemporaryDirectory() as folder:  # all that the server ever gets
        parts = []
        for seed, name in enumerate(name for name in windows if name != held_out):
            parts.append(training_part(*windows[name], rows, seed))
            train_site(Path(folder) / f"{name}.safetensors", *parts[-1], epochs, seed)
            print(f"{name}: trained on {rows:,} windows", flush=True)
        model = wa.one_shot_merge(
            folder, Forecaster, steps=steps, evaluate=score, random_state=0, verbose=1
        )
    print(model.report.summary())
    scores = model.report.frame()["score"]
    scores["pooled data"] = score(fit(*map(np.concatenate, zip(*parts, strict=True)), epochs, 99))
    return scores


def train_site(path, inputs, target, epochs, seed):
    """What happens at one station; the file that it writes is all that leaves it."""
    model = fit(inputs, target, epochs, seed)
    wa.save_site(
        path,
        model.network,
        n_rows=len(target),
        input_scaler=(model.centre.numpy(), model.spread.numpy()),
        output_scaler=(model.target_centre, model.target_spread),
        input_schema=wa.InputSchema.describe(inputs),  # a few quantiles of each measurement
    )


class Forecaster(nn.Module):
    """24 hours of measurements -> one number, both scaled."""

    def __init__(self, units=32):
        super().__init__()
        self.lstm = nn.LSTM(len(FEATURES), units, batch_first=True)
        self.head = nn.Linear(units, 1)

    def forward(self, hours):
        return self.head(self.lstm(hours)[0][:, -1]).squeeze(-1)


class Scaled(nn.Module):
    """A network between the scalers that its site has fitted."""

    def __init__(self, network, inputs, target):
        super().__init__()
        self.network = network
        rows = inputs.reshape(-1, inputs.shape[-1])
        self.centre, self.spread = torch.tensor(rows.mean(0)), torch.tensor(rows.std(0) + 1e-6)
        self.target_centre, self.target_spread = float(target.mean()), float(target.std())

    def forward(self, hours):
        scaled = self.network((hours - self.centre) / self.spread)
        return scaled * self.target_spread + self.target_centre


def fit(inputs, target, epochs, seed, batch_size=256, learning_rate=3e-3):
    torch.manual_seed(seed)
    model = Scaled(Forecaster(), inputs, target)
    inputs, target = torch.tensor(inputs), torch.tensor(target)
    n_batches = len(target) // batch_size
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=1e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=epochs * n_batches
    )
    for _ in range(epochs):
        for rows in torch.randperm(len(target))[: n_batches * batch_size].split(batch_size):
            error = (model(inputs[rows]) - target[rows]) / model.target_spread
            optimiser.zero_grad()
            error.square().mean().backward()
            optimiser.step()
            rates.step()
    return model.eval()


def read_windows(path):
    """Station -> windows of shape (n, hours, features), and the PM2.5 after each or NaN."""
    table = pd.read_csv(path, keep_default_na=False, na_values=[""], parse_dates=["time"])
    angle = np.deg2rad(table["wd"].map({wind: 22.5 * i for i, wind in enumerate(WIND)}))
    table["wind_north"], table["wind_east"] = np.cos(angle), np.sin(angle)
    table[["wind_north", "wind_east"]] = table[["wind_north", "wind_east"]].mul(
        table["WSPM"], axis=0
    )
    hour = 2 * np.pi * table["time"].dt.hour / 24
    table["hour_sin"], table["hour_cos"] = np.sin(hour), np.cos(hour)
    windows = {}
    for name, station in table.sort_values("time").groupby("station"):
        filled = station[FEATURES].ffill(limit=24).fillna(station[FEATURES].median())
        steps = np.lib.stride_tricks.sliding_window_view(
            filled.to_numpy(np.float32), HOURS, axis=0
        ).transpose(0, 2, 1)
        after = station["PM2.5"].to_numpy(np.float32)[HOURS - 1 + AHEAD :]
        windows[name] = steps[: len(after)], after
    return windows


def training_part(steps, after, rows, seed):
    """Windows from the first 80% of the hours; none of them reaches into the rest."""
    known = np.flatnonzero(np.isfinite(after[: int(0.8 * len(after)) - HOURS - AHEAD]))
    chosen = np.random.default_rng(seed).choice(known, min(rows, len(known)), replace=False)
    return steps[chosen], after[chosen]


def test_part(steps, after):
    """Every third hour of the last 20%."""
    known = np.flatnonzero(np.isfinite(after))
    chosen = known[known >= 0.8 * len(after)][::3]
    return torch.tensor(steps[chosen]), after[chosen]


if __name__ == "__main__":
    main()
