"""Model Stock: how far from the base the mean of fine-tuned models should stand, by their angle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.rules._arithmetic import inner_products, weighted_sum
from stackens.weight_averaging.rules._rule import Rule, require_no_negative

__all__ = ["ModelStock"]


@dataclass(frozen=True)
class ModelStock(Rule):
    """Interpolation between the base and the mean, per tensor, by the angle between the models.

    With cos θ between the models' differences from the base and N models, the result is
    t · mean + (1 − t) · base, t = N cos θ / (1 + (N − 1) cos θ): the point nearest to the centre
    around which fine-tuned models scatter. The paper has one angle and equal weights; here

    1. cos θ is the mean over all pairs of models, each pair by the product of its weights;
    2. N is 1 / Σ λ² for weights λ, which is the number of models where weights are equal, and
       makes t the same minimiser for others;
    3. models that point apart (cos θ below zero) have nothing in common and give the base.

    References
    ----------
    Jang, Yun & Han (2024), Model Stock: all we need is just a few fine-tuned models,
    arXiv:2403.19522.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> models = [np.array([1.0, 0.0]), np.array([0.6, 0.8])]  # cos θ = 0.6, t = 0.75
    >>> rules.ModelStock()(models, [0.5, 0.5], base=np.zeros(2))
    array([0.6, 0.3])
    """

    elementwise = False
    needs_base = True

    def merge(
        self,
        arrays: Sequence[NDArray],
        weights: NDArray[np.float64],
        base: Any,
        name: str,
        offset: int,
    ) -> NDArray:
        require_no_negative(weights, self)
        used = [array for array, weight in zip(arrays, weights, strict=True) if weight]
        shares = weights[weights != 0]
        if len(used) < 2:
            raise ValueError(
                "ModelStock needs at least two models, for the angle between them. Got "
                f"{len(used)} with a weight. Give more models, or use the rule 'task_arithmetic'."
            )
        products = inner_products(used, base)
        lengths = np.sqrt(np.diag(products))
        lengths[lengths == 0] = 1.0  # a model that never left the base has cosine zero
        cosines = products / np.outer(lengths, lengths)
        pairs = np.outer(shares, shares)
        np.fill_diagonal(pairs, 0.0)
        cosine = np.clip((pairs * cosines).sum() / pairs.sum(), 0.0, 1.0)
        n = 1 / np.square(shares).sum()
        t = n * cosine / (1 + (n - 1) * cosine)
        return weighted_sum([*used, base], [*(t * shares), 1 - t])
