"""Rules on task vectors, the differences from a common base: task arithmetic, TIES, DARE."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.random import Philox
from numpy.typing import NDArray

from stackens.weight_averaging.rules._arithmetic import (
    BLOCK,
    accumulation_dtype,
    difference,
    real_parts,
    weighted_sum,
)
from stackens.weight_averaging.rules._rule import Rule, State, require_no_negative

__all__ = ["Dare", "TaskArithmetic", "Ties"]


@dataclass(frozen=True)
class TaskArithmetic(Rule):
    """The base plus ``scale`` times the weighted mean of the models' differences from it.

    The paper adds up θ₀ + Σ λₖ (θₖ − θ₀) with any λ: these are weights λ / Σ λ with
    ``scale`` Σ λ. With its single λ for n models, give equal weights and ``scale=n * λ``.

    Parameters
    ----------
    scale : float, default=1.0
        1 gives the weighted mean; below it the result stays nearer to the base, beyond it, or
        below zero (to unlearn a task), it is an extrapolation.

    References
    ----------
    Ilharco et al. (2023), Editing models with task arithmetic, arXiv:2212.04089.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> models, base = [np.array([2.0, 1.0]), np.array([1.0, 3.0])], np.ones(2)
    >>> rules.TaskArithmetic(scale=2 * 0.4)(models, [0.5, 0.5], base=base)
    array([1.4, 1.8])
    """

    scale: float = 1.0

    needs_base = True

    def __post_init__(self) -> None:
        _check_scale(self.scale, self)

    def merge(
        self,
        arrays: Sequence[NDArray],
        weights: NDArray[np.float64],
        base: Any,
        name: str,
        offset: int,
    ) -> NDArray:
        # As a sum over models and base, so that equal models give themselves at scale 1.
        return weighted_sum([*arrays, base], [*(self.scale * weights), 1 - self.scale])


@dataclass(frozen=True)
class Ties(Rule):
    """Trim small differences, elect a sign for each element, and average those that agree.

    For each model the ``density`` largest differences from the base are kept; the sign of their
    weighted sum is elected; the result is the base plus ``scale`` times the weighted mean of the
    kept differences with the elected sign (algorithm 1 of the paper). Two choices:

    1. Differences are trimmed tensor by tensor, so that models can be read one tensor at a time;
       the paper trims over all tensors at once.
    2. A difference equal to the smallest that is kept is kept too. Where the kept ones cancel
       out, none is elected and the base stays, as in the formula; the authors' code takes the
       sign of the majority of all elements.

    Parameters
    ----------
    density : float, default=0.2
        Share of each task vector to keep, above 0 and up to 1; the paper's k.
    scale : float, default=1.0
        Factor on the merged task vector; the paper's λ.

    References
    ----------
    Yadav et al. (2023), TIES-Merging: resolving interference when merging models,
    arXiv:2306.01708.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> models = [np.array([4.0, -1.0, 0.1]), np.array([2.0, 3.0, -0.1])]
    >>> rules.Ties(density=0.5)(models, [0.5, 0.5], base=np.zeros(3))
    array([3., 3., 0.])
    """

    density: float = 0.2
    scale: float = 1.0

    elementwise = False
    needs_base = True

    def __post_init__(self) -> None:
        _check_scale(self.scale, self)
        if not (isinstance(self.density, Real) and 0 < self.density <= 1):
            raise ValueError(
                "The 'density' parameter of Ties must be above 0 and at most 1. Got "
                f"{self.density!r}. Give the share of each task vector to keep, such as 0.2."
            )

    def merge(
        self,
        arrays: Sequence[NDArray],
        weights: NDArray[np.float64],
        base: Any,
        name: str,
        offset: int,
    ) -> NDArray:
        require_no_negative(weights, self)
        out = np.empty(base.shape, accumulation_dtype(*arrays))
        total, origin = real_parts(out), real_parts(base)
        rows = [
            (row, weight, self._smallest_kept(row, origin))
            for row, weight in zip(map(real_parts, arrays), weights, strict=True)
            if weight
        ]
        for start in range(0, total.size, BLOCK):
            part = slice(start, start + BLOCK)
            kept = []
            for row, _, smallest in rows:
                delta = difference(row[part], origin[part])
                delta *= np.abs(delta) >= smallest
                kept.append(delta)
            shares = [weight for _, weight, _ in rows]
            elected = np.sign(weighted_sum(kept, shares))
            merged, share = np.zeros_like(elected), np.zeros_like(elected)
            for delta, weight in zip(kept, shares, strict=True):
                delta *= elected
                np.maximum(delta, 0, out=delta)  # what is left agrees with the elected sign
                share += weight * (delta > 0)
                delta *= weight
                merged += delta
            share[share == 0] = 1.0
            total[part] = origin[part] + self.scale * elected * (merged / share)
        return out

    def _smallest_kept(self, row: NDArray, origin: NDArray) -> float:
        if self.density == 1 or not row.size:
            return 0.0
        sizes = np.abs(difference(row, origin))
        share = self.density * row.size * (1 - 1e-12)  # 0.1 * 30 is 3.0000000000000004
        n_trimmed = row.size - int(np.ceil(share))
        sizes.partition(n_trimmed)
        return float(sizes[n_trimmed])


@dataclass(frozen=True)
class Dare(Rule):
    """Drop most of each model's differences from the base at random, and rescale the others.

    Each element of a difference is dropped with probability ``drop_rate``, the others are divided
    by ``1 - drop_rate``, and another rule merges what results. Random numbers come from a counter
    that stands for the element, under a key for seed, model and tensor: they are the same
    whatever pieces a tensor comes in, on every machine, in any order.

    Parameters
    ----------
    drop_rate : float, default=0.9
        From 0 to below 1; the paper's p.
    random_state : int, default=0
        Another seed drops other elements.
    then : Rule, default=TaskArithmetic()
        What merges the differences, over a base of zeros.

    References
    ----------
    Yu et al. (2024), Language models are super Mario: absorbing abilities from homologous models
    as a free lunch, arXiv:2311.03099.

    Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3, DOI 10.1145/2063384.2063405.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> rules.Dare(drop_rate=0.5)([np.ones(8)], [1.0], base=np.zeros(8), name="w")
    array([2., 0., 2., 0., 0., 2., 0., 0.])
    """

    drop_rate: float = 0.9
    random_state: int = 0
    then: Rule = field(default_factory=TaskArithmetic)

    needs_base = True

    def __post_init__(self) -> None:
        if not (isinstance(self.drop_rate, Real) and 0 <= self.drop_rate < 1):
            raise ValueError(
                "The 'drop_rate' parameter of Dare must be at least 0 and below 1. Got "
                f"{self.drop_rate!r}. Give the share of differences to drop, such as 0.9."
            )
        if not isinstance(self.random_state, Integral):
            raise TypeError(
                "The 'random_state' parameter of Dare must be a whole number. Got "
                f"{self.random_state!r}. Give one such as 0."
            )
        if not isinstance(self.then, Rule):
            raise TypeError(
                f"The 'then' parameter of Dare must be a rule. Got {self.then!r}. Give one such as "
                "rules.Ties(density=0.5)."
            )

    @property
    def elementwise(self) -> bool:
        return self.then.elementwise

    def bind(self, states: Sequence[State]) -> Dare:
        return replace(self, then=self.then.bind(states))

    def merge(
        self,
        arrays: Sequence[NDArray],
        weights: NDArray[np.float64],
        base: Any,
        name: str,
        offset: int,
    ) -> NDArray:
        deltas = []
        for model, (array, weight) in enumerate(zip(arrays, weights, strict=True)):
            delta = np.zeros(array.shape, accumulation_dtype(array, base))
            if weight:
                difference(array, base, out=delta)
                delta *= self._kept(model, name, offset, delta.size).reshape(delta.shape)
                delta /= 1 - self.drop_rate
            deltas.append(delta)
        nothing = np.zeros_like(deltas[0])
        return base + self.then(deltas, weights, base=nothing, name=name, offset=offset)

    def _kept(self, model: int, name: str, offset: int, size: int) -> NDArray[np.bool_]:
        """Which elements stay: 32 random bits for each, of which a counter step gives eight."""
        digest = hashlib.sha256(f"{self.random_state}\n{model}\n{name}".encode()).digest()
        generator = Philox(key=int.from_bytes(digest[:16], "little"))
        generator.advance(offset // 8)
        skipped = offset % 8
        words = generator.random_raw((skipped + size + 1) // 2).astype("<u8", copy=False)
        bits = words.view("<u4")[skipped : skipped + size]
        return bits >= round(self.drop_rate * 2**32)


def _check_scale(scale: float, rule: Rule) -> None:
    if not (isinstance(scale, Real) and np.isfinite(scale)):
        raise ValueError(
            f"The 'scale' parameter of {type(rule).__name__} must be finite. Got {scale!r}. Give "
            "a number such as 1.0."
        )
