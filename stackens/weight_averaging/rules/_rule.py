"""The protocol of averaging rules: several arrays of one shape become one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackens.weight_averaging.rules._arithmetic import BLOCK, accumulation_dtype

__all__ = ["Rule", "State", "check_statistics", "require_no_negative"]

State: TypeAlias = Mapping[str, NDArray]


class Rule(ABC):
    """A way to make one tensor of several, one from each model.

    A rule is a frozen dataclass of its parameters with one method, ``merge``. It holds no data
    of a merge, so threads may share it. Calling the rule checks the arguments, cuts the work into
    blocks where that makes no difference, and calls ``merge``. Integers and bools never reach a
    rule: see `merge_buffer`.

    Attributes
    ----------
    elementwise : bool
        Whether each element of the result depends on the same element of the arrays only, so
        that the rule may be applied to any piece of a tensor, to the same bits.
    needs_base : bool
        Whether the rule wants the common ancestor of the models.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from stackens.weight_averaging import rules
    >>> @dataclass(frozen=True)
    ... class Median(rules.Rule):
    ...     def merge(self, arrays, weights, base, name, offset):
    ...         return np.median(arrays, axis=0)
    >>> Median()([np.zeros(2), np.ones(2), np.full(2, 7.0)], [0.2, 0.2, 0.6])
    array([1., 1.])
    """

    @property
    def elementwise(self) -> bool:
        return True

    @property
    def needs_base(self) -> bool:
        return False

    def bind(self, states: Sequence[State]) -> Self:
        """Return the rule made ready for these models; called once, before any tensor is merged.

        Most rules need nothing and return themselves. Those that hold statistics check them
        against the models, and RegMean keeps the models, since a bias depends on its weight.

        Parameters
        ----------
        states : sequence of mapping of str to array
            The models in order. Values may be read from disk when they are asked for: a rule
            looks at ``shape``, and reads only what it merges together.

        Returns
        -------
        Rule

        Raises
        ------
        ValueError
            If the rule does not fit the models.
        """
        del states
        return self

    @abstractmethod
    def merge(
        self,
        arrays: Sequence[NDArray],
        weights: NDArray[np.float64],
        base: Any,
        name: str,
        offset: int,
    ) -> NDArray:
        """Return the merged array in double precision, not rounded; the arguments are checked.

        Parameters
        ----------
        arrays : sequence of ndarray
            One for each model, of one shape: pieces of one dimension for an elementwise rule,
            whole tensors for another. Never to be written to.
        weights : ndarray of shape (n_models,)
            They sum to one. An array of weight zero must not count, whatever it holds.
        base : ndarray or None
            The common ancestor's, of the same shape; given where ``needs_base``.
        name : str
            Name of the tensor.
        offset : int
            Where the piece begins in the flattened tensor, in elements.
        """

    def __call__(
        self,
        arrays: Sequence[ArrayLike],
        weights: ArrayLike,
        *,
        base: ArrayLike | None = None,
        name: str = "",
        offset: int = 0,
    ) -> NDArray:
        """Return the merged array in double precision; the caller rounds once.

        Parameters
        ----------
        arrays : sequence of array-like
            One for each model, of one shape, floating or complex.
        weights : array-like of shape (n_models,)
            They sum to one.
        base : array-like or None, default=None
            The common ancestor's array, for rules with ``needs_base``.
        name : str, default=""
            Name of the tensor, for rules that hold statistics or draw random numbers.
        offset : int, default=0
            For a piece of a tensor: its first element's place in the flattened tensor.

        Returns
        -------
        ndarray of float64 or complex128

        Raises
        ------
        ValueError
            If shapes or the number of weights do not agree, weights do not sum to one, or the
            base is missing.
        TypeError
            If the arrays are neither floating nor complex.
        """
        models = [np.asarray(array) for array in arrays]
        ancestor = np.asarray(base) if base is not None and self.needs_base else None
        shares = np.asarray(weights, dtype=np.float64)
        self._check(models, shares, ancestor, name)
        if not self.elementwise:
            return self.merge(models, shares, ancestor, name, offset)
        out = np.empty(models[0].shape, accumulation_dtype(*models))
        total = out.reshape(-1)
        rows = [model.reshape(-1) for model in models]
        origin = None if ancestor is None else ancestor.reshape(-1)
        for start in range(0, total.size, BLOCK):
            part = slice(start, start + BLOCK)
            pieces = [row[part] for row in rows]
            below = None if origin is None else origin[part]
            total[part] = self.merge(pieces, shares, below, name, offset + start)
        return out

    def _check(
        self, models: list[NDArray], shares: NDArray, ancestor: NDArray | None, name: str
    ) -> None:
        what = f"{type(self).__name__} on tensor {name!r}"
        if not models or shares.shape != (len(models),):
            raise ValueError(
                f"{what} needs one weight for each array. Got {len(models)} arrays and weights of "
                f"shape {shares.shape}. Give as many weights as models."
            )
        if not abs(shares.sum() - 1) <= 1e-6:
            raise ValueError(
                f"{what} needs weights that sum to one. Got {shares.tolist()}. Use "
                "stackens.schedules.resolve."
            )
        if self.needs_base and ancestor is None:
            raise ValueError(
                f"{what} needs the model that all models were fine-tuned from. Got no base. Give "
                "it as base=..., or choose rule='mean'."
            )
        shapes = {array.shape for array in (*models, *([] if ancestor is None else [ancestor]))}
        if len(shapes) > 1:
            raise ValueError(
                f"{what} needs arrays of one shape. Got {sorted(shapes)}. Compare the models with "
                "check_same first."
            )
        accumulation_dtype(*models)


def require_no_negative(weights: NDArray[np.float64], rule: Rule) -> None:
    """Raise if a weight is negative, for rules whose formula has no meaning then."""
    if (weights < 0).any():
        raise ValueError(
            f"{type(rule).__name__} takes no negative weights. Got {weights.tolist()}. Use the "
            "rules 'mean' or 'task_arithmetic' to extrapolate."
        )


def check_statistics(
    statistics: Sequence[Mapping[str, Any]], states: Sequence[State], rule: Rule
) -> None:
    """Raise unless there are statistics of each model, of the same tensors, which it has."""
    what = f"{type(rule).__name__} needs statistics"
    if len(statistics) != len(states):
        raise ValueError(
            f"{what} of each model. Got {len(statistics)} of them for {len(states)} models. Give "
            "one mapping for each model, in order."
        )
    for model, named in enumerate(statistics):
        if differing := sorted(set(named) ^ set(statistics[0])):
            raise ValueError(
                f"{what} of the same tensors from all models. Got {differing} from only one of "
                f"the models 0 and {model}. Compute them for all models, or leave them out."
            )
    if unknown := sorted(set(statistics[0]) - set(states[0])):
        raise ValueError(
            f"{what} under the names of the models' tensors. Got {unknown}, which the models do "
            f"not have. Their names are {sorted(states[0])[:20]}."
        )
