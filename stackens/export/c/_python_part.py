"""The part of an extension that is Python: rows of rare forms, refusals, and arrays of answers.

Its text lies in the C file, and runs when the extension is imported. It needs no package: answers
to many rows are numpy arrays where numpy can be imported, else lists.
"""

from __future__ import annotations

from stackens.export.numpy import _refusals, _values
from stackens.export.numpy._behind import columns_behind
from stackens.export.numpy._sources import definitions
from stackens.export.program import Program

__all__ = ["is_one_number", "python_part"]

_CODE = '''\
def rows_in_python(rows):
    """Read rows of any form: as a list of lists, or an array of doubles."""
    dtype = getattr(rows, "dtype", None)
    if getattr(dtype, "kind", "") in tuple("biuf") and not hasattr(rows, "index"):
        shape = rows.shape
        if len(shape) in (1, 2) and shape[-1] == len(INPUT) and ALL_NUMBERS:
            return rows.astype("float64", order="C"), len(shape) == 1
    return rows_of(rows, INPUT, NAMED, READ)


def refused(rows, place):
    """Return what to say about the row at a place, which the model refuses."""
    found, is_one_row = rows_of(rows, INPUT, NAMED, READ)
    where = "The row" if is_one_row else f"Row {place}"
    checked = [math.nan] * len(BEHIND)
    return str(refusal(where, found[place], checked, INPUT, BEHIND))


def finished(data, n_rows, as_labels):
    """Return the answers to many rows from their bytes."""
    try:
        import numpy
    except ImportError:
        return _finished_without_numpy(data, n_rows, as_labels)
    answers = numpy.frombuffer(data, dtype=numpy.float64).reshape(n_rows, N_OUTPUTS)
    if as_labels and CLASSES is not None:
        best = answers[:, 0] > 0 if BY_SIGN else answers.argmax(axis=1)
        return numpy.array(CLASSES, dtype=LABEL_TYPE)[best.astype(int)]
    return answers[:, 0] if ONE_NUMBER else answers


def _finished_without_numpy(data, n_rows, as_labels):
    flat = memoryview(data).cast("d").tolist() if n_rows else []
    answers = [flat[i * N_OUTPUTS : (i + 1) * N_OUTPUTS] for i in range(n_rows)]
    if as_labels and CLASSES is not None:
        if BY_SIGN:
            return [CLASSES[answer[0] > 0] for answer in answers]
        return [CLASSES[max(range(N_OUTPUTS), key=answer.__getitem__)] for answer in answers]
    return [answer[0] for answer in answers] if ONE_NUMBER else answers


READ = row_reader(INPUT)
COLUMN_READERS = [READERS[kind] for _, kind in INPUT]
ALL_NUMBERS = not {kind for _, kind in INPUT} & {"category", "datetime"}
'''


def python_part(program: Program) -> str:
    """Write the Python code of a program's extension.

    It finds ``INPUT``, the pairs of name and kind of the columns, in its namespace, and leaves
    there what the C code calls.
    """
    classes = program.classes
    facts = {
        "NAMED": program.named,
        "N_OUTPUTS": program.n_outputs,
        "ONE_NUMBER": is_one_number(program),
        "BY_SIGN": program.decides_by_sign,
        "CLASSES": None if classes is None else classes.tolist(),
        "LABEL_TYPE": None if classes is None else classes.dtype.str,
        "BEHIND": [] if program.refused is None else columns_behind(program, program.refused),
    }
    imports, runtime = definitions(_CODE, [_values, _refusals])
    lines = [f"{name} = {value!a}" for name, value in facts.items()]
    return "\n\n\n".join(["\n".join(imports), *runtime, "\n".join(lines), _CODE])


def is_one_number(program: Program) -> bool:
    """Whether the answer to a row is a number, not a list of them."""
    if program.n_outputs > 1:
        return False
    return program.response == "scores" or (program.response == "values" and program.one_target)
