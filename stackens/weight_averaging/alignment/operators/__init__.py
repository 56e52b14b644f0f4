"""What torch operators do with the units on the axes of their operands, one rule per operator."""

from stackens.weight_averaging.alignment.operators import (
    _contraction,
    _elementwise,
    _images,
    _indexing,
    _normalisation,
    _recurrent,
    _reduction,
    _shapes,
)
from stackens.weight_averaging.alignment.operators._rules import Call, Rule, rule_of

__all__ = ["Call", "Rule", "rule_of"]

# Importing a family enters its rules in the table.
FAMILIES = (
    _contraction,
    _elementwise,
    _images,
    _indexing,
    _normalisation,
    _recurrent,
    _reduction,
    _shapes,
)
