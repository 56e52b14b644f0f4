"""What all combiners share: rows to fit on, weighted sums, refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from stackens.combiners import COMBINERS, FixedWeights, MetaLearner, UniformMean
from stackens.combiners._base import (
    count_weights,
    fitting_rows,
    require_names,
    require_probabilities,
    weighted_mean,
    weightless,
)


@pytest.mark.parametrize("n_outputs", [1, 2, 5, 40])
@pytest.mark.parametrize("zero", [False, True])
def test_weighted_mean(n_outputs, zero):
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(30, 4, n_outputs)), rng.uniform(size=4)
    if zero:
        weights[2] = 0.0
    expected = (values * weights[:, None]).sum(axis=1)
    np.testing.assert_allclose(weighted_mean(values, weights), expected)


def test_models_without_weight_are_not_read():
    values = np.ones((3, 3, 2))
    values[:, 1] = np.nan
    np.testing.assert_array_equal(weighted_mean(values, np.array([0.5, 0, 0.5])), np.ones((3, 2)))
    assert weighted_mean(values, np.zeros(3)).tolist() == np.zeros((3, 2)).tolist()


def test_one_model_of_weight_one_is_returned_bit_for_bit(make_table):
    values = make_table("multiclass").values
    found = weighted_mean(values, np.array([0.0, 1.0, 0.0, 0.0]))
    assert found.tobytes() == np.ascontiguousarray(values[:, 1]).tobytes()


def test_fitting_rows_leave_out_uncovered_and_weightless_rows(make_table):
    table = make_table("binary", n=8, weighted=True)
    weights = table.sample_weight.copy()
    weights[[1, 5]] = 0.0
    covered = np.ones(8, dtype=bool)
    covered[[0, 5]] = False
    rows = fitting_rows(replace(table, sample_weight=weights, covered=covered), "It")
    kept = [2, 3, 4, 6, 7]
    np.testing.assert_array_equal(rows.values, table.values[kept])
    assert (rows.y == table.y[kept]).all()
    # The splits point at the same rows as before.
    for (train, test), (old_train, old_test) in zip(rows.splits, table.splits, strict=True):
        assert np.array(kept)[train].tolist() == [i for i in old_train if i in kept]
        assert np.array(kept)[test].tolist() == [i for i in old_test if i in kept]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_bad_row_weights(make_table, bad):
    table = make_table("binary", weighted=True)
    weights = table.sample_weight.copy()
    weights[3] = bad
    with pytest.raises(ValueError, match=r"sample_weight of It must .* Got .*"):
        fitting_rows(replace(table, sample_weight=weights), "It")


@pytest.mark.parametrize(
    "change", [{"covered": np.zeros(60, bool)}, {"sample_weight": np.zeros(60)}]
)
def test_nothing_to_learn_from(make_table, change):
    with pytest.raises(ValueError, match=r"It learns from rows .* Got a table .* Use a splitter"):
        fitting_rows(replace(make_table("binary"), **change), "It")


def test_no_models(make_table):
    table = make_table("binary")
    empty = replace(table, values=table.values[:, :0], names=(), response=())
    with pytest.raises(ValueError, match=r"It combines models\. Got a table without any"):
        fitting_rows(empty, "It")


def test_other_models_than_fitted_on(make_table):
    table = make_table("regression")
    combiner = UniformMean().fit(table)
    with pytest.raises(ValueError, match=r"UniformMean was fitted on the models .* Got a table of"):
        require_names(combiner, table.select(["m1", "m0", "m2", "m3"]))
    require_names(combiner, table)


def test_margins_are_refused_only_for_classification(make_table):
    table = make_table("binary")
    mixed = replace(table, response=("predict_proba", "value", "decision_function", "predict"))
    with pytest.raises(ValueError, match=r"It averages probabilities\. Got .*\['m1', 'm2'\]"):
        require_probabilities(mixed, "It")
    require_probabilities(table, "It")
    require_probabilities(make_table("regression"), "It")


def test_count_weights(make_table):
    table = make_table("binary", weighted=True)
    np.testing.assert_array_equal(count_weights(table), table.sample_weight)
    small = replace(table, sample_weight=table.sample_weight / 1000)
    assert count_weights(small).mean() == pytest.approx(1.0)
    assert count_weights(make_table("binary")).tolist() == [1.0] * 60


def test_models_without_weight():
    combiner = UniformMean()
    assert weightless(combiner, ["a", "b"]) == ()
    combiner.weights_ = np.array([0.0, 1.0])
    assert weightless(combiner, ["a", "b"]) == ("a",)
    assert weightless(combiner, ["a", "b", "c"]) == ()
    combiner.weights_ = np.zeros((2, 3))  # one for each label
    assert weightless(combiner, ["a", "b"]) == ()


EVERY = {
    **{name: kind() for name, kind in COMBINERS.items()},
    "fixed": FixedWeights(),
    "meta-learner": MetaLearner(LogisticRegression()),
}


@pytest.mark.parametrize("name", EVERY)
def test_features_in_place_of_a_table_are_refused(name, make_table):
    combiner, X = EVERY[name], np.zeros((4, 2))
    with pytest.raises(TypeError, match=r"Table\). Got ndarray. Take the one of"):
        combiner.fit(X)
    fitted = combiner.fit(make_table("binary"))
    with pytest.raises(TypeError, match=r"Table\). Got DataFrame. Take the one of"):
        fitted.combine(pd.DataFrame(X))


@pytest.mark.parametrize("name", EVERY)
def test_combining_needs_a_fit(name, make_table):
    with pytest.raises(NotFittedError, match="Call 'fit' with an OutOfFoldTable"):
        clone(EVERY[name]).combine(make_table("binary"))


def test_models_of_weight_zero_cost_no_memory(most_memory, monkeypatch):
    values = np.random.default_rng(0).normal(size=(3000, 20, 3))
    weights = np.linspace(0, 1, 20)
    expected = np.einsum("smo,m->so", values, weights)
    monkeypatch.setattr("stackens.combiners._base._BLOCK_ELEMENTS", 1 << 11)
    np.testing.assert_allclose(weighted_mean(values, weights), expected)
    assert most_memory(lambda: weighted_mean(values, weights)) < 0.2 * values.nbytes
    assert weighted_mean(values, np.zeros(20)).tolist() == np.zeros((3000, 3)).tolist()
