"""Inputs of the graph: one matrix, a block for each type, or one for each column."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from stackens.exceptions import ExportError
from stackens.export.program import Lookup, Program

__all__ = ["OUTPUTS", "InputPlan", "Inputs", "plan_inputs"]

Inputs = Literal["auto", "matrix", "blocks", "columns"]
OUTPUTS = ("label", "predictions", "probabilities", "scores")


@dataclass(frozen=True)
class InputPlan:
    """Where each column of the program is fed.

    Attributes
    ----------
    numbers, texts : dict of str -> tuple of int
        Inputs of doubles and of texts: the program's columns in each, in order.
    missing_text : str
        What a missing category is fed as: "" where no lookup knows it, else another such text.
    unknown_text : str
        Another one, that is no key of any lookup.
    """

    numbers: dict[str, tuple[int, ...]]
    texts: dict[str, tuple[int, ...]]
    missing_text: str
    unknown_text: str

    def described(self, program: Program) -> list[dict[str, Any]]:
        """Return one entry for each column of raw rows, for the file's metadata."""
        place = {
            column: (name, position)
            for name, columns in {**self.numbers, **self.texts}.items()
            for position, column in enumerate(columns)
        }
        read = program.read_columns()
        return [
            {
                "name": column.name,
                "kind": column.kind if i in read else "unread",
                "input": place.get(i, (None, None))[0],
                "position": place.get(i, (None, None))[1],
            }
            for i, column in enumerate(program.columns)
        ]


def plan_inputs(program: Program, inputs: Inputs) -> InputPlan:
    """Choose the inputs of the graph.

    Raises
    ------
    ExportError
        If `inputs` is unknown, or "matrix" where a column holds text.
    """
    everything = tuple(range(len(program.columns)))
    read = program.read_columns()
    texts = tuple(i for i in read if program.columns[i].kind == "category")
    numbers = tuple(i for i in read if i not in texts)
    if inputs == "auto":
        inputs = "blocks" if texts else "matrix"
    known = {key for _, n in program if isinstance(n, Lookup) for key in n.keys}
    reserved = ("" if "" not in known else _unused("<missing>", known), _unused("<unknown>", known))
    if inputs == "matrix":
        if texts:
            raise ExportError(
                "inputs='matrix' needs columns that are all numbers. Got text in the column "
                f"{program.columns[texts[0]].name!r}. Use inputs='blocks' or 'columns'."
            )
        return InputPlan({"X": everything}, {}, *reserved)
    if not read:  # a constant still says something about every row
        return InputPlan({"X": everything}, {}, *reserved)
    if inputs == "blocks":
        blocks = {"numbers": numbers} if numbers else {}
        return InputPlan(blocks, {"categories": texts} if texts else {}, *reserved)
    if inputs == "columns":
        names = _unique_names([program.columns[i].name for i in read])
        alone = dict(zip(names, [(i,) for i in read], strict=True))
        return InputPlan(
            {name: column for name, column in alone.items() if column[0] not in texts},
            {name: column for name, column in alone.items() if column[0] in texts},
            *reserved,
        )
    raise ExportError(
        f"inputs must be 'auto', 'matrix', 'blocks' or 'columns'. Got {inputs!r}. Choose one."
    )


def _unused(text: str, known: Collection[Any]) -> str:
    """Return a text that is not among the known ones."""
    while text in known:
        text = f"<{text}>"
    return text


def _unique_names(names: list[str]) -> list[str]:
    """Return the names, changed where one is empty, comes twice, or is that of an output."""
    unique: list[str] = []
    for i, name in enumerate(names):
        name = name or f"x{i}"
        while name in unique or name in OUTPUTS or name in names[i + 1 :] or name.startswith("/"):
            name = f"_{name.lstrip('/')}"
        unique.append(name)
    return unique
