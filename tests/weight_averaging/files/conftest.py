"""Small checkpoints in files."""

import numpy as np
import pytest


@pytest.fixture
def states():
    """Three models of one architecture: floats of several widths, a counter, a mask."""
    random = np.random.default_rng(0)
    return [
        {
            "embedding": random.normal(size=(7, 3)).astype(np.float32),
            "weight": random.normal(size=(4, 5)),
            "half": random.normal(size=9).astype(np.float16),
            "scale": np.float32(random.normal()),
            "wave": random.normal(size=(3, 2)).astype(np.float32).view(np.complex64),
            "none": np.zeros((0, 3), np.float32),
            "steps": np.array(10 * model),
            "mask": np.array([True, model == 1, model != 1]),
        }
        for model in range(3)
    ]


@pytest.fixture
def npz_files(states, tmp_path):
    """The three models as .npz files."""
    paths = [tmp_path / f"step-{model}.npz" for model in range(len(states))]
    for path, state in zip(paths, states, strict=True):
        np.savez(path, **state)
    return paths


@pytest.fixture
def mean():
    """Return the weighted mean that a merge should give, rounded once."""

    def weighted(states, name, weights):
        first = states[0][name]
        if first.dtype.kind not in "fc":
            return states[-1][name]
        wide = np.complex128 if first.dtype.kind == "c" else np.float64
        total = sum(w * s[name].astype(wide) for w, s in zip(weights, states, strict=True))
        return np.asarray(total).astype(first.dtype)

    return weighted
