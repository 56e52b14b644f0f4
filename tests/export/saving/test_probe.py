"""Tests of the rows that a file remembers, and asks again."""

from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import stackens as se
from stackens.exceptions import DamagedFileError, ExportMismatchError
from stackens.export.saving._probe import check_can_be_asked, check_probe, probe_of
from tests.export.saving.crafted import edited_graph, saved_unchecked

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


def test_without_rows_some_are_made_as_the_model_knows_them():
    frame = pd.DataFrame({"age": X[:, 0], "town": LABELS})
    model = make_pipeline(se.TabularEncoder(), LogisticRegression()).fit(frame, LABELS)
    probe = probe_of(model, None)
    assert len(probe["rows"]) == len(probe["answers"]) == 32
    assert probe["rows"].columns.tolist() == ["age", "town"]
    assert {"yes", "no"} <= set(probe["rows"]["town"])
    pd.testing.assert_frame_equal(probe["rows"], probe_of(model, None)["rows"])
    check_probe(PATH, model, probe, single=False)
    model[-1].coef_ += 0.1
    with pytest.raises(ExportMismatchError, match="the worst of 32 rows"):
        check_probe(PATH, model, probe, single=False)


def test_made_rows_are_such_as_the_model_takes():
    labels = X[:, 0] > 0
    for model in (LogisticRegression(), HistGradientBoostingClassifier(max_iter=3)):
        assert np.isfinite(probe_of(model.fit(X, labels), None)["answers"]).all()


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        {"a": 1},
        KNeighborsClassifier().fit(X, LABELS),
        OneHotEncoder().fit(X),
        lightgbm.LGBMClassifier(n_estimators=2, min_child_samples=40, verbose=-1).fit(
            pd.DataFrame({"a": X[:, 0], "idle": pd.Categorical(LABELS)}), LABELS
        ),
    ],
    ids=["not fitted", "no model", "no export", "transformer", "rows of unknown form"],
)
def test_no_rows_are_made_for_what_cannot_be_exported(model):
    assert probe_of(model, None) is None


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


# ---------------------------------------------------------------- what a file may ask

LINE = LinearRegression().fit(X, X[:, 0])
CODE = "@np.f2py.os.system('touch sign')"
CALLS = {
    "a path writes": (Path("sign"), "write_text", "x"),
    "a path writes bytes": (Path("sign"), "transform", X),
    "a table runs text": (pd.DataFrame({"a": [1]}), "eval", CODE),
    "a table runs a query": (pd.DataFrame({"a": [1]}), "query", CODE),
    "a table writes": (pd.DataFrame({"import os": [1]}), "to_csv", "sign"),
    "a table is asked": (pd.DataFrame({"a": [1]}), "transform", X),
    "an array writes": (np.arange(3), "tofile", "sign"),
    "another method": (LINE, "fit", X),
    "a special method": (LINE, "__setstate__", {"coef_": X}),
    "no text": (LINE, ["predict"], X),
    "no such method": (LINE, "transform", X),
    "a class": (LinearRegression, "predict", X),
    "a text as rows": (LINE, "predict", "sign"),
    "a path as rows": (LINE, "predict", Path("sign")),
    "a single value": (LINE, "predict", np.array("sign")),
    "a model as rows": (LINE, "predict", LINE),
    "objects in rows": (LINE, "predict", np.array([[LINE]], dtype=object)),
    "objects in a table": (LINE, "predict", pd.DataFrame({"a": [LINE]})),
    "objects in a dict": (LINE, "predict", [{"a": LINE}]),
    "a list of lists": (LINE, "predict", [[1.0, 2.0]]),
}


@pytest.mark.parametrize("name", list(CALLS))
def test_a_file_cannot_choose_a_call(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, way, rows = CALLS[name]
    saved_unchecked(model, "file", {"rows": rows, "way": way, "answers": np.zeros(1)})
    with pytest.raises(DamagedFileError, match="its object can't be put together"):
        se.load("file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "probe",
    [
        {"rows": X, "way": "predict"},
        [X, "predict", X],
        {"rows": X, "way": "predict", "answers": LINE},
        {"rows": X, "way": "predict", "answers": np.array([LINE], dtype=object)},
    ],
    ids=["missing", "list", "model", "objects"],
)
def test_a_probe_that_is_not_as_written_is_refused(probe, tmp_path):
    saved_unchecked(LINE, tmp_path / "file", probe)
    with pytest.raises(DamagedFileError, match="kept with it"):
        se.load(tmp_path / "file")


def test_an_attribute_is_not_asked_in_place_of_a_method():
    model = LinearRegression()
    model.predict = np.exp
    with pytest.raises(ValueError, match="by predict, which"):
        check_can_be_asked(model, {"rows": X, "way": "predict", "answers": X}, ())


def test_all_kinds_of_rows_can_be_asked(tmp_path):
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, X[:, 0]), 1)
    dates = pd.DataFrame({"date": pd.date_range("2020", periods=4), "text": ["a", None, "b", "c"]})
    encoder = se.TabularEncoder().fit(dates)
    rows = [{"a": 1.0, "b": "x"}, {"b": ["x", "y"]}]
    for model, given in [
        (booster, X),
        (encoder, dates),
        (encoder, dates.astype(object)),
        (DictVectorizer().fit(rows), rows),
        (LINE, sparse.csc_array(X)),
        (LINE, X.astype(object)),
        (FrozenEstimator(LINE), X),
    ]:
        se.save(model, tmp_path / "file", given)
        assert type(se.load(tmp_path / "file")) is type(model)
