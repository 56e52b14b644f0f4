"""Small programs for the tests of the C target, and what builds and runs them."""

import subprocess

import numpy as np
import pytest

from stackens.export.c import open_c, write_c
from stackens.export.c._compile import find_compiler
from stackens.export.program import Graph, Trees

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="there is no C compiler")


def mixed(classes=("no", "yes"), named=True):
    """Probabilities from a number that must be there, a city, and a time."""
    graph = Graph(["age", "city", "unread", "seen"], named=named)
    numbers = graph.numbers([0])
    graph.refuse(numbers)
    city = graph.lookup(
        1, ["Oslo", "Łódź", "3", "True"], np.arange(4.0)[:, None] + 1, missing=[-1], unknown=[-2]
    )
    seen = graph.over(graph.numbers([3], "datetime"), 1e15)
    score = graph.weighted_sum([numbers, city, graph.fill_missing(seen, 0.5)], [0.01, 0.25, 1.0])
    second = graph.elementwise("sigmoid", score)
    return graph.program(graph.two_classes(second), "probabilities", np.array(classes))


def ratio(**response):
    """One number: a over b."""
    graph = Graph(["a", "b"])
    node = graph.arithmetic("divide", graph.numbers([0]), graph.numbers([1]))
    return graph.program(node, response.pop("response", "values"), **response)


def some_trees(rng, source, n_columns, n_trees=5, depth=4, leaf_width=2, sets=()):
    """Full trees with random rules; with sets, some of them ask for categories."""
    inner, leaves = 2**depth - 1, 2**depth
    i = np.arange(inner)
    child = np.stack([2 * i + 1, 2 * i + 2])
    left, right = (
        np.concatenate(
            [
                np.where(c < inner, c + t * inner, -1 - (c - inner + t * leaves))
                for t in range(n_trees)
            ]
        )
        for c in child
    )
    n = n_trees * inner
    chosen = rng.integers(-1, len(sets), n) if sets else np.full(n, -1)
    return Trees(
        leaf_width + 1,
        source,
        feature=rng.integers(0, n_columns, n).astype(np.int32),
        threshold=rng.normal(size=n),
        missing_left=rng.random(n) < 0.5,
        category_set=chosen.astype(np.int32),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        root=(np.arange(n_trees) * inner).astype(np.int32),
        offset=rng.integers(0, 2, n_trees).astype(np.int32),
        leaf=rng.normal(size=(n_trees * leaves, leaf_width)),
        sets=tuple(np.array(members) for members in sets),
        base=np.arange(leaf_width + 1.0),
    )


def opened(program, folder, name="model.c"):
    """Write, build and open a program."""
    path = folder / name
    path.write_text(write_c(program, "{}"), encoding="ascii")
    return open_c(path)


def run_c(folder, program, main, *flags):
    """Build a C program around an exported file, and return what it prints."""
    (folder / "model.c").write_text(write_c(program, "{}"), encoding="ascii")
    (folder / "main.c").write_text(main, encoding="utf-8")
    warn = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    command = [*find_compiler(), *warn, *flags, "model.c", "main.c", "-lm", "-o", "program"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([folder / "program"], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
