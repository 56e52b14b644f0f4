"""Writes decision trees as Python text, with the standard library alone.

The text of this file is put into exported files, which compile their trees when they are first
asked for a single row.
"""

from __future__ import annotations

from typing import Any

__all__ = ["condition", "expression", "statements"]


def condition(forest: Any, node: int, names: list[str]) -> str:
    """Write when an inner node sends a row to the left.

    Parameters
    ----------
    forest : Forest
    node : int
    names : list of str
        Names of the variables with the columns that the forest reads.
    """
    feature, threshold = forest.feature[node], forest.threshold[node]
    if feature < len(names):
        return f"{names[feature]} <= {threshold!r}"
    feature -= len(names)
    if feature < len(forest.missing_first):  # a missing value goes left: no comparison holds
        return f"not {names[forest.missing_first[feature]]} > {threshold!r}"
    column, members, missing_left = forest.sets[feature - len(forest.missing_first)]
    name = names[column]
    inside = ", ".join(str(member) for member in members)
    among = f"{name} in {{{inside}}}" if inside else "False"
    return f"({among} or {name} != {name})" if missing_left else among


def expression(forest: Any, place: int, names: list[str], leaves: list[str]) -> str:
    """Write a tree as one nested conditional expression."""
    if place < 0:
        return leaves[-1 - place]
    left = expression(forest, forest.left[place], names, leaves)
    right = expression(forest, forest.right[place], names, leaves)
    return f"({left} if {condition(forest, place, names)} else {right})"


def statements(
    forest: Any, place: int, names: list[str], leaves: list[str], indent: str
) -> list[str]:
    """Write a tree as lines of nested ``if`` and ``else``."""
    if place < 0:
        return [indent + leaves[-1 - place]]
    return [
        f"{indent}if {condition(forest, place, names)}:",
        *statements(forest, forest.left[place], names, leaves, indent + "    "),
        f"{indent}else:",
        *statements(forest, forest.right[place], names, leaves, indent + "    "),
    ]
