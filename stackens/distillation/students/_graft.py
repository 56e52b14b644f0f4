"""From a booster with raw scores to an ordinary one, whose plain `predict` gives the outputs.

LightGBM has no soft targets for several classes and no writer of its `cross_entropy` in other
formats. The trees of a model that was boosted by an objective of our own become those of an
ordinary `multiclass`, `binary` or `regression` model: what boosting started from goes into the
leaves of the first trees, and the header of the model's text names the objective. Whatever reads
LightGBM's models then reads this one.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

__all__ = ["grafted"]


def grafted(
    booster: Any, objective: str, *, start: np.ndarray | None = None, scale: float = 1.0
) -> Any:
    """Return a new booster that predicts ``scale * scores + start`` under another objective.

    Parameters
    ----------
    booster : lightgbm.Booster
    objective : {"multiclass", "binary", "regression"}
        Softmax of the scores, sigmoid, or the scores themselves.
    start : ndarray of shape (n_scores,), optional
        What the scores of training were counted from. Default: 0.
    scale : float, default=1.0
        Factor of the scores.

    Returns
    -------
    lightgbm.Booster
    """
    from lightgbm import Booster

    text = booster.model_to_string(num_iteration=-1)
    n_scores = booster.num_model_per_iteration()
    offsets = np.zeros(n_scores) if start is None else start
    tree = iter(range(booster.num_trees()))

    def moved(line: re.Match[str]) -> str:
        """Scale a tree's values, and move those of the first round."""
        name, numbers = line.groups()
        values = scale * np.array(numbers.split(), dtype=np.float64)
        number = next(tree) if name == "leaf_value" else None
        if number is not None and number < n_scores:
            values += offsets[number]
        return f"{name}=" + " ".join(map(repr, values.tolist()))

    header, trees = text.split("\nTree=", maxsplit=1)
    trees, rest = trees.split("\nend of trees", maxsplit=1)
    if start is not None or scale != 1.0:
        trees = re.sub(r"(?m)^(leaf_value)=(.*)$", moved, trees)
    # sizes in bytes, by which trees are found; without them they are read one after the other
    header = re.sub(r"\ntree_sizes=.*|\nobjective=.*", "", header)
    words = {"multiclass": f"multiclass num_class:{n_scores}", "binary": "binary sigmoid:1"}
    header = header.replace(
        "\nfeature_names=", f"\nobjective={words.get(objective, objective)}\nfeature_names="
    )
    rest = re.sub(r"\[objective: .*\]", f"[objective: {objective}]", rest)
    return Booster(model_str=f"{header}\n\nTree={trees}\nend of trees{rest}")
