"""The symmetry of a torch module, derived from its graph of operators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from torch import nn

from stackens.weight_averaging.alignment._collected import collected
from stackens.weight_averaging.alignment._graph import Graph
from stackens.weight_averaging.alignment._symmetry import Symmetry
from stackens.weight_averaging.alignment._walk import Sizes, Walk

__all__ = ["torch_symmetry", "walked"]


def torch_symmetry(
    module: nn.Module, example: Any, constants: Collection[str] = frozenset()
) -> Symmetry:
    """Return all changes of a module's tensors, known to us, that leave its function as it is.

    The module is traced in evaluation mode. Where an operator is unknown, or an axis is used in a
    way that is not understood, everything that it touches stays as it is, and a note says so.

    Parameters
    ----------
    module : torch.nn.Module
        Never changed.
    example : tensor or array, or tuple or dict of them
        One input batch, as for a call of the module; a tuple holds several arguments, a dict those
        given by name. Only shapes and types matter.
    constants : collection of str, default=frozenset()
        Names of tensors that must stay as they are.

    Returns
    -------
    Symmetry
        Its names are those of ``state_dict()``, without the prefixes of wrappers.

    Raises
    ------
    ValueError
        If the module cannot be traced.

    References
    ----------
    Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin", arXiv:2209.04836.

    Examples
    --------
    >>> import torch
    >>> from stackens.weight_averaging.alignment._torch import torch_symmetry
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    >>> symmetry = torch_symmetry(net, torch.zeros(5, 3))
    >>> symmetry.units
    {'0.weight': Units(size=8, blocks=1)}
    >>> symmetry.signs
    {'0.weight sign': '0.weight'}
    """
    graph = Graph(module, example, constants)
    walk = walked(graph)
    symmetry = collected(walk.axes, walk.parameters)
    layout = {
        name: symmetry.layout[first]
        for name, first in graph.first_names.items()
        if first in symmetry.layout
    }
    return replace(symmetry, layout=layout)


def walked(graph: Graph) -> Walk:
    """Walk through a graph until every axis that has to be divided is."""
    divided: dict[str, Sizes] = {}
    settled = False
    while True:
        walk = Walk(graph, divided, settled)
        if not walk.axes.divided:
            return walk
        refined = walk.sizes()
        settled = refined == divided  # what could be divided is
        divided = refined
