"""Tests of the meta-learner: what it sees, in which container, and what it answers."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from stackens._core._task import Task
from stackens.combiners import MetaLearner, meta_features, passed_positions
from stackens.exceptions import BaseModelError
from stackens.out_of_fold import OutOfFoldTable
from stackens.preprocessing import TabularEncoder

RNG = np.random.default_rng(0)
N = 60
Y = np.array(["no", "yes"])[np.arange(N) % 2]
P = np.clip((Y == "yes") * 0.4 + 0.3 + RNG.normal(0, 0.15, N), 0.01, 0.99)
BINARY = Task("binary", 2, np.array(["no", "yes"]))


def table_of(features=None, y=Y, task=BINARY, columns=(P, 1 - P**2), **parts):
    values = np.stack([np.column_stack([1 - p, p]) for p in columns], axis=1)
    response = ("predict_proba",) * len(columns)
    if not task.is_classification:
        values, response = np.stack(columns, axis=1)[:, :, None], ("predict",) * len(columns)
    names = tuple(f"m{i}" for i in range(len(columns)))
    return OutOfFoldTable(values, names, task, response, features, y=y, **parts)


def test_a_classifier_over_probabilities():
    meta = MetaLearner(LogisticRegression()).fit(table_of())
    answer = meta.combine(table_of())
    expected = LogisticRegression().fit(np.column_stack([P, 1 - P**2]), Y)
    np.testing.assert_allclose(answer, expected.predict_proba(np.column_stack([P, 1 - P**2])))
    assert not hasattr(meta.final_estimator, "coef_")


def test_margins_where_there_are_no_probabilities():
    answer = MetaLearner(LinearSVC()).fit(table_of()).combine(table_of())
    np.testing.assert_array_equal(answer[:, 0], -answer[:, 1])


def test_a_regressor_over_values():
    task = Task("regression", 1)
    y = P * 3
    table = table_of(y=y, task=task, columns=(P, P**2))
    answer = MetaLearner(LinearRegression()).fit(table).combine(table)
    np.testing.assert_allclose(answer[:, 0], y)


def test_only_covered_rows_are_read():
    covered = np.arange(N) >= 20
    table = table_of(covered=covered)
    table.values[:20] = np.nan
    meta = MetaLearner(LogisticRegression()).fit(table)
    expected = LogisticRegression().fit(np.column_stack([P, 1 - P**2])[20:], Y[20:])
    np.testing.assert_allclose(meta.final_estimator_.coef_, expected.coef_)


def test_integer_weights_are_repeated_rows():
    weights = np.arange(N) % 4
    rows = np.repeat(np.arange(N), weights)
    weighted = MetaLearner(Ridge()).fit(
        table_of(y=P, task=Task("regression", 1), sample_weight=weights.astype(float))
    )
    repeated = MetaLearner(Ridge()).fit(table_of(y=P, task=Task("regression", 1)).rows(rows))
    np.testing.assert_allclose(weighted.final_estimator_.coef_, repeated.final_estimator_.coef_)
    with pytest.raises(TypeError, match="does not support sample weights"):
        MetaLearner(KNeighborsClassifier()).fit(table_of(sample_weight=np.ones(N)))


FEATURES = RNG.normal(size=(N, 3))


def test_predictions_alone_for_arrays():
    seen = meta_features(table_of(FEATURES))
    np.testing.assert_array_equal(seen, np.column_stack([P, 1 - P**2]))


@pytest.mark.parametrize(
    ("passthrough", "columns"), [(True, [0, 1, 2]), ([2, 0], [2, 0]), ([], [])]
)
def test_arrays(passthrough, columns):
    seen = meta_features(table_of(FEATURES), passthrough)
    np.testing.assert_array_equal(seen[:, :2], np.column_stack([P, 1 - P**2]))
    np.testing.assert_array_equal(seen[:, 2:], FEATURES[:, columns])


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_features_keep_their_format(make):
    seen = meta_features(table_of(make(FEATURES)), True)
    assert sparse.issparse(seen)
    assert seen.format == make(FEATURES).format
    np.testing.assert_array_equal(seen.toarray()[:, 2:], FEATURES)
    assert isinstance(meta_features(table_of(make(FEATURES))), np.ndarray)


def test_pandas_frames_keep_names_types_and_index():
    frame = pd.DataFrame(FEATURES[:, :2], columns=["a", "b"], index=np.arange(N) // 2)
    frame["c"] = pd.Categorical(Y)
    seen = meta_features(table_of(frame), ["c", "a"])
    assert seen.columns.tolist() == ["m0", "m1", "c", "a"]
    assert seen["c"].dtype == frame["c"].dtype
    assert seen.index.equals(frame.index)
    np.testing.assert_array_equal(seen["m0"], P)
    assert meta_features(table_of(frame)).columns.tolist() == ["m0", "m1"]


def test_columns_called_by_numbers():
    seen = meta_features(table_of(pd.DataFrame(FEATURES)), True)
    assert seen.columns.tolist() == ["m0", "m1", "0", "1", "2"]
    levels = pd.DataFrame(FEATURES[:, :2], columns=pd.MultiIndex.from_product([["a"], [1, 2]]))
    seen = meta_features(table_of(levels), True)
    assert seen.columns.tolist() == ["m0", "m1", "('a', 1)", "('a', 2)"]


def test_polars_frames():
    frame = pl.DataFrame(FEATURES, schema=["a", "b", "c"]).with_columns(pl.Series("t", Y))
    seen = meta_features(table_of(frame), ["t", "b"])
    assert isinstance(seen, pl.DataFrame)
    assert seen.columns == ["m0", "m1", "t", "b"]
    assert isinstance(meta_features(table_of(frame)), pl.DataFrame)


@pytest.mark.parametrize(
    ("features", "passthrough", "message"),
    [
        (None, True, "passthrough needs the feature rows.*Use a table from cross_fit"),
        (pd.DataFrame({"a": P}), ["z"], r"must name columns of X. Got \['z'\].*Correct"),
        (pd.DataFrame({"m1": P}), True, r"Got \['m1'\] for both. Rename"),
        (FEATURES, [3], "column positions below 3.*Got .3.. Correct"),
        (FEATURES, ["a"], "column positions below 3"),
        (FEATURES, [True, False, False], r"Got a mask, \[True, False, False\]. Give the positions"),
        (pd.DataFrame({"a": P}), [np.True_], "Got a mask.*Give the positions"),
        (FEATURES, [0, 1, -3], r"each column once. Got \[-3\] again, among \[0, 1, -3\]. Leave"),
        (pd.DataFrame({"a": P}), ["a", "a"], r"each column once. Got \['a'\] again.*Leave"),
    ],
)
def test_features_that_cannot_pass(features, passthrough, message):
    with pytest.raises(ValueError, match=message):
        meta_features(table_of(features), passthrough)


def test_positions_of_what_passes():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], 7: [3, 4]})
    assert passed_positions(frame, [1, "a", 7]) == [1, 0, 2]
    assert passed_positions(frame, [-2]) == [1]
    assert passed_positions(FEATURES, [2, -3]) == [2, 0]
    with pytest.raises(ValueError, match=r"must name columns of X\. Got \[3\]"):
        passed_positions(frame, [3])


@pytest.mark.parametrize("routing", [False, True])
def test_a_final_estimator_that_fails_is_named(routing):
    text = pd.DataFrame({"t": Y})
    with config_context(enable_metadata_routing=routing):
        meta = MetaLearner(make_pipeline(StandardScaler(), LogisticRegression()), True)
        message = (
            r"The final estimator \(Pipeline\) failed: ValueError: could not convert string.*"
            "TabularEncoder before it.*choose another final_estimator"
        )
        with pytest.raises(BaseModelError, match=f"(?s){message}") as caught:
            meta.fit(table_of(text, sample_weight=np.ones(N)))
        assert isinstance(caught.value.__cause__, ValueError)
        encoded = make_pipeline(TabularEncoder(), *(step for _, step in meta.final_estimator.steps))
        MetaLearner(encoded, True).fit(table_of(text, sample_weight=np.ones(N)))


def test_integer_weights_are_repeated_rows_with_features_beside():
    frame = pd.DataFrame({"a": FEATURES[:, 0], "t": np.array(list("xyz"))[np.arange(N) % 3]})
    frame.loc[::7, "a"] = np.nan
    weights = np.arange(N) % 4
    encoder = TabularEncoder(encoding="one-hot", scale=True)
    meta = MetaLearner(make_pipeline(encoder, LogisticRegression(tol=1e-10, max_iter=1000)), True)
    answers = [
        clone(meta).fit(rows).combine(table_of(frame))
        for rows in (
            table_of(frame, sample_weight=weights.astype(float)),
            table_of(frame).rows(np.repeat(np.arange(N), weights)),
        )
    ]
    np.testing.assert_allclose(*answers, atol=1e-8)


@pytest.mark.parametrize(
    ("passthrough", "positions"),
    [(False, []), ([], []), (True, [0, 1, 2]), (["c", "a"], [2, 0]), ([-1, 0], [2, 0])],
)
def test_positions_of_what_passed_are_kept(passthrough, positions):
    frame = pd.DataFrame(RNG.normal(size=(N, 3)), columns=list("abc"))
    meta = MetaLearner(LogisticRegression(), passthrough).fit(table_of(frame))
    assert meta.passed_ == positions


def test_texts_in_one_dimension_pass_as_one_column():
    meta = MetaLearner(make_pipeline(TabularEncoder(), LogisticRegression()), True)
    assert meta.fit(table_of(np.array(list("xyz"))[np.arange(N) % 3])).passed_ == [0]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="numpy 2 made it")
def test_texts_of_any_length_pass():
    texts = np.array([["a", "bb"], ["ccc", "d"]], dtype=np.dtypes.StringDType())
    seen = meta_features(table_of(texts[np.arange(N) % 2]), True)
    assert seen[0, 2:].tolist() == ["a", "bb"]
    np.testing.assert_array_equal(seen[:, 0].astype(float), P)
