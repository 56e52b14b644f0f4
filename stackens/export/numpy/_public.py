"""The parts of an exported file that are the same for all models: what people call."""

from __future__ import annotations

from stackens.export.program import Program

__all__ = ["glue", "public_names"]

_ROWS = """\
    rows : dict, list, tuple, array or DataFrame
        One raw row or several, as described at the top.
"""

_PREDICT_PROBA = '''\
def predict_proba(rows):
    """Return the probability of each of CLASSES.

    Parameters
    ----------
{rows}
    Returns
    -------
    list of float for one row; {many} for several
    """
    answers, is_one_row = answers_of(rows)
    return answers[0] if is_one_row else answers
'''

_OF_ONE_OR_MANY = '''\
def {name}(rows):
    """Return {what}.

    Parameters
    ----------
{rows}
    Returns
    -------
    {one} for one row; {many} for several
    """
    answers, is_one_row = answers_of(rows)
    if is_one_row:
        return {one_answer}
    return {answers}
'''

_ANSWERS_PLAIN = '''\
def answers_of(rows):
    """Return a list of answers, and whether it is for one row alone."""
    found, is_one_row = rows_of(rows, INPUT, NAMED, READ)
    return [answer_row(values) for values in found], is_one_row
'''

_ANSWERS_PLAIN_REFUSING = '''\
def answers_of(rows):
    """Return a list of answers, and whether it is for one row alone."""
    found, is_one_row = rows_of(rows, INPUT, NAMED, READ)
    answers = []
    for i, values in enumerate(found):
        try:
            answers.append(answer_row(values))
        except RefusedRow as error:
            where = "The row" if is_one_row else f"Row {i}"
            raise refusal(where, values, error.args[0], INPUT, BEHIND) from None
    return answers, is_one_row
'''

_ANSWERS_NUMPY = '''\
def answers_of(rows):
    """Return answers, and whether they are for one row alone."""
    if is_one_row(rows):
        values = READ(row_values(rows, INPUT, named=NAMED))
{row}    columns, _ = columns_of(rows, INPUT, NAMED)
    answers, refused = answer_columns(columns)
{refuse}    return answers, False


def answer_columns(columns):
    """Answer many rows, a part of them at a time so that memory stays bounded.

    Parameters
    ----------
    columns : list of arrays of shape (n_rows,)
        Numbers, or text and None.

    Returns
    -------
    answers : array of shape (n_rows, N_OUTPUTS)
    refused : array of int
        Positions of rows that the model refuses.
    """
    n_rows = len(columns[0])
    answers = np.empty((n_rows, N_OUTPUTS))
    refused = [np.empty(0, dtype=int)]
    with np.errstate(all="ignore"):
        for start in range(0, n_rows, ROWS_AT_A_TIME):
            part = [column[start : start + ROWS_AT_A_TIME] for column in columns]
            answers[start : start + ROWS_AT_A_TIME], finite = answer_rows(part)
            if finite is not None:
                refused.append(start + np.flatnonzero(~finite))
    return answers, np.concatenate(refused)
'''
_ROW_PLAIN = """\
        return [answer_row(values)], True
"""
_ROW_REFUSING = """\
        try:
            return [answer_row(values)], True
        except RefusedRow as error:
            raise refusal("The row", values, error.args[0], INPUT, BEHIND) from None
"""
_REFUSE = """\
    if len(refused):
        i = int(refused[0])
        values = [column[i : i + 1].tolist()[0] for column in columns]
        checked = [math.nan] * len(BEHIND)
        try:
            answer_row(values)
        except RefusedRow as error:
            checked = error.args[0]
        raise refusal(f"Row {i}", values, checked, INPUT, BEHIND)
"""


def glue(program: Program, *, numpy: bool) -> str:
    """Write the functions that people call, and how they reach the model."""
    refuses = program.refused is not None
    if not numpy:
        inner = _ANSWERS_PLAIN_REFUSING if refuses else _ANSWERS_PLAIN
    else:
        inner = _ANSWERS_NUMPY.format(
            row=_ROW_REFUSING if refuses else _ROW_PLAIN,
            refuse=_REFUSE if refuses else "",
        )
    return "\n\n".join([*_public(program, numpy), inner]).rstrip()


def public_names(program: Program) -> list[str]:
    """Return the names of the functions that people call."""
    if program.response == "probabilities":
        return ["predict", "predict_proba"]
    return ["predict", "decision_function"] if program.response == "scores" else ["predict"]


def _public(program: Program, numpy: bool) -> list[str]:
    n = program.n_outputs
    if program.response == "values":
        what = "the predicted value" if program.one_target else "the predicted values"
        return [_numbers("predict", what, program.one_target, n, numpy)]
    if program.decides_by_sign:
        best, best_rows = "int(answers[0][0] > 0)", "(answers[:, 0] > 0).astype(int)"
        plain = "int(answer[0] > 0)"
    else:
        best, best_rows = "argmax(answers[0])", "answers.argmax(axis=1)"
        plain = "argmax(answer)"
    many = f"LABELS[{best_rows}]" if numpy else f"[CLASSES[{plain}] for answer in answers]"
    labels = _OF_ONE_OR_MANY.format(
        name="predict",
        what="the label of CLASSES that is the most likely",
        rows=_ROWS,
        one="one of CLASSES",
        many="an array of them" if numpy else "a list of them",
        one_answer=f"CLASSES[{best}]",
        answers=many,
    )
    if program.response == "probabilities":
        matrix = f"an array of shape (n_rows, {n})" if numpy else "a list of such lists"
        return [labels, _PREDICT_PROBA.format(rows=_ROWS, many=matrix)]
    what = (
        "a score that is positive for the second of CLASSES"
        if n == 1
        else "a score for each of CLASSES"
    )
    return [labels, _numbers("decision_function", what, n == 1, n, numpy)]


def _numbers(name: str, what: str, single: bool, n: int, numpy: bool) -> str:
    """Write a function that returns numbers: one, or several, for each row."""
    if single:
        one, many = "float", "an array of shape (n_rows,)" if numpy else "a list of float"
        answer = "answers[0][0]"
        answers = "answers[:, 0]" if numpy else "[answer[0] for answer in answers]"
    else:
        one = "list of float"
        many = f"an array of shape (n_rows, {n})" if numpy else "a list of such lists"
        answer, answers = "answers[0]", "answers"
    return _OF_ONE_OR_MANY.format(
        name=name, what=what, rows=_ROWS, one=one, many=many, one_answer=answer, answers=answers
    )
