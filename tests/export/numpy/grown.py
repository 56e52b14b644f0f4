"""Random trees for the tests of forests."""

import numpy as np

from stackens.export.program import InputColumn, Numbers, Program, Trees, evaluate

SETS = (np.array([0, 2, 5]), np.array([1]), np.array([], dtype=np.int64), np.array([2**53]))


def random_trees(seed, *, n_trees=12, depth=6, n_columns=5, width=1, leaf_width=1, plain=False):
    """Trees on values 0 ... 6 and NaN: half of the nodes are sets, unless they are plain."""
    rng = np.random.default_rng(seed)
    inner, leaves = [], []

    def grow(levels):
        if levels == 0 or rng.random() < 0.1:
            leaves.append(rng.normal(size=leaf_width) * 10.0 ** rng.integers(-3, 4))
            return -len(leaves)
        place = len(inner)
        in_set = -1 if plain or rng.random() < 0.5 else int(rng.integers(len(SETS)))
        inner.append(None)
        missing_left = not plain and rng.random() < 0.5
        node = [rng.integers(n_columns), rng.integers(0, 12) / 2, missing_left, in_set]
        inner[place] = [*node, grow(levels - 1), grow(levels - 1)]
        return place

    roots = [grow(int(rng.integers(0, depth + 1))) for _ in range(n_trees)]
    table = np.array(inner, dtype=float).reshape(-1, 6).T
    return Trees(
        width,
        0,
        feature=table[0].astype(np.int32),
        threshold=table[1],
        missing_left=table[2].astype(bool),
        category_set=table[3].astype(np.int32),
        left=table[4].astype(np.int32),
        right=table[5].astype(np.int32),
        root=np.array(roots, dtype=np.int32),
        offset=rng.integers(0, width - leaf_width + 1, n_trees).astype(np.int32),
        leaf=np.array(leaves).reshape(-1, leaf_width),
        sets=SETS,
        base=rng.normal(size=width),
    )


def rows_for_trees(seed, n_rows=200, n_columns=5):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 14, size=(n_rows, n_columns)) / 2
    special = rng.choice([np.nan, np.inf, -np.inf, 2.0**53, -0.0], size=x.shape)
    return np.where(rng.random(x.shape) < 0.2, special, x)


def sums_of(trees, x):
    """What the program's evaluation says."""
    columns = np.arange(x.shape[1])
    program = program_of(Numbers(x.shape[1], columns), trees)
    return evaluate(program, list(x.T))[0]


def program_of(numbers, trees):
    columns = tuple(InputColumn(f"x{j}", "number") for j in range(numbers.width))
    return Program(columns, False, (numbers, trees), 1, "values", None)


def chain(levels):
    """One tree that goes ever further to the left: x <= -1, x <= -2, ..."""
    places = np.arange(levels)
    return Trees(
        1,
        0,
        feature=np.zeros(levels, np.int32),
        threshold=-1.0 - places,
        missing_left=np.zeros(levels, bool),
        category_set=np.full(levels, -1, np.int32),
        left=np.append(places[1:], -1 - levels).astype(np.int32),
        right=(-1 - places).astype(np.int32),
        root=np.zeros(1, np.int32),
        offset=np.zeros(1, np.int32),
        leaf=np.arange(levels + 1.0)[:, None],
        sets=(),
        base=np.zeros(1),
    )
