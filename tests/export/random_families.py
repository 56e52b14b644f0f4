"""Families of models for the fuzz test: how each is built, and which tables it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn import ensemble, linear_model, naive_bayes, neural_network, tree
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

import stackens as se

__all__ = ["FAMILIES", "Family"]

ALL = ("binary", "multiclass", "regression")


@dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes
    ----------
    build : callable
        ``build(task, table, seed, **options)`` returns an estimator that is not fitted.
    table : {"moderate", "awkward", "typed", "mixed"}
        Which columns it takes: small numbers, any numbers, ``category`` besides, any values.
    missing : bool
        Whether it is fitted on missing values.
    limit : float
        Largest numbers to ask it about. Where products are summed up, larger ones cancel in
        another way in every library.
    options : dict of str -> tuple
        Values to choose from.
    """

    build: Callable[..., Any]
    table: str
    missing: bool = True
    limit: float = np.inf
    options: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    tasks: tuple[str, ...] = ALL


def _sklearn(module: Any, name: str, task: str, **options: Any) -> Any:
    return getattr(module, name + ("Regressor" if task == "regression" else "Classifier"))(
        **options
    )


def lightgbm(task: str, table: pd.DataFrame, seed: int, **options: Any) -> Any:
    made = LGBMRegressor if task == "regression" else LGBMClassifier
    few = {"n_estimators": 4, "min_child_samples": 2, "min_data_per_group": 2, "cat_smooth": 1.0}
    return made(verbose=-1, n_jobs=1, random_state=seed, **few | options)


def lightgbm_of_text(task: str, table: pd.DataFrame, seed: int, **options: Any) -> Any:
    """LightGBM on ordinal codes and raw numbers, missing values kept."""
    return make_pipeline(
        se.TabularEncoder(impute=None, encoding="ordinal"), lightgbm(task, table, seed, **options)
    )


def one_tree(task: str, table: pd.DataFrame, seed: int, **options: Any) -> Any:
    name = "ExtraTree" if options.pop("extra") else "DecisionTree"
    return _sklearn(tree, name, task, random_state=seed, **options)


def forest(task: str, table: pd.DataFrame, seed: int, *, name: str, **options: Any) -> Any:
    return _sklearn(ensemble, name, task, n_estimators=5, random_state=seed, **options)


def boosting(task: str, table: pd.DataFrame, seed: int, **options: Any) -> Any:
    return _sklearn(
        ensemble, "GradientBoosting", task, n_estimators=4, random_state=seed, **options
    )


def ada_boost(task: str, table: pd.DataFrame, seed: int) -> Any:
    return _sklearn(ensemble, "AdaBoost", task, n_estimators=4, random_state=seed)


def histogram(task: str, table: pd.DataFrame, seed: int, **options: Any) -> Any:
    few = {"max_iter": 4, "min_samples_leaf": 2, "early_stopping": False, "random_state": seed}
    return _sklearn(ensemble, "HistGradientBoosting", task, **few, **options)


def linear(task: str, table: pd.DataFrame, seed: int, *, name: str, scaled: bool) -> Any:
    regressors = {"logistic": "LinearRegression", "ridge": "Ridge", "sgd": "HuberRegressor"}
    classifiers = {"logistic": "LogisticRegression", "ridge": "RidgeClassifier"}
    if task == "regression":
        model = getattr(linear_model, regressors[name])()
    elif name == "sgd":
        model = linear_model.SGDClassifier(loss="log_loss", random_state=seed)
    else:
        model = getattr(linear_model, classifiers[name])()
    return make_pipeline(StandardScaler(), model) if scaled else model


def mlp(task: str, table: pd.DataFrame, seed: int, **options: Any) -> Any:
    return _sklearn(neural_network, "MLP", task, max_iter=8, random_state=seed, **options)


def bayes(task: str, table: pd.DataFrame, seed: int, *, name: str) -> Any:
    model = getattr(naive_bayes, name)()
    if name in ("MultinomialNB", "ComplementNB"):
        return make_pipeline(MinMaxScaler(clip=True), model)
    return model


INNER = ("logistic", "ridge", "tree", "forest", "histogram", "lightgbm", "mlp")


def _inner(name: str, task: str, table: pd.DataFrame, seed: int) -> Any:
    """A small model behind preprocessing."""
    if name in ("logistic", "ridge"):
        return linear(task, table, seed, name=name, scaled=False)
    if name == "tree":
        return one_tree(task, table, seed, extra=False, max_depth=4)
    if name == "forest":
        return forest(task, table, seed, name="ExtraTrees", max_depth=3)
    if name == "mlp":
        return mlp(task, table, seed, hidden_layer_sizes=(4,), activation="relu")
    return {"histogram": histogram, "lightgbm": lightgbm}[name](task, table, seed)


def column_transformer(
    task: str,
    table: pd.DataFrame,
    seed: int,
    *,
    inner: str,
    strategy: str,
    indicator: bool,
    drop: str | None,
    ordinal: bool,
) -> Any:
    numbers = [name for name in table if table[name].dtype.kind in "if"]
    texts = [name for name in table if name.startswith(("text", "words", "category"))]
    imputer = SimpleImputer(strategy=strategy, add_indicator=indicator)
    encoder = (
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-2)
        if ordinal
        else OneHotEncoder(handle_unknown="ignore", drop=drop, sparse_output=False)
    )
    parts = [("numbers", make_pipeline(imputer, StandardScaler()), numbers)]
    if texts:
        parts.append(("texts", encoder, texts))
    if ordinal and texts:  # codes of missing values are missing: keep them from what takes none
        parts[-1] = ("texts", make_pipeline(encoder, SimpleImputer(fill_value=-1)), texts)
    model = _inner(inner, task, table, seed)
    return make_pipeline(ColumnTransformer(parts, remainder="drop"), model)


def encoded(
    task: str, table: pd.DataFrame, seed: int, *, inner: str, encoding: str, indicator: bool
) -> Any:
    encoder = se.TabularEncoder(encoding=encoding, add_indicator=indicator, scale=True)
    return make_pipeline(encoder, _inner(inner, task, table, seed))


def torch_mlp(task: str, table: pd.DataFrame, seed: int, **options: Any) -> Any:
    name = "TorchMLPRegressor" if task == "regression" else "TorchMLPClassifier"
    return getattr(se, name)((8,), max_iter=2, random_state=seed, device="cpu", **options)


def _pool(task: str, table: pd.DataFrame, seed: int) -> list[tuple[str, Any]]:
    return [(name, encoded(task, table, seed, inner=name, encoding="one-hot", indicator=False))
            for name in ("logistic", "tree", "lightgbm")]  # fmt: skip


def stacked(task: str, table: pd.DataFrame, seed: int, *, final_fit: str) -> Any:
    name = "StackedRegressor" if task == "regression" else "StackedClassifier"
    pool = _pool(task, table, seed)
    return getattr(se, name)(pool, cv=2, final_fit=final_fit, random_state=seed)


def blended(task: str, table: pd.DataFrame, seed: int, *, weighting: str) -> Any:
    name = "BlendedRegressor" if task == "regression" else "BlendedClassifier"
    return getattr(se, name)(_pool(task, table, seed), cv=2, weighting=weighting, random_state=seed)


def distilled(task: str, table: pd.DataFrame, seed: int, *, student: str) -> Any:
    name = "DistilledRegressor" if task == "regression" else "DistilledClassifier"
    teacher = encoded(task, table, seed, inner="forest", encoding="ordinal", indicator=False)
    short = {"cv": 2, "guard": False, "outer": None, "augmentation": None}
    return getattr(se, name)(teacher, student=student, random_state=seed, **short)


FAMILIES = {
    "LightGBM": Family(
        lightgbm,
        "awkward",
        options={
            "zero_as_missing": (False, True),
            "use_missing": (True, True, False),
            "num_leaves": (2, 5, 9),
            "boosting_type": ("gbdt", "dart"),
        },
    ),
    "LightGBM of text": Family(
        lightgbm_of_text, "mixed", options={"zero_as_missing": (False, True), "num_leaves": (3, 9)}
    ),
    "LightGBM of categories": Family(
        lightgbm,
        "typed",
        options={"max_cat_to_onehot": (1, 4), "num_leaves": (2, 9), "n_estimators": (1, 4)},
    ),
    "HistGB of categories": Family(histogram, "typed", options={"max_leaf_nodes": (2, 6)}),
    "tree": Family(
        one_tree, "awkward", options={"extra": (False, True), "max_depth": (1, 3, None)}
    ),
    "forest": Family(
        forest,
        "awkward",
        options={"name": ("RandomForest", "ExtraTrees"), "max_depth": (2, 4)},
    ),
    "gradient boosting": Family(boosting, "awkward", missing=False, options={"max_depth": (1, 3)}),
    "AdaBoost": Family(ada_boost, "awkward", missing=False, tasks=("binary", "multiclass")),
    "HistGB": Family(histogram, "awkward", options={"max_leaf_nodes": (2, 6)}),
    "linear": Family(
        linear,
        "moderate",
        missing=False,
        limit=1e6,
        options={"name": ("logistic", "ridge", "sgd"), "scaled": (False, True)},
    ),
    "MLP": Family(
        mlp,
        "moderate",
        missing=False,
        limit=1e6,
        options={
            "hidden_layer_sizes": ((5,), (4, 3)),
            "activation": ("relu", "tanh", "logistic", "identity"),
        },
    ),
    "naive Bayes": Family(
        bayes,
        "moderate",
        missing=False,
        limit=1e6,
        options={"name": ("GaussianNB", "BernoulliNB", "MultinomialNB", "ComplementNB")},
        tasks=("binary", "multiclass"),
    ),
    "ColumnTransformer": Family(
        column_transformer,
        "mixed",
        limit=1e6,
        options={
            "inner": INNER,
            "strategy": ("mean", "median", "most_frequent", "constant"),
            "indicator": (False, True),
            "drop": (None, "first", "if_binary"),
            "ordinal": (False, True),
        },
    ),
    "TabularEncoder": Family(
        encoded,
        "mixed",
        limit=1e6,
        options={
            "inner": INNER,
            "encoding": ("ordinal", "one-hot"),
            "indicator": (False, True),
        },
    ),
    "TorchMLP": Family(
        torch_mlp,
        "mixed",
        limit=1e5,
        options={"n_bins": (0, 4), "categories": ("one_hot", "embedding")},
    ),
    "stacked": Family(stacked, "mixed", limit=1e6, options={"final_fit": ("auto", "bag", "refit")}),
    "blended": Family(
        blended, "mixed", limit=1e6, options={"weighting": ("simplex", "uniform", "greedy", "best")}
    ),
    "distilled": Family(
        distilled, "mixed", limit=1e6, options={"student": ("lightgbm", "tree", "linear", "mlp")}
    ),
}
