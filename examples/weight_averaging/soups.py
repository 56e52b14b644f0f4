"""Mix twelve fine-tuned networks: into one network, or into one blend of their answers.

A network is trained on a part of the digits data, then fine-tuned twelve times with different
settings. On validation rows that none of them saw, the weights of a mixture are chosen in two
ways: of their tensors (one network comes out) and of their probabilities (all twelve are kept)::

    python examples/weight_averaging/soups.py
    python examples/weight_averaging/soups.py --seeds 10 --output soup.png

Prints accuracy and log loss on validation and test rows, with standard errors over the seeds, and
writes a picture of the greedy soup and of the weights learnt for each layer.
"""

import argparse
import copy
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch.nn import functional
from tqdm import tqdm

import stackens as se
from stackens import weight_averaging as wa
from stackens.exceptions import LeakageWarning, OtherBasinWarning

MODELS = 12


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)
    start = time.perf_counter()
    results = []
    for seed in tqdm(range(arguments.seeds), desc="training and mixing", unit="run"):
        rows, soup, mixing = one_run(seed)
        results.append(rows.assign(seed=seed))
    scores = (
        pd.concat(results).groupby("what", sort=False).agg(["mean", "sem"]).drop(columns="seed")
    )
    shown = pd.DataFrame(
        {
            column: [
                f"{mean:.4f} ± {0 if np.isnan(sem) else sem:.4f}"
                for mean, sem in scores[column].itertuples(index=False)
            ]
            for column in scores.columns.get_level_values(0).unique()
        },
        index=scores.index,
    )
    print(
        f"Digits, {MODELS} networks fine-tuned from one, mean of {arguments.seeds} runs "
        f"({time.perf_counter() - start:.0f} seconds)\n\n{shown.to_string()}\n"
    )
    save_picture(soup, mixing, arguments.output)
    print(f"Picture: {arguments.output.resolve()}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="runs for error bars (default: 3)")
    parser.add_argument(
        "--output", type=Path, default=Path("soups.png"), help="where the picture goes"
    )
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds must be at least 1. Got {arguments.seeds}.")
    if not arguments.output.resolve().parent.is_dir():
        parser.error(f"--output must lie in a folder that exists. Got {arguments.output}.")
    return arguments


def one_run(seed):
    """Fine-tune, mix in every way, and score."""
    features, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    X, y = torch.tensor(features[order] / 16, dtype=torch.float32), torch.tensor(labels[order])
    parts = {"first": slice(0, 400), "tune": slice(400, 800)}
    validation, test = (X[800:1200], y[800:1200]), (X[1200:], y[1200:])
    models = fine_tuned(*((X[part], y[part]) for part in parts.values()), seed)

    def accuracy(model):
        return float((answer(model, validation[0]).argmax(dim=1) == validation[1]).float().mean())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OtherBasinWarning)  # a soup of one says so
        soup = wa.greedy_soup(models, accuracy)
    mixings = {
        per: wa.learn_mixing(
            models,
            functional.cross_entropy,
            validation,
            validation=validation,
            per=per,
            random_state=seed,
        )
        for per in ("model", "layer")
    }
    blend = blended(models, *validation)
    rows = [
        {"what": "mean of the single networks", **mean_scores(models, validation, test)},
        {"what": "best single network", **scores(max(models, key=accuracy), validation, test)},
        {"what": "equal weights", **scores(wa.average(models), validation, test)},
        {"what": "greedy soup", **scores(soup.model, validation, test)},
        {"what": "learnt, per model", **scores(mixings["model"].model, validation, test)},
        {"what": "learnt, per layer", **scores(mixings["layer"].model, validation, test)},
        {"what": "blend of all twelve", **scores(blend, validation, test)},
    ]
    return pd.DataFrame(rows), soup, mixings["layer"]


def fine_tuned(first, tune, seed):
    """Train a network, then go on from there with twelve settings."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = torch.nn.Sequential(
            torch.nn.Linear(64, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 10),
        )
        train(network, *first, epochs=30, rate=1e-3, noise=0.0, smoothing=0.0)
        draw = np.random.default_rng(seed)
        return [
            train(
                copy.deepcopy(network),
                *tune,
                epochs=int(draw.integers(10, 40)),
                rate=10 ** draw.uniform(-3.5, -2),
                noise=draw.uniform(0, 0.3),
                smoothing=draw.choice([0.0, 0.1]),
            )
            for _ in range(MODELS)
        ]


def train(network, X, y, *, epochs, rate, noise, smoothing):
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    for _ in range(epochs):
        for batch in torch.randperm(len(X)).split(32):
            outputs = network(X[batch] + noise * torch.randn_like(X[batch]))
            loss = functional.cross_entropy(outputs, y[batch], label_smoothing=smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


def blended(models, X, y):
    """Return a convex blend of the frozen networks' probabilities."""
    frozen = [
        (f"network {i}", se.FrozenNetwork(model, output="logits")) for i, model in enumerate(models)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakageWarning)  # no network saw the validation rows
        return se.BlendedClassifier(frozen, weighting="simplex").fit(X.numpy(), y.numpy())


def answer(model, X):
    """Return logarithms of probabilities."""
    if isinstance(model, se.BlendedClassifier):
        return torch.tensor(model.predict_proba(X.numpy())).clamp_min(1e-12).log()
    with torch.no_grad():
        return model(X).log_softmax(dim=1)


def scores(model, validation, test):
    found = {}
    for part, (X, y) in (("validation", validation), ("test", test)):
        outputs = answer(model, X)
        found[f"{part} accuracy"] = float((outputs.argmax(dim=1) == y).float().mean())
        found[f"{part} log loss"] = float(functional.nll_loss(outputs, y))
    return found


def mean_scores(models, validation, test):
    return pd.DataFrame([scores(model, validation, test) for model in models]).mean().to_dict()


def save_picture(soup, mixing, path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    soup.plot(ax=axes[0])
    mixing.plot(ax=axes[1])
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
