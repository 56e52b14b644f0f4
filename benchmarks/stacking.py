"""Speed and memory of cross-fitting, comparing and predicting, against scikit-learn.

    python benchmarks/stacking.py               everything
    python benchmarks/stacking.py mixed greedy  only these

Both sides run in one process, in turn, and the median of the ratios is what counts.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from timing import alternate, median_seconds, peak_mebibytes, python_seconds, seconds

import stackens as se


def mixed_pool() -> list:
    """Seven models of seven kinds."""
    return [
        ("lr", LogisticRegression(max_iter=1000)),
        ("rf", RandomForestClassifier(200, random_state=0)),
        ("et", ExtraTreesClassifier(200, bootstrap=True, random_state=0)),
        ("lgbm", LGBMClassifier(n_estimators=150, verbose=-1, random_state=0)),
        ("hgb", HistGradientBoostingClassifier(max_iter=120, random_state=0)),
        ("knn", KNeighborsClassifier(25)),
        ("nb", GaussianNB()),
    ]


def boosted_pool() -> list:
    """Boosted trees only, where nothing can be saved by out-of-bag rows."""
    return [
        ("lgbm-31", LGBMClassifier(n_estimators=150, verbose=-1, random_state=0)),
        ("lgbm-7", LGBMClassifier(n_estimators=300, num_leaves=7, verbose=-1, random_state=0)),
        ("hgb", HistGradientBoostingClassifier(max_iter=120, random_state=0)),
    ]


def table(n_samples: int = 10_000) -> tuple:
    """Training and test rows: 30 features, two classes, 3 percent of the labels flipped."""
    X, y = make_classification(
        n_samples + 5_000, 30, n_informative=12, flip_y=0.03, class_sep=0.7, random_state=0
    )
    return train_test_split(X, y, test_size=5_000, random_state=0)


def fit_ratio(title: str, pool: list, goal: float) -> None:
    """Fit time of a stack, both sides on two workers, and its log loss on test rows."""
    X, X_test, y, y_test = table()
    ours = se.StackedClassifier(pool, n_jobs=2)
    theirs = StackingClassifier(pool, n_jobs=2)
    ratio = alternate(lambda: ours.fit(X, y), lambda: theirs.fit(X, y))
    losses = [log_loss(y_test, model.predict_proba(X_test)) for model in (ours, theirs)]
    print(f"{title}: fit time over scikit-learn's {ratio}; goal at most {goal:.2f}")
    print(f"    test log loss {losses[0]:.4f} against {losses[1]:.4f}")


def mixed() -> None:
    """Fit time on the mixed pool."""
    fit_ratio("mixed pool", mixed_pool(), 1 / 3)


def boosted() -> None:
    """Fit time on boosted trees only."""
    fit_ratio("boosted trees", boosted_pool(), 1 / 1.2)


def compare() -> None:
    """Eight strategies compared, over one cross-fit of the same base models and rows."""
    X, _, y, _ = table()
    pool = mixed_pool()
    strategies = ["lgbm", "rf", "lr", "uniform", "simplex", "greedy", "logistic", "auto"]
    X_train, _, y_train, _ = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    ratio = alternate(
        lambda: se.compare(pool, X, y, strategies=strategies, outer=0.2, n_jobs=2),
        lambda: se.cross_fit(pool, X_train, y_train, n_jobs=2),
    )
    print(f"compare, 8 strategies: time over one cross_fit {ratio}; goal at most 1.15")


def one_row() -> None:
    """One row through a bag of five LightGBM models of 100 trees with 31 leaves."""
    X, X_test, y, _ = table()
    model = LGBMClassifier(n_estimators=100, num_leaves=31, verbose=-1)
    blend = se.BlendedClassifier([("lgbm", model)], weighting="uniform").fit(X, y)
    wrappers = blend.estimators_[0].models
    rows = iter([X_test[i : i + 1] for i in range(3_000)])
    ours = median_seconds(lambda: blend.predict_proba(next(rows)), repeats=2_000)

    def with_wrappers() -> None:
        row = next(rows)
        for wrapper in wrappers:
            wrapper.predict_proba(row)

    theirs = median_seconds(with_wrappers, repeats=200)
    print(f"one row, bag of 5 LightGBM: {ours * 1e3:.3f} ms; goal at most 0.5 ms")
    print(f"    over five calls of LightGBM's own wrapper: {ours / theirs:.2f}")


def greedy() -> None:
    """Greedy selection of 25 among 50 models on 20,000 rows, against a loop over the scorer."""
    for title, n_classes, scoring, goal in (
        ("log loss", 2, "neg_log_loss", 30),
        ("AUC", 2, "roc_auc", 100),
        ("log loss, 10 classes", 10, "neg_log_loss", 25),
    ):
        fitted = random_table(50, 20_000, n_classes)
        combiner = se.combiners.GreedySelection(scoring=scoring, max_models=25)
        ours = median_seconds(lambda c=combiner, t=fitted: c.fit(t), repeats=5)
        theirs = seconds(lambda s=scoring, t=fitted: loop_step(s, t)) * 25
        print(f"greedy, {title}: {ours * 1e3:.0f} ms; goal at most {goal} ms")
        print(f"    over a loop with scikit-learn's metric (one step timed): {ours / theirs:.4f}")


def random_table(n_models: int, n_samples: int, n_classes: int) -> se.OutOfFoldTable:
    """Out-of-fold predictions of made-up models of different quality."""
    from stackens._core._task import infer_task

    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, n_samples)
    signal = np.eye(n_classes)[y][:, None] * rng.uniform(0.5, 2.0, (n_models, 1))
    scores = signal + rng.normal(size=(n_samples, n_models, n_classes))
    values = np.exp(scores)
    values /= values.sum(axis=2, keepdims=True)
    names = tuple(f"m{i}" for i in range(n_models))
    task, y = infer_task(y, classification=True)
    return se.OutOfFoldTable(values, names, task, ("predict_proba",) * n_models, y=y)


def loop_step(scoring: str, fitted: se.OutOfFoldTable) -> float:
    """One step of selection as a plain loop: score every candidate with scikit-learn."""
    metric = {"neg_log_loss": log_loss, "roc_auc": roc_auc_score}[scoring]
    score = []
    for model in range(fitted.n_models):
        mean = (fitted.values[:, 0] + fitted.values[:, model]) / 2
        score.append(metric(fitted.y, mean[:, 1] if scoring == "roc_auc" else mean))
    return max(score)


def memory() -> None:
    """Peak memory of fitting the mixed pool, each side in an interpreter of its own."""
    code = (
        "import sys, warnings; sys.path.insert(0, 'benchmarks'); warnings.simplefilter('ignore')\n"
        "import stacking, stackens as se\n"
        "X, _, y, _ = stacking.table(20_000)\n"
        "stacking.{cls}(stacking.mixed_pool(), n_jobs=2).fit(X, y)"
    )
    ours = peak_mebibytes(code.format(cls="se.StackedClassifier"))
    theirs = peak_mebibytes(code.format(cls="StackingClassifier"))
    print(
        f"peak memory, mixed pool, 20,000 rows: {ours / theirs:.2f} of scikit-learn's "
        f"({ours:.0f} MiB against {theirs:.0f} MiB); goal at most 1.2"
    )


def start() -> None:
    """Import stackens and touch StackedClassifier, over importing sklearn.ensemble."""
    ratio = alternate(
        lambda: python_seconds("import stackens; stackens.StackedClassifier"),
        lambda: python_seconds("import sklearn.ensemble"),
        repeats=5,
    )
    print(f"import: time over sklearn.ensemble's {ratio}; goal at most 1.20")


PARTS = {f.__name__: f for f in (start, greedy, one_row, boosted, compare, mixed, memory)}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
