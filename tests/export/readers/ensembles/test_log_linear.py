"""Tests of log-linear pools in exports: floors, standardised margins, weights of zero."""

import numpy as np
import pytest

from stackens.combiners import LogisticOnLogits, LogLinearPool, TwoScalePool
from stackens.export.readers.ensembles import Predictions, read_combination
from stackens.export.readers.ensembles._log_linear import read_log_linear
from tests.export.readers.ensembles.answers import evaluated, graph_of
from tests.export.readers.ensembles.tables import combined, table_of

POOLS = [LogLinearPool(), LogisticOnLogits(), TwoScalePool(penalty=0.5)]


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: type(pool).__name__)
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_certain_models_and_margins_of_any_size(pool, kind):
    responses = ["predict_proba", "decision_function", "predict"]
    pool.fit(table_of(kind, responses))
    table = table_of(kind, responses, n=60, seed=1)
    table.values[:, 1] *= 1e3
    assert (table.values[:, 0] == 0).any()  # below the floor of logarithms
    found = combined(read_log_linear, pool, table)
    np.testing.assert_allclose(found, pool.combine(table), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-15)


def test_both_probabilities_of_a_sure_answer_keep_their_digits():
    pool = LogLinearPool().fit(table_of("binary", ["predict_proba"] * 3))
    pool._coefs = [np.array([8.0, 8.0, 8.0])]
    table = table_of("binary", ["predict_proba"] * 3, seed=2)
    expected = pool.combine(table)
    assert expected.min() < 1e-40
    found = combined(read_log_linear, pool, table)
    np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_models_without_weight_are_not_read(kind):
    table = table_of(kind, ["predict_proba"] * 2)
    pool = LogLinearPool().fit(table)
    pool._coefs = [np.array([0.0, 1.5])]
    k = table.n_outputs
    graph, rows = graph_of(k)
    node = read_combination(pool, graph, Predictions((None, graph.numbers(range(k))), table, rows))
    found = evaluated(graph, node, table.values[:, 1])
    np.testing.assert_allclose(found, pool.combine(table), rtol=1e-13)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_nothing_but_an_intercept(kind):
    table = table_of(kind, ["predict_proba"] * 2)
    pool = LogLinearPool().fit(table)
    pool._coefs = [np.zeros(2)]
    graph, rows = graph_of(1)
    node = read_combination(pool, graph, Predictions((None, None), table, rows))
    found = evaluated(graph, node, np.zeros((len(table.values), 1)))
    np.testing.assert_allclose(found, pool.combine(table), rtol=1e-15)
