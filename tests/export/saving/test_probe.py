"""Tests of the rows that a file remembers, and asks again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.preprocessing import OneHotEncoder

import stackens as se
from stackens.exceptions import ExportMismatchError
from stackens.export.saving._probe import check_probe, probe_of
from tests.export.saving.crafted import edited_graph

rng = np.random.default_rng(0)
X = rng.normal(size=(50, 2))
PATH = Path("file")
LABELS = np.where(X[:, 0] > 0, "yes", "no")


@pytest.mark.parametrize(
    ("model", "way"),
    [
        (LogisticRegression().fit(X, LABELS), "predict_proba"),
        (RidgeClassifier().fit(X, LABELS), "decision_function"),
        (LinearRegression().fit(X, X), "predict"),
        (OneHotEncoder(handle_unknown="ignore").fit(X), "transform"),
        (MultiOutputClassifier(LogisticRegression()).fit(X, X > 0), "predict_proba"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_first_32_rows_are_asked_in_the_first_way_there_is(model, way):
    probe = probe_of(model, X)
    assert probe["way"] == way
    assert len(probe["rows"]) == len(probe["answers"]) == 32
    check_probe(PATH, model, probe, single=False)


def test_without_rows_there_is_no_probe():
    assert probe_of(LogisticRegression(), None) is None


@pytest.mark.parametrize("rows", [pd.DataFrame(X), sparse.csr_matrix(X), X[:3].tolist()])
def test_rows_are_kept_in_their_container(rows, tmp_path):
    model = LinearRegression().fit(X, X[:, 0])
    se.save(model, tmp_path / "file", rows)
    assert (se.load(tmp_path / "file").coef_ == model.coef_).all()


def test_an_object_that_does_not_answer_takes_no_rows():
    with pytest.raises(TypeError, match="Save it without X"):
        probe_of({"a": 1}, X)


@pytest.mark.parametrize(("change", "single", "differs"), [
    (1e-10, False, False),
    (1e-8, False, True),
    (1e-7, True, False),
    (1e-4, True, True),
    (np.nan, True, True),
    (np.inf, True, True),
])  # fmt: skip
def test_answers_may_differ_by_rounding_only(change, single, differs):
    model = LinearRegression().fit(X, X[:, 0])
    probe = probe_of(model, X)
    probe["answers"][7] += change
    if differs:
        with pytest.raises(ExportMismatchError, match="for row 7 by predict"):
            check_probe(PATH, model, probe, single=single)
    else:
        check_probe(PATH, model, probe, single=single)


def test_labels_missing_numbers_and_shapes_are_compared():
    class Echo:
        def predict(self, rows):
            return self.answers

    echo = Echo()
    for answers, others in [
        (np.array(["a", "b"]), np.array(["a", "c"])),
        (np.array([np.nan, 1.0]), np.array([np.nan, 2.0])),
        (np.zeros((2, 1)), np.zeros((2, 2))),
    ]:
        echo.answers = answers
        probe = probe_of(echo, X[:2])
        check_probe(PATH, echo, probe, single=False)
        echo.answers = others
        with pytest.raises(ExportMismatchError):
            check_probe(PATH, echo, probe, single=False)


def test_load_asks_again_and_names_the_worst_row(tmp_path):
    model = LinearRegression().fit(X, X[:, 0])
    se.save(model, tmp_path / "file", X)

    def other(schema, entries):
        answers = schema["content"]["probe"]["content"]["answers"]["file"]
        values = np.frombuffer(entries[answers][-32 * 8 :]).copy()
        values[4] += 0.5
        entries[answers] = entries[answers][: -32 * 8] + values.tobytes()

    path = edited_graph(tmp_path / "file", tmp_path / "other", other)
    with pytest.raises(ExportMismatchError, match="for row 4 by predict"):
        se.load(path)


def test_a_model_that_fails_here_is_told(tmp_path):
    model = LinearRegression().fit(X, X[:, 0])
    se.save(model, tmp_path / "file", X)

    def without_coefficients(schema, entries):
        state = schema["content"]["object"]["content"]
        del state["content"]["coef_"]
        state["key_types"]["content"].pop()

    path = edited_graph(tmp_path / "file", tmp_path / "other", without_coefficients)
    with pytest.raises(ExportMismatchError, match="as where it was saved. Got AttributeError"):
        se.load(path)
