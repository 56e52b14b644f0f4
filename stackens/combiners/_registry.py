"""Names of combiners, as users write them in ``weighting`` and in strategies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stackens.combiners._auto import AutoCombiner
from stackens.combiners._base import Combiner
from stackens.combiners._greedy import GreedySelection
from stackens.combiners._linear import NonNegativeLeastSquares, RidgeLeaveOneOut
from stackens.combiners._logistic import LogisticOnLogits, LogLinearPool
from stackens.combiners._means import BestSingle, FixedWeights, MajorityVote, UniformMean
from stackens.combiners._simplex import SimplexWeights
from stackens.combiners._two_scale import TwoScalePool

__all__ = ["COMBINERS", "combiner_for"]

COMBINERS: dict[str, type[Combiner]] = {
    "auto": AutoCombiner,
    "best": BestSingle,
    "greedy": GreedySelection,
    "log_pool": LogLinearPool,
    "logistic": LogisticOnLogits,
    "nnls": NonNegativeLeastSquares,
    "ridge": RidgeLeaveOneOut,
    "simplex": SimplexWeights,
    "two_scale": TwoScalePool,
    "uniform": UniformMean,
    "vote": MajorityVote,
}
_SCORED = (AutoCombiner, GreedySelection)


def combiner_for(weighting: Any, scoring: str | Callable[..., float] | None = None) -> Combiner:
    """Return the combiner that a name, an array of weights or a combiner stands for.

    Parameters
    ----------
    weighting : str, array-like of shape (n_models,) or Combiner
        A key of ``COMBINERS``; weights of the models in order; or a combiner, which is
        returned as it is.
    scoring : str, callable or None, default=None
        The scorer that ``"greedy"`` and ``"auto"`` optimise. The others have a loss of
        their own.

    Returns
    -------
    Combiner

    Raises
    ------
    ValueError
        If the name is not known.
    TypeError
        If it is none of these.

    Examples
    --------
    >>> from stackens.combiners import combiner_for
    >>> combiner_for("greedy", scoring="roc_auc")
    GreedySelection(scoring='roc_auc')
    >>> combiner_for([0.7, 0.3])
    FixedWeights(weights=[0.7, 0.3])
    """
    if isinstance(weighting, str):
        if weighting not in COMBINERS:
            raise ValueError(
                f"The 'weighting' parameter must be one of {sorted(COMBINERS)}, an array of "
                f"weights or a combiner. Got {weighting!r} instead. Correct the name."
            )
        kind = COMBINERS[weighting]
        if issubclass(kind, _SCORED):
            return kind(scoring=scoring)
        return kind()
    # A class has these methods too, and a Series has one of them.
    methods = hasattr(weighting, "fit") and hasattr(weighting, "combine")
    if methods and not isinstance(weighting, type):
        return weighting
    if isinstance(weighting, (list, tuple, np.ndarray)) or hasattr(weighting, "__array__"):
        return FixedWeights(weighting)
    raise TypeError(
        "The 'weighting' parameter must be a name, an array of weights or a combiner. Got "
        f"{type(weighting).__name__} instead. The names are {sorted(COMBINERS)}."
    )
