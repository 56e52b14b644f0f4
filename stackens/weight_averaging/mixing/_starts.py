"""Where learning starts: the best of what is known without learning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_start"]


def best_start(
    score: Callable[[NDArray[np.float64]], float], n_groups: int, n_models: int
) -> NDArray[np.float64]:
    """Return the best of equal weights, each model alone and the greedy soup.

    Parameters
    ----------
    score : callable
        Weights of shape (n_groups, n_models) -> a number, greater is better.
    n_groups, n_models : int

    References
    ----------
    Wortsman et al. (2022), arXiv:2203.05482, recipe 1 (greedy soup).
    """

    def tried(row: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        weights = np.tile(row, (n_groups, 1))
        return weights, score(weights)

    equal = tried(np.full(n_models, 1 / n_models))
    alone = [tried(row) for row in np.eye(n_models)]
    order = sorted(range(n_models), key=lambda model: -alone[model][1])
    taken, soup = [order[0]], alone[order[0]]
    for model in order[1:]:
        larger = [*taken, model]
        found = tried(np.bincount(larger, minlength=n_models) / len(larger))
        if found[1] >= soup[1]:
            taken, soup = larger, found
    return max(soup, equal, key=lambda found: found[1])[0]
