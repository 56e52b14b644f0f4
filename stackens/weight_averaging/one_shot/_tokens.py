"""Random tokens: as common as declared, and following each other as declared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["count_transitions", "draw_tokens"]

_LARGEST = 256  # vocabulary of which a matrix is still small
_FEWEST = 3  # pairs; of rarer ones a single row might show
_ANY = 0.05  # share of steps that go by the frequencies alone


def draw_tokens(
    size: tuple[int, ...],
    frequencies: NDArray[np.float64],
    transitions: NDArray[np.float64] | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw tokens; with transitions, each by the one before it on the last axis.

    Parameters
    ----------
    size : tuple of int
    frequencies : array of shape (vocabulary,)
    transitions : array of shape (vocabulary + 1, vocabulary), or None
        Weights of what follows each token; the last row of what comes first. Where all of a row
        are zero, the frequencies stand in.
    rng : numpy Generator
    """
    common = frequencies / frequencies.sum()
    if transitions is None:
        return rng.choice(len(common), size=size, p=common)
    totals = transitions.sum(axis=1, keepdims=True)
    steps = np.where(totals > 0, transitions / np.where(totals > 0, totals, 1.0), common)
    ends = steps.cumsum(axis=1)[:, :-1]
    chances = rng.random(size)
    tokens = np.empty(size, dtype=np.int64)
    before = np.full(size[:-1], len(common))
    for place in range(size[-1]):
        before = (chances[..., place, None] >= ends[before]).sum(axis=-1)
        tokens[..., place] = before
    return tokens


def count_transitions(
    rows: NDArray[np.int64], frequencies: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return how often each token follows each other one, as `draw_tokens` takes it.

    None for large vocabularies, for rows of one token, and where nothing is left: pairs that are
    rarer than three are left out.
    """
    size = len(frequencies)
    if size > _LARGEST or rows.shape[-1] < 2:
        return None
    after = rows.reshape(-1, rows.shape[-1])
    before = np.insert(after[:, :-1], 0, size, axis=1)
    counts = np.bincount((before * size + after).reshape(-1), minlength=(size + 1) * size)
    counts = np.where(counts >= _FEWEST, counts, 0).reshape(size + 1, size)
    if not counts.any():
        return None
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    common = frequencies / frequencies.sum()
    return np.where(totals > 0, (1 - _ANY) * shares + _ANY * common, 0.0).round(5)
