"""Random small models over random tables and rows: every export answers as its source."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stackens as se
from stackens.export.c._compile import find_compiler
from stackens.export.verification import largest_difference
from tests.export.random_families import FAMILIES
from tests.export.random_models import fitted, recipes, rows_for, rows_of_cells

pytest.importorskip("onnxruntime")
pytest.importorskip("torch")  # one family in sixteen

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
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return lambda test: rules(given(data=st.data())(test))


def asked(model, rows):
    """Return what the source answers to one row, NaN where it refuses it, and its label."""
    name = "predict"
    if hasattr(model, "classes_"):
        name = "predict_proba" if hasattr(model, "predict_proba") else "decision_function"
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            answer = np.asarray(getattr(model, name)(rows), dtype=np.float64).reshape(1, -1)
            return answer, model.predict(rows)[0]
    except (TypeError, ValueError, OverflowError):
        return None, None


def check(target, recipe, data):
    model, table = fitted(recipe)
    X = rows_for(recipe, table)
    needs_types = "category" in recipe.columns
    given = {"X": X} if needs_types or data.draw(st.booleans(), label="given rows") else {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        artifact = WRITE[target](model, Path(folder), **given)
        assert artifact.report.check.n_rows >= 2_000
        for row in data.draw(rows_of_cells(recipe), label="rows"):
            check_row(artifact, model, recipe, table, row)
        few = rows_for(recipe, table.iloc[:7])
        if hasattr(model, "predict_proba"):
            assert artifact.predict_proba(few).shape == model.predict_proba(few).shape
        difference, _ = largest_difference(*both(model, artifact, few))
        assert difference <= artifact.manifest.tolerance


def both(model, artifact, rows):
    """Return the answers of the source and of its export to rows that both take."""
    name = next(
        each
        for each in ("predict_proba", "decision_function", "predict")
        if hasattr(model, each) and (each == "predict" or hasattr(model, "classes_"))
    )
    expected = np.asarray(getattr(model, name)(rows), dtype=np.float64).reshape(len(rows), -1)
    return expected, outputs(artifact, rows).reshape(len(rows), -1)


def check_row(artifact, model, recipe, table, row):
    typed = pd.DataFrame(
        {name: column_of(value, table[name]) for name, value in zip(table, row, strict=True)}
    )
    expected, label = asked(model, rows_for(recipe, typed))
    plain = [None if value is pd.NaT else value for value in row]
    raw = dict(zip(table, plain, strict=True)) if recipe.named else plain
    if expected is None or np.isnan(expected).all():
        with pytest.raises(ValueError, match="row 0, which it refuses"):
            outputs(artifact, raw)
        return
    found = np.reshape(outputs(artifact, raw), (1, -1))
    difference, _ = largest_difference(expected, found)
    assert difference <= artifact.manifest.tolerance, (expected, found)
    if artifact.manifest.classes is not None:
        # one score is compared with zero, several with each other
        ordered = np.sort(expected[0]) if expected.size > 1 else np.array([0.0, expected[0, 0]])
        if abs(ordered[-1] - ordered[-2]) > artifact.manifest.tolerance:
            assert artifact.predict(raw) == label


def outputs(artifact, rows):
    """Return the numbers that an export answers, NaN-free."""
    if artifact.manifest.response == "probabilities":
        return artifact.predict_proba(rows)
    if artifact.manifest.response == "values":
        return artifact.predict(rows)
    return artifact._outputs(rows)[0]


def column_of(value, like):
    """One cell as a column of the type that the source knows."""
    if isinstance(like.dtype, pd.CategoricalDtype):
        known = like.cat.categories.tolist()
        more = [] if value is None or value in known else [value]
        return pd.Series([value], dtype=object).astype(pd.CategoricalDtype([*known, *more]))
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
