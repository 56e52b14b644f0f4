"""Tests that every combiner combines in an export as it does itself."""

import numpy as np
import pytest

from stackens.combiners import (
    COMBINERS,
    AutoCombiner,
    BestSingle,
    Combiner,
    FixedWeights,
    GreedySelection,
    LogLinearPool,
    MajorityVote,
    NonNegativeLeastSquares,
    RidgeLeaveOneOut,
    SimplexWeights,
    UniformMean,
    WeightedCombiner,
)
from stackens.exceptions import ExportError
from stackens.export.program import Numbers, WeightedSum
from stackens.export.readers.ensembles import Predictions, read_combination
from tests.export.readers.ensembles.answers import graph_of
from tests.export.readers.ensembles.tables import TASKS, combined, table_of

ALL = {name: cls() for name, cls in COMBINERS.items()} | {
    "fixed": FixedWeights([3, 0, 1]),
    "weighted vote": MajorityVote([3, 2, 2]),
    "free nnls": NonNegativeLeastSquares(normalize=False),
    "nonnegative pool": LogLinearPool(nonnegative=True),
    "best of listed": AutoCombiner({"greedy": GreedySelection(), "best": BestSingle()}),
}
ANSWERS = {
    "probabilities": ["predict_proba"] * 3,
    "votes": ["predict_proba", "predict", "predict_proba"],
    "margins": ["predict_proba", "decision_function", "predict_proba"],
    "values": ["value", "predict_proba", "decision_function"],
}


def cases():
    for kind, task in TASKS.items():
        for answers, responses in ANSWERS.items():
            if not task.is_classification:
                if answers != "probabilities":
                    continue
                responses = ["predict"] * 3
            for name in ALL:
                if name == "best of listed" and answers in ("margins", "values"):
                    continue
                yield pytest.param(kind, tuple(responses), name, id=f"{kind}-{answers}-{name}")


@pytest.mark.parametrize(("kind", "responses", "name"), list(cases()))
def test_an_export_combines_as_the_combiner_does(kind, responses, name):
    table, combiner = table_of(kind, responses), ALL[name]
    if not combiner.accepts(table):
        with pytest.raises(ValueError, match="Got"):
            combiner.fit(table)
        return
    combiner.fit(table)
    expected = combiner.combine(table)
    found = combined(read_combination, combiner, table)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["vote", "weighted vote", "best"])
def test_votes_and_choices_agree_to_the_last_bit(name):
    table = table_of("multiclass", ["predict_proba"] * 3)
    expected = ALL[name].fit(table).combine(table)
    np.testing.assert_array_equal(combined(read_combination, ALL[name], table), expected)


def test_ties_go_to_the_first_class():
    table = table_of("multiclass", ["predict_proba"] * 2, n=30)
    table.values[:] = 1 / 3
    combiner = MajorityVote().fit(table)
    found = combined(read_combination, combiner, table)
    np.testing.assert_array_equal(found, np.tile([1.0, 0.0, 0.0], (30, 1)))


def test_no_useful_model_at_all():
    table = table_of("regression", ["predict"] * 2)
    table.values[:] = -np.abs(table.target)[:, None] * np.sign(table.target)[:, None]
    combiner = NonNegativeLeastSquares().fit(table)
    assert not combiner.weights_.any()
    np.testing.assert_array_equal(combined(read_combination, combiner, table), 0.0)


@pytest.mark.parametrize("combiner", [BestSingle(), FixedWeights([0, 1]), MajorityVote([0, 1])])
def test_models_without_weight_are_not_read(combiner):
    table = table_of("binary", ["predict_proba"] * 2)
    combiner.fit(table)
    kept = int(np.argmax(combiner.weights_))
    graph, rows = graph_of(2)
    nodes = [None, None]
    nodes[kept] = graph.numbers([0, 1])
    node = read_combination(combiner, graph, Predictions(tuple(nodes), table, rows))
    assert graph.width(node) == 2


def test_all_that_combiners_leave_out_is_left_out_of_the_program():
    table = table_of("binary", ["predict_proba"] * 3)
    combiner = FixedWeights([1, 0, 2]).fit(table)
    graph, rows = graph_of(6)
    nodes = tuple(graph.numbers([2 * m, 2 * m + 1]) for m in range(3))
    node = read_combination(combiner, graph, Predictions(nodes, table, rows))
    kinds = [type(step) for _, step in graph.program(node, "probabilities")]
    assert kinds == [Numbers, Numbers, WeightedSum]


class Loudest(WeightedCombiner):
    """A weighted mean of a user's own."""

    def fit(self, out_of_fold):
        spread = out_of_fold.values.std(axis=(0, 2))
        self.weights_ = spread / spread.sum()
        self.names_ = out_of_fold.names
        return self


class Product(UniformMean):
    """What combines in a way of its own, though it is a known combiner otherwise."""

    def combine(self, table):
        return table.values.prod(axis=1)


class Other(Combiner):
    """No relation."""

    def fit(self, out_of_fold):
        return self

    def combine(self, table):
        return table.values[:, 0]


def test_a_weighted_mean_of_a_users_own_is_read():
    table = table_of("binary", ["predict_proba"] * 3)
    combiner = Loudest().fit(table)
    found = combined(read_combination, combiner, table)
    np.testing.assert_allclose(found, combiner.combine(table), rtol=1e-15)


@pytest.mark.parametrize("combiner", [Product(), Other()])
def test_other_ways_to_combine_are_refused(combiner):
    table = table_of("binary", ["predict_proba"] * 3)
    combiner.fit(table)
    with pytest.raises(ExportError, match=r"cannot be exported\. Got .*What can: weighted means"):
        combined(read_combination, combiner, table)


def test_every_combiner_has_a_reader():
    listed = {type(combiner) for combiner in ALL.values()}
    assert {SimplexWeights, RidgeLeaveOneOut, AutoCombiner} < listed
    assert set(COMBINERS.values()) <= listed
