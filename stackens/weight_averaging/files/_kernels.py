"""One piece of one output tensor, from the same piece of every checkpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stackens.schedules import Newest
from stackens.weight_averaging.files._dtypes import DType, round_into, widen, widen_into
from stackens.weight_averaging.files._mixed import MixedCrc
from stackens.weight_averaging.files._sources import OpenFiles, Source
from stackens.weight_averaging.rules import (
    Rule,
    WeightedMean,
    check_finite,
    merge_buffer,
    weighted_sum,
)

__all__ = ["Job", "Kernels"]

# Doubles in one row of the matrix of a mean, and its rows: few enough for the cache, and enough
# that the calls cost little. The buffers of a thread take 4 MiB, or 5 for bfloat16.
_ROW = 1 << 15
_ROWS = 8
_NUMBERS = 1 << 18  # of all checkpoints together, that other rules get at a time


@dataclass(frozen=True, eq=False)
class Job:
    """One tensor of the output, and what it is made of.

    Parameters
    ----------
    name : str
    shape : tuple of int
    dtype, out_dtype : DType
    sources : sequence of Source
        One for each checkpoint.
    labels : sequence of str
        What errors call the checkpoints.
    weights : array of shape (n_checkpoints,)
    rule : Rule or None
        None copies: the newest's numbers, or what most checkpoints have.
    base : Source or None
        The same tensor of the common ancestor.
    newest : {"last", "first"}
    majority : bool
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    out_dtype: DType
    sources: tuple[Source, ...]
    labels: tuple[str, ...]
    weights: NDArray[np.float64]
    rule: Rule | None
    base: Source | None = None
    newest: Newest = "last"
    majority: bool = False

    @cached_property
    def size(self) -> int:
        """How many numbers there are."""
        return math.prod(self.shape)

    @property
    def parts(self) -> int:
        """Real numbers in one number."""
        return 2 if self.dtype.kind == "complex" else 1

    @property
    def is_mean(self) -> bool:
        """Whether the rule is the plain weighted mean, not a subclass that may differ."""
        return type(self.rule) is WeightedMean

    @property
    def read(self) -> tuple[Source, ...]:
        """All that is read: copies are made of the newest checkpoint's numbers alone."""
        if self.rule is None and not self.majority:
            return (self.sources[-1 if self.newest == "last" else 0],)
        return self.sources if self.base is None else (*self.sources, self.base)

    @property
    def in_order(self) -> bool:
        """Whether one thread should read the tensor from its start to its end."""
        return any(source.in_order for source in self.sources)

    @cached_property
    def chunk(self) -> int:
        """How many numbers are worked on at a time, however many threads there are."""
        if self.rule is not None and not self.rule.elementwise:
            return max(1, self.size)
        if self.is_mean or (self.rule is None and not self.majority):
            return _ROW // self.parts
        return max(1 << 8, _NUMBERS // len(self.sources))

    @cached_property
    def whole_weights(self) -> tuple[NDArray[np.float64], float]:
        """What to multiply checkpoints by for a mean, and to divide their sum by."""
        return _whole_weights(self.weights)


class Kernels:
    """The buffers of one thread, and the ways to fill them.

    Parameters
    ----------
    files : OpenFiles
        The input files, as this thread has them open.
    """

    def __init__(self, files: OpenFiles) -> None:
        self._files = files
        self._job: Job | None = None
        self._crc = MixedCrc(())

    def take_crc(self) -> int | None:
        """Return the `MixedCrc` of what was read since this was last asked."""
        return self._crc.take()

    @cached_property
    def _rows(self) -> NDArray[np.float64]:
        return np.empty(_ROWS * _ROW)

    @cached_property
    def _raw(self) -> NDArray[np.uint8]:
        return np.empty(4 * _ROWS * _ROW, np.uint8)

    @cached_property
    def _scratch(self) -> NDArray[np.uint32]:
        return np.empty(_ROWS * _ROW, np.uint32)

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        return np.empty((3, _ROW))

    @cached_property
    def _out(self) -> NDArray[np.uint8]:
        return np.empty(8 * _ROW, np.uint8)

    def __call__(self, job: Job, start: int, stop: int) -> NDArray:
        """Return the numbers of the output from start to stop, in its format.

        The array is a buffer that the next call writes to.

        Raises
        ------
        ValueError
            If a checkpoint holds NaN, or an infinity that the others do not have, or a result is
            too large for the output's format.
        """
        if job is not self._job:
            self._job, self._crc = job, MixedCrc(job.read)
        if job.rule is None:
            out = self._copied(job, start, stop)
            self._crc.end_chunk()
            return out
        values = (
            self._mean(job, start, stop)
            if job.is_mean
            else self._by_rule(job, job.rule, start, stop)
        )
        self._crc.end_chunk()
        out = self._out_buffer(job.out_dtype, stop - start)
        try:
            round_into(values, job.out_dtype, out, self._scratch)
        except FloatingPointError as error:
            raise ValueError(
                f"Averages must fit the dtype of the output. Got numbers in {job.name!r} that are "
                f"too large for {job.out_dtype}. Pass a wider dtype, such as 'float32'."
            ) from error
        return out

    def _copied(self, job: Job, start: int, stop: int) -> NDArray:
        if not job.majority:
            raw = self._out_buffer(job.dtype, stop - start)
            self._read(job.read[0], start, raw)
            return raw
        arrays = [self._array(job, source, start, stop) for source in job.sources]
        return merge_buffer(arrays, job.weights, how="majority", newest=job.newest)

    def _mean(self, job: Job, start: int, stop: int) -> NDArray:
        """Weighted mean in double precision, a few checkpoints at a time, as a matrix product."""
        n = (stop - start) * job.parts
        total, part, centre = self._sums[:, :n]
        # Double precision has no bits to spare in the sum: averaging differences keeps the mean of
        # equal models equal to them.
        double = job.dtype.itemsize == 8 * job.parts
        weights, divisor = job.whole_weights
        for first in range(0, len(job.sources), _ROWS):
            sources = job.sources[first : first + _ROWS]
            rows = self._rows[: len(sources) * n].reshape(len(sources), n)
            if double:
                self._read_rows(sources, start, rows.view(job.dtype.storage))
                if first == 0:
                    np.copyto(centre, rows[0])
                np.subtract(rows, centre, out=rows)
            else:
                raw = self._raw[: rows.size // job.parts * job.dtype.itemsize]
                raw = raw.view(job.dtype.storage).reshape(len(sources), -1)
                self._read_rows(sources, start, raw)
                widen_into(raw, job.dtype, rows, self._scratch)
            np.matmul(weights[first : first + _ROWS], rows, out=part if first else total)
            if first:
                np.add(total, part, out=total)
        if divisor != 1:
            np.divide(total, divisor, out=total)
        if double:
            np.add(total, centre, out=total)
        # The sum of squares is finite only if all are, so most pieces need no second look.
        if np.isfinite(np.dot(total, total)) or np.isfinite(total).all():
            return total
        arrays = [self._array(job, source, start, stop) for source in job.sources]
        check_finite(arrays, job.name, job.labels)
        return weighted_sum(arrays, job.weights)

    def _by_rule(self, job: Job, rule: Rule, start: int, stop: int) -> NDArray:
        arrays = [self._array(job, source, start, stop) for source in job.sources]
        counted = np.flatnonzero(job.weights)
        check_finite([arrays[i] for i in counted], job.name, [job.labels[i] for i in counted])
        base = None
        if job.base is not None:
            base = self._array(job, job.base, start, stop)
            check_finite([base], job.name, ["base"])
        if not rule.elementwise:
            arrays = [array.reshape(job.shape) for array in arrays]
            base = None if base is None else base.reshape(job.shape)
        return rule(arrays, job.weights, base=base, name=job.name, offset=start).reshape(-1)

    def _read_rows(self, sources: Sequence[Source], start: int, rows: NDArray) -> None:
        for source, row in zip(sources, rows, strict=True):
            self._read(source, start, row)

    def _read(self, source: Source, start: int, out: NDArray) -> None:
        source.read_into(start, out, self._files)
        self._crc.add(source, out)

    def _array(self, job: Job, source: Source, start: int, stop: int) -> NDArray:
        """Return an array of its own, of a type that numpy knows."""
        raw = np.empty(stop - start, job.dtype.storage)
        self._read(source, start, raw)
        return widen(raw, job.dtype)

    def _out_buffer(self, dtype: DType, n: int) -> NDArray:
        n_bytes = n * dtype.itemsize
        if n_bytes > len(self._out):  # a whole tensor
            return np.empty(n, dtype.storage)
        return self._out[:n_bytes].view(dtype.storage)


def _whole_weights(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return whole numbers in the ratio of the weights, and their sum, if they are small.

    1/3 is no double, but sums of whole multiples are exact for shorter formats: with one division,
    a mean that is zero, or halfway between two numbers of the output's format, is seen as such.
    """
    ratios = weights / np.abs(weights).min()
    whole = np.rint(ratios)
    divisor = float(whole.sum())
    small = np.abs(whole).max() <= 1 << 20 and math.frexp(divisor)[0] != 0.5  # 2, 4, ... are exact
    if small and (np.abs(ratios - whole) <= 1e-15 * np.abs(whole)).all():
        return whole, divisor
    return weights, 1.0
