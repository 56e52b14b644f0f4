"""The schemas of all inputs of a network: in a file, drawn together, mixed over sites."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.one_shot._schema import InputSchema

__all__ = [
    "Declaration",
    "Schemas",
    "as_schemas",
    "draw_inputs",
    "plain",
    "read_plain",
    "read_schema",
    "save_schema",
]

_KIND = "stackens input schema"

Schemas: TypeAlias = InputSchema | Sequence[InputSchema]
Declaration: TypeAlias = Sequence[tuple[float, list[InputSchema]]]  # share of rows, their inputs


def as_schemas(schema: Schemas) -> list[InputSchema]:
    """Return the schemas of all inputs, in the order of the network's arguments."""
    schemas = [schema] if isinstance(schema, InputSchema) else list(schema)
    if not schemas or not all(isinstance(one, InputSchema) for one in schemas):
        raise TypeError(
            "An input schema must be an InputSchema, or a list with one for each input of the "
            f"network. Got {schema!r}. Make one with InputSchema(shape=..., low=..., high=...)."
        )
    return schemas


def draw_inputs(declared: Declaration, n: int, rng: np.random.Generator) -> list[NDArray]:
    """Draw synthetic rows of all inputs, from each declaration by its share.

    Raises
    ------
    ValueError
        If declarations are of inputs of different shapes or kinds.
    """
    looks = [[(one.shape, one.vocabulary) for one in schemas] for _, schemas in declared]
    if any(look != looks[0] for look in looks):
        raise ValueError(
            "The schemas of all sites must be of the same inputs. Got (shape, vocabulary) "
            f"{looks}. Give one common 'input_schema'."
        )
    counts = rng.multinomial(n, [share for share, _ in declared])
    drawn = [
        [one.draw(count, rng) for one in schemas]
        for count, (_, schemas) in zip(counts.tolist(), declared, strict=True)
        if count
    ]
    return [np.concatenate(parts) for parts in zip(*drawn, strict=True)]


def plain(schemas: Iterable[InputSchema]) -> list[dict[str, Any]]:
    """Return schemas as JSON can hold them."""
    return [one.as_dict() for one in schemas]


def read_plain(entries: Any) -> list[InputSchema]:
    """Return the schemas that `plain` wrote.

    Raises
    ------
    ValueError, TypeError, AttributeError
        If they are not valid.
    """
    return as_schemas([InputSchema(**entry) for entry in entries])


def save_schema(path: str | os.PathLike[str], schema: Schemas) -> None:
    """Write a schema, or those of several inputs, to a JSON file.

    Parameters
    ----------
    path : path-like
        ``schema.json`` in the folder of the sites' files is found by `one_shot_merge`.
    schema : InputSchema or sequence of InputSchema

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from stackens.weight_averaging.one_shot import InputSchema, read_schema, save_schema
    >>> path = Path(tempfile.mkdtemp(), "schema.json")
    >>> save_schema(path, InputSchema(shape=(8, 2), low=0, high=1))
    >>> read_schema(path)[0].shape
    (8, 2)
    """
    content = {"kind": _KIND, "inputs": plain(as_schemas(schema))}
    Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_schema(path: str | os.PathLike[str]) -> list[InputSchema]:
    """Read the schemas, one for each input, from a file of `save_schema`.

    Raises
    ------
    ValueError
        If the file is something else, or declares what makes no sense.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["kind"] != _KIND:
            raise ValueError(f"its kind is {content['kind']!r}")
        return read_plain(content["inputs"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} must be a schema of inputs. Got one that is not valid ({error}). Write it "
            "with save_schema."
        ) from error
