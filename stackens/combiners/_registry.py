"""Names of combiners, as users write them in ``weighting`` and in strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
_SCORED = ("auto", "greedy")


def combiner_for(weighting: Any, scoring: str | Callable[..., float] | None = None) -> Combiner:
    """Return the combiner that a name, an array of weights or a combiner stands for.

    Parameters
    ----------
    weighting : str, array-like of shape (n_models,), dict of name -> weight, or Combiner
        A key of ``COMBINERS``; weights of the models, in order or by name; or a combiner,
        which is returned as it is.
    scoring : str, callable or None, default=None
        The scorer that ``"greedy"`` and ``"auto"`` optimise. The others have a loss of
        their own, and take none.

    Returns
    -------
    Combiner

    Raises
    ------
    ValueError
        If the name is not known, or takes no scorer and one is given.
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
    if isinstance(weighting, str) and weighting not in COMBINERS:
        raise ValueError(
            f"The 'weighting' parameter must be one of {sorted(COMBINERS)}, weights of the models "
            f"or a combiner. Got {weighting!r} instead. Correct the name."
        )
    if isinstance(weighting, str) and weighting in _SCORED:
        return COMBINERS[weighting]().set_params(scoring=scoring)
    if scoring is not None:
        raise ValueError(
            f"The 'scoring' parameter needs a weighting that optimises a scorer: {_SCORED}. Got "
            f"scoring={scoring!r} and weighting={weighting!r:.200}. Choose one of them, or leave "
            "'scoring' out; a combiner takes its own scoring."
        )
    if isinstance(weighting, str):
        return COMBINERS[weighting]()
    # A class has these methods too, and a Series has one of them.
    methods = hasattr(weighting, "fit") and hasattr(weighting, "combine")
    if methods and not isinstance(weighting, type):
        return weighting
    if isinstance(weighting, (list, tuple, np.ndarray, Mapping)) or hasattr(weighting, "__array__"):
        return FixedWeights(weighting)
    is_class = isinstance(weighting, type)
    got = f"the class {weighting.__name__}" if is_class else type(weighting).__name__
    remedy = "Create it first, with brackets" if is_class else f"The names are {sorted(COMBINERS)}"
    raise TypeError(
        "The 'weighting' parameter must be a name, weights of the models or a combiner. Got "
        f"{got} instead. {remedy}."
    )
