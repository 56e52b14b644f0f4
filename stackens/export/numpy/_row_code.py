"""Writes a program as a function of plain numbers and texts: a single row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from stackens.export.numpy._branches import statements
from stackens.export.numpy._expressions import (
    call,
    indented,
    input_names,
    is_atom,
    is_operand,
    listed,
    sum_of,
    targets,
    term,
)
from stackens.export.numpy._forest_data import forest_of
from stackens.export.numpy._formulas import ARITHMETIC, CONDITIONS, ELEMENTWISE, SCALAR
from stackens.export.numpy._literals import literal, sequence_literal
from stackens.export.program import (
    Argmax,
    Arithmetic,
    Choose,
    Concatenate,
    Constant,
    Count,
    Dense,
    Elementwise,
    Interpolate,
    Lookup,
    Node,
    Numbers,
    Program,
    Ramps,
    Reduce,
    Select,
    Softmax,
    Sort,
    Trees,
    WeightedSum,
)

__all__ = ["row_function"]

_MANY_TERMS = 256  # of a matrix product; more are quicker in numpy
_WIDE = 48  # columns; steps on more are quicker in numpy
_LONG = 60  # letters of an expression that stands inside another
_TERMS_OF_A_SUM = 100  # Python reads no sums of thousands of terms


def row_function(program: Program, *, numpy: bool, taken: Collection[str] = ()) -> list[str]:
    """Write ``answer_row(values)``, which returns a list of the answer's numbers.

    Parameters
    ----------
    program : Program
    numpy : bool
        Whether wide steps and trees may be left to numpy and to ``Forest``.
    taken : collection of str
        Names that no variable may have.
    """
    return _RowCode(program, numpy, taken).write()


class _RowCode:
    """The function in the making: its lines, and where the numbers of each node are."""

    def __init__(self, program: Program, numpy: bool, taken: Collection[str]) -> None:
        self.program = program
        self.numpy = numpy
        self.lines: list[str] = []
        self.inputs = input_names(program, taken)
        self.elements: dict[int, list[str]] = {}  # an expression for each column of a node
        self.conditions: dict[int, list[str]] = {}  # the same as conditions, if the node is one
        self.arrays: dict[int, str] = {}  # nodes that are arrays: the expression of the whole
        self.uses = Counter(source for _, node in program for source in node.sources)
        self.uses[program.output] += 1
        if program.refused is not None:
            self.uses[program.refused] += 1

    def write(self) -> list[str]:
        for i, node in self.program:
            if self._suits_array(node):
                self.line(f"a{i} = {self._array_step(i, node)}")
                self.arrays[i] = f"a{i}"
                if node.width <= 4:
                    self.atoms(i)
            else:
                self.elements[i] = _STEPS[type(node)](self, i, node)
        self._refuse()
        answer = self.arrays.get(self.program.output)
        result = f"{answer}.tolist()" if answer else None
        if self.program.output in self.elements:
            result = listed(self.texts(self.program.output))
        self.line(f"return {result}")
        names = [name or "_" for name in self.inputs]
        head = ["def answer_row(values):", '    """Answer one row, given as its values."""']
        if any(self.inputs):
            head += indented(f"{targets(names)} = values")
        if self.arrays:
            head.insert(0, '@np.errstate(all="ignore")')
        return [*head, *self.lines]

    def _refuse(self) -> None:
        """Write the end of rows that the source model refuses."""
        i = self.program.refused
        if i is None:
            return
        if i in self.arrays:
            self.line(f"if not np.isfinite({self.arrays[i]}).all():")
            self.line(f"    raise RefusedRow({self.arrays[i]}.tolist())")
            return
        self.line(f"checked = {listed(self.texts(i), '()')}")
        self.line("if not all(map(math.isfinite, checked)):")
        self.line("    raise RefusedRow(checked)")

    # --- lines and names --------------------------------------------------------------------

    def line(self, text: str) -> None:
        self.lines += indented(text)

    def atoms(self, i: int) -> list[str]:
        """Names or numbers, one for each column of a node."""
        if i not in self.elements:
            names = self._names(i)
            self.line(f"{targets(names)} = {self.arrays[i]}.tolist()")
            self.elements[i] = names
        texts = self.elements[i]
        for j, name in enumerate(self._names(i)):
            if not is_atom(texts[j]):
                self.line(f"{name} = {texts[j]}")
                texts[j] = name
        return texts

    def texts(self, i: int) -> list[str]:
        """Names, numbers, or short expressions that are read only once."""
        if i in self.elements and self.uses[i] == 1:
            texts = self.elements[i]
            return texts if max(map(len, texts), default=0) < _LONG else self.atoms(i)
        return self.atoms(i)

    def operands(self, i: int) -> list[str]:
        """The same, in parentheses where they are expressions."""
        return [text if is_operand(text) else f"({text})" for text in self.texts(i)]

    def _names(self, i: int) -> list[str]:
        width = self.program.nodes[i].width
        return [f"t{i}"] if width == 1 else [f"t{i}_{j}" for j in range(width)]

    def unpacked(self, i: int, text: str) -> list[str]:
        """Assign a sequence to the names of a node's columns."""
        names = self._names(i)
        self.line(f"{targets(names)} = {text}")
        return names

    # --- steps in numpy ---------------------------------------------------------------------

    def _suits_array(self, node: Node) -> bool:
        if not self.numpy:
            return False
        wide = any(s in self.arrays and self.program.nodes[s].width > 4 for s in node.sources)
        if isinstance(node, Dense):
            return wide or node.weights.size > _MANY_TERMS
        if isinstance(node, (Elementwise, Arithmetic, Choose, WeightedSum)):
            return (wide or node.width > _WIDE) and node.width > 4
        if isinstance(node, (Concatenate, Select)):
            return wide
        if isinstance(node, Ramps):
            return True
        return isinstance(node, Lookup) and node.width > _WIDE // 2

    def _array_step(self, i: int, node: Any) -> str:
        if isinstance(node, Lookup):
            return f"ROWS_{i}[{self._place(i, node)}]"
        if isinstance(node, Dense):
            return f"{self.array(node.source)} @ WEIGHTS_{i} + BIAS_{i}"
        if isinstance(node, Ramps):
            return f"ramp_sums({self.array(node.source, True)}, *RAMPS_{i})"
        if isinstance(node, Elementwise):
            return ELEMENTWISE[node.function].format(self.array(node.source))
        if isinstance(node, Arithmetic):
            sides = (self.array(node.left), self.array(node.right))
            return ARITHMETIC[node.function].format(*sides)
        if isinstance(node, Choose):
            condition = self.array(node.condition)
            return f"np.where({condition} != 0, {self.array(node.yes)}, {self.array(node.no)})"
        if isinstance(node, WeightedSum):
            pairs = zip(node.parts, node.weights, strict=True)
            return " + ".join(f"{self.array(part)} * {literal(w)}" for part, w in pairs)
        if isinstance(node, Select):
            return f"{self.array(node.source)}[{sequence_literal(node.columns.tolist())}]"
        return f"np.concatenate([{', '.join(self.array(part, True) for part in node.parts)}])"

    def array(self, i: int, whole: bool = False) -> str:
        """The node as an array; a single column as a number that meets every column."""
        if i in self.arrays:
            return self.arrays[i]
        node = self.program.nodes[i]
        if isinstance(node, Constant) and (node.width > 1 or whole):
            return f"VALUES_{i}"
        if node.width == 1 and not whole:
            return self.atoms(i)[0]
        self.line(f"a{i} = np.array({listed(self.texts(i))})")
        self.arrays[i] = f"a{i}"
        return f"a{i}"

    def sequence(self, i: int) -> str:
        """The node as a list or tuple of plain numbers."""
        if i in self.arrays:
            return f"{self.arrays[i]}.tolist()"
        return listed(self.texts(i), "()")

    # --- steps on plain numbers -------------------------------------------------------------

    def _numbers(self, i: int, node: Numbers) -> list[str]:
        return [self.inputs[column] for column in node.columns]

    def _place(self, i: int, node: Lookup) -> str:
        value, n = self.inputs[node.column], len(node.keys)
        place = f"PLACES_{i}.get({value}, {n + 1})"
        if not isinstance(node.keys, np.ndarray):
            return f"{n} if {value} is None else {place}"
        return f"{n} if {value} != {value} else {place}"

    def _lookup(self, i: int, node: Lookup) -> list[str]:
        if self.numpy:
            return self.unpacked(i, f"TABLE_{i}[{self._place(i, node)}]")
        value = self.inputs[node.column]
        one = node.width == 1
        missing, unknown = (
            literal(row[0]) if one else sequence_literal(row, "()")
            for row in (node.missing, node.unknown)
        )
        test = f"{value} != {value}" if isinstance(node.keys, np.ndarray) else f"{value} is None"
        found = f"{missing} if {test} else TABLE_{i}.get({value}, {unknown})"
        return [found] if one else self.unpacked(i, found)

    def _constant(self, i: int, node: Constant) -> list[str]:
        return [literal(value) for value in node.values]

    def _select(self, i: int, node: Select) -> list[str]:
        elements = self.atoms(node.source)
        return [elements[column] for column in node.columns]

    def _concatenate(self, i: int, node: Concatenate) -> list[str]:
        return [text for part in node.parts for text in self.texts(part)]

    def _elementwise(self, i: int, node: Elementwise) -> list[str]:
        if node.function == "round_single":
            return self.unpacked(i, call("round_single", self.texts(node.source)))
        if node.function in CONDITIONS:
            return self._as_condition(i, node.function, [(x,) for x in self.atoms(node.source)])
        template = SCALAR[node.function]
        values = self.texts(node.source) if "(" in template else self.operands(node.source)
        return [template.format(value) for value in values]

    def _arithmetic(self, i: int, node: Arithmetic) -> list[str]:
        sides = []
        for source in (node.left, node.right):
            single = self.program.nodes[source].width == 1 < node.width
            sides.append(self.atoms(source) * node.width if single else self.operands(source))
        pairs = list(zip(*sides, strict=True))
        if node.function in CONDITIONS:
            return self._as_condition(i, node.function, pairs)
        template = SCALAR[node.function]
        divisor = self.program.nodes[node.right]
        if node.function == "divide" and isinstance(divisor, Constant) and divisor.values.all():
            template = "{} / {}"
        return [template.format(*pair) for pair in pairs]

    def _as_condition(self, i: int, function: str, values: Sequence[tuple[str, ...]]) -> list[str]:
        self.conditions[i] = [CONDITIONS[function].format(*value) for value in values]
        return [f"1.0 if {condition} else 0.0" for condition in self.conditions[i]]

    def _choose(self, i: int, node: Choose) -> list[str]:
        inlined = node.condition in self.conditions and self.uses[node.condition] == 1
        conditions = (
            self.conditions[node.condition]
            if inlined
            else [f"{value} != 0.0" for value in self.atoms(node.condition)]
        )
        parts = [conditions, self.atoms(node.yes), self.atoms(node.no)]
        parts = [part * node.width if len(part) == 1 else part for part in parts]
        return [f"{y} if {c} else {n}" for c, y, n in zip(*parts, strict=True)]

    def _reduce(self, i: int, node: Reduce) -> list[str]:
        if node.function == "sum":
            return self._sum(i, [f" + {text}" for text in self.operands(node.source)])
        name = {"maximum": "largest", "minimum": "smallest"}[node.function]
        return [f"{name}({self.sequence(node.source)})"]

    def _weighted_sum(self, i: int, node: WeightedSum) -> list[str]:
        parts = [self.operands(part) for part in node.parts]
        weights = node.weights.tolist()
        return [
            self._sum(i, [term(w, x) for w, x in zip(weights, row, strict=True)], j)[0]
            for j, row in enumerate(zip(*parts, strict=True))
        ]

    def _dense(self, i: int, node: Dense) -> list[str]:
        xs = self.operands(node.source) if node.width == 1 else self.atoms(node.source)
        answers = []
        for j in range(node.width):
            terms = [term(float(w), x) for w, x in zip(node.weights[:, j], xs, strict=True)]
            bias = float(node.bias[j])
            terms += [] if bias == 0 and terms else [f" + {bias!r}".replace("+ -", "- ")]
            answers += self._sum(i, terms, j)
        return answers

    def _sum(self, i: int, terms: list[str], j: int = 0) -> list[str]:
        """Add terms, each with its sign, from first to last; one that is long gets a name."""
        name = self._names(i)[j]
        text = "".join(terms)
        if len(text) < _LONG:
            return [sum_of(terms)]
        for start in range(0, len(terms), _TERMS_OF_A_SUM):
            part = terms[start : start + _TERMS_OF_A_SUM]
            first = [name] if start else [sum_of([part.pop(0)])]
            body = "\n".join(f"    {text.strip()}" for text in [*first, *part])
            self.line(f"{name} = (\n{body}\n)")
        return [name]

    def _ramps(self, i: int, node: Ramps) -> list[str]:
        xs = self.atoms(node.source)
        values = listed([xs[column] for column in np.unique(node.column)], "()")
        return self.unpacked(i, f"ramps({values}, RAMPS_{i})")

    def _softmax(self, i: int, node: Softmax) -> list[str]:
        return self.unpacked(i, f"softmax({self.sequence(node.source)})")

    def _sort(self, i: int, node: Sort) -> list[str]:
        return self.unpacked(i, f"sort({self.sequence(node.source)})")

    def _argmax(self, i: int, node: Argmax) -> list[str]:
        return [f"float(argmax({self.sequence(node.source)}))"]

    def _interpolate(self, i: int, node: Interpolate) -> list[str]:
        return [f"interpolate({self.texts(node.source)[0]}, X_{i}, Y_{i})"]

    def _count(self, i: int, node: Count) -> list[str]:
        return [f"count({self.texts(node.source)[0]}, EDGES_{i})"]

    def _trees(self, i: int, node: Trees) -> list[str]:
        if self.numpy:
            values = (
                [f"*{self.arrays[node.source]}.tolist()"]
                if node.source in self.arrays
                else self.texts(node.source)
            )
            return self.unpacked(i, call(f"FOREST_{i}.ask", values))
        forest = forest_of(node, self.program.nodes[node.source].width).as_lists()
        columns, names = self.atoms(node.source), self._names(i)
        for name, base in zip(names, forest.base, strict=True):
            self.line(f"{name} = {base!r}")
        additions = {
            offset: [_additions(names[offset:], leaf) for leaf in forest.leaf]
            for offset in set(forest.offset)
        }
        for root, offset in zip(forest.root, forest.offset, strict=True):
            self.lines += statements(forest, root, columns, additions[offset], "    ")
        return names


_STEPS: dict[type[Node], Callable[[_RowCode, int, Any], list[str]]] = {
    Argmax: _RowCode._argmax,
    Arithmetic: _RowCode._arithmetic,
    Choose: _RowCode._choose,
    Concatenate: _RowCode._concatenate,
    Constant: _RowCode._constant,
    Count: _RowCode._count,
    Dense: _RowCode._dense,
    Elementwise: _RowCode._elementwise,
    Interpolate: _RowCode._interpolate,
    Lookup: _RowCode._lookup,
    Numbers: _RowCode._numbers,
    Ramps: _RowCode._ramps,
    Reduce: _RowCode._reduce,
    Select: _RowCode._select,
    Softmax: _RowCode._softmax,
    Sort: _RowCode._sort,
    Trees: _RowCode._trees,
    WeightedSum: _RowCode._weighted_sum,
}


def _additions(names: list[str], leaf: list[float]) -> str:
    pairs = zip(names, leaf, strict=False)
    return "; ".join(f"{name} += {value!r}" for name, value in pairs if value != 0) or "pass"
