"""Which rows are like those that a site has seen, by the ranges that it declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from stackens.weight_averaging.one_shot._schema import InputSchema
from stackens.weight_averaging.one_shot._sites import Site

__all__ = ["Familiarity", "familiarity_of"]

_STEEPNESS = 4.0  # a row one width of the range beyond it counts exp(-4) = 2%
_NARROWEST = 0.1  # of the range of all sites: how wide a range counts at least
_STRANGEST = 3.0  # beyond it a site counts no less: some weight must be left where classes differ
_ROUNDING = 1e-6  # of the largest number: networks in single precision see no narrower range
_DEVIATIONS = 3.0  # either side of the mean; most numbers lie within


@dataclass(frozen=True)
class _Numbers:
    """Ranges of the numbers of one input; ``low`` and ``high`` of shape (n_sites, *shape)."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def strangeness(self, values: torch.Tensor) -> torch.Tensor:
        if tuple(values.shape[1:]) != self.low.shape[1:]:  # such as longer sequences
            return torch.zeros(len(self.low), len(values), device=values.device)
        own, pooled = self.high - self.low, self.high.max(axis=0) - self.low.min(axis=0)
        # what never changed at a site has no width of its own
        wide = np.where(own > 0, np.maximum(own, _NARROWEST * pooled), pooled)
        largest = np.maximum(np.abs(self.low), np.abs(self.high)).max(axis=0)
        wide = np.maximum(wide, _ROUNDING * largest)
        middle, half, width = (
            torch.as_tensor(part, dtype=torch.float32, device=values.device)
            for part in ((self.low + self.high) / 2, own / 2, np.where(wide > 0, wide, 1.0))
        )
        values = values.float()
        by_site = []
        for i in range(len(own)):
            beyond = (values - middle[i]).abs_().sub_(half[i]).clamp_min_(0)
            # features are on the last axis: the strangest tells, in the mean over positions
            mean = beyond.reshape(len(values), -1, values.shape[-1]).mean(dim=1)
            by_site.append((mean / width[i].reshape(-1, values.shape[-1]).amax(dim=0)).amax(dim=1))
        return torch.stack(by_site)


@dataclass(frozen=True)
class _Tokens:
    """Which tokens each site has seen; of shape (n_sites, vocabulary)."""

    seen: NDArray[np.bool_]

    def strangeness(self, values: torch.Tensor) -> torch.Tensor:
        unseen = torch.as_tensor(~self.seen, dtype=torch.float32, device=values.device)
        unseen = functional.pad(unseen, (0, 1), value=1.0)  # whatever no site has declared
        tokens = values.long().clamp(-1, self.seen.shape[1])
        return unseen[:, tokens].flatten(2).mean(dim=2)


@dataclass(frozen=True)
class Familiarity:
    """How much each site may say about a row, by how far the row lies outside of its ranges.

    Parameters
    ----------
    inputs : sequence
        Of each input of the network what each site has seen.
    """

    inputs: Sequence[_Numbers | _Tokens]

    def __call__(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return factors of shape (n_sites, n), 1 for the site that knows a row best.

        Inputs that are not declared, or of another shape, tell nothing.
        """
        pairs = zip(self.inputs, inputs, strict=False)
        strange = torch.stack([seen.strangeness(part) for seen, part in pairs]).amax(dim=0)
        beyond = (strange - strange.amin(dim=0)).clamp_max(_STRANGEST)
        return torch.exp(-_STEEPNESS * beyond)

    def rescaled(self, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> Familiarity:
        """Return the same for numbers x that have become ``scale * x + shift``."""
        return Familiarity(
            [
                _Numbers(seen.low * scale + shift, seen.high * scale + shift)
                if isinstance(seen, _Numbers)
                else seen
                for seen in self.inputs
            ]
        )


def familiarity_of(sites: Sequence[Site]) -> Familiarity | None:
    """Return what all sites have declared to have seen; None unless all sent comparable schemas."""
    sent = [site.input_schema for site in sites]
    if any(schemas is None for schemas in sent):
        return None
    looks = [[(one.shape, one.vocabulary) for one in schemas] for schemas in sent]
    if any(look != looks[0] for look in looks):
        return None
    return Familiarity([_seen(schemas) for schemas in zip(*sent, strict=True)])


def _seen(schemas: Sequence[InputSchema]) -> _Numbers | _Tokens:
    vocabulary = schemas[0].vocabulary
    if vocabulary is not None:
        everything = np.ones(vocabulary, dtype=bool)
        counts = [one.frequencies for one in schemas]
        return _Tokens(np.stack([everything if c is None else c > 0 for c in counts]))
    low, high = zip(*map(_range, schemas), strict=True)
    return _Numbers(np.stack(low), np.stack(high))


def _range(schema: InputSchema) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if schema.quantiles is not None:
        ends = schema.quantiles[0], schema.quantiles[-1]
    elif schema.mean is not None:
        reach = _DEVIATIONS * schema.deviation
        ends = schema.mean - reach, schema.mean + reach
    else:
        ends = schema.low, schema.high
    low, high = (np.broadcast_to(end, schema.shape) for end in ends)
    return low, high
