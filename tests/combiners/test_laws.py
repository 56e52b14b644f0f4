"""Laws that every combiner obeys on every kind of table."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

from stackens.combiners import COMBINERS, FixedWeights, GreedySelection, LogLinearPool

KINDS = ["binary", "multiclass", "multilabel", "regression", "multi-output"]
CLASSES_ONLY = {"log_pool", "logistic", "two_scale", "vote", "nonnegative_pool"}
SINGLE_LABEL = {"auto_accuracy", "greedy_accuracy"}

ALL = {name: kind() for name, kind in COMBINERS.items()}
ALL["fixed"] = FixedWeights([3.0, 1.0, 0.0, 2.0])
ALL["greedy_accuracy"] = GreedySelection("accuracy")
ALL["auto_accuracy"] = COMBINERS["auto"](scoring="accuracy")
ALL["nonnegative_pool"] = LogLinearPool(nonnegative=True)

CASES = [
    pytest.param(combiner, kind, id=f"{name}-{kind}")
    for name, combiner in ALL.items()
    for kind in KINDS
    if not (name in CLASSES_ONLY and kind in ("regression", "multi-output"))
    and not (name in SINGLE_LABEL and kind not in ("binary", "multiclass"))
]
every_case = pytest.mark.parametrize(("combiner", "kind"), CASES)


def fitted(combiner, table):
    return clone(combiner).fit(table)


def tolerance(combiner):
    """L-BFGS stops early; everything else is solved to rounding."""
    return 1e-3 if getattr(combiner, "nonnegative", False) else 1e-6


def assert_same_answers(first, second, table, combiner, other_table=None):
    np.testing.assert_allclose(
        first.combine(table),
        second.combine(table if other_table is None else other_table),
        atol=tolerance(combiner) * np.abs(table.values).max(),
    )


@every_case
def test_integer_weights_equal_repeated_rows(make_table, repeat_rows, combiner, kind):
    table = make_table(kind, weighted=True, seed=1)
    weighted, repeated = fitted(combiner, table), fitted(combiner, repeat_rows(table))
    assert_same_answers(weighted, repeated, table, combiner)


@every_case
def test_order_of_rows_does_not_matter(make_table, permute_rows, combiner, kind):
    table = make_table(kind, weighted=True, seed=2)
    order = np.random.default_rng(0).permutation(table.n_samples)
    shuffled = permute_rows(table, order)
    first, second = fitted(combiner, table), fitted(combiner, shuffled)
    assert_same_answers(first, second, table, combiner)
    np.testing.assert_allclose(
        first.combine(shuffled), first.combine(table)[order], rtol=1e-12, atol=1e-12
    )


@every_case
def test_order_of_models_permutes_weights(make_table, combiner, kind):
    table = make_table(kind, seed=3)
    order = [2, 0, 3, 1]
    other = table.select([table.names[i] for i in order])
    permuted = clone(combiner)
    if getattr(combiner, "weights", None) is not None:
        permuted.set_params(weights=[combiner.weights[i] for i in order])
    first, second = fitted(combiner, table), permuted.fit(other)
    assert_same_answers(first, second, table, combiner, other)
    if hasattr(first, "weights_"):
        np.testing.assert_allclose(second.weights_, first.weights_[order], atol=tolerance(combiner))


@every_case
def test_rows_of_probabilities_sum_to_one(make_table, combiner, kind):
    table = make_table(kind, seed=4)
    combined = fitted(combiner, table).combine(table)
    assert combined.shape == (table.n_samples, table.n_outputs)
    assert np.isfinite(combined).all()
    if table.task.is_classification:
        assert combined.min() >= 0
        assert combined.max() <= 1 + 1e-12
    if table.task.has_classes:
        np.testing.assert_allclose(combined.sum(axis=1), 1.0, rtol=1e-12)


@every_case
def test_order_of_classes_is_kept(make_table, combiner, kind):
    """Each output column belongs to the class, label or target in its place."""
    table = make_table(kind, n=120, seed=5, noise=0.3)
    combined = fitted(combiner, table).combine(table)
    if table.task.has_classes:
        assert (combined.argmax(axis=1) == table.target).mean() > 0.6
    else:
        for output in range(table.n_outputs):
            correlations = [
                np.corrcoef(combined[:, output], table.target[:, other])[0, 1]
                for other in range(table.n_outputs)
            ]
            assert np.argmax(correlations) == output
            assert correlations[output] > 0.5


@every_case
def test_one_model_gives_identity_where_declared(make_table, combiner, kind):
    table = make_table(kind, n_models=1, seed=6)
    if isinstance(combiner, FixedWeights):
        combiner = FixedWeights([2.0])
    combined = fitted(combiner, table).combine(table)
    assert np.isfinite(combined).all()
    if combiner.identity_on_one_model:
        np.testing.assert_array_equal(combined, table.values[:, 0])


@every_case
def test_a_copied_model_changes_nothing_where_declared(make_table, combiner, kind):
    table = make_table(kind, seed=7)
    index = [0, 1, 1, 2, 3]
    copied = replace(
        table,
        values=table.values[:, index],
        names=("a", "b", "c", "d", "e"),
        response=tuple(table.response[i] for i in index),
    )
    if isinstance(combiner, FixedWeights):
        combiner = FixedWeights([1.0] * 5)
    combined = fitted(combiner, copied).combine(copied)
    assert np.isfinite(combined).all()
    if combiner.ignores_duplicates:
        expected = fitted(combiner, table).combine(table)
        np.testing.assert_allclose(combined, expected, atol=1e-6 * np.abs(table.values).max())


@every_case
def test_uncovered_rows_are_never_read(make_table, combiner, kind):
    table = make_table(kind, n=80, seed=8, weighted=True)
    covered = np.arange(80) % 5 != 0
    values = table.values.copy()
    values[~covered] = np.nan
    weights = np.where(covered, table.sample_weight, 1e6)
    partial = replace(table, values=values, covered=covered, sample_weight=weights)
    whole = replace(table, covered=covered).covered_rows()
    np.testing.assert_array_equal(
        fitted(combiner, partial).combine(whole), fitted(combiner, whole).combine(whole)
    )


@every_case
def test_the_table_is_not_changed(make_table, combiner, kind):
    table = make_table(kind, seed=9, weighted=True)
    before = copy.deepcopy(table)
    for array in (table.values, table.sample_weight):
        array.setflags(write=False)
    fitted(combiner, table).combine(table)
    np.testing.assert_array_equal(table.values, before.values)
    np.testing.assert_array_equal(table.sample_weight, before.sample_weight)
    np.testing.assert_array_equal(table.y, before.y)


@every_case
def test_pickles_clones_and_repeats(make_table, combiner, kind):
    table = make_table(kind, seed=10)
    first = fitted(combiner, table)
    expected = first.combine(table)
    for other in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first), clone(first).fit(table)):
        np.testing.assert_array_equal(other.combine(table), expected)
    assert clone(combiner).get_params().keys() == combiner.get_params().keys()
    assert first.fit(table) is first


@every_case
def test_weights_are_one_for_each_model(make_table, combiner, kind):
    table = make_table(kind, seed=11)
    weights = getattr(fitted(combiner, table), "weights_", None)
    if weights is not None and not (kind == "multilabel" and np.ndim(weights) == 2):
        assert weights.shape == (table.n_models,)
        assert np.isfinite(weights).all()


@every_case
def test_other_models_are_refused(make_table, combiner, kind):
    table = make_table(kind)
    renamed = replace(table, names=("w", "x", "y", "z"))
    with pytest.raises(ValueError, match=r"was fitted on the models .* Got a table of"):
        fitted(combiner, table).combine(renamed)
