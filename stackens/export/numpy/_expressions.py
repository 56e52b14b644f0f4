"""Writes expressions of Python from smaller ones, and names for columns."""

from __future__ import annotations

import builtins
import keyword
import re
import textwrap
from collections.abc import Collection, Sequence

from stackens.export.program import Program

__all__ = [
    "call",
    "indented",
    "input_names",
    "is_atom",
    "is_operand",
    "listed",
    "sum_of",
    "targets",
    "term",
]

_ATOM = re.compile(r"-?[A-Za-z_0-9.]+(e[-+]?\d+)?")
_LINE = 88
_CALL = re.compile(r"\w+(\.\w+)?\([^()]*\)")
# Names that functions of exported files give to other things.
_TAKEN = re.compile(r"[at]\d+(_\d+)*|[A-Z]+_\d+|values|checked|np|inf|nan|math|_+.*")


def input_names(program: Program, taken: Collection[str]) -> list[str]:
    """Return a name of a variable for each column; "" for one that nobody reads.

    Parameters
    ----------
    program : Program
    taken : collection of str
        Names that mean something else.
    """
    read = set(program.read_columns())
    names: list[str] = []
    for i, column in enumerate(program.columns):
        name = re.sub(r"\W+", "_", column.name, flags=re.ASCII).strip("_")
        if not name.isidentifier() or _TAKEN.fullmatch(name):
            name = f"column_{name}".rstrip("_")
        while name in taken or name in names or hasattr(builtins, name) or keyword.iskeyword(name):
            name += "_"
        names.append(name if i in read else "")
    return names


def is_atom(text: str) -> bool:
    """Whether an expression is a name or a number."""
    return bool(_ATOM.fullmatch(text))


def is_operand(text: str) -> bool:
    """Whether an expression binds tighter than any operator beside it."""
    return is_atom(text) or bool(_CALL.fullmatch(text))


def listed(texts: Sequence[str], ends: str = "[]") -> str:
    """Write expressions as a list or tuple, on several lines where they are long."""
    comma = "," * (ends == "()" and len(texts) == 1)
    line = ", ".join(texts) + comma
    if len(line) <= _LINE:
        return f"{ends[0]}{line}{ends[1]}"
    if all(map(is_atom, texts)):
        body = textwrap.wrap(line.rstrip(",") + ",", _LINE, break_long_words=False)
    else:
        body = [f"{text}," for text in texts]
    return "\n".join([ends[0], *(f"    {text}" for text in body), ends[1]])


def call(function: str, texts: Sequence[str]) -> str:
    """Write the call of a function."""
    return f"{function}({texts[0]})" if len(texts) == 1 else function + listed(texts, "()")


def targets(names: Sequence[str]) -> str:
    """Write names that a sequence is assigned to."""
    text = listed(names, "()")
    return text if len(names) == 1 or "\n" in text else text[1:-1]


def term(weight: float, x: str) -> str:
    """Write a term of a sum, with its sign."""
    if weight == 1:
        return f" + {x}"
    return f" - {-weight!r} * {x}" if weight < 0 else f" + {weight!r} * {x}"


def sum_of(terms: Sequence[str]) -> str:
    """Write terms one after the other; the first needs no plus."""
    text = "".join(terms).strip()
    if text.startswith("+ "):
        return text[2:]
    return f"-{text[2:]}" if text.startswith("- ") else text


def indented(text: str) -> list[str]:
    """Split text into the lines of a function's body."""
    return ["    " + line for line in text.split("\n")]
