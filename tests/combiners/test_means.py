"""Means, votes and the best single model."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss

from stackens._core._task import Task
from stackens.combiners import BestSingle, FixedWeights, MajorityVote, UniformMean
from stackens.combiners._means import model_losses
from stackens.out_of_fold import OutOfFoldTable

CLASSES = np.array(["a", "b", "c"])


def vote_table(values, response="predict_proba", task=None):
    values = np.asarray(values, dtype=float)
    task = task or Task("multiclass", 3, CLASSES)
    names = tuple(f"m{i}" for i in range(values.shape[1]))
    y = CLASSES[np.zeros(len(values), dtype=int)]
    return OutOfFoldTable(values, names, task, (response,) * len(names), y=y)


def test_uniform_mean(make_table):
    table = make_table("multiclass")
    combiner = UniformMean().fit(table)
    np.testing.assert_allclose(combiner.weights_, 0.25)
    np.testing.assert_allclose(combiner.combine(table), table.values.mean(axis=1))


def test_fixed_weights_are_normalised(make_table):
    table = make_table("regression")
    combiner = FixedWeights([2, 0, 1, 1]).fit(table)
    np.testing.assert_allclose(combiner.weights_, [0.5, 0, 0.25, 0.25])
    expected = np.average(table.values, axis=1, weights=[2, 0, 1, 1])
    np.testing.assert_allclose(combiner.combine(table), expected)
    assert combiner.weights == [2, 0, 1, 1]


@pytest.mark.parametrize(
    ("weights", "what"),
    [
        ([1, 2], r"shape \(4,\).*Got shape \(2,\)"),
        ([[1, 1, 1, 1]], r"shape \(4,\).*Got shape \(1, 4\)"),
        ([1, 1, 1, -1], r"not be negative\. Got"),
        ([0, 0, 0, 0], r"not be all zero\. Got"),
        ([1, np.nan, 1, 1], r"be finite\. Got"),
        ([1, np.inf, 1, 1], r"be finite\. Got"),
        (["a", "b", "c", "d"], r"array of numbers\. Got"),
    ],
)
@pytest.mark.parametrize("kind", [FixedWeights, MajorityVote])
def test_bad_weights(make_table, kind, weights, what):
    with pytest.raises(ValueError, match=rf"The weights of {kind.__name__} must.*{what}"):
        kind(weights).fit(make_table("binary"))


@pytest.mark.parametrize("kind", [UniformMean, FixedWeights, BestSingle])
def test_margins_are_refused(make_table, kind):
    table = replace(make_table("binary"), response=("decision_function",) * 4)
    with pytest.raises(ValueError, match=rf"{kind.__name__} averages probabilities\. Got .*m3"):
        kind().fit(table)
    assert not kind().accepts(table)


def test_best_single(make_table):
    table = make_table("multiclass", n=200, weighted=True)
    combiner = BestSingle().fit(table)
    losses = [
        log_loss(table.target, table.values[:, m], sample_weight=table.sample_weight)
        for m in range(4)
    ]
    np.testing.assert_allclose(combiner.losses_, losses)
    assert combiner.best_name_ == f"m{np.argmin(losses)}"
    np.testing.assert_array_equal(combiner.combine(table), table.values[:, np.argmin(losses)])


def test_model_losses_of_several_targets_do_not_depend_on_units(make_table):
    table = make_table("multi-output")
    scale = np.array([1e-3, 1e5])
    scaled = replace(table, values=table.values * scale, y=table.y * scale)
    np.testing.assert_allclose(model_losses(scaled), model_losses(table))


def test_votes_and_ties():
    table = vote_table(
        [
            [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.0, 0.3, 0.7]],
            [[0.4, 0.4, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]],
        ]
    )
    shares = MajorityVote().fit(table).combine(table)
    # In the second row the first model ties and votes for the first class.
    np.testing.assert_allclose(shares, [[0, 1 / 3, 2 / 3], [1 / 3, 1 / 3, 1 / 3]])
    assert shares.argmax(axis=1).tolist() == [2, 0]


def test_weighted_votes():
    table = vote_table([[[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.0, 0.3, 0.7]]])
    shares = MajorityVote([3, 1, 1]).fit(table).combine(table)
    np.testing.assert_allclose(shares, [[0, 0.6, 0.4]])


def test_margins_and_labels_vote():
    task = Task("binary", 2, CLASSES[:2])
    table = vote_table([[[-0.3, 0.3], [2.0, -2.0], [-1.0, 1.0]]], "decision_function", task)
    np.testing.assert_allclose(MajorityVote().fit(table).combine(table), [[1 / 3, 2 / 3]])
    labels = Task("multilabel", 2, y_ndim=2)
    margins = vote_table([[[-0.3, 0.3], [2.0, 0.4]]], "decision_function", labels)
    np.testing.assert_allclose(MajorityVote().fit(margins).combine(margins), [[0.5, 1.0]])
    proba = vote_table([[[0.3, 0.6], [0.9, 0.7]]], "predict_proba", labels)
    np.testing.assert_allclose(MajorityVote().fit(proba).combine(proba), [[0.5, 1.0]])


def test_votes_need_classes(make_table):
    with pytest.raises(ValueError, match=r"MajorityVote .* Got a regression table\. Use"):
        MajorityVote().fit(make_table("regression"))
    numbers = replace(make_table("multiclass"), response=("predict_proba",) * 3 + ("value",))
    with pytest.raises(ValueError, match=r"Got models that predict numbers: \['m3'\]"):
        MajorityVote().fit(numbers)
    assert not MajorityVote().accepts(numbers)
