"""What aligning Keras LSTMs before averaging is worth, with and without signs.

    KERAS_BACKEND=torch python benchmarks/alignment_keras.py --pairs 4

Two clients train an LSTM each on half of the rows of scikit-learn's digits, read as 8 steps of 8
pixels: AdamW 5e-3 with weight decay 1e-2, 60 epochs of batches of 64. Accuracy in percent on 397
rows that nobody trained on: the mean of the two, of their average as they are, and aligned.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from stackens import weight_averaging as wa


def trained(X: Any, y: Any, width: int, epochs: int, seed: int, kept: Path | None) -> Any:
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [keras.Input((8, 8)), keras.layers.LSTM(width), keras.layers.Dense(10)]
    )
    path = None if kept is None else kept / f"keras-{width}-{epochs}-{seed}.weights.h5"
    if path is not None and path.exists():
        network.load_weights(path)
        return network
    network.compile(
        keras.optimizers.AdamW(5e-3, weight_decay=1e-2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    network.fit(X, y, batch_size=64, epochs=epochs, verbose=0)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        network.save_weights(path)
    return network


def measured(width: int, epochs: int, pair: int, kept: Path | None) -> list[dict[str, Any]]:
    """Return one row for each way to align the networks of two clients."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        (X / 16).astype("float32").reshape(-1, 8, 8),
        y,
        train_size=1400,
        stratify=y,
        random_state=0,
    )
    halves = np.array_split(np.random.default_rng(pair).permutation(len(X)), 2)
    models = [
        trained(X[rows], y[rows], width, epochs, 2 * pair + client, kept)
        for client, rows in enumerate(halves)
    ]

    def accuracy(network: Any) -> float:
        return 100 * float(np.mean(network.predict(X_test, verbose=0).argmax(axis=1) == y_test))

    results = []
    for method, options in {
        "naive": None,
        "align, unsigned": {"signed": False},
        "align": {},
        "align, 8 restarts": {"n_restarts": 8},
    }.items():
        start = time.perf_counter()
        aligned = models if options is None else wa.align(models, 0, X_test[:8], **options)
        took = time.perf_counter() - start
        deviation = 0.0 if options is None else aligned.report.deviation
        results.append(
            {
                "method": method,
                "pair": pair,
                "parents": np.mean([accuracy(model) for model in models]),
                "midpoint": accuracy(wa.average(aligned)),
                "change of outputs": deviation,
                "seconds": took,
            }
        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--width", type=int, default=64, help="units of the LSTM")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--kept", type=Path, help="folder where trained networks are kept")
    parser.add_argument("--output", help="CSV file for a row per pair and method")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for pair in range(arguments.pairs):
        rows += measured(arguments.width, arguments.epochs, pair, arguments.kept)
        print(pd.DataFrame(rows[-4:]).to_string(index=False), flush=True)
    frame = pd.DataFrame(rows)
    if arguments.output:
        frame.to_csv(arguments.output, index=False)
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, LSTM {arguments.width}")
    print(frame.drop(columns="pair").groupby("method", sort=False).mean().to_string())


if __name__ == "__main__":
    main()
