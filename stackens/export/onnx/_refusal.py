"""Finds out which of the matrices that must be finite say the same, and keeps one of them."""

from __future__ import annotations

import numpy as np

from stackens.export.program import Arithmetic, Choose, Concatenate, Constant, Elementwise, Program

__all__ = ["refusing_nodes"]


def refusing_nodes(program: Program) -> list[int]:
    """Return nodes of which one is not finite exactly in the rows that the source refuses.

    A scaler refuses infinities, the model behind it missing values too: what the model reads is
    then enough to look at, since a scaled infinity is still one.
    """
    if program.refused is None:
        return []
    node = program.nodes[program.refused]
    parts = list(node.parts) if isinstance(node, Concatenate) else [program.refused]
    kept = list(parts)
    for part in parts:
        origin = _before_filling(program, part)
        if any(other != part and origin in _as_finite(program, other) for other in kept):
            kept.remove(part)
    return kept


def _before_filling(program: Program, position: int) -> int:
    """Return x for x with numbers in place of NaN: where that is not finite, nor is x."""
    node = program.nodes[position]
    if isinstance(node, Choose):
        condition, filled = program.nodes[node.condition], program.nodes[node.yes]
        if (
            isinstance(condition, Elementwise)
            and condition.function == "is_missing"
            and condition.source == node.no
            and node.width == program.nodes[node.no].width
            and isinstance(filled, Constant)
            and np.isfinite(filled.values).all()
        ):
            return node.no
    return position


def _as_finite(program: Program, position: int) -> set[int]:
    """Return nodes whose numbers are finite wherever this node's are, column by column."""
    found = {position}
    node = program.nodes[position]
    while isinstance(node, Arithmetic) and isinstance(program.nodes[node.right], Constant):
        row = program.nodes[node.right].values  # type: ignore[attr-defined]
        scales = node.function in ("multiply", "divide") and np.all(row)
        if not (scales or node.function in ("add", "subtract")) or not np.isfinite(row).all():
            break
        if node.width != program.nodes[node.left].width:
            break
        position = node.left
        found.add(position)
        node = program.nodes[position]
    return found
