"""What stands in a saved graph for something that skops can't hold, such as a booster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["Form", "reading"]

# Makes the object of a form while a file is loaded. skops builds objects by calling their class,
# and there is no other way to hand it something along; a context variable is private to a thread.
_maker: ContextVar[Callable[[str, tuple[Any, ...]], Any] | None] = ContextVar(
    "stackens_form_maker", default=None
)


class Form:
    """The place of an object in a saved graph: its kind, and what it can be made of again.

    Called while a file is loaded, the class returns that object.

    Parameters
    ----------
    kind : str
    *payload : object
        Objects that skops can hold, other forms among them.
    """

    kind: str
    payload: tuple[Any, ...]

    def __new__(cls, kind: str, *payload: Any) -> Any:
        make = _maker.get()
        if make is not None:
            return make(kind, payload)
        form = super().__new__(cls)
        form.kind, form.payload = kind, payload
        return form

    def __reduce__(self) -> tuple[Any, ...]:
        # of this shape skops makes a call of the class
        return Form, (self.kind, *self.payload)


# Files name the class by this place.
Form.__module__ = "stackens.export.saving"


@contextmanager
def reading(make: Callable[[str, tuple[Any, ...]], Any]) -> Iterator[None]:
    """Have forms become objects, made by a function of kind and payload."""
    token = _maker.set(make)
    try:
        yield
    finally:
        _maker.reset(token)
