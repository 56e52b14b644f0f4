"""Average the last checkpoints of a training run, and see that the result stops jumping about.

A small network is trained on 100 points of three overlapping blobs, and its last ten epochs are
kept. Their accuracies on 1,000 fresh points differ, so which epoch one stops at is luck. Averages
of the last n epochs differ less, and are not worse::

    python examples/weight_averaging/last_checkpoints.py
    python examples/weight_averaging/last_checkpoints.py --seeds 20 --optimizer adam
    python examples/weight_averaging/last_checkpoints.py --framework keras --seeds 1

Prints a table of single epochs against averages with equal, linear and exponential weights, and
writes a picture with bands of two standard errors over the seeds.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import torch
from sklearn.datasets import make_blobs
from tqdm import tqdm

from stackens import weight_averaging as wa

LAST, BATCH, HIDDEN = 10, 32, 25


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)  # more only get into each other's way on batches of 32
    X, y = make_blobs(n_samples=1100, centers=3, n_features=2, cluster_std=2, random_state=2)
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    train, test = (X[:100], y[:100]), (X[100:], y[100:])
    last_epochs = last_epochs_in_keras if arguments.framework == "keras" else last_epochs_in_torch

    def correct(model):
        """Say for each test point whether the model is right."""
        with torch.no_grad():
            return (model(test[0]).argmax(dim=1) == test[1]).cpu().numpy()

    start = time.perf_counter()
    # A generator: no more than one run's checkpoints are in memory.
    runs = (
        last_epochs(*train, arguments.optimizer, arguments.epochs, seed)
        for seed in tqdm(range(arguments.seeds), desc="training", unit="run")
    )
    scan = wa.scan_last_n(runs, correct)
    seconds = time.perf_counter() - start

    table = scan.frame().pivot(index="n", columns="schedule", values="score")
    table = table[["single", "equal", "linear", "exponential"]]
    print(
        f"Accuracy on 1,000 test points, mean of {arguments.seeds} runs ({arguments.framework}, "
        f"{arguments.optimizer}, {seconds:.0f} seconds)\n\n{table.round(4)}\n"
    )
    print(f"{summary(scan)}\n")
    best = scan.best
    print(f"Best: the last {best['n']}, {best['schedule']} weights, accuracy {best['score']:.4f}")
    scan.plot().figure_.savefig(arguments.output, dpi=150)
    print(f"Picture: {arguments.output.resolve()}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="runs for error bars (default: 10)")
    parser.add_argument("--epochs", type=int, default=500, help="of each run (default: 500)")
    parser.add_argument(
        "--optimizer", choices=["sgd", "adam"], default="sgd", help="(default: sgd)"
    )
    parser.add_argument(
        "--framework", choices=["torch", "keras"], default="torch", help="(default: torch)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("last_checkpoints.png"), help="where the picture goes"
    )
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds must be at least 1. Got {arguments.seeds}.")
    if arguments.epochs < LAST:
        parser.error(f"--epochs must be at least {LAST}. Got {arguments.epochs}.")
    if not arguments.output.resolve().parent.is_dir():
        parser.error(f"--output must lie in a folder that exists. Got {arguments.output}.")
    return arguments


def last_epochs_in_torch(X, y, optimizer, epochs, seed):
    """Train a network of 25 hidden units and return its last ten epochs, the newest last."""
    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Linear(2, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 3)
    )
    torch.nn.init.kaiming_uniform_(network[0].weight, nonlinearity="relu")
    if optimizer == "sgd":
        stepper = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    else:
        stepper = torch.optim.Adam(network.parameters())
    checkpoints = []
    for epoch in range(epochs):
        for rows in torch.randperm(len(X)).split(BATCH):
            stepper.zero_grad()
            torch.nn.functional.cross_entropy(network(X[rows]), y[rows]).backward()
            stepper.step()
        if epoch >= epochs - LAST:
            # A state dict shares its memory with the network, which is trained on: copy the model.
            checkpoints.append(wa.average([network]))
    return checkpoints


def last_epochs_in_keras(X, y, optimizer, epochs, seed):
    """Do the same in Keras."""
    import keras

    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(HIDDEN, activation="relu", kernel_initializer="he_uniform"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    sgd = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    network.compile(sgd if optimizer == "sgd" else "adam", "sparse_categorical_crossentropy")
    checkpoints = []

    class KeepLast(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch >= epochs - LAST:
                checkpoints.append(wa.average([network]))

    network.fit(X, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[KeepLast()])
    return checkpoints


def summary(scan):
    """Say how good each way is over n, and how much it varies, in the mean over the runs."""
    values = scan.frame(by_run=True).query("n >= 2").groupby(["schedule", "run"])["score"]
    deviation, mean = (part.unstack("run") for part in (values.std(), values.mean()))
    gain = 100 * (mean - mean.loc["single"])
    lines = ["Over n = 2 to 10:"]
    for name in ("single", "equal", "linear", "exponential"):
        part = deviation.loc[name].mean() / deviation.loc["single"].mean()
        line = f"  {name:<12}accuracy {mean.loc[name].mean():.4f}, deviation over n "
        line += f"{deviation.loc[name].mean():.4f}"
        if name != "single":
            line += f" ({part:.2f} of the single epochs'), gain {gain.loc[name].mean():+.2f}"
            line += f" ± {gain.loc[name].sem():.2f} points" if mean.shape[1] > 1 else " points"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
