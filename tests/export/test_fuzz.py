"""Random small models over random tables and rows: every export answers as its source."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import stackens as se
from stackens.export.c._compile import find_compiler
from stackens.export.verification import largest_difference, size_of
from tests.export.random_families import FAMILIES
from tests.export.random_models import fitted, recipes, rows_for, rows_of_cells

pytest.importorskip("onnxruntime")
pytest.importorskip("torch")  # needed by one of the families, and by one of the students

WRITE = {
    "onnx": lambda model, folder, **given: se.export.to_onnx(model, folder / "model.onnx", **given),
    "numpy": lambda model, folder, **given: se.export.to_numpy(model, folder / "model.py", **given),
    "c": lambda model, folder, **given: se.export.to_c(
        model, folder / "model.c", compile=True, **given
    ),
}
TARGETS = [
    "onnx",
    "numpy",
    pytest.param("c", marks=pytest.mark.skipif(find_compiler() is None, reason="no C compiler")),
]


def cases(n):
    """Run a test for n cases of all families together, the same ones every time."""
    rules = settings(
        max_examples=-(-n // len(FAMILIES)),
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # a recipe is short as it is; to shrink it takes minutes in C
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return lambda test: rules(given(data=st.data())(test))


def asked(method, rows):
    """Ask the source; odd rows are meant to overflow, and to be unknown."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return method(rows)


def answers_of(model, rows):
    """Ask the source for what its export answers with: probabilities, scores or values."""
    names = ["predict_proba", "decision_function"] if hasattr(model, "classes_") else []
    name = next((name for name in names if hasattr(model, name)), "predict")
    answers = np.asarray(asked(getattr(model, name), rows), dtype=np.float64)
    return answers.reshape(len(rows), -1)


def exported(artifact, rows):
    """Ask an export for the same."""
    if artifact.manifest.response == "scores":
        return artifact.decision_function(rows)
    return getattr(artifact, "predict_proba", artifact.predict)(rows)


def check(target, recipe, data):
    """Export a model, which checks it; then ask for its table, and row by row for odd ones."""
    model, table = fitted(recipe)
    X = rows_for(recipe, table)
    given = {"X": X} if needs_rows(recipe) or data.draw(st.booleans(), label="given rows") else {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        artifact = WRITE[target](model, Path(folder), **given)
        expected = answers_of(model, X)
        size = size_of(expected)
        difference, row = largest_difference(
            expected, exported(artifact, X).reshape(expected.shape), size
        )
        assert difference <= artifact.manifest.tolerance, table.iloc[row].to_dict()
        for row in data.draw(rows_of_cells(recipe), label="rows"):
            check_row(artifact, model, recipe, table, row, size)


def needs_rows(recipe):
    """Whether a check can only know from rows how the model has its text, and what is missing."""
    n_texts = sum(kind in ("text", "words") for kind in recipe.columns)
    return "category" in recipe.columns or (recipe.missing and n_texts > 1)


def check_row(artifact, model, recipe, table, row, size):
    """Compare the answers to one row, as a dict or a list; what the source refuses is refused."""
    typed = pd.DataFrame(
        {name: column_of(value, table[name]) for name, value in zip(table, row, strict=True)}
    )
    plain = [None if value is pd.NaT else value for value in row]
    raw = dict(zip(table, plain, strict=True)) if recipe.named else plain
    try:
        expected = answers_of(model, rows_for(recipe, typed))
        is_refused = np.isnan(expected).all()
    except (TypeError, ValueError):
        is_refused = True
    if is_refused:
        with pytest.raises(
            ValueError, match=r"row, which it refuses|The row must be one that the model takes"
        ):
            artifact.predict(raw)
        return
    found = np.reshape(exported(artifact, raw), (1, -1))
    difference, _ = largest_difference(expected, found, size)
    assert difference <= artifact.manifest.tolerance, (expected, found)
    if artifact.manifest.classes is not None and lead(expected) > artifact.manifest.tolerance:
        assert artifact.predict(raw) == asked(model.predict, rows_for(recipe, typed))[0]


def lead(answer):
    """How far the best class is ahead: one score is compared with zero, several with each other."""
    if answer.size == 1:
        return abs(answer[0, 0])
    ordered = np.sort(answer[0])
    return ordered[-1] - ordered[-2]


def column_of(value, like):
    """One cell as a column of the type that the source knows."""
    if isinstance(like.dtype, pd.CategoricalDtype):
        known = like.cat.categories.tolist()
        more = [] if value is None or value in known else [value]
        return pd.Series([value], dtype=object).astype(pd.CategoricalDtype([*known, *more]))
    if like.dtype == object and value is None:  # None or NaN, whichever it was fitted on
        value = next(iter(like[like.isna()]), None)
    if like.dtype.kind == "i" and float(value).is_integer() and abs(value) <= 2**53:
        return pd.Series([value]).astype(like.dtype)
    return pd.Series([value], dtype=np.float64 if like.dtype.kind == "i" else like.dtype)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("target", TARGETS)
@cases(50)
def test_fuzz(target, family, data):
    check(target, data.draw(recipes(family), label="recipe"), data)


@pytest.mark.nightly
@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("target", TARGETS)
@cases(1_000)
def test_fuzz_long(target, family, data):
    check(target, data.draw(recipes(family), label="recipe"), data)
