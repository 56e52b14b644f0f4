"""Asking the source model in the form it was fitted on, and rows that it refuses."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import MissingIndicator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from stackens.exceptions import ExportMismatchError
from stackens.export._program_of import program_of
from stackens.export.numpy._values import READERS
from stackens.export.program import Graph, InputColumn, Program, evaluate
from stackens.export.verification import answers_of_source, raw_rows, rows_for_source
from stackens.export.verification._source import accepted_rows


def _shape(*columns, named=True):
    """A program that has these columns; what it computes does not matter."""
    graph = Graph([name for name, _ in columns], named=named)
    program = graph.program(graph.constant(0.0), "values")
    kinds = tuple(InputColumn(name, kind) for name, kind in columns)
    return Program(kinds, named, program.nodes, program.output, "values", None)


def test_frames_have_the_types_of_their_kinds():
    program = _shape(
        ("a", "number"), ("b", "category"), ("c", "datetime"), ("d", "timedelta"), ("e", "category")
    )
    columns = [
        np.array([1.0, np.nan]),
        np.array(["x", None], dtype=object),
        np.array([1.7e15, np.nan]),
        np.array([1.5, np.nan]),
        np.array(["u", "v"], dtype=object),
    ]
    like = pd.DataFrame({"e": pd.Categorical(["u"], categories=["u", "w"])})
    frame = rows_for_source(program, columns, form="none", like=like)
    assert list(frame.columns) == ["a", "b", "c", "d", "e"]
    assert frame["c"][0] == pd.Timestamp("2023-11-14 22:13:20")
    assert frame["d"][0] == pd.Timedelta("1.5s")
    assert frame["c"].isna()[1]
    assert frame["d"].isna()[1]
    assert frame["b"][1] is None
    assert frame["e"].cat.categories.tolist() == ["u", "w", "v"]
    assert rows_for_source(program, columns)["b"].isna()[1]
    assert rows_for_source(program, columns)["b"][1] is not None


def test_rows_without_names_are_arrays():
    numbers = rows_for_source(_shape(("x0", "number"), named=False), [np.arange(3.0)])
    assert numbers.dtype == np.float64
    mixed = _shape(("x0", "number"), ("x1", "category"), named=False)
    rows = rows_for_source(mixed, [np.zeros(1), np.array(["a"], dtype=object)])
    assert rows.tolist() == [[0.0, "a"]]
    times = _shape(("x0", "datetime"), ("x1", "timedelta"), named=False)
    rows = rows_for_source(times, [np.array([86_400e6, np.nan]), np.array([1.5, 0.0])])
    assert rows[0].tolist() == [pd.Timestamp("1970-01-02"), pd.Timedelta("1.5s")]
    assert rows[1, 0] is pd.NaT


X = np.arange(12.0).reshape(6, 2) % 5
LABELS = np.array(list("aabbab"))


def _program(model, response, refuse=True):
    graph = Graph(["x0", "x1"], named=False)
    x = graph.numbers([0, 1])
    if refuse:
        graph.refuse(x)
    out = graph.dense(x, np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_))
    if response == "probabilities":
        out = graph.two_classes(graph.elementwise("sigmoid", out))
    return graph.program(out, response, getattr(model, "classes_", None))


@pytest.mark.parametrize(
    ("model", "response", "method"),
    [
        (LogisticRegression().fit(X, LABELS), "probabilities", "predict_proba"),
        (RidgeClassifier().fit(X, LABELS), "scores", "decision_function"),
        (LinearRegression().fit(X, X[:, 0]), "values", "predict"),
    ],
)
def test_answers_are_those_of_the_method(model, response, method):
    columns = [np.append(X[:, 0], np.nan), np.append(X[:, 1], 0.0)]
    answers = answers_of_source(model, _program(model, response), columns)
    expected = getattr(model, method)(X).reshape(6, -1)
    np.testing.assert_array_equal(answers[:6], expected)
    assert np.isnan(answers[6]).all()


def test_a_program_that_refuses_less_or_more_than_its_source_is_found_out():
    model = LinearRegression().fit(X, X[:, 0])
    columns = [np.array([1.0, np.nan]), np.zeros(2)]
    with pytest.raises(ExportMismatchError, match="must predict the rows"):
        answers_of_source(model, _program(model, "values", refuse=False), columns)
    graph = Graph(["x0", "x1"], named=False)
    graph.refuse(graph.constant(np.nan))
    refuses_all = graph.program(graph.numbers([0]), "values")
    assert not accepted_rows(refuses_all, columns).any()
    with pytest.raises(ExportMismatchError, match="would refuse a row"):
        answers_of_source(model, refuses_all, [np.zeros(1), np.zeros(1)])


def test_labels_that_are_not_those_of_the_largest_answer_are_found_out():
    class Cautious(LogisticRegression):
        def predict(self, X):
            return np.where(super().predict_proba(X)[:, 1] > 0.9, "b", "a")

    model = Cautious().fit(X, LABELS)
    columns = [X[:, 0], X[:, 1]]
    with pytest.raises(ExportMismatchError, match="'a' from Cautious where that is 'b'"):
        answers_of_source(model, _program(model, "probabilities"), columns)


def test_one_class_is_the_label_of_every_row():
    model = DecisionTreeClassifier().fit(X, np.full(6, "only"))
    answers = answers_of_source(model, program_of(model), [X[:, 0], X[:, 1]])
    assert answers.tolist() == [[1.0]] * 6


def test_the_form_of_missing_text_is_the_one_that_the_source_knows():
    words = np.array(["u", "v", None, "u"] * 10, dtype=object)
    y = np.array([0, 1, 1, 0] * 10)
    for missing in (None, np.nan):
        frame = pd.DataFrame({"word": pd.Series([missing if w is None else w for w in words])})
        frame = frame.astype(object)
        model = make_pipeline(OneHotEncoder(sparse_output=False), LogisticRegression())
        model.fit(frame, y)
        answers = answers_of_source(model, program_of(model), [words[:4]])
        np.testing.assert_array_equal(answers, model.predict_proba(frame[:4]))


def test_missing_text_is_as_in_each_column_of_the_rows_given():
    X = pd.DataFrame(
        {"a": ["x", "y", None] * 20, "b": ["x", np.nan, "y"] * 20, "c": ["u", "v", "v"] * 20}
    ).astype(object)
    X.loc[X["a"].isna(), "a"] = None
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    model.fit(X, np.arange(60) % 3 == 2)
    program = program_of(model)
    columns = [np.array(["x", None], dtype=object) for _ in range(3)]
    rows = rows_for_source(program, columns, like=X)
    assert rows["a"][1] is None
    assert isinstance(rows["b"][1], float)
    found = answers_of_source(model, program, columns, like=X)
    np.testing.assert_allclose(found, evaluate(program, columns)[0], rtol=1e-12)


def test_columns_that_no_step_reads_are_as_in_the_rows_given():
    graph = Graph(["read", "town", "idle"])
    program = graph.program(graph.numbers([0]), "values")
    like = pd.DataFrame({"idle": [1, 2], "town": pd.Categorical(["x", None]), "read": [0.5, 1.5]})
    columns = [np.array([7.0, 8.0, 9.0]), np.full(3, np.nan), np.full(3, np.nan)]
    rows = rows_for_source(program, columns, like=like)
    assert rows["read"].tolist() == [7.0, 8.0, 9.0]
    assert rows["town"].dtype == like["town"].dtype
    assert rows["idle"].tolist() == [1, 2, 1]
    assert rows_for_source(program, columns, like=like[:0])["idle"].isna().all()


def test_categories_that_are_numbers_in_the_rows_given_are_asked_for_as_text():
    columns = [np.array(["3", None, "never seen"], dtype=object)]
    like = pd.DataFrame({"floor": [1, 2, 3]})
    rows = rows_for_source(_shape(("floor", "category")), columns, like=like)
    assert rows["floor"][0] == "3"
    assert rows["floor"].isna().tolist() == [False, True, False]


NUMBERS = np.array([0, 1, 2, 1] * 10)


@pytest.mark.parametrize("form", ["frame", "matrix"])
@pytest.mark.parametrize("missing", [None, np.nan])
def test_numbers_among_objects_are_asked_as_such(form, missing):
    values = NUMBERS.astype(object)
    values[::7] = missing
    rows = pd.DataFrame({"a": values}) if form == "frame" else values[:, None]
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    model.fit(rows, NUMBERS)
    program = program_of(model)
    columns = [np.array([0.0, 2.0, np.nan, 7.0, np.inf])]
    for like in (None, rows):
        if like is rows and missing is None and form == "matrix":
            continue  # an array does not say what its missing values are
        found = answers_of_source(model, program, columns, like=like)
        np.testing.assert_allclose(found, evaluate(program, columns)[0], rtol=1e-12)


def test_large_answers_do_not_hide_the_form_of_missing_values():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"a": rng.choice([0, 1, 2], 60).astype(object), "x": rng.normal(size=60)})
    rows.loc[::7, "a"] = None
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["a"]), ("passthrough", ["x"])
    )
    model = make_pipeline(encoder, Ridge()).fit(rows, rows["x"] + rows["a"].isna())
    program = program_of(model)
    columns = [np.append(np.arange(900.0) % 3, np.full(3, np.nan)), np.geomspace(1, 1e200, 903)]
    columns[1][-3:] = [0.1, 0.2, 0.3]
    found = answers_of_source(model, program, columns)
    np.testing.assert_allclose(found, evaluate(program, columns)[0], rtol=1e-12)


def test_raw_rows_have_moments():
    program = _shape(("a", "number"), ("c", "datetime"), ("d", "timedelta"), ("e", "category"))
    far = 1e6 * 86_400 * 366 * 10_000  # a year that datetime does not know
    columns = [np.ones(3), np.array([1.7e15, np.nan, far]), np.full(3, 1.5), np.array(["u"] * 3)]
    first, second, third = raw_rows(program, columns)
    assert first == [1.0, dt.datetime(2023, 11, 14, 22, 13, 20), 1.5, "u"]
    assert second == [1.0, None, 1.5, "u"]
    assert READERS["datetime"](third[1], "c") == far


def test_objects_have_the_missing_value_of_the_rows_given():
    columns = [np.array([1.0, np.nan])]
    for missing in (None, np.nan):
        like = pd.DataFrame({"a": pd.Series([1, missing], dtype=object)})
        rows = rows_for_source(_shape(("a", "number")), columns, like=like)
        assert rows["a"].dtype == object
        assert (rows["a"][1] is None) == (missing is None)
    matrix = rows_for_source(_shape(("x0", "number"), named=False), columns, form="object-none")
    assert matrix.tolist() == [[1.0], [None]]


def test_an_infinity_that_is_a_category_in_the_rows_given_may_be_refused():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"b": pd.Categorical(rng.random(60) < 0.5), "x": rng.normal(size=60)})
    model = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=5).fit(rows, rows["x"])
    program = program_of(model)
    columns = [np.array([0.0, 1.0, np.inf]), np.zeros(3)]
    found = answers_of_source(model, program, columns, like=rows)
    np.testing.assert_array_equal(found[:2], evaluate(program, columns)[0][:2])
    assert np.isnan(found[2]).all()


def test_an_infinity_in_a_column_without_a_kind_may_be_refused():
    rows = np.where(np.eye(12, 3) > 0, np.nan, 1.0)
    model = make_pipeline(MissingIndicator(features="all"), LinearRegression())
    program = program_of(model.fit(rows, np.arange(12.0)))
    columns = [np.array(["1", "inf", None], dtype=object)] * 3
    found = answers_of_source(model, program, columns)
    assert np.isnan(found).ravel().tolist() == [False, True, False]
