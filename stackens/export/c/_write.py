"""Writes a program as one C99 file, which is also the source of a Python extension."""

from __future__ import annotations

import re
from importlib.resources import files

from stackens.export.c._expressions import Expressions
from stackens.export.c._literals import comment, number, text
from stackens.export.c._python_part import is_one_number, python_part
from stackens.export.c._steps import Steps, write_steps
from stackens.export.numpy._literals import wrapped
from stackens.export.program import Lookup, Program

__all__ = ["write_c"]

_TOGETHER = 64  # rows that go through the program at once
_LARGEST_SCRATCH = 32_768  # numbers; more would not stay in a processor's second cache
_KINDS = {
    "number": "NUMBER",
    "category": "CATEGORY",
    "datetime": "MOMENT",
    "timedelta": "DURATION",
    "unread": "UNREAD",
}


def write_c(program: Program, manifest: str) -> str:
    """Write a program as the text of a C file.

    It is C99 and needs the standard library alone. Compiled with ``-DSTACKENS_PYTHON=name``, it is
    a Python extension of that name.

    Parameters
    ----------
    program : Program
    manifest : str
        JSON in one line, kept in a comment at the end.

    Returns
    -------
    str

    Raises
    ------
    ExportError
        If trees have too many nodes for 32-bit positions.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens.export.c import write_c
    >>> from stackens.export.program import Graph
    >>> graph = Graph(["age", "income"])
    >>> ratio = graph.arithmetic("divide", graph.numbers([0]), graph.numbers([1]))
    >>> code = write_c(graph.program(ratio, "values"), "{}")
    >>> print(code[code.index("    /* 2: ") :].partition("}")[0])
        /* 2: Arithmetic */
        for (r = 0; r < n; r++) {
            out[r] = (x[r * 2 + 0] / x[r * 2 + 1]);
    """
    keys = _keys(program)
    expressions = Expressions(program, _places(program), keys)
    refused = None if program.refused is None else expressions.at(program.refused, "j")
    steps = write_steps(expressions)
    block = _block(program, steps, refused)
    own = "\n".join([steps.functions, block, _best(program)])
    parts = [
        _header(program),
        _text("start.c"),
        _sizes(program, expressions, steps),
        _runtime(own),
        own,
        _text("api.c"),
        _tables(program, keys),
        "#ifndef STACKENS_PYTHON\n",
        _class_names(program),
        _text("public.c"),
        "#else /* the Python extension */\n",
        _python_facts(program),
        _text("python_rows.c"),
        _text("python_module.c"),
        "#endif\n",
    ]
    # "/" only stands in texts of JSON, where "\/" means the same.
    escaped = manifest.replace("/", "\\/").replace("??", "\\u003f?")
    return "\n".join(part for part in parts if part) + f"\n/* stackens-manifest: {escaped} */\n"


def _text(name: str) -> str:
    return (files("stackens.export.c") / name).read_text(encoding="utf-8")


def _places(program: Program) -> list[int]:
    """Return the position of each column among the numbers, or among the categories."""
    places, count = [], {True: 0, False: 0}
    for column in program.columns:
        places.append(count[column.kind == "category"])
        count[column.kind == "category"] += 1
    return places


def _keys(program: Program) -> dict[int, list[str]]:
    """Return the texts that some lookup knows, for each column of categories, in C's order."""
    found: dict[int, set[str]] = {
        i: set() for i, column in enumerate(program.columns) if column.kind == "category"
    }
    for _, node in program:
        if isinstance(node, Lookup) and isinstance(node.keys, tuple):
            found[node.column].update(node.keys)
    return {i: sorted(texts, key=_utf8) for i, texts in found.items()}


def _utf8(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _header(program: Program) -> str:
    numbers = [c for c in program.columns if c.kind != "category"]
    categories = [c for c in program.columns if c.kind == "category"]
    unit = {
        "datetime": ": microseconds since 1970-01-01 UTC",
        "timedelta": ": seconds",
        "number": "",
    }
    lists = [("numbers", [f"{c.name}{unit[c.kind]}" for c in numbers])]
    lists.append(("categories", [c.name for c in categories]))
    lines = []
    for title, names in lists:
        lines.append(f"   {title}:{'' if names else ' none'}")
        lines += [f"     {i}  {comment(name)}" for i, name in enumerate(names)]
    what = {"probabilities": "a probability for each class", "values": "the predicted values"}
    outputs = what.get(program.response, "a score for each class; the largest wins")
    if program.decides_by_sign:
        outputs = "a score, positive for the second class"
    if program.classes is not None:
        lines.append("   classes:")
        lines += [f"     {i}  {comment(str(c))}" for i, c in enumerate(program.classes.tolist())]
    return f"""\
/* A trained model as one file of C99 that needs nothing but the standard library (link with -lm);
   written by stackens. Declare what you use of it:

   int model_predict_row(const double *numbers, const char *const *categories, double *out);
   int model_predict(size_t n_rows, const double *numbers, const char *const *categories,
                     double *out);
       One row, or many, row after row. Give NaN for missing numbers, NULL for missing categories;
       texts are UTF-8, and those that the model does not know are fine. `out` gets
       {program.n_outputs} for each row: {outputs}.
       The answer is 0; 1 where the model refuses a row, whose `out` is NaN; -1 without memory.
   int32_t model_code(int category, const char *text);
   int model_predict_codes(size_t n_rows, const double *numbers, const int32_t *codes, double *out);
       The same in two parts: texts into codes once, and rows of codes. -2: a code that is none.
   int model_best(const double *out);              the place of the predicted class
   const char *model_class_name(int place);        its label as text
   extern const double model_class_numbers[];      labels that are numbers
   extern const int model_n_numbers, model_n_categories, model_n_outputs, model_n_classes;

   It was checked as gcc and clang build it with -O3 -ffp-contract=off -fno-math-errno
   -fno-trapping-math, and should answer the same with other flags, but for -ffast-math.
   -DSTACKENS_PREFIX=name puts another name in place of "model". All functions may run in several
   threads at once. -DSTACKENS_PYTHON=name makes a Python extension of that name.

{chr(10).join(lines)}
*/
"""


def _sizes(program: Program, expressions: Expressions, steps: Steps) -> str:
    n_categories = sum(column.kind == "category" for column in program.columns)
    width = expressions.plan.width
    together = min(_TOGETHER, max(8, _LARGEST_SCRATCH // max(width, 1) // 8 * 8))
    sizes = {
        "N_COLUMNS": len(program.columns),
        "N_NUMBERS": len(program.columns) - n_categories,
        "N_CATEGORIES": n_categories,
        "N_OUTPUTS": program.n_outputs,
        "N_CLASSES": 0 if program.classes is None else len(program.classes),
        "SCRATCH_NUMBERS": width,
        "SCRATCH_CODES": steps.codes_width,
        "ROWS_TOGETHER": together,
    }
    return "".join(f"#define {name} {size}\n" for name, size in sizes.items())


def _runtime(code: str) -> str:
    """Return the functions that a piece of code calls, and those that they call in turn."""
    functions = re.split(r"\n(?=\n(?:static|/\*|#define))", "\n" + _text("steps.c"))
    by_name = {re.findall(r"(\w+)\(", function)[0]: function for function in functions}
    needed: set[str] = set()
    # First in the quick way: the code may hold a hundred megabytes of data.
    new = {n for n in by_name if f"{n}(" in code and re.search(rf"\b{n}\(", code)}
    while new:
        needed |= new
        code = " ".join(re.sub(r"/\*.*?\*/", "", by_name[name], flags=re.S) for name in new)
        new = set(re.findall(r"\w+", code))
        new = (new & set(by_name)) - needed
    return "".join(f"{text}\n" for name, text in by_name.items() if name in needed)


def _block(program: Program, steps: Steps, refused: str | None) -> str:
    """Write the function that answers a block of rows: 1 + the first refused row, or 0."""
    body = "".join(f"    {call}\n" for call in steps.calls)
    if program.refused is not None:
        width, n_outputs = program.nodes[program.refused].width, program.n_outputs
        body += (
            "    for (r = n; r-- > 0;) {\n        int refused = 0;\n"
            f"        for (j = 0; j < {width}; j++)\n"
            f"            refused |= !is_finite({refused});\n"
            "        if (refused) {\n            first = 1 + r;\n"
            f"            for (j = 0; j < {n_outputs}; j++)\n"
            f"                out[r * {n_outputs} + j] = NAN;\n        }}\n    }}\n"
        )
    return (
        "static size_t predict_block(size_t n, size_t room, const double *x, const int32_t *k,\n"
        "    double *s, int32_t *w, double *out)\n{\n"
        f"    size_t first = 0{', r, j' if refused else ''};\n{body}    return first;\n}}\n"
    )


def _best(program: Program) -> str:
    """Write the function that finds the predicted class."""
    if program.decides_by_sign:
        best = "out[0] > 0"
    else:
        best = f"place_of_largest(out, {program.n_outputs})"
    return f"static int best_class(const double *out)\n{{\n    return {best};\n}}\n"


def _tables(program: Program, keys: dict[int, list[str]]) -> str:
    lines = ["struct text {\n    const char *bytes;\n    size_t length;\n};\n"]
    tables = []
    for place, texts in enumerate(keys.values()):
        items = [_text_item(value) for value in texts] or ["{NULL, 0}"]
        lines.append(f"static const struct text keys_{place}[] = {{\n{wrapped(items)}\n}};\n")
        tables.append(f"{{keys_{place}, {len(texts)}}}")
    lines.append(
        "static const struct {\n    const struct text *texts;\n    int n;\n} category_keys[] = {\n"
        f"{wrapped(tables or ['{NULL, 0}'])}\n}};\n"
    )
    return "\n".join(lines)


def _text_item(value: str) -> str:
    return f"{{{text(value)}, {len(_utf8(value))}}}"


def _class_names(program: Program) -> str:
    labels = [] if program.classes is None else program.classes.tolist()
    names = wrapped([text(str(label)) for label in labels] or ["NULL"])
    lines = f"static const char *const class_names[] = {{\n{names}\n}};\n"
    if labels and all(isinstance(label, (bool, int, float)) for label in labels):
        numbers = wrapped(number(float(label)) for label in labels)
        lines += (
            "extern const double STACKENS_NAME(_class_numbers)[];\n"
            f"const double STACKENS_NAME(_class_numbers)[] = {{\n{numbers}\n}};\n"
        )
    return lines


def _python_facts(program: Program) -> str:
    rows = [
        f"{{{_text_item(name)}, {_KINDS[kind]}, {place}}}"
        for (name, kind), place in zip(program.row_columns(), _places(program), strict=True)
    ]
    scores = "predict_proba" if program.response == "probabilities" else "decision_function"
    what = (
        "Return the probability of each of CLASSES: a list for one row, an array for many."
        if program.response == "probabilities"
        else "Return the score of each of CLASSES, or one that is positive for the second."
    )
    row = (
        " A row is a dict, or a list, tuple or array in the order of COLUMNS; several are a list "
        "of these, a matrix or a DataFrame."
    )
    answer = "values" if program.classes is None else "labels"
    kinds = {kind for _, kind in program.row_columns()}
    all_numbers = not kinds & {"category", "datetime"}
    return f"""\
#define ONE_NUMBER {int(is_one_number(program))}
#define ALL_NUMBERS {int(all_numbers)} /* whether a matrix of doubles can be rows */
#define SCORES_NAME "{scores}"
#define SCORES_DOC {text(what + row)}
#define PREDICT_DOC {text(f"Return predicted {answer}: one for one row, an array for many." + row)}
#define MODULE_DOC "A trained model, exported by stackens."

enum {{ NUMBER, CATEGORY, MOMENT, DURATION, UNREAD }};

static const struct {{
    struct text name;
    int kind;
    int place;
}} columns[] = {{
{wrapped(rows)}
}};

static const char *const python_source[] = {{
{_lines_of(python_part(program))}
}};
"""


def _lines_of(code: str) -> str:
    return "\n".join(f"{text(line + chr(10))}," for line in code.splitlines())
