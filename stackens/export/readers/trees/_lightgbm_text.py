"""Reads the text of a LightGBM model into arrays: the one complete description it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.readers.trees._joined import NO_SET, TreeArrays, members_of_bits

__all__ = ["LightGBMModel", "parse_model_text"]

# Bits of decision_type. The two above hold how the split treats missing values.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT = 1, 2, 2
_PER_TREE = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
_KEPT = (*_PER_TREE, "num_leaves", "num_cat", "leaf_value", "cat_boundaries", "cat_threshold")


@dataclass(frozen=True)
class LightGBMModel:
    """What the text of a model says.

    Attributes
    ----------
    objective : tuple of str
        Name of the objective and its words, such as ``("binary", "sigmoid:1")``; empty for an
        objective of the user's own.
    n_scores : int
        Number of trees in each iteration.
    averaged : bool
        Whether trees are averaged (``boosting="rf"``), not summed.
    ranges : tuple of str
        ``feature_infos``: what each feature held in training.
    categorical : tuple of int
        Features that training treated as categories.
    trees : TreeArrays
        All trees. `missing_left` is the default direction alone.
    missing : int8 array of shape (n_inner,)
        0: missing values count as 0; 1: 0 counts as missing; 2: NaN is missing.
    sets : list of int64 arrays
    """

    objective: tuple[str, ...]
    n_scores: int
    averaged: bool
    ranges: tuple[str, ...]
    categorical: tuple[int, ...]
    trees: TreeArrays
    missing: np.ndarray
    sets: list[np.ndarray]

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.trees.root)


def parse_model_text(text: str) -> LightGBMModel:
    """Read what ``Booster.model_to_string`` wrote.

    Raises
    ------
    ExportError
        If leaves hold linear models.
    """
    header: dict[str, str] = {}
    blocks: dict[str, list[str]] = {key: [] for key in _KEPT}
    lines = iter(text.split("\n"))
    for line in lines:
        key, _, value = line.partition("=")
        if key == "Tree":
            _read_block(lines, blocks)
        elif key == "end of trees":
            break
        else:
            header[key] = value
    categorical = _parameter(lines, "categorical_feature")
    trees, missing, sets = _arrays(blocks)
    return LightGBMModel(
        objective=tuple(header.get("objective", "").split()),
        n_scores=int(header["num_tree_per_iteration"]),
        averaged="average_output" in header,
        ranges=tuple(header["feature_infos"].split()),
        categorical=tuple(int(i) for i in categorical.split(",") if i),
        trees=trees,
        missing=missing,
        sets=sets,
    )


def _read_block(lines: Iterator[str], blocks: dict[str, list[str]]) -> None:
    """Add one tree's lines to those of the others, up to the empty line after it."""
    found = dict.fromkeys(_KEPT, "")
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals:
            break
        if key in found:
            found[key] = value
        elif key == "is_linear" and value != "0":
            raise ExportError(
                "Leaves of trees must hold numbers. Got a LightGBM model with linear models in "
                "its leaves. Train it with linear_tree=False."
            )
    for key, value in found.items():
        blocks[key].append(value)


def _parameter(lines: Iterator[str], name: str) -> str:
    start = f"[{name}: "
    return next((line[len(start) : -1] for line in lines if line.startswith(start)), "")


def _arrays(blocks: dict[str, list[str]]) -> tuple[TreeArrays, np.ndarray, list[np.ndarray]]:
    n_leaves = _numbers(blocks["num_leaves"], np.int64)
    first_leaf = _starts(n_leaves)
    first_inner = _starts(n_leaves - 1)
    # a child counts within its tree; -1 - child is then a leaf
    inner_shift = np.repeat(first_inner, n_leaves - 1)
    leaf_shift = np.repeat(first_leaf, n_leaves - 1)

    def children(key: str) -> np.ndarray:
        child = _numbers(blocks[key], np.int64)
        return np.where(child >= 0, child + inner_shift, child - leaf_shift)

    decision = _numbers(blocks["decision_type"], np.int64)
    threshold = _numbers(blocks["threshold"], np.float64)
    category_set = np.full(len(decision), NO_SET)
    is_category = (decision & _CATEGORICAL) > 0
    sets: list[np.ndarray] = []
    if is_category.any():
        all_sets = _category_sets(blocks)
        first_set = np.repeat(_starts(_numbers(blocks["num_cat"], np.int64)), n_leaves - 1)
        place = threshold[is_category].astype(np.int64) + first_set[is_category]
        category_set[is_category], sets = _each_once([all_sets[i] for i in place])
    trees = TreeArrays(
        feature=_numbers(blocks["split_feature"], np.int64),
        threshold=np.where(is_category, 0.0, threshold),
        missing_left=(decision & _DEFAULT_LEFT) > 0,
        category_set=category_set,
        left=children("left_child"),
        right=children("right_child"),
        leaf=_numbers(blocks["leaf_value"], np.float64)[:, None],
        root=np.where(n_leaves > 1, first_inner, -1 - first_leaf),
    )
    return trees, ((decision >> _MISSING_SHIFT) & 3).astype(np.int8), sets


def _numbers(lines: list[str], dtype: type) -> np.ndarray:
    # of spaces alone, as trees of one leaf have, numpy makes [-1]
    return np.fromstring(" ".join(filter(None, lines)), dtype=dtype, sep=" ")


def _starts(sizes: np.ndarray) -> np.ndarray:
    return np.cumsum(sizes) - sizes


def _category_sets(blocks: dict[str, list[str]]) -> list[np.ndarray]:
    """Return every tree's sets of categories that go to the left, in their order."""
    sets = []
    for bounds, words in zip(blocks["cat_boundaries"], blocks["cat_threshold"], strict=True):
        ends = np.array(bounds.split(), dtype=np.int64)
        bits = np.array(words.split(), dtype=np.uint32)
        sets += [members_of_bits(bits[i:j]) for i, j in pairwise(ends)]
    return sets


def _each_once(sets: list[np.ndarray]) -> tuple[list[int], list[np.ndarray]]:
    """Return the place of each set among the different ones, and those."""
    places: dict[bytes, int] = {}
    found = [places.setdefault(members.tobytes(), len(places)) for members in sets]
    return found, [np.frombuffer(key, dtype=np.int64) for key in places]
