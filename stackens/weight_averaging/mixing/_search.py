"""Mixing weights found by trying, for scores without a gradient such as accuracy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from tqdm import tqdm

from stackens.weight_averaging._evaluation import Score
from stackens.weight_averaging.mixing._constraint import Constraint, free_parameters, weights_from

__all__ = ["search"]

# Among COBYQA, Powell's method, Nelder-Mead and an evolution strategy, from the greedy soup of
# 12 networks and with 300 trials each, COBYQA came furthest for accuracy and for log loss.
_METHOD = "COBYQA"


def search(
    score: Callable[[NDArray[np.float64]], Score],
    start: NDArray[np.float64],
    begin: Score,
    constraint: Constraint,
    *,
    max_evaluations: int,
    verbose: int = 0,
) -> tuple[NDArray[np.float64], Score, list[dict[str, float]]]:
    """Return the weights with the best score met on the way, that score, and all scores.

    Parameters
    ----------
    score : callable
        Weights of shape (n_groups, n_models) -> their score, greater is better.
    start : array of shape (n_groups, n_models)
    begin : Score
        That of the start.
    constraint : {"simplex", "bounded", "free"}
    max_evaluations : int
        How often `score` may be called.
    verbose : int, default=0
        Above 0 shows a progress bar.

    References
    ----------
    Ragonneau & Zhang (2024), "COBYQA: a derivative-free trust-region solver", arXiv:2408.06911.
    """
    best = start, begin
    history = [{"evaluation": 0, "score": best[1].mean}]
    progress = tqdm(total=max_evaluations, desc="mixing", disable=not verbose, unit="trial")

    def objective(parameters: NDArray[np.float64]) -> float:
        nonlocal best
        weights = weights_from(parameters.reshape(start.shape), constraint)
        found = score(weights)
        history.append({"evaluation": len(history), "score": found.mean})
        progress.update()
        if found.mean > best[1].mean:
            best = weights, found
        return -found.mean if np.isfinite(found.mean) else np.inf

    with progress:
        minimize(
            objective,
            free_parameters(start, constraint).ravel(),
            method=_METHOD,
            options={
                "maxfev": max_evaluations,
                # A step of one multiplies the odds by e; free weights are near 1 / n_models.
                "initial_tr_radius": 1.0 if constraint != "free" else 1.0 / start.shape[1],
                "scale": False,
            },
        )
    return *best, history
