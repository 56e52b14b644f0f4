"""Sums of models that come one at a time, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.rules import accumulation_dtype, check_finite, is_averaged
from stackens.weight_averaging.rules._arithmetic import BLOCK, difference

__all__ = ["RunningSums", "plan_sums"]

_TOLERANCE = 1e-9  # of weights that sum to one


class RunningSums:
    """Weighted sums of models, in double precision.

    They are kept as deviations from the first model: equal models leave no rounding, and no bits
    are lost to what models of one basin have in common. Integers and bools are kept of the first
    and the last model.

    Parameters
    ----------
    n_sums : int, default=1
        How many sums, with weights of their own, are kept of the same models.
    """

    def __init__(self, n_sums: int = 1) -> None:
        self.n_sums = n_sums
        self.n_models = 0
        self._label = ""
        self._first: dict[str, NDArray] = {}
        self._last: dict[str, NDArray] = {}
        self._sums: dict[str, NDArray] = {}

    def add(
        self, arrays: Mapping[str, NDArray], weights: Sequence[float] | NDArray, label: str
    ) -> None:
        """Add a model, times one weight for each sum.

        Raises
        ------
        ValueError
            If the model holds NaN, naming the tensor and the model.
        """
        for name in arrays:
            array = arrays[name]
            if self.n_models == 0:
                self._begin(name, array)
                self._label = label
            if not is_averaged(array.dtype):
                self._last[name] = array.copy()
                continue
            first, sums = self._first[name], self._sums[name]
            if self.n_models == 0:
                check_finite([array], name, [label])
                continue
            flat, origin = array.reshape(-1), first.reshape(-1)
            for start in range(0, flat.size, BLOCK):
                part = slice(start, start + BLOCK)
                with np.errstate(invalid="ignore", over="ignore"):
                    deviation = np.subtract(flat[part], origin[part], dtype=sums.dtype)
                    is_finite = np.isfinite(deviation.sum())
                if not is_finite:  # a mask, if both have the same infinities
                    check_finite([first, array], name, [self._label, label])
                    deviation[flat[part] == origin[part]] = 0
                for total, weight in zip(sums, weights, strict=True):
                    if weight:
                        total[part] += deviation if weight == 1 else weight * deviation
        self.n_models += 1

    def _begin(self, name: str, array: NDArray) -> None:
        self._first[name] = array.copy()
        if is_averaged(array.dtype):
            self._sums[name] = np.zeros((self.n_sums, array.size), accumulation_dtype(array))

    def mixed(
        self,
        recipe: Sequence[float] | NDArray,
        own: float = 0.0,
        current: Mapping[str, NDArray] | None = None,
        *,
        integers: str = "last",
    ) -> Iterator[tuple[str, NDArray]]:
        """Yield the sums times the recipe, plus ``own`` times the current model, by name.

        The weights that come of it must sum to one over the models.

        Parameters
        ----------
        recipe : sequence of float of shape (n_sums,)
        own : float, default=0.0
        current : mapping or None, default=None
            A model that counts ``own`` beside what it has added to the sums.
        integers : {"first", "last"}, default="last"
            Which model's integers and bools to yield.
        """
        for name, first in self._first.items():
            if name in self._last:
                yield name, first if integers == "first" else self._last[name]
                continue
            mixed = np.tensordot(np.asarray(recipe), self._sums[name], 1).reshape(first.shape)
            if own and current is not None:
                mixed += own * difference(current[name], first)
            yield name, mixed + first


def plan_sums(
    rows: Sequence[NDArray[np.float64]],
) -> tuple[list[int], list[tuple[NDArray[np.float64], float]]]:
    """Find a few running sums that all averages of the first n models can be made of.

    ``rows[j]`` holds the weights of one average, of the first ``len(rows[j])`` models. The models
    are read once, in order, and each kept sum is such an average in the making. When model n has
    been added, an average of the first n is a combination of the kept sums and of model n itself
    if its weights are one of their weights so far: so equal and exponential weights need one sum
    each, linear weights two (or one beside equal ones), moving averages one, whatever the number
    of models; a schedule without any such structure needs a sum for each n.

    Returns
    -------
    kept : list of int
        The rows whose weights are summed up.
    recipes : list of (array of shape (n_kept,), float)
        For each row the coefficients of the sums and of the newest model read.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import schedules
    >>> from stackens.weight_averaging._running import plan_sums
    >>> rows = [schedules.linear(n, newest="first") for n in range(1, 101)]
    >>> kept, recipes = plan_sums(rows)
    >>> kept
    [99, 98]
    """
    kept: list[int] = []
    found: dict[int, tuple[NDArray[np.float64], float]] = {}
    for j in sorted(range(len(rows)), key=lambda j: -len(rows[j])):
        n = len(rows[j])
        basis = np.array([*(rows[k][:n] for k in kept), np.eye(n)[-1]])
        norms = np.maximum(np.linalg.norm(basis, axis=1), np.finfo(np.float64).tiny)
        scaled = np.linalg.lstsq((basis / norms[:, None]).T, rows[j], rcond=None)[0]
        coefficients = scaled / norms
        if np.abs(coefficients @ basis - rows[j]).max() > _TOLERANCE:
            kept.append(j)
            coefficients = np.array([*np.zeros(len(kept) - 1), 1.0, 0.0])
        found[j] = coefficients[:-1], float(coefficients[-1])
    recipes = [
        (np.pad(found[j][0], (0, len(kept) - len(found[j][0]))), found[j][1])
        for j in range(len(rows))
    ]
    return kept, recipes
