"""What inputs look like, said without data: ranges, smoothness, vocabularies; and draws of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from stackens.weight_averaging.one_shot._correlations import (
    alike_axes,
    axis_correlations,
    correlation_length,
    places_differ,
)
from stackens.weight_averaging.one_shot._fields import default_lengths, factor_of, uniform_fields
from stackens.weight_averaging.one_shot._tokens import count_transitions, draw_tokens

__all__ = ["InputSchema"]

_ENDS = (1e-4, 1 - 1e-4)  # normal draws stay within 3.7 deviations
_TRIMMED = np.linspace(0.005, 0.995, 9)  # of many rows no single one shows in these quantiles
_ASYMMETRY = 1e-6  # of a matrix of correlations that has been rounded
_FEW_LEVELS = 20  # whole numbers that span no more than this have their ends declared


@dataclass(frozen=True, eq=False, kw_only=True)
class InputSchema:
    """The declared look of one input of a network, from which synthetic inputs are drawn.

    Numbers are random but smooth fields, or correlated as declared; tokens are independent, or
    chains in which each goes by the one before. With only a range, rows are of all kinds that it
    allows, grey ones and black-and-white ones; with quantiles, or mean and deviation, numbers are
    as common as declared. The nearer draws come to real inputs, the better what is distilled on
    them: declare correlations or the smoothness if you know them.

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
    correlations : sequence of array-like or None, default=None
        For each axis of ``shape`` a matrix of how far the numbers along it go together, in place
        of a smoothness, or None. They are correlations of normal scores: of the numbers once their
        ranks have been made normal.
    vocabulary : int, default=None
        For tokens, which have no range: they are whole numbers from 0 to ``vocabulary - 1``.
    frequencies : array-like of shape (vocabulary,), default=None
        How common each token is; None means all the same.
    transitions : array-like of shape (vocabulary + 1, vocabulary), default=None
        Row i: how common each token is after token i, along the last axis; the last row: how
        common each is as the first. ``frequencies`` stand in for rows of zeros.

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
    correlations: Any = None
    vocabulary: int | None = None
    frequencies: Any = None
    transitions: Any = None

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
        for name in ("frequencies", "transitions"):
            if getattr(self, name) is not None:
                raise _wrong(name, "come with a vocabulary", getattr(self, name))
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
        if self.correlations is not None:
            self._check_correlations()

    def _check_correlations(self) -> None:
        must = "be one matrix or None for each axis of 'shape'"
        try:
            matrices = [
                None if one is None else np.array(one, dtype=np.float64)
                for one in self.correlations
            ]
        except (TypeError, ValueError) as error:
            raise _wrong("correlations", must, self.correlations) from error
        if len(matrices) != len(self.shape):
            raise _wrong("correlations", must, f"{len(matrices)} of them")
        for n, matrix in zip(self.shape, matrices, strict=True):
            if matrix is None:
                continue
            if matrix.shape != (n, n):
                raise _wrong("correlations", must, f"shape {matrix.shape} for an axis of {n}")
            if (
                not (np.abs(matrix) <= 1 + _ASYMMETRY).all()
                or not np.allclose(np.diag(matrix), 1.0)
                or not np.allclose(matrix, matrix.T, atol=_ASYMMETRY)
            ):
                raise _wrong(
                    "correlations", "be symmetric, from -1 to 1, and 1 on the diagonal", matrix
                )
        object.__setattr__(self, "correlations", tuple(matrices))

    def _check_tokens(self) -> None:
        numeric = ["low", "high", "mean", "deviation", "quantiles"]
        numeric += ["smoothness", "smooth_axes", "correlations"]
        if odd := [name for name in numeric if getattr(self, name) is not None]:
            raise ValueError(
                f"An input schema of tokens has a vocabulary and no {', '.join(odd)}. Got both. "
                "Declare several inputs by a list of schemas."
            )
        if not isinstance(self.vocabulary, int | np.integer) or self.vocabulary < 1:
            raise _wrong("vocabulary", "be a whole number above zero", self.vocabulary)
        for name, before in {"frequencies": (), "transitions": (self.vocabulary + 1,)}.items():
            if getattr(self, name) is None:
                continue
            self._set_numbers(name, leading=1)
            common, size = getattr(self, name), (*before, self.vocabulary)
            if common.shape != size or (common < 0).any() or not common.sum() > 0:
                numbers = " times ".join(map(str, size))
                raise _wrong(
                    name,
                    f"be {numbers} numbers of at least zero, one above it",
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
            if self.frequencies is None and self.transitions is None:
                return rng.integers(self.vocabulary, size=(n, *self.shape))
            common = np.ones(self.vocabulary) if self.frequencies is None else self.frequencies
            return draw_tokens((n, *self.shape), common, self.transitions, rng)
        # a range says nothing of the margins within it
        any_margins = self.low is not None
        uniform = uniform_fields(
            n, self.shape, self._lengths(), rng, factors=self._factors, any_margins=any_margins
        )
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

    @cached_property
    def _factors(self) -> dict[int, NDArray[np.float64]]:
        matrices = enumerate(self.correlations or ())
        return {axis: factor_of(matrix) for axis, matrix in matrices if matrix is not None}

    def _lengths(self) -> dict[int, tuple[float, ...]]:
        axes = [axis for axis in self.smooth_axes or () if axis not in self._factors]
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
        detailed: bool = False,
    ) -> InputSchema:
        """Declare what rows look like; for a site to run, which then sends the declaration alone.

        What the declaration reveals of the rows: nine quantiles for each feature (number on the
        last axis, and on every axis that is not smooth) over all rows and positions, from the 0.5%
        to the 99.5% one, which of few rows are nearly the extremes; which features are whole
        numbers, and the ends of those with up to 21 values; along which axes neighbours are alike,
        and one number for how much. With ``vocabulary``: how common each token is.

        ``detailed=True`` reveals more, for a better merged network: of axes of up to 64 positions
        or features the correlations along them; quantiles of each position, where positions differ
        as pixels of digits do, of 100 rows and more with up to 1,024 numbers; of up to 256 tokens
        how often one follows another, without pairs rarer than three.

        Neither is differentially private.

        Parameters
        ----------
        X : array-like of shape (n_rows, *shape)
            Without missing values.
        smooth_axes : tuple of int, default=None
            As in the class, but where rows have several axes None means those along which
            neighbours are alike in ``X``, about as far as along the smoothest, if there are any.
        vocabulary : int, default=None
            For tokens.
        detailed : bool, default=False
            Whether to tell how the numbers or tokens of a row go together, too.

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
            tokens = rows.astype(np.int64)
            counts = np.bincount(tokens.reshape(-1), minlength=vocabulary)
            return cls(
                shape=shape,
                vocabulary=vocabulary,
                frequencies=counts,
                transitions=count_transitions(tokens, counts) if detailed else None,
            )
        rows = rows.astype(np.float64)
        axes = alike_axes(rows) if smooth_axes is None else smooth_axes
        over = (0, *(axis + 1 for axis in range(len(shape) - 1) if axis in axes))
        whole = (rows == np.rint(rows)).all(axis=over, keepdims=True)[0]
        own = next((i for i, n in enumerate(whole.shape[:-1]) if n > 1), whole.ndim - 1)
        integer = whole.reshape(whole.shape[own:])
        if detailed and places_differ(rows, over):
            over, own = (0,), 0
        quantiles = np.quantile(rows, _TRIMMED, axis=over, keepdims=True)[:, 0]
        lowest, highest = rows.min(axis=over, keepdims=True), rows.max(axis=over, keepdims=True)
        few = whole & (highest - lowest <= _FEW_LEVELS)[0]
        quantiles[0] = np.where(few, lowest[0], quantiles[0])
        quantiles[-1] = np.where(few, highest[0], quantiles[-1])
        correlations = axis_correlations(rows, over) if detailed else []
        return cls(
            shape=shape,
            quantiles=quantiles.reshape(len(quantiles), *quantiles.shape[own + 1 :]),
            integer=integer,
            smoothness=correlation_length(rows, axes) if axes else None,
            smooth_axes=axes,
            correlations=correlations if any(one is not None for one in correlations) else None,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the declaration as plain numbers and lists, without what was not given."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        given = {name: value for name, value in fields.items() if value is not None}
        if not np.any(self.integer):
            del given["integer"]
        plain = {
            name: np.asarray(v).tolist() for name, v in given.items() if name != "correlations"
        }
        if self.correlations is not None:
            plain["correlations"] = [None if m is None else m.tolist() for m in self.correlations]
        return plain


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


def _wrong(name: str, must: str, got: Any) -> ValueError:
    return ValueError(
        f"{name!r} of an input schema must {must}. Got {got!r}. Declare what one row looks like, "
        "such as InputSchema(shape=(24, 3), low=0, high=1)."
    )
