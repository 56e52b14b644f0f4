"""Writes a program as an ONNX file."""

from __future__ import annotations

import json

import numpy as np

from stackens.export.onnx._builder import Builder, TensorKind
from stackens.export.onnx._inputs import InputPlan, Inputs, plan_inputs
from stackens.export.onnx._lookups import Table, look_up_numbers, look_up_texts, merged
from stackens.export.onnx._membership import sets_by_feature, table_of_column, traced
from stackens.export.onnx._precision import finite_nodes, mixed_only, single_nodes
from stackens.export.onnx._refusal import refusing_nodes
from stackens.export.onnx._steps import Writer, write_steps
from stackens.export.onnx._views import Layout, View
from stackens.export.program import Lookup, Program, Trees

__all__ = ["write_onnx"]


def write_onnx(program: Program, manifest: str, *, inputs: Inputs = "auto") -> bytes:
    """Write a program as an ONNX file that plain onnxruntime (1.21 or newer) runs.

    Trees and lookups are computed in double precision, bit for bit as in the source, where
    onnxruntime runs with one thread (with more it adds trees up in another order).

    Parameters
    ----------
    program : Program
    manifest : str
        Goes into the metadata under "stackens".
    inputs : {"auto", "matrix", "blocks", "columns"}, default="auto"
        What the file is fed with.

        - "matrix": one input ``X``, doubles of shape (n, n_columns), for columns that are all
          numbers. NaN is a missing value. Dates are microseconds since 1970-01-01 UTC and time
          differences seconds.
        - "blocks": the columns that the model reads in two inputs, ``numbers`` (doubles) and
          ``categories`` (texts). Six times quicker to feed than twenty single columns.
        - "columns": one input of shape (n, 1) for each column that the model reads, under its
          name.
        - "auto": "matrix" where it can be, else "blocks".

    Returns
    -------
    bytes
        Outputs are, for classifiers, ``label`` of shape (n,) and ``probabilities`` or ``scores``
        of shape (n, n_columns); else ``predictions`` of shape (n,) or (n, n_targets). Rows that
        the source refuses are NaN, and have the label of the first class. The metadata
        "columns" (JSON) says what goes where, "missing_text" what stands for a missing category.

    Raises
    ------
    ExportError
        If `inputs` does not suit the columns, or the file would be larger than 2 GB.

    Examples
    --------
    >>> import numpy as np
    >>> import onnxruntime
    >>> from stackens.export.onnx import write_onnx
    >>> from stackens.export.program import Graph
    >>> graph = Graph(["length", "town"])
    >>> town = graph.lookup(1, ["Bergen", "Oslo"], [[1.0], [2.0]], missing=[0.0], unknown=[-1.0])
    >>> answer = graph.arithmetic("add", graph.numbers([0]), town)
    >>> content = write_onnx(graph.program(answer, "values"), "{}")
    >>> session = onnxruntime.InferenceSession(content)
    >>> feed = {
    ...     "numbers": np.array([[0.5], [0.5], [0.5]]),
    ...     "categories": np.array([["Oslo"], [""], ["Paris"]], dtype=object),
    ... }
    >>> session.run(["predictions"], feed)[0]
    array([ 2.5,  0.5, -0.5])
    """
    plan = plan_inputs(program, inputs)
    builder = Builder()
    numbers, texts = _inputs(builder, program, plan)
    anchor = next(
        tensor for view in (*numbers.values(), *texts.values()) for tensor in view.tensors
    )
    layout = Layout(builder, anchor)
    lookups, members = _lookups(program, layout, numbers, texts, plan.missing_text)
    kinds = (single_nodes(program), finite_nodes(program), mixed_only(program))
    writer = Writer(program, layout, numbers, lookups, members, *kinds, {})
    write_steps(writer)
    _outputs(writer)
    metadata = {
        "stackens": manifest,
        "columns": json.dumps(plan.described(program)),
        "missing_text": plan.missing_text,
        "unknown_text": plan.unknown_text,
    }
    if program.classes is not None:
        metadata["classes"] = json.dumps(program.classes.tolist())
    return builder.finish(metadata)


def _inputs(
    builder: Builder, program: Program, plan: InputPlan
) -> tuple[dict[int, View], dict[int, View]]:
    """Add the inputs; return a view of each column, of numbers and of texts."""
    found: list[dict[int, View]] = []
    for inputs, kind in ((plan.numbers, "double"), (plan.texts, "string")):
        views: dict[int, View] = {}
        for name, columns in inputs.items():
            tensor = builder.input(name, kind, len(columns))  # type: ignore[arg-type]
            views.update({column: View.of(tensor, [i]) for i, column in enumerate(columns)})
        found.append(views)
    return found[0], found[1]


def _lookups(
    program: Program,
    layout: Layout,
    numbers: dict[int, View],
    texts: dict[int, View],
    missing_text: str,
) -> tuple[dict[int, View], dict[tuple[int, int], View]]:
    """Write all lookups of input columns together, and those of sets of categories with them."""
    wanted: dict[int, list[tuple[int | tuple[int, int], Table]]] = {}
    for position, node in program:
        if isinstance(node, Lookup):
            keys = node.keys if isinstance(node.keys, tuple) else node.keys.tolist()
            table = Table(keys, node.values, node.missing, node.unknown)
            wanted.setdefault(node.column, []).append((position, table))
        elif isinstance(node, Trees):
            for feature, sets in sets_by_feature(node).items():
                found = traced(program, node.source, feature)
                if found is not None:
                    lookup, column = found
                    table = table_of_column(lookup, column, node, sets)
                    wanted.setdefault(lookup.column, []).append(((position, feature), table))
    lookups: dict[int, View] = {}
    members: dict[tuple[int, int], View] = {}
    for inputs in (texts, numbers):
        columns = [column for column in wanted if column in inputs]
        if not columns:
            continue
        tables = [merged([table for _, table in wanted[column]]) for column in columns]
        source, place = layout.loose(
            View.beside([inputs[column] for column in columns]),
            "string" if inputs is texts else "double",
        )
        if inputs is texts:
            found_views = look_up_texts(layout, source, place.tolist(), tables, missing_text)
        else:
            found_views = look_up_numbers(layout, source, place.tolist(), tables)
        for column, view in zip(columns, found_views, strict=True):
            start = 0
            for key, table in wanted[column]:
                width = table.values.shape[1]
                part = view.select(np.arange(start, start + width))
                start += width
                if isinstance(key, tuple):
                    members[key] = part
                else:
                    lookups[key] = part
    return lookups, members


def _outputs(writer: Writer) -> None:
    program, builder = writer.program, writer.layout.builder
    answer = writer.full(program.output).name
    width = program.n_outputs
    refusing = refusing_nodes(program)
    if refusing:
        # Zeros times what is not finite are NaN; times anything else they add nothing.
        view = View.beside([writer.views[position] for position in refusing])
        refused = writer.layout.in_every_row(writer.layout.whole(view))
        zeros = builder.constant(np.zeros((refused.width, width)))
        answer = builder.node("Gemm", refused.name, zeros, answer)
    if program.classes is None:
        if program.one_target and width == 1:
            answer = builder.node("Squeeze", answer, builder.constant(np.array([1])))
            builder.output("predictions", answer, "double", ["N"])
        else:
            builder.output("predictions", answer, "double", ["N", width])
        return
    label, kind = _labels(writer, answer, program.classes)
    builder.output("label", label, kind, ["N"])
    builder.output(program.response, answer, "double", ["N", width])


def _labels(writer: Writer, answer: str, classes: np.ndarray) -> tuple[str, TensorKind]:
    """Return the label of the largest column, or for one score of its sign."""
    builder = writer.layout.builder
    if writer.program.decides_by_sign:
        positive = builder.node("Greater", answer, builder.constant(np.array(0.0)))
        axis = builder.constant(np.array([1]))
        place = builder.node("Cast", builder.node("Squeeze", positive, axis), to=7)
    else:
        place = builder.node("ArgMax", answer, axis=1, keepdims=0)
    labels = np.array(classes.tolist())  # arrays of objects get the type of what they hold
    kinds: dict[str, tuple[TensorKind, type]] = {
        "b": ("bool", np.bool_),
        "f": ("double", np.float64),
        "i": ("int64", np.int64),
        "u": ("int64", np.int64),
    }
    kind, dtype = kinds.get(labels.dtype.kind, ("string", np.str_))
    labels = labels.astype(dtype)
    if kind == "int64" and np.array_equal(labels, np.arange(len(labels))):
        return place, kind
    return builder.node("Gather", builder.constant(labels), place), kind
