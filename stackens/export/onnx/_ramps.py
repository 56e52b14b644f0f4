"""Ramps of columns as ONNX nodes."""

from __future__ import annotations

import numpy as np

from stackens.export.onnx._builder import Tensor
from stackens.export.onnx._views import Layout, View
from stackens.export.program import Ramps

__all__ = ["ramps"]


def ramps(layout: Layout, source: View, node: Ramps) -> Tensor:
    """Add the ramps of a node, of the matrix of its source.

    All weights are multiplied. To gather the few that count takes one row about as long, and many
    rows twice as long, with gigabytes of memory.
    """
    builder = layout.builder
    columns, left, slope, weights = node.by_column()
    x = layout.in_every_row(layout.whole(source.select(columns))).name
    # All ramps of a column beside it: far quicker than a copy of the column for each.
    x = builder.node("Unsqueeze", x, builder.constant(np.array([2])))
    into = builder.node("Sub", x, builder.constant(left))
    into = builder.node("Mul", into, builder.constant(slope))
    ends = [builder.constant(np.array(end)) for end in (0.0, 1.0)]
    shares = builder.node("Clip", into, *ends)
    shares = builder.node("Reshape", shares, builder.constant(np.array([0, left.size])))
    return Tensor(builder.node("MatMul", shares, builder.constant(weights)), node.width)
