"""What one row costs, exported and not: LightGBM, a network, and a row of mixed types.

    python benchmarks/latency.py

Each row is asked alone and all rows differ (the same row again and again would flatter trees); one
thread; of five rounds each row's least time counts, the clock's own included. Both sides are
measured in one run, so the ratios hold where the microseconds do not. Batches are of 10,000 rows.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits
from timing import alternate

import stackens as se
from stackens.evaluation import single_row_latency
from stackens.export._targets import open_target

ROWS = 1_000
BATCH = 10_000


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = make_classification(20_000, 30, n_informative=15, random_state=0)
    rows = X[-ROWS:]
    for trees, leaves in [(100, 31), (30, 15)]:
        model = lightgbm.LGBMClassifier(
            n_estimators=trees, num_leaves=leaves, n_jobs=1, verbose=-1
        ).fit(X, y)
        report(f"LightGBM {trees}x{leaves}, 30 numbers", model, rows)
        throughput(model, X[:BATCH])
    report("network 30-64-64-2 of torch, 30 numbers", bare_network(), rows)
    network = MLPClassifier((64, 64), max_iter=5, random_state=0).fit(X[:5_000], y[:5_000])
    report("scikit-learn's network 30-64-64-1, 30 numbers", network, rows)
    network = se.TorchMLPClassifier(hidden_layer_sizes=(64, 64), max_iter=3, random_state=0)
    network.fit(X[:5_000], y[:5_000])
    report("TorchMLPClassifier 64-64, which spreads 30 numbers over bins first", network, rows)
    table, target = mixed(20_000)
    model = make_pipeline(
        se.TabularEncoder(impute=None),
        lightgbm.LGBMClassifier(n_estimators=100, num_leaves=31, n_jobs=1, verbose=-1),
    ).fit(table, target)
    report("8 texts, 12 numbers, 3% missing: encoder and LightGBM 100x31", model, table[-ROWS:])
    model = make_pipeline(*scikit_learn_pipeline()).fit(table, target)
    report("the same rows: scikit-learn's ColumnTransformer and LightGBM", model, table[-ROWS:])


def bare_network():
    """A network of fixed random weights: what it says does not matter here."""
    import torch

    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Linear(30, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(),
        torch.nn.Linear(64, 2),
    )  # fmt: skip
    frozen = se.FrozenNetwork(layers.eval(), output="logits", classes=[0, 1])
    return frozen.fit(np.zeros((2, 30)), [0, 1])


def mixed(n_rows):
    """20 columns, 8 of them text, with missing values."""
    random = np.random.default_rng(0)
    table = pd.DataFrame({f"number_{i}": random.normal(size=n_rows) for i in range(12)})
    for i in range(8):
        levels = np.array([f"level {j} of {i}" for j in range(3 + 4 * i)], dtype=object)
        table[f"text_{i}"] = random.choice(levels, n_rows)
    signal = table["number_0"] + (table["text_0"] == "level 1 of 0") + random.normal(size=n_rows)
    for name in table:
        table.loc[random.random(n_rows) < 0.03, name] = None
    return table, (signal > 0.3).to_numpy()


def scikit_learn_pipeline():
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (texts, make_column_selector(dtype_exclude="number")),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    return columns, lightgbm.LGBMClassifier(n_estimators=100, n_jobs=1, verbose=-1)


def report(title, model, rows):
    """Print the microseconds of one row: the model's own call, and each export's."""
    print(f"\n{title}")
    with threadpool_limits(limits=1), tempfile.TemporaryDirectory() as folder:
        single = [rows[i : i + 1] for i in range(0, len(rows), 5)]
        usual = single_row_latency(model.predict_proba, single, repeats=2)
        line("predict_proba", usual, usual)
        line("the clock alone", single_row_latency(lambda row: None, single, repeats=5), usual)
        if isinstance(model, lightgbm.LGBMModel):
            booster = model.booster_
            bare = single_row_latency(lambda row: booster.predict(row, num_threads=1), single)
            line("Booster.predict", bare, usual)
        values = rows.to_numpy(dtype=object) if isinstance(rows, pd.DataFrame) else rows
        lists = [[None if v != v else v for v in row] for row in values.tolist()]
        for target, export in [
            ("numpy", lambda path: se.export.to_numpy(model, path.with_suffix(".py"))),
            ("onnx", lambda path: se.export.to_onnx(model, path.with_suffix(".onnx"))),
            ("c", lambda path: se.export.to_c(model, path.with_suffix(".c"), compile=True)),
        ]:
            start = time.perf_counter()
            artifact = export(Path(folder, "exported_model"))
            seconds = time.perf_counter() - start
            ask = open_target(target, artifact.extension or artifact.path).ask
            check = artifact.report.check
            note = (
                f"{artifact.report.n_bytes / 1e3:8.1f} kB, difference {check.max_difference:.1e} "
                f"on {check.n_rows:,} rows, export {seconds:.1f} s"
            )
            line(target, single_row_latency(ask, lists, repeats=5), usual, note)


def line(name, latency, usual, note=""):
    median, high = latency
    print(f"  {name:16} p50 {median:9.2f} p99 {high:9.2f} µs   1/{usual[0] / median:<7.0f} {note}")


def throughput(model, X):
    """Print how many times LightGBM's own throughput a batch in C has, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        artifact = se.export.to_c(model, Path(folder, "exported_model.c"), compile=True)
        runner = open_target("c", artifact.extension)
        booster = model.booster_
        columns = list(np.ascontiguousarray(X.T))
        ratio = alternate(
            lambda: booster.predict(X, num_threads=1), lambda: runner.outputs(columns), repeats=5
        )
    print(f"  batch of {len(X):,}: LightGBM's time over C's {ratio}")


if __name__ == "__main__":
    main()
