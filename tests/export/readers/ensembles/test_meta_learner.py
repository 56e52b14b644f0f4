"""Tests of what a meta-learner sees in an export, and what it answers."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor

from stackens.combiners import MetaLearner, meta_features
from stackens.export.program import Numbers
from stackens.export.readers import RawColumn
from stackens.export.readers.ensembles import (
    Predictions,
    read_combination,
    read_meta_features,
)
from tests.export.readers.ensembles.answers import evaluated, graph_of
from tests.export.readers.ensembles.tables import table_of

SETTINGS = {"n_estimators": 5, "num_leaves": 4, "verbose": -1, "n_jobs": 1}
FRAME = pd.DataFrame(
    np.random.default_rng(3).normal(size=(300, 3)), columns=["age", "income", "rank"]
)


def read(combiner, table, step, names=None):
    n, n_models, k = table.values.shape
    answers = [f"a{i}" for i in range(n_models * k)]
    graph, rows = graph_of(len(answers) + 3, None if names is None else [*answers, *names])
    nodes = tuple(graph.numbers(range(m * k, (m + 1) * k)) for m in range(n_models))
    features = rows.select(range(len(answers), len(answers) + 3))
    X = np.hstack([table.values.reshape(n, -1), np.asarray(table.features, dtype=float)])
    return graph, step(combiner, graph, Predictions(nodes, table, features)), X


def with_features(table, features):
    object.__setattr__(table, "features", features)
    return table


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "several values"])
@pytest.mark.parametrize("passthrough", [False, True, [], ["rank", "age"], [-1, 0]])
@pytest.mark.parametrize("framed", [True, False])
def test_columns_and_names_are_those_of_fit(kind, passthrough, framed):
    if passthrough == ["rank", "age"] and not framed:
        return  # arrays have no names
    responses = ["predict"] * 2 if kind in ("regression", "several values") else None
    table = table_of(kind, responses or ["predict_proba", "decision_function"])
    table = with_features(table, FRAME if framed else FRAME.to_numpy())
    combiner = MetaLearner(LGBMRegressor(**SETTINGS), passthrough)
    combiner.passed_ = MetaLearner(Silent(), passthrough).fit(table).passed_
    names = FRAME.columns.tolist() if framed else None
    graph, seen, X = read(combiner, table, read_meta_features, names)
    expected = meta_features(table, passthrough)
    np.testing.assert_array_equal(
        evaluated(graph, seen.numbers(graph), X), np.asarray(expected, dtype=float)
    )
    assert seen.names == (tuple(expected.columns) if framed else None)


class Silent:
    """A final estimator that learns nothing."""

    def __init__(self):
        self.classes_ = None

    def get_params(self, deep=True):
        return {}

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X


def test_features_that_pass_through_are_still_raw():
    table = with_features(table_of("binary", ["predict_proba"]), FRAME)
    combiner = MetaLearner(LGBMClassifier(**SETTINGS), ["income"]).fit(table)
    graph, seen, _ = read(combiner, table, read_meta_features, FRAME.columns.tolist())
    assert isinstance(seen.columns[-1], RawColumn)
    assert graph.names[seen.columns[-1].position] == "income"
    assert isinstance(graph[seen.columns[0].node], Numbers)


@pytest.mark.parametrize("passthrough", [False, True, [2, 0]])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_classifier_as_meta_learner(kind, passthrough):
    table = table_of(kind, ["predict_proba", "decision_function"])
    table = with_features(table, FRAME.to_numpy())
    combiner = MetaLearner(LGBMClassifier(**SETTINGS), passthrough).fit(table)
    graph, node, X = read(combiner, table, read_combination)
    np.testing.assert_allclose(evaluated(graph, node, X), combiner.combine(table), atol=1e-15)


def test_a_regressor_as_meta_learner():
    table = with_features(table_of("regression", ["predict"] * 2), FRAME)
    combiner = MetaLearner(LGBMRegressor(**SETTINGS), True).fit(table)
    graph, node, X = read(combiner, table, read_combination, FRAME.columns.tolist())
    np.testing.assert_array_equal(evaluated(graph, node, X), combiner.combine(table))


def test_a_class_that_a_meta_learner_never_saw_has_probability_zero():
    table = with_features(table_of("multiclass", ["predict_proba"] * 2), FRAME.to_numpy())
    seen = table.rows(np.flatnonzero(table.y != "green"))
    combiner = MetaLearner(LGBMClassifier(**SETTINGS)).fit(seen)
    graph, node, X = read(combiner, table, read_combination)
    found = evaluated(graph, node, X)
    np.testing.assert_allclose(found, combiner.combine(table), atol=1e-15)
    assert not found[:, 1].any()
