"""Random small programs over awkward rows, and what an export of one must answer.

Steps are of two sorts. Exact ones (comparisons, sums in a fixed order, trees, ...) must come out
bit for bit, also from infinities and numbers beyond 1e300. The others (exponentials, matrix
products) agree to rounding: they are kept between -2 and 2, and no step that jumps reads them, so
that a difference in the last bit stays one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stackens.export.program import (
    Arithmetic,
    Concatenate,
    Dense,
    Elementwise,
    Graph,
    Program,
    Ramps,
    Reduce,
    Softmax,
    Trees,
    evaluate,
)

__all__ = ["assert_agrees", "expected_outputs", "random_program"]

SPECIAL = (
    *(np.nan, np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 2.0, 3.0, 5.5, -1.0, 1e300, -1e300),
    *(5e-324, -2.5e-310, 1e-40, 2.0**53, 2.0**53 + 2, 3.5e38, -3.5e38, 16777217.0, 0.1),
)
TEXTS = ("", "a", "b", "B", "red", "naïve", "東京", "a b", "3", "0.1", "True", "nan", "'\"\\\n*/")
LABELS = (
    np.array([-3, 0, 7, 12]),
    np.array(["no", "it's", 'a "b"', "größer"]),
    np.array(["no", "yes", "maybe", "never"], dtype=object),
    np.array([False, True]),
    np.array([0.5, 1.0, 2.0, 3.0]),
)
EXACT_FUNCTIONS = (
    *("absolute", "floor", "is_finite", "is_missing", "negative", "round_single", "sign", "sqrt"),
    "truncate",
)
SMOOTH_FUNCTIONS = ("erf", "sigmoid", "softplus", "tanh", "negative", "absolute")
ROUNDED_FUNCTIONS = ("erf", "exp", "log", "sigmoid", "softplus", "tanh", "power")


def random_program(seed: int, n_rows: int = 60) -> tuple[Program, list[np.ndarray]]:
    """Make a program and its columns, as `evaluate` takes them.

    Parameters
    ----------
    seed : int
        Every few seeds cover all kinds of steps, responses and types of labels.
    n_rows : int, default=60
    """
    rng = np.random.default_rng([seed, 20240607])
    maker = _Maker(rng, n_rows)
    steps = [step for step in _STEPS if rng.random() < 0.6]
    for index in rng.permutation(len(steps)):
        getattr(maker, f"_add_{steps[index]}")()
    if seed % 4 == 3:
        maker.refuse()
    program = maker.program(seed)
    return program, [
        np.full(n_rows, np.nan) if column.kind != "category" and values.dtype == object else values
        for column, values in zip(program.columns, maker.columns, strict=True)
    ]


def expected_outputs(program: Program, columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return what `evaluate` says, NaN in rows that the source refuses."""
    (output,) = evaluate(program, columns)
    if program.refused is not None:
        (refused,) = evaluate(program, columns, [program.refused])
        output[~np.isfinite(refused).all(axis=1)] = np.nan
    return output


def assert_agrees(program: Program, columns: Sequence[np.ndarray], outputs: np.ndarray) -> None:
    """Compare the outputs of an export with `evaluate`: exact columns bit for bit."""
    wanted = expected_outputs(program, columns)
    assert outputs.shape == wanted.shape
    assert outputs.dtype == np.float64
    errors = _rounding(program)[program.output]
    for j, error in enumerate(errors):
        if error == 0:
            np.testing.assert_array_equal(outputs[:, j], wanted[:, j], err_msg=f"column {j}")
        else:
            np.testing.assert_allclose(
                outputs[:, j], wanted[:, j], rtol=error, atol=error, err_msg=f"column {j}"
            )


def _rounding(program: Program) -> list[np.ndarray]:
    """Return for each column of each node how far an export may be off."""
    errors: list[np.ndarray] = []
    for _, node in program:
        found = [errors[source] for source in node.sources]
        if isinstance(node, Concatenate):
            errors.append(np.concatenate(found))
            continue
        error = max((part.max(initial=0.0) for part in found), default=0.0)
        if isinstance(node, Dense) and node.weights.dtype == np.float32:
            error = 1e-5
        inexact = (
            isinstance(node, (Dense, Ramps, Softmax))
            or (isinstance(node, (Elementwise, Arithmetic)) and _rounds(node.function))
            or (isinstance(node, Reduce) and node.function == "sum")
        )
        errors.append(np.full(node.width, max(error, 1e-12) if inexact else error))
    return errors


def _rounds(function: str) -> bool:
    return function in ROUNDED_FUNCTIONS


class _Maker:
    """Collects steps of a random program; knows the values that each takes on its rows."""

    def __init__(self, rng: np.random.Generator, n_rows: int) -> None:
        self.rng = rng
        kinds = ["number"] * int(rng.integers(1, 5))
        kinds += ["category"] * int(rng.integers(0, 4))
        kinds += ["datetime"] * int(rng.integers(0, 2)) + ["timedelta"] * int(rng.integers(0, 2))
        kinds += ["unread"]
        self.kinds = [kinds[i] for i in rng.permutation(len(kinds))]
        names = [f"{kind} {i}" for i, kind in enumerate(self.kinds)]
        self.graph = Graph(names, named=bool(rng.random() < 0.7))
        self.columns = [self._raw(kind, n_rows) for kind in self.kinds]
        self.exact = [
            self.graph.numbers(self._of_kind(kind), kind)
            for kind in ("number", "datetime", "timedelta")
            if kind in self.kinds
        ]
        self.smooth: list[int] = []

    def _raw(self, kind: str, n: int) -> np.ndarray:
        rng = self.rng
        if kind == "category":
            texts = np.array([*TEXTS, None], dtype=object)
            return rng.choice(texts[rng.permutation(len(texts))[:9]], n)
        if kind == "datetime":
            return np.where(rng.random(n) < 0.1, np.nan, rng.integers(-(10**15), 2 * 10**15, n))
        values = rng.choice(SPECIAL, n) if kind != "timedelta" else rng.normal(0, 1e6, n)
        return np.where(rng.random(n) < 0.5, rng.normal(size=n).round(1), values)

    def _of_kind(self, kind: str) -> list[int]:
        return [i for i, k in enumerate(self.kinds) if k == kind]

    def _values(self, node: int) -> np.ndarray:
        return evaluate(self.graph.program(node, "values"), self.columns)[0]

    def _pick(self, *, any_sort: bool = False) -> int:
        nodes = [*self.exact, *self.smooth] if any_sort else self.exact
        return int(self.rng.choice(nodes))

    def _narrow(self, node: int) -> int:
        return self.graph.select(node, [int(self.rng.integers(self.graph.width(node)))])

    def _row(self, n: int = 1) -> np.ndarray:
        return self.rng.normal(size=n).round(2)

    def _clipped(self, node: int, to: float = 2.0) -> int:
        low = self.graph.arithmetic("maximum", node, self.graph.constant(-to))
        return self.graph.arithmetic("minimum", low, self.graph.constant(to))

    def _of_width(self, node: int, width: int) -> int:
        return self.graph.select(node, self.rng.integers(0, self.graph.width(node), width))

    def _edges(self, node: int, n: int) -> np.ndarray:
        """Some values of a narrow node, their neighbours, and others, rising."""
        values = self._values(node)[:, 0]
        values = values[np.isfinite(values) & (np.abs(values) < 1e299)]
        near = np.concatenate([values, np.nextafter(values, np.inf), self.rng.normal(size=4)])
        return np.unique(self.rng.choice(near, n) + 0.0)

    def _keep(self, node: int, exact: bool) -> None:
        (self.exact if exact else self.smooth).append(node)

    # Steps. Each reads nodes made so far and adds one.

    def _add_lookup(self) -> None:
        for column in self._of_kind("category"):
            n, width = int(self.rng.integers(1, 9)), int(self.rng.integers(1, 4))
            keys = [TEXTS[i] for i in self.rng.permutation(len(TEXTS))[:n]]
            self._look_up(column, keys, width)

    def _add_number_lookup(self) -> None:
        column = self._of_kind("number")[0]
        values = self.columns[column]
        values = np.unique(values[np.isfinite(values)] + 0.0)
        keys = self.rng.choice(values, min(len(values), 8), replace=False)
        self._look_up(column, np.append(keys, 1e17), int(self.rng.integers(1, 4)))

    def _look_up(self, column: int, keys: Sequence[str] | np.ndarray, width: int) -> None:
        values = self._row(len(keys) * width).reshape(len(keys), width)
        missing = np.where(self.rng.random(width) < 0.3, np.nan, self._row(width))
        unknown = np.where(self.rng.random(width) < 0.3, np.nan, self._row(width))
        node = self.graph.lookup(column, keys, values, missing=missing, unknown=unknown)
        self._keep(node, exact=True)

    def _add_select(self) -> None:
        self._keep(self._of_width(self._pick(), int(self.rng.integers(1, 5))), exact=True)

    def _add_concatenate(self) -> None:
        node = self.graph.concatenate([self._pick(), self._pick()])
        self._keep(node, exact=True)

    def _add_exact_function(self) -> None:
        for function in self.rng.choice(EXACT_FUNCTIONS, 3, replace=False):
            self._keep(self.graph.elementwise(str(function), self._pick()), exact=True)

    def _add_rounded_function(self) -> None:
        for function in self.rng.choice(ROUNDED_FUNCTIONS[:-1], 2, replace=False):
            node = self.graph.elementwise(str(function), self._pick())
            self._keep(self._clipped(node), exact=False)

    def _add_smooth_function(self) -> None:
        if self.smooth:
            node = self.graph.elementwise(
                str(self.rng.choice(SMOOTH_FUNCTIONS)), int(self.rng.choice(self.smooth))
            )
            self._keep(node, exact=False)

    def _add_arithmetic(self) -> None:
        functions = ["add", "subtract", "multiply", "minimum", "maximum", "less", "less_equal"]
        for function in self.rng.choice([*functions, "equal"], 3, replace=False):
            left = self._pick()
            right = self._of_width(self._pick(), self.graph.width(left))
            if self.rng.random() < 0.4:
                right = self._narrow(right)
            if self.rng.random() < 0.3:
                right = self.graph.constant(self._row(self.graph.width(left)))
            if self.rng.random() < 0.3:
                left, right = right, left
            self._keep(self.graph.arithmetic(str(function), left, right), exact=True)

    def _add_divide(self) -> None:
        left = self._pick()
        # The size alone: 1 / -0.0 is another infinity than 1 / 0.0.
        right = self.graph.elementwise("absolute", self._of_width(left, self.graph.width(left)))
        self._keep(self.graph.arithmetic("divide", left, right), exact=True)

    def _add_power(self) -> None:
        base = self.graph.elementwise("absolute", self._pick())
        exponent = self.graph.constant(float(self.rng.choice([2.0, 3.0, 0.5, -1.0, 0.0, 1.7])))
        node = self.graph.arithmetic("power", base, exponent)
        self._keep(self._clipped(node), exact=False)

    def _add_choose(self) -> None:
        condition = self.graph.elementwise("is_finite", self._pick())
        width = self.graph.width(condition)
        yes = self._of_width(self._pick(), width)
        no = self.graph.constant(self._row(width))
        self._keep(self.graph.choose(condition, yes, no), exact=True)
        self._keep(self.graph.fill_missing(yes, self._row(width)), exact=True)

    def _add_reduce(self) -> None:
        source = self._pick()
        self._keep(self.graph.reduce("maximum", source), exact=True)
        self._keep(self.graph.reduce("minimum", source), exact=True)
        self._keep(self.graph.reduce("sum", self._clipped(source)), exact=False)

    def _add_weighted_sum(self) -> None:
        width = int(self.rng.integers(1, 4))
        parts = [self._of_width(self._pick(), width) for _ in range(int(self.rng.integers(1, 5)))]
        weights = self.rng.choice([0.0, 1.0, 0.3, -1.7], len(parts))
        self._keep(self.graph.weighted_sum(parts, weights), exact=True)

    def _add_dense(self) -> None:
        for dtype in (np.float64, np.float32):
            source = self._clipped(self._pick(any_sort=True), 1.0)
            n, width = self.graph.width(source), int(self.rng.integers(1, 5))
            weights = (self.rng.normal(size=(n, width)) / (2 * n)).astype(dtype)
            node = self.graph.dense(source, weights, self._row(width).astype(dtype) / dtype(4))
            hidden = self.graph.arithmetic("maximum", node, self.graph.constant(0.0))
            self._keep(self._clipped(hidden), exact=False)

    def _add_softmax(self) -> None:
        source = self._of_width(self._clipped(self._pick(any_sort=True)), 3)
        self._keep(self.graph.softmax(source), exact=False)

    def _add_sort(self) -> None:
        self._keep(self.graph.sort(self._pick()), exact=True)

    def _add_argmax(self) -> None:
        self._keep(self.graph.argmax(self._pick()), exact=True)

    def _add_interpolate(self) -> None:
        source = self._narrow(self._pick())
        x = self._edges(source, int(self.rng.integers(1, 30)))
        self._keep(self.graph.interpolate(source, x, self._row(len(x))), exact=True)

    def _add_count(self) -> None:
        source = self._narrow(self._pick())
        edges = self._edges(source, int(self.rng.integers(1, 30)))
        self._keep(self.graph.count(source, np.sort(np.append(edges, edges[:1]))), exact=True)

    def _add_ramps(self) -> None:
        source, n = self._pick(), int(self.rng.integers(1, 20))
        column = self.rng.integers(0, self.graph.width(source), n)
        left = self.rng.normal(size=n).round(1)
        slope = 10.0 ** self.rng.uniform(-2, 7, n)
        weights = self.rng.normal(size=(n, int(self.rng.integers(1, 5)))) / n
        self._keep(self.graph.ramps(source, column, left, slope, weights), exact=False)

    def _add_trees(self) -> None:
        self._keep(self.graph.add(self._random_trees(self._pick())), exact=True)

    def _random_trees(self, source: int) -> Trees:
        rng = self.rng
        width = int(rng.integers(1, 4))
        leaf_width = 1 if rng.random() < 0.5 else int(rng.integers(1, width + 1))
        values = self._values(source)
        inner: list[list[float]] = []
        leaves: list[np.ndarray] = []

        def grow(depth: int) -> int:
            if depth == 0 or rng.random() < 0.2:
                leaves.append(rng.normal(size=leaf_width) * 10.0 ** rng.integers(-4, 5))
                return -len(leaves)
            position = len(inner)
            feature = int(rng.integers(values.shape[1]))
            threshold = float(rng.choice(values[:, feature]))
            if np.isnan(threshold):
                threshold = float(rng.normal())
            if rng.random() < 0.3:
                threshold = float(np.nextafter(threshold, rng.choice([-np.inf, np.inf])))
            category_set = int(rng.integers(0, 4)) if rng.random() < 0.3 else -1
            inner.append([])
            missing_left = bool(rng.random() < 0.5)
            left, right = grow(depth - 1), grow(depth - 1)
            inner[position] = [feature, threshold, missing_left, category_set, left, right]
            return position

        roots = [grow(int(rng.integers(0, 5))) for _ in range(int(rng.integers(0, 12)))]
        table = np.array(inner, dtype=np.float64).reshape(-1, 6).T
        return Trees(
            width,
            source,
            feature=table[0].astype(np.int32),
            threshold=table[1],
            missing_left=table[2].astype(bool),
            category_set=table[3].astype(np.int32),
            left=table[4].astype(np.int32),
            right=table[5].astype(np.int32),
            root=np.array(roots, dtype=np.int32),
            offset=rng.integers(0, width - leaf_width + 1, len(roots)).astype(np.int32),
            leaf=np.array(leaves, dtype=np.float64).reshape(-1, leaf_width),
            sets=(
                np.array([0, 2]),
                np.array([1]),
                np.unique(rng.integers(0, 100, 40)),
                np.array([3, 16777217, 2**53]),
            ),
            base=np.where(rng.random(width) < 0.5, 0.0, self._row(width)),
        )

    # The end.

    def refuse(self) -> None:
        self.graph.refuse(self.exact[0])
        self.graph.refuse(self.exact[-1])

    def program(self, seed: int) -> Program:
        width = int(self.rng.integers(2, 5))
        labels = LABELS[seed // 5 % len(LABELS)]
        if seed % 5 < 3:
            parts = list(dict.fromkeys([*self.exact[-12:], *self.smooth[-6:]]))
            output = self.graph.concatenate(parts)
            return self.graph.program(
                output, "values", one_target=bool(self.graph.width(output) == 1)
            )
        width = min(width, len(labels))
        if seed % 5 == 3:
            source = self._pick(any_sort=True)
            node = self.graph.softmax(self._of_width(self._clipped(source), width))
            if width == 2:
                node = self.graph.two_classes(self.graph.select(node, [1]))
            return self.graph.program(node, "probabilities", labels[:width])
        node = self._of_width(self._pick(), 1 if width == 2 else width)
        return self.graph.program(node, "scores", labels[:width])


_STEPS = tuple(name.removeprefix("_add_") for name in vars(_Maker) if name.startswith("_add_"))
