"""Whether the program of a fitted model answers as the model does."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stackens.export._program_of import program_of
from stackens.export.numpy import columns_of
from stackens.export.program import evaluate


def assert_exported(model, X, *, rtol=1e-12, atol=1e-15):
    """Read a model, compare its program with it on rows of X, and return the program."""
    program = program_of(model)
    found = answers(program, X)
    method = {"probabilities": "predict_proba", "scores": "decision_function"}
    expected = np.asarray(getattr(model, method.get(program.response, "predict"))(X))
    if program.response == "values":
        assert (expected.ndim == 1) == program.one_target
    np.testing.assert_allclose(found, expected.reshape(len(X), -1), rtol=rtol, atol=atol)
    if program.response == "probabilities":
        labels = program.classes[found.argmax(axis=1)]
        np.testing.assert_array_equal(labels, model.predict(X))
    return program


def answers(program, X):
    """Evaluate a program on rows of X."""
    kinds = [(column.name, column.kind) for column in program.columns]
    return evaluate(program, columns_of(X, kinds, program.named)[0])[0]


def mixed_table(kind, n=160, seed=0):
    """Rows of numbers, text, categories, booleans and dates, with missing values; and a target.

    Parameters
    ----------
    kind : {"binary", "multiclass", "regression"}
    """
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n),
            "income": np.exp(rng.normal(8, 1, n)),
            "town": rng.choice(["Oslo", "Rome", "Lima"], n).astype(object),
            "sex": pd.Categorical(rng.choice(["f", "m"], n)),
            "member": rng.random(n) > 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
        }
    )
    value = (X["age"] - 40) / 10 + np.log(X["income"]) + (X["town"] == "Oslo")
    value = (value + rng.normal(0, 0.7, n)).to_numpy()
    X.loc[rng.random(n) < 0.1, "age"] = np.nan
    X.loc[rng.random(n) < 0.1, "town"] = None
    if kind == "binary":
        return X, np.where(value > np.median(value), "yes", "no")
    if kind == "multiclass":
        return X, np.digitize(value, np.quantile(value, [0.3, 0.7]))
    return X, value
