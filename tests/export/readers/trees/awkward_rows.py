"""Rows on which copies of trees go wrong, and what a program answers to them."""

from __future__ import annotations

import numpy as np

from stackens.export.program import Program
from tests.export.readers.programs import program_of, run

TINY = float(np.float32(1e-35))
SPECIAL = np.array(
    [
        *(0.0, -0.0, 5e-324, -5e-324, 1e-310, 1e-30, -1e-30, TINY, -TINY, TINY / 2, -TINY / 2),
        *(np.nextafter(TINY, 1), np.nextafter(-TINY, -1), 5.5, -0.5, -1.0, 3.0, 1e6, 1.7e9),
        *(1.7e9 + 0.25, 2.0**24 + 1, 2.0**31, 2.0**32 + 1, 2.0**53 - 1, 1 - 2.0**53, 1e30, -1e30),
        *(1e39, -1e39, 1e300, -1e300, 1.7e308, -1.7e308),
    ]
)
SINGLE = float(np.finfo(np.float32).max)


def answers(program: Program, X) -> np.ndarray:
    """Run a program on rows of numbers; refused rows are NaN."""
    output, refused = run(program, X)
    output[refused] = np.nan
    return output


def assert_classifies(model, rows) -> None:
    """Whether scores and labels are those of the model, and probabilities nearly."""
    n = rows.shape[1]
    scores = model.decision_function(rows).reshape(len(rows), -1)
    np.testing.assert_array_equal(answers(program_of(model, n, "decision_function"), rows), scores)
    probabilities = answers(program_of(model, n), rows)
    np.testing.assert_allclose(probabilities, model.predict_proba(rows), atol=5e-16)
    position = answers(program_of(model, n, "predict"), rows)[:, 0].astype(int)
    np.testing.assert_array_equal(model.classes_[position], model.predict(rows))


def awkward_rows(program: Program, X, rng, *, n=2000, missing=True, limit=np.inf) -> np.ndarray:
    """Return rows of X with values at thresholds, beside them, special, missing and huge ones.

    Besides one step of double precision there is one of single precision. No number is farther
    from 0 than `limit`.
    """
    X = np.asarray(X, dtype=np.float64)
    trees = program.trees()
    thresholds = np.unique(np.concatenate([node.threshold for node in trees]))
    beside = [np.nextafter(thresholds, end) for end in (-np.inf, np.inf)]
    with np.errstate(over="ignore"):
        single = thresholds.astype(np.float32)
        coarse = [np.nextafter(single, np.float32(end)).astype(float) for end in (-np.inf, np.inf)]
    pool = np.concatenate([thresholds, *beside, single, *coarse, SPECIAL])
    pool = np.append(pool[np.abs(pool) <= limit], [np.nan] * missing * (len(pool) // 10))
    rows = X[rng.integers(0, len(X), n)]
    change = rng.random(rows.shape) < 0.4
    rows[change] = rng.choice(pool, change.sum())
    # each split met by a row that is at its threshold, and by rows beside it
    for node in trees:
        if node.width and X.shape[1] > node.feature.max(initial=0):
            for end in (None, -np.inf, np.inf):
                value = node.threshold if end is None else np.nextafter(node.threshold, end)
                kept = np.flatnonzero(np.abs(value) <= limit)
                more = X[rng.integers(0, len(X), len(kept))]
                more[np.arange(len(kept)), node.feature[kept]] = value[kept]
                rows = np.vstack([rows, more])
    return rows
