"""Where learning starts: the best of what is known without learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging._evaluation import Score

__all__ = ["best_start"]


def best_start(
    score: Callable[[NDArray[np.float64]], Score], n_groups: int, names: Sequence[str]
) -> tuple[NDArray[np.float64], list[tuple[str, Score]]]:
    """Return the best of equal weights, each model alone and the greedy soup; and their scores.

    Parameters
    ----------
    score : callable
        Weights of shape (n_groups, n_models) -> their score, greater is better.
    n_groups : int
    names : sequence of str
        What the models are called.

    References
    ----------
    Wortsman et al. (2022), arXiv:2203.05482, recipe 1 (greedy soup).
    """
    n_models = len(names)

    def tried(row: NDArray[np.float64]) -> tuple[NDArray[np.float64], Score]:
        weights = np.tile(row, (n_groups, 1))
        return weights, score(weights)

    equal = tried(np.full(n_models, 1 / n_models))
    alone = [tried(row) for row in np.eye(n_models)]
    order = sorted(range(n_models), key=lambda model: -alone[model][1].mean)
    taken, soup = [order[0]], alone[order[0]]
    for model in order[1:]:
        larger = [*taken, model]
        found = tried(np.bincount(larger, minlength=n_models) / len(larger))
        if found[1].mean >= soup[1].mean:
            taken, soup = larger, found
    scores = [(name, found[1]) for name, found in zip(names, alone, strict=True)]
    scores += [("equal weights", equal[1]), ("greedy soup", soup[1])]
    return max(soup, equal, key=lambda found: found[1].mean)[0], scores
