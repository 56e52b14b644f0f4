"""Takes the definitions that an exported file needs out of the text of our own modules."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Sequence
from functools import cache
from types import ModuleType

__all__ = ["defined_names", "definitions"]

# Examples, references to our documentation, and comments for our linters.
_FOR_US_ALONE = {
    r'\n\n    Examples\n    -+\n.*?(?=\n    """)': "",
    r":\w+:`([^`]*)`": r"``\1``",
    r"  # (noqa|type): [^\n]*": "",
}


def definitions(code: str, modules: Sequence[ModuleType]) -> tuple[list[str], list[str]]:
    """Collect what a piece of code needs, and what that needs in turn.

    Parameters
    ----------
    code : str
        Without types.
    modules : sequence of modules
        In an order in which each uses only what stands before it or in itself.

    Returns
    -------
    imports : list of str
        Import statements, those of the standard library first.
    definitions : list of str
        Text of the functions, classes and constants, without types, in their order.
    """
    statements: dict[str, tuple[str, ast.stmt]] = {}
    imports: dict[str, str] = {"np": "import numpy as np"}
    for module in modules:
        text, tree = _parsed(module)
        for statement in tree.body:
            for name in _bound_names(statement):
                statements[name] = (text, statement)
            imports.update(_imports(statement))
    needed = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    new = set(needed)
    while new:
        found = (_names_in_statement(statements[name][1]) for name in new if name in statements)
        new = set().union(*found) - needed
        needed |= new
    chosen = {id(s): (text, s) for name, (text, s) in statements.items() if name in needed}
    ordered = list(chosen.values())
    lines = sorted(
        {line for name, line in imports.items() if name in needed},
        key=lambda line: ("numpy" in line, line.startswith("from"), line),
    )
    return lines, [_untyped(text, statement) for text, statement in ordered]


def defined_names(modules: Iterable[ModuleType]) -> set[str]:
    """Return all names that modules define."""
    statements = (statement for module in modules for statement in _parsed(module)[1].body)
    return {name for statement in statements for name in _bound_names(statement)}


@cache
def _parsed(module: ModuleType) -> tuple[str, ast.Module]:
    text = inspect.getsource(module)
    return text, ast.parse(text)


def _bound_names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in names if name != "__all__"]


def _imports(statement: ast.stmt) -> dict[str, str]:
    """Return the names that a statement imports from other packages, and how."""
    if isinstance(statement, ast.Import):
        return {
            alias.asname or alias.name: ast.unparse(ast.Import([alias]))
            for alias in statement.names
        }
    if not isinstance(statement, ast.ImportFrom) or statement.module is None:
        return {}
    if statement.module.partition(".")[0] in ("stackens", "__future__"):
        return {}
    return {alias.name: f"from {statement.module} import {alias.name}" for alias in statement.names}


def _names_in(tree: ast.AST) -> set[str]:
    """Return the names that a piece of code uses, but for those in types."""
    types = {id(node) for annotation in _annotations(tree) for node in ast.walk(annotation)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in types}


@cache
def _names_in_statement(statement: ast.stmt) -> set[str]:
    return _names_in(statement)


def _annotations(tree: ast.AST) -> list[ast.expr]:
    found: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            found.append(getattr(node, "returns", None))
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            found.append(node.annotation)
    return [annotation for annotation in found if annotation is not None]


@cache
def _untyped(text: str, statement: ast.stmt) -> str:
    """Return the text of a statement, its comments included, without types."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    data = text.encode()
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    while first > 1 and lines[first - 2].startswith(b"#"):
        first -= 1  # a comment that stands right above
    cuts: list[tuple[int, int]] = []
    fields = {
        starts[node.target.end_lineno - 1] + node.target.end_col_offset
        for node in ast.walk(statement)
        if isinstance(node, ast.AnnAssign) and node.target.end_lineno and node.target.end_col_offset
    }
    for annotation in _annotations(statement):
        begin = starts[annotation.lineno - 1] + annotation.col_offset
        end = starts[(annotation.end_lineno or 0) - 1] + (annotation.end_col_offset or 0)
        before = data[:begin].rstrip()
        mark = b"->" if before.endswith(b"->") else b":"
        begin = len(before.removesuffix(mark).rstrip())
        cuts.append((begin, end))
        if mark == b":" and data[end:].startswith(b" = ") and begin not in fields:
            cuts += [(end, end + 1), (end + 2, end + 3)]  # a default: without types no spaces
    begin, end = starts[first - 1], starts[statement.end_lineno or 0]
    kept = b""
    for cut_begin, cut_end in sorted(cuts):
        kept += data[begin:cut_begin]
        begin = cut_end
    body = (kept + data[begin:end]).decode()
    for pattern, text_instead in _FOR_US_ALONE.items():
        body = re.sub(pattern, text_instead, body, flags=re.DOTALL)
    return body.rstrip()
