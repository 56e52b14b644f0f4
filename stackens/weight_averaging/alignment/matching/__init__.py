"""Matching: which of the changes that a symmetry allows bring one network nearest to another."""

from stackens.weight_averaging.alignment.matching._activations import (
    Activations,
    match_activations,
)
from stackens.weight_averaging.alignment.matching._barycentre import match_many
from stackens.weight_averaging.alignment.matching._weights import Match, match_weights

__all__ = ["Activations", "Match", "match_activations", "match_many", "match_weights"]
