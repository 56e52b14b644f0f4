"""What inputs look like, said without data: ranges, smoothness, vocabularies; and draws of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from stackens.weight_averaging.one_shot._fields import default_lengths, uniform_fields

__all__ = ["InputSchema"]

_ENDS = (1e-4, 1 - 1e-4)  # normal draws stay within 3.7 deviations
_TRIMMED = np.linspace(0.005, 0.995, 9)  # of many rows no single one shows in these quantiles
_ALIKE = 0.3  # correlation of neighbours from which an axis is smooth
_MOST_ALIKE = 0.9999  # of which a length is finite
_FEW_LEVELS = 20  # whole numbers that span no more than this have their ends declared


@dataclass(frozen=True, eq=False, kw_only=True)
class InputSchema:
    """The declared look of one input of a network, from which synthetic inputs are drawn.

    Numbers are random but smooth fields; tokens are independent. With only a range, rows are of all
    kinds that it allows, grey ones and black-and-white ones; with quantiles, or mean and
    deviation, numbers are as common as declared. The nearer draws come to real inputs, the better
    what is distilled on them: declare the smoothness if you know it.

    Parameters
    ----------
    shape : tuple of int
        Of one row, such as ``(time, features)``, ``(channels, height, width)`` or ``(length,)``.
    low, high : float or array-like, default=None
        Range of the numbers, for all, or of a shape that broadcasts to ``shape``: one number for
        each feature, where features are the last axis.
    mean, deviation : float or array-like, default=None
        In place of a range, for numbers that are roughly normal.
    quantiles : array-like of shape (n_levels, ...), default=None
        In place of a range: quantiles at evenly spaced levels, the first and the last of them the
        ends of the range. Each broadcasts to ``shape``.
    integer : bool or array-like of bool, default=False
        Which numbers are whole; with ``low=0, high=1`` they are flags.
    smoothness : float or sequence of float, default=None
        How far neighbours along the smooth axes are alike: the correlation length, in steps. Of
        one number its half and its double are drawn too; of several each row takes one. None
        mixes lengths from none to the whole axis.
    smooth_axes : tuple of int, default=None
        Axes of ``shape`` along which neighbours are alike. None means all but the last, which
        are features; images in torch's order have ``(1, 2)``.
    vocabulary : int, default=None
        For tokens, which have no range: they are whole numbers from 0 to ``vocabulary - 1``.
    frequencies : array-like of shape (vocabulary,), default=None
        How common each token is; None means all the same.

    Raises
    ------
    ValueError
        If the declaration is incomplete or contradicts itself.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.weight_averaging.one_shot import InputSchema
    >>> hours = InputSchema(shape=(24, 3), low=[-20, 0, 0], high=[40, 100, 1], smoothness=6)
    >>> hours.draw(5, np.random.default_rng(0)).shape
    (5, 24, 3)
    >>> words = InputSchema(shape=(10,), vocabulary=50)
    >>> words.draw(2, np.random.default_rng(0)).dtype.name
    'int64'
    """

    shape: tuple[int, ...]
    low: Any = None
    high: Any = None
    mean: Any = None
    deviation: Any = None
    quantiles: Any = None
    integer: Any = False
    smoothness: Any = None
    smooth_axes: tuple[int, ...] | None = None
    vocabulary: int | None = None
    frequencies: Any = None

    def __post_init__(self) -> None:
        shape = tuple(np.atleast_1d(self.shape).tolist())
        if not shape or not all(isinstance(n, int) and n > 0 for n in shape):
            raise _wrong("shape", "be one or more whole numbers above zero", self.shape)
        object.__setattr__(self, "shape", shape)
        if self.vocabulary is None:
            self._check_numbers()
        else:
            self._check_tokens()

    def _check_numbers(self) -> None:
        given = [
            names
            for names in (("low", "high"), ("mean", "deviation"), ("quantiles",))
            if any(getattr(self, name) is not None for name in names)
        ]
        if len(given) != 1 or any(getattr(self, name) is None for name in given[0]):
            raise ValueError(
                "An input schema of numbers needs either 'low' and 'high', or 'mean' and "
                f"'deviation', or 'quantiles'. Got {given or 'none of them'}. Give one of the "
                "three, or 'vocabulary' for tokens."
            )
        if self.frequencies is not None:
            raise _wrong("frequencies", "come with a vocabulary", self.frequencies)
        for name in given[0]:
            self._set_numbers(name, leading=1 if name == "quantiles" else 0)
        if self.low is not None and not (self.low <= self.high).all():
            raise _wrong("high", f"be at least 'low' ({self.low.tolist()})", self.high)
        if self.deviation is not None and not (self.deviation >= 0).all():
            raise _wrong("deviation", "be at least zero", self.deviation)
        levels = self.quantiles
        if levels is not None and (len(levels) < 2 or (np.diff(levels, axis=0) < 0).any()):
            raise _wrong("quantiles", "be two or more rows that never fall", levels)
        object.__setattr__(self, "integer", np.asarray(self.integer, dtype=bool))
        self._check_fits("integer", self.integer.shape)
        axes = self.smooth_axes
        if axes is None:
            axes = tuple(range(len(self.shape) - 1))
        elif not set(axes) <= set(range(len(self.shape))):
            raise _wrong("smooth_axes", f"be axes of the shape {self.shape}, from 0", axes)
        object.__setattr__(self, "smooth_axes", tuple(axes))
        if self.smoothness is not None:
            lengths = np.atleast_1d(np.asarray(self.smoothness, dtype=np.float64))
            if lengths.ndim != 1 or not len(lengths) or not (lengths >= 0).all():
                raise _wrong("smoothness", "be lengths of at least zero, in steps", self.smoothness)
            if not np.isfinite(lengths).all():
                raise _wrong("smoothness", "be finite", self.smoothness)

    def _check_tokens(self) -> None:
        numeric = ("low", "high", "mean", "deviation", "quantiles", "smoothness", "smooth_axes")
        if odd := [name for name in numeric if getattr(self, name) is not None]:
            raise ValueError(
                f"An input schema of tokens has a vocabulary and no {', '.join(odd)}. Got both. "
                "Declare several inputs by a list of schemas."
            )
        if not isinstance(self.vocabulary, int | np.integer) or self.vocabulary < 1:
            raise _wrong("vocabulary", "be a whole number above zero", self.vocabulary)
        if self.frequencies is not None:
            self._set_numbers("frequencies", leading=1)
            common = self.frequencies
            if common.shape != (self.vocabulary,) or (common < 0).any() or not common.sum() > 0:
                raise _wrong(
                    "frequencies",
                    f"be {self.vocabulary} numbers of at least zero, one above it",
                    f"shape {common.shape}",
                )

    def _set_numbers(self, name: str, leading: int) -> None:
        given = getattr(self, name)
        try:
            values = np.array(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise _wrong(name, "be numbers", given) from error
        if not np.isfinite(values).all():
            raise _wrong(name, "be finite", given)
        object.__setattr__(self, name, values)
        if self.vocabulary is None:
            self._check_fits(name, values.shape[leading:])

    def _check_fits(self, name: str, shape: tuple[int, ...]) -> None:
        try:
            fits = np.broadcast_shapes(shape, self.shape) == self.shape
        except ValueError:
            fits = False
        if not fits:
            raise _wrong(name, f"broadcast to the shape {self.shape} of a row", f"shape {shape}")

    def draw(self, n: int, rng: np.random.Generator) -> NDArray:
        """Draw synthetic inputs.

        Parameters
        ----------
        n : int
            How many rows.
        rng : numpy Generator

        Returns
        -------
        array of shape (n, *shape)
            float64, or int64 for tokens.
        """
        if self.vocabulary is not None:
            if self.frequencies is None:
                return rng.integers(self.vocabulary, size=(n, *self.shape))
            common = self.frequencies / self.frequencies.sum()
            return rng.choice(self.vocabulary, size=(n, *self.shape), p=common)
        # a range says nothing of the margins within it
        any_margins = self.low is not None
        uniform = uniform_fields(n, self.shape, self._lengths(), rng, any_margins=any_margins)
        if self.mean is not None:
            values = self.mean + self.deviation * ndtri(np.clip(uniform, *_ENDS))
        elif self.quantiles is not None:
            values = _between(self.quantiles, uniform)
        else:
            values = self.low + (self.high - self.low) * uniform
            if self.integer.any():  # every whole number of the range as likely as the ends
                whole = np.floor(self.low + (self.high - self.low + 1) * uniform)
                return np.where(self.integer, np.clip(whole, self.low, self.high), values)
        return np.where(self.integer, np.rint(values), values)

    def _lengths(self) -> dict[int, tuple[float, ...]]:
        axes = self.smooth_axes or ()
        if self.smoothness is None:
            return {axis: default_lengths(self.shape[axis]) for axis in axes}
        lengths = np.atleast_1d(np.asarray(self.smoothness, dtype=np.float64))
        if len(lengths) == 1:
            lengths = lengths[0] * np.array([0.5, 1.0, 2.0])
        return {axis: tuple(lengths.tolist()) for axis in axes}

    @classmethod
    def describe(
        cls,
        X: ArrayLike,
        *,
        smooth_axes: tuple[int, ...] | None = None,
        vocabulary: int | None = None,
    ) -> InputSchema:
        """Declare what rows look like; for a site to run, which then sends the declaration alone.

        What the declaration reveals of the rows: nine quantiles for each feature (number on the
        last axis, and on every axis that is not smooth) over all rows and positions, from the 0.5%
        to the 99.5% one, which of few rows are nearly the extremes; which features are whole
        numbers, and the ends of those with up to 21 values; along which axes neighbours are alike,
        and one number for how much. With ``vocabulary``: how common each token is. It is not
        differentially private.

        Parameters
        ----------
        X : array-like of shape (n_rows, *shape)
            Without missing values.
        smooth_axes : tuple of int, default=None
            As in the class, but where rows have several axes None means those along which
            neighbours are alike in ``X``, about as far as along the smoothest, if there are any.
        vocabulary : int, default=None
            For tokens.

        Returns
        -------
        InputSchema

        Examples
        --------
        >>> import numpy as np
        >>> from stackens.weight_averaging.one_shot import InputSchema
        >>> rows = np.random.default_rng(0).uniform(0, 10, (200, 12, 2))
        >>> InputSchema.describe(rows).quantiles.shape
        (9, 2)
        """
        rows = np.asarray(X)
        if rows.ndim < 2 or not len(rows) or not np.isfinite(rows.astype(np.float64)).all():
            raise ValueError(
                "Rows to describe must be finite numbers of the shape (n_rows, ...). Got an array "
                f"of shape {rows.shape}, or missing values. Fill them as the network gets them."
            )
        shape = rows.shape[1:]
        if vocabulary is not None:
            counts = np.bincount(rows.reshape(-1).astype(np.int64), minlength=vocabulary)
            return cls(shape=shape, vocabulary=vocabulary, frequencies=counts)
        rows = rows.astype(np.float64)
        axes = _alike_axes(rows) if smooth_axes is None else smooth_axes
        over = (0, *(axis + 1 for axis in range(len(shape) - 1) if axis in axes))
        whole = (rows == np.rint(rows)).all(axis=over, keepdims=True)[0]
        quantiles = np.quantile(rows, _TRIMMED, axis=over, keepdims=True)[:, 0]
        lowest, highest = rows.min(axis=over, keepdims=True), rows.max(axis=over, keepdims=True)
        few = whole & (highest - lowest <= _FEW_LEVELS)[0]
        quantiles[0] = np.where(few, lowest[0], quantiles[0])
        quantiles[-1] = np.where(few, highest[0], quantiles[-1])
        own = next((i for i, n in enumerate(whole.shape[:-1]) if n > 1), whole.ndim - 1)
        return cls(
            shape=shape,
            quantiles=quantiles.reshape(len(quantiles), *whole.shape[own:]),
            integer=whole.reshape(whole.shape[own:]),
            smoothness=_correlation_length(rows, axes) if axes else None,
            smooth_axes=axes,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the declaration as plain numbers and lists, without what was not given."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        given = {name: value for name, value in fields.items() if value is not None}
        if not np.any(self.integer):
            del given["integer"]
        return {name: np.asarray(value).tolist() for name, value in given.items()}


def _between(quantiles: NDArray, uniform: NDArray) -> NDArray[np.float64]:
    """Turn uniform numbers into ones with these quantiles, linear between levels."""
    place = uniform * (len(quantiles) - 1)
    below = np.minimum(place.astype(np.intp), len(quantiles) - 2)
    levels = np.broadcast_to(
        quantiles.reshape(
            len(quantiles), *(1,) * (uniform.ndim - quantiles.ndim), *quantiles.shape[1:]
        ),
        (len(quantiles), *uniform.shape[1:]),
    )
    lower = np.take_along_axis(levels, below, axis=0)
    upper = np.take_along_axis(levels, below + 1, axis=0)
    return lower + (upper - lower) * (place - below)


def _correlation_length(rows: NDArray[np.float64], axes: tuple[int, ...]) -> float:
    """Return the length at which a squared-exponential field is as alike as neighbours here."""
    over = (0, *(axis + 1 for axis in range(rows.ndim - 2) if axis in axes))
    alike = [value for axis, value in _alike(rows, over).items() if axis in axes]
    mean = float(np.clip(np.mean(alike), 0.0, _MOST_ALIKE)) if alike else 0.0
    return float(np.sqrt(-0.5 / np.log(mean))) if mean > 0.05 else 0.0


def _alike_axes(rows: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the axes along which neighbours are alike over rows; if none, all but the last.

    One length is declared for all of them: what is alike over less than half of the longest, as
    features beside time are, is left out. The columns of a table are in any order: rows with one
    axis have none.
    """
    if rows.ndim == 2:
        return ()
    alike = _alike(rows, (0,))
    most = float(np.clip(max(alike.values(), default=0.0), 0.0, _MOST_ALIKE))
    least = max(_ALIKE, most**4)  # of a squared-exponential field at half the length
    found = tuple(axis for axis, value in alike.items() if value >= least)
    return found or tuple(range(rows.ndim - 2))


def _alike(rows: NDArray[np.float64], over: tuple[int, ...]) -> dict[int, float]:
    """Return, for each axis, the correlation of neighbours along it, standardised over axes."""
    centred = rows - rows.mean(axis=over, keepdims=True)
    deviations = centred.std(axis=over, keepdims=True)
    scaled = centred / np.where(deviations > 0, deviations, 1.0)
    spread = float(np.mean(scaled**2)) or 1.0  # below 1 where some numbers never change
    return {
        axis: float(
            np.mean(
                np.take(scaled, range(n - 1), axis + 1) * np.take(scaled, range(1, n), axis + 1)
            )
        )
        / spread
        for axis in range(rows.ndim - 1)
        if (n := rows.shape[axis + 1]) > 1
    }


def _wrong(name: str, must: str, got: Any) -> ValueError:
    return ValueError(
        f"{name!r} of an input schema must {must}. Got {got!r}. Declare what one row looks like, "
        "such as InputSchema(shape=(24, 3), low=0, high=1)."
    )
