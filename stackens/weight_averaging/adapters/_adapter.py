"""What an adapter is: how models of one kind become named tensors, and back."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

__all__ = ["Adapter"]


class Adapter(ABC):
    """Reads and writes the tensors of one kind of model.

    Attributes
    ----------
    kind : str
        What such models are called in messages, such as ``"torch modules"``.
    """

    kind: str

    @abstractmethod
    def accepts(self, model: Any) -> bool:
        """Whether this is a model of the kind; loads no framework."""

    def facts(self, model: Any, like: Any) -> dict[str, Any]:
        """Return what must be equal between models besides names, shapes and types of tensors.

        Name -> value, such as the activation of a network. A fact may depend on ``like``, the
        model that all others are brought into line with.
        """
        return {}

    @abstractmethod
    def tensors(self, model: Any, like: Any) -> Mapping[str, Any]:
        """Return name -> tensor, in the framework's own types, which share the model's memory.

        They are in the terms of ``like``: where two models write the same function in different
        ways (other automatic names, classes in another order, another scaler in front), the
        tensors are those that ``like`` would have.

        Raises
        ------
        ValueError, TypeError
            If the model has no tensors yet, or some that cannot be averaged.
        """

    def holder(self, model: Any, like: Any) -> Any:
        """Return the model whose copies can hold the tensors of ``model`` in terms of ``like``.

        That is ``model`` itself, with whatever it has besides tensors, unless terms can differ.
        """
        return model

    def copy(self, model: Any) -> Any:
        """Return a model that :meth:`write` may change."""
        return copy.deepcopy(model)

    @abstractmethod
    def write(self, model: Any, arrays: Iterable[tuple[str, NDArray]]) -> Any:
        """Put arrays, under the names of :meth:`tensors`, into a copy and return it.

        Each array is rounded once to the type of the tensor that it replaces.
        """
