"""A copy of an object's graph that skops can hold: large and foreign parts are taken out of it."""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.saving._forms import Form

__all__ = ["light_copy"]

Writer = Callable[[Any], "tuple[Any, ...] | None"]

_AS_THEY_ARE = frozenset({type(None), bool, int, float, str, bytes, bytearray})
_CONTAINERS = frozenset({list, tuple, set, dict})
# Objects of scikit-learn's compiled modules, which skops knows how to hold.
_COMPILED = ("sklearn._loss._loss", "sklearn.linear_model._sgd_fast")
# What models ask of scikit-learn's metadata routing.
_REQUESTS = "sklearn.utils._metadata_requests"
_KEPT = "="  # marks what is handed over untouched
# Forms that are shorter than a reference to them.
_SMALL = {_KEPT, "dtype", "enum", "function", "missing", "path", "scalar", "value"}


def light_copy(model: Any, probe: Any, writers: Sequence[Writer]) -> dict[str, Any]:
    """Copy a graph, with a :class:`Form` in the place of each part that has one.

    The copy is made by pickle in memory, which knows how every object wants to be copied, and
    changes nothing. Arrays and other leaves are not copied.

    Parameters
    ----------
    model, probe : object
    writers : sequence of callable
        Each gets an object and returns (kind, *payload) of its form, or None.

    Returns
    -------
    dict
        The copies as ``"object"`` and ``"probe"``, after a list ``"shared"`` of what stands in
        several places. There it is the form ``"shared"`` of a number in this list, whose
        entries only refer to earlier ones.

    Raises
    ------
    ExportError
        If some object in the graph can't be saved; the message says which one and where it is.
    """
    graph = _Graph(writers)
    value = {"object": model, "probe": probe}
    try:
        _Counting(graph).dump(value)
        copied = graph.copied(value)
    except _NotHeldError as error:
        raise ExportError(error.told(model)) from error.__cause__
    except RecursionError as error:
        raise ExportError(
            f"Objects in a {type(model).__name__} must hold each other less deep than Python can "
            f"follow. Got more than {sys.getrecursionlimit()} steps. Flatten what is nested."
        ) from error
    return {"shared": graph.shared, **copied}


class _NotHeldError(Exception):
    """An object that can't be saved, and why."""

    def __init__(self, found: Any, why: str, remedy: str) -> None:
        super().__init__(why)
        self.found, self.why, self.remedy = found, why, remedy

    def told(self, root: Any) -> str:
        return (
            f"Everything in a {type(root).__name__} must be of a kind that can be saved. Got "
            f"{self.found!r:.120} at {_place(root, self.found)}: {self.why}. {self.remedy}"
        )


class _Graph:
    """What is known of the objects in a graph, by id.

    Each of them is held, so that no other one gets its id.
    """

    def __init__(self, writers: Sequence[Writer]) -> None:
        self.leaves: list[Any] = []
        self.shared: list[Any] = []
        self._writers = writers
        self._known: dict[int, tuple[Any, Any]] = {}
        self._reduced: dict[int, tuple[Any, Any]] = {}
        self._states: set[int] = set()
        self._visits: Counter[int] = Counter()
        self._places: dict[int, int | None] = {}

    def visit(self, found: Any) -> None:
        self._visits[id(found)] += 1

    def is_plain(self, found: Any) -> bool:
        """Whether there is nothing to know about an object: a value, or the state of another."""
        return type(found) in _AS_THEY_ARE or id(found) in self._states

    def stand_in(self, found: Any) -> Any:
        """Return what stands for an object, or None to have it walked through."""
        if id(found) not in self._known:
            self._known[id(found)] = (found, self._stand_in(found))
        return self._known[id(found)][1]

    def _stand_in(self, found: Any) -> Any:
        for write in self._writers:
            form = write(found)
            if form is not None:
                return form
        if type(found) in _CONTAINERS:
            return None
        if type(found) in (np.ndarray, np.random.RandomState):
            return self._kept(found)
        if isinstance(found, type):
            _check_importable(found)
            return None
        if callable(found) and hasattr(found, "__qualname__"):
            raise _NotHeldError(found, *_why_no_function(found))
        module = type(found).__module__
        if module in _COMPILED or (module.startswith("sklearn.") and _is_filled_later(found)):
            return self._kept(found)
        return None

    def _kept(self, leaf: Any) -> tuple[str, int]:
        self.leaves.append(leaf)
        return _KEPT, len(self.leaves) - 1

    def reduced(self, found: Any) -> Any:
        """Return how a plain object is copied: an empty one of its class, then its state."""
        if id(found) not in self._reduced:
            made = _reduced(found)
            self._reduced[id(found)] = (found, made)
            self._states.add(id(made[2]))
        return self._reduced[id(found)][1]

    def is_shared(self, found: Any) -> bool:
        """Whether an object that is worth it stands in several places."""
        if self._visits[id(found)] < 2 or isinstance(found, type):
            return False
        if type(found) is tuple and not found:
            return False
        form = self.stand_in(found)
        return form is None or form[0] not in _SMALL

    def place_of_shared(self, found: Any) -> int:
        """Return the number of a shared object, whose copy is made on the first call."""
        if id(found) not in self._places:
            self._places[id(found)] = None
            copy = self.copied(found)
            self._places[id(found)] = len(self.shared)
            self.shared.append(Form("keep", len(self.shared), copy))
        place = self._places[id(found)]
        if place is None:
            raise _NotHeldError(
                found, "it contains itself", "Remove the attribute that leads back to it."
            )
        return place

    def copied(self, root: Any) -> Any:
        """Return the light copy of an object, with forms in the place of the shared ones in it."""
        stream = io.BytesIO()
        _Copying(self, root, stream).dump(root)
        stream.seek(0)
        return _Unpickler(stream, self.leaves).load()


class _Counting(pickle.Pickler):
    """Walks through a graph and counts how often each object is met; what it writes is lost."""

    def __init__(self, graph: _Graph) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self._graph = graph

    def persistent_id(self, found: Any) -> Any:
        if self._graph.is_plain(found):
            return None
        self._graph.visit(found)
        return self._graph.stand_in(found)

    def reducer_override(self, found: Any) -> Any:
        return NotImplemented if isinstance(found, type) else self._graph.reduced(found)


class _Copying(pickle.Pickler):
    """Writes one object, with what stands for the parts of it."""

    def __init__(self, graph: _Graph, root: Any, stream: io.BytesIO) -> None:
        super().__init__(stream, protocol=5)
        self._graph, self._root = graph, root
        self._begun = False
        # pickle tells what it has written by id: these must live as long as it does
        self._written: dict[int, Any] = {}

    def persistent_id(self, found: Any) -> Any:
        if self._graph.is_plain(found):
            return None
        if found is self._root:
            if self._begun:
                raise _NotHeldError(
                    found, "it contains itself", "Remove the attribute that leads back to it."
                )
            self._begun = True
        elif self._graph.is_shared(found):
            place = self._graph.place_of_shared(found)
            return self._written.setdefault(place, ("shared", place))
        return self._graph.stand_in(found)

    def reducer_override(self, found: Any) -> Any:
        return NotImplemented if isinstance(found, type) else self._graph.reduced(found)


class _Unpickler(pickle.Unpickler):
    """Makes the copy, with forms in it."""

    def __init__(self, stream: io.BytesIO, leaves: list[Any]) -> None:
        super().__init__(stream)
        self._leaves = leaves

    def persistent_load(self, pid: Any) -> Any:
        return self._leaves[pid[1]] if pid[0] == _KEPT else Form(*pid)


def _reduced(found: Any) -> tuple[Any, ...]:
    cls = type(found)
    try:
        reduced = found.__reduce_ex__(4)
    except Exception as error:  # whatever the class raises
        raise _NotHeldError(
            found,
            f"it can't be copied ({type(error).__name__}: {error})",
            "Remove it, or replace it by plain values, before saving.",
        ) from error
    _check_importable(cls)
    if (
        isinstance(reduced, str)
        or reduced[0] is not copyreg.__newobj__  # type: ignore[attr-defined]
        or reduced[1] != (cls,)
        or any(item is not None for item in reduced[3:])
    ):
        raise _NotHeldError(
            found,
            f"objects of {cls.__module__}.{cls.__qualname__} are made by code of their own",
            "Save it with its own library, or put arrays and plain values in its place.",
        )
    state = reduced[2] if len(reduced) > 2 else None
    if cls.__module__ == _REQUESTS and isinstance(state, dict) and "owner" in state:
        # The model that asked, for messages: scikit-learn takes the name of its class as well.
        owner = state["owner"]
        state = {**state, "owner": owner if isinstance(owner, str) else type(owner).__name__}
    return reduced[0], reduced[1], state


def _is_filled_later(found: Any) -> bool:
    try:
        reduced = found.__reduce_ex__(4)
    except TypeError:
        return False
    return not isinstance(reduced, str) and getattr(reduced[0], "__name__", "") == "newObj"


def _check_importable(cls: type) -> None:
    module, name = cls.__module__, cls.__qualname__
    # not by import_module: a class exists only where its module was imported
    if getattr(sys.modules.get(module), name, None) is cls:
        return
    raise _NotHeldError(
        cls,
        f"its class can't be found as {name} in {module}",
        "Define the class at the top level of a module, not in a function or another class.",
    )


def _why_no_function(found: Any) -> tuple[str, str]:
    if getattr(found, "__self__", None) is not None and hasattr(found, "__func__"):
        return (
            "a method bound to an object has no name to be found by",
            "Use a function at the top level of a module, or an object with that method.",
        )
    return (
        "code is not saved, only names of functions, and this one can't be found by its name",
        "Define it with def at the top level of a module that you can import where you load it, "
        "and name it in trusted= there.",
    )


def _place(root: Any, found: Any) -> str:
    """Return the way from the root to an object, as one would type it, as far as it is known."""
    seen, queue = {id(root)}, [(type(root).__name__, root)]
    for path, holder in queue:
        inside: list[tuple[str, Any]]
        if isinstance(holder, dict):
            inside = [(f"{path}[{key!r:.40}]", value) for key, value in holder.items()]
        elif isinstance(holder, list | tuple):
            inside = [(f"{path}[{i}]", value) for i, value in enumerate(holder)]
        else:
            inside = [
                (f"{path}.{n}", value) for n, value in getattr(holder, "__dict__", {}).items()
            ]
        for place, value in inside:
            if value is found or (isinstance(found, type) and type(value) is found):
                return place
            if id(value) not in seen and not isinstance(value, str | bytes | int | float):
                seen.add(id(value))
                queue.append((place, value))
    return f"some place in the {type(root).__name__}"
