"""Finds which columns of the raw rows each number of a program is made from."""

from __future__ import annotations

from stackens.export.program import (
    Arithmetic,
    Choose,
    Concatenate,
    Elementwise,
    Lookup,
    Numbers,
    Program,
    Select,
    WeightedSum,
)

__all__ = ["columns_behind"]


def columns_behind(program: Program, wanted: int) -> list[list[int]]:
    """Return for each column of a node the positions of the raw columns behind it.

    Parameters
    ----------
    program : Program
    wanted : int
        Position of a node.
    """
    behind: list[list[set[int]]] = []
    for i, node in program:
        found = [behind[source] for source in node.sources]
        if isinstance(node, Numbers):
            columns = [{column} for column in node.columns.tolist()]
        elif isinstance(node, Lookup):
            columns = [{node.column}] * node.width
        elif isinstance(node, Select):
            columns = [found[0][j] for j in node.columns]
        elif isinstance(node, Concatenate):
            columns = [column for part in found for column in part]
        elif isinstance(node, (Elementwise, Arithmetic, Choose, WeightedSum)):
            wide = [part * node.width if len(part) == 1 else part for part in found]
            columns = [set().union(*parts) for parts in zip(*wide, strict=True)]
        else:
            columns = [set().union(*(c for part in found for c in part))] * node.width
        behind.append(columns)
        if i == wanted:
            break
    return [sorted(columns) for columns in behind[wanted]]
