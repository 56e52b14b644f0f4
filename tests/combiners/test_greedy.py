"""Greedy selection takes the same members as the plain loop, for every metric."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import fbeta_score, get_scorer, make_scorer

from stackens._core._task import Task
from stackens.combiners import GreedySelection, greedy_selection
from stackens.out_of_fold import as_fitted_estimator

SCORERS = {
    "binary": [
        "neg_log_loss",
        "neg_brier_score",
        "roc_auc",
        "accuracy",
        "balanced_accuracy",
        "average_precision",
        make_scorer(fbeta_score, beta=2, pos_label="ant"),
    ],
    "multiclass": [
        "neg_log_loss",
        "neg_brier_score",
        "accuracy",
        "balanced_accuracy",
        "roc_auc_ovr",
    ],
    "multilabel": ["roc_auc", "accuracy", "f1_macro"],
    "regression": [
        "neg_mean_squared_error",
        "neg_root_mean_squared_error",
        "r2",
        "neg_mean_absolute_error",
        "neg_median_absolute_error",
    ],
    "multi-output": [
        "neg_mean_squared_error",
        "neg_root_mean_squared_error",
        "r2",
        "neg_mean_absolute_error",
    ],
}
KERNELS = {
    "neg_log_loss",
    "neg_brier_score",
    "roc_auc",
    "accuracy",
    "balanced_accuracy",
    "neg_mean_squared_error",
    "neg_root_mean_squared_error",
    "r2",
    "neg_mean_absolute_error",
}
CASES = [
    (kind, scorer, weighted)
    for kind, scorers in SCORERS.items()
    for scorer in scorers
    for weighted in (False, True)
    # Ties of weighted medians are decided by rounding.
    if not (weighted and scorer == "neg_median_absolute_error")
]


def with_whole_number_labels(table):
    """For scorers that cannot tell which of two text labels is the positive one."""
    task = Task(table.task.kind, table.n_outputs, np.arange(table.n_outputs))
    return replace(table, task=task, y=table.target)


def plain_loop(table, scorer, n_steps):
    """Score the mean of every candidate with scikit-learn, from the definition."""
    estimator = as_fitted_estimator(table.task)
    weights = {} if table.sample_weight is None else {"sample_weight": table.sample_weight}
    total, members, scores = np.zeros(table.values[:, 0].shape), [], []
    for step in range(1, n_steps + 1):
        found = np.array(
            [
                scorer(estimator, (total + table.values[:, m]) / step, table.y, **weights)
                for m in range(table.n_models)
            ]
        )
        tolerance = 1e-12 * max(1e-3, abs(found.max()))
        members.append(int(np.flatnonzero(found >= found.max() - tolerance)[0]))
        scores.append(found[members[-1]])
        total = total + table.values[:, members[-1]]
    return members, scores


def with_duplicates(table):
    """Copies of models, one of them before its original's neighbours."""
    index = [0, 1, 1, 2, 0, *range(3, table.n_models)]
    return replace(
        table,
        values=table.values[:, index],
        names=tuple(f"d{i}" for i in range(len(index))),
        response=tuple(table.response[i] for i in index),
    )


@pytest.mark.parametrize(("kind", "scoring", "weighted"), CASES)
def test_same_members_as_the_plain_loop(make_table, kind, scoring, weighted):
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    has_kernel = scoring in KERNELS and kind != "multilabel"
    n_steps = 8 if has_kernel else 3
    for seed in range(6 if has_kernel else 3):
        table = make_table(kind, n=70, n_models=5, seed=seed, weighted=weighted)
        if kind == "binary" and scoring in ("neg_brier_score", "average_precision"):
            table = with_whole_number_labels(table)
        if seed % 2:
            table = with_duplicates(table)
        if seed % 3 == 2 and table.task.is_classification:
            # Coarse probabilities, as neighbours and small trees give: many exact ties.
            coarse = np.round(table.values * 5) / 5
            coarse[..., -1] = 1 - coarse[..., :-1].sum(axis=-1)
            if kind != "multilabel" and coarse.min() >= 0:
                table = replace(table, values=coarse)
        path = greedy_selection(
            table.values,
            table.y,
            table.task,
            scoring=scoring,
            sample_weight=table.sample_weight,
            max_models=n_steps,
        )
        members, scores = plain_loop(table, scorer, n_steps)
        assert path.members.tolist() == members
        np.testing.assert_allclose(path.scores, scores, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc", "accuracy"])
def test_same_members_on_more_rows_than_a_block_holds(make_table, scoring):
    for seed in range(2):
        table = make_table("binary", n=20_000, n_models=6, seed=seed)
        path = greedy_selection(table.values, table.y, table.task, scoring=scoring, max_models=5)
        assert path.members.tolist() == plain_loop(table, get_scorer(scoring), 5)[0]


def test_probabilities_of_zero_and_one(make_table):
    table = make_table("multiclass", n=80, seed=3)
    hard = (table.values == table.values.max(axis=2, keepdims=True)).astype(float)
    values = table.values.copy()
    values[:, :2] = hard[:, :2]
    table = replace(table, values=values)
    path = greedy_selection(table.values, table.y, table.task, max_models=6)
    members, scores = plain_loop(table, get_scorer("neg_log_loss"), 6)
    assert path.members.tolist() == members
    np.testing.assert_allclose(path.scores, scores, rtol=1e-9)


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [("binary", "neg_log_loss"), ("multiclass", "neg_log_loss"), ("regression", "r2")],
)
def test_default_scoring(make_table, kind, scoring):
    table = make_table(kind)
    default = greedy_selection(table.values, table.y, table.task)
    named = greedy_selection(table.values, table.y, table.task, scoring=scoring)
    assert default.members.tolist() == named.members.tolist()


def test_default_scoring_does_not_depend_on_units_of_outputs(make_table):
    table = make_table("multi-output", n=100, seed=4)
    scale = np.array([1e-3, 1e4])
    scaled = replace(table, values=table.values * scale, y=table.y * scale)
    first, second = GreedySelection().fit(table), GreedySelection().fit(scaled)
    np.testing.assert_array_equal(first.counts_, second.counts_)


def test_first_member_is_the_best_single_model(make_table):
    table = make_table("binary", n_models=6, seed=5)
    path = greedy_selection(table.values, table.y, table.task, scoring="roc_auc", max_models=1)
    estimator, scorer = as_fitted_estimator(table.task), get_scorer("roc_auc")
    scores = [scorer(estimator, table.values[:, m], table.y) for m in range(6)]
    assert path.members[0] == np.argmax(scores)


def test_best_and_shortest_prefix_is_kept(make_table):
    table = make_table("regression", n_models=1)
    combiner = GreedySelection(max_models=7).fit(table)
    assert combiner.path_.members.tolist() == [0] * 7
    assert combiner.counts_.tolist() == [1]
    for seed in range(5):
        path = GreedySelection("accuracy").fit(make_table("multiclass", seed=seed)).path_
        best = path.scores.max()
        assert path.scores[path.n_kept - 1] >= best - 1e-12
        assert (path.scores[: path.n_kept - 1] < best - 1e-12).all()
        assert path.counts.sum() == path.n_kept


def test_weights_are_shares_of_counts(make_table):
    combiner = GreedySelection().fit(make_table("binary"))
    np.testing.assert_allclose(combiner.weights_, combiner.counts_ / combiner.counts_.sum())
    assert combiner.names_ == ("m0", "m1", "m2", "m3")


@pytest.mark.parametrize("max_models", [0, -1, 2.5, "many"])
def test_max_models_is_checked(make_table, max_models):
    with pytest.raises(ValueError, match="'max_models' parameter .* Got .* Use 25"):
        GreedySelection(max_models=max_models).fit(make_table("binary"))


@pytest.mark.parametrize("scoring", ["nonsense", 3])
def test_unknown_scorer(make_table, scoring):
    with pytest.raises(ValueError, match=r"'scoring' parameter of GreedySelection .* Got .*"):
        GreedySelection(scoring).fit(make_table("binary"))


def test_margins_are_refused(make_table):
    table = replace(make_table("binary"), response=("decision_function",) * 4)
    with pytest.raises(ValueError, match=r"GreedySelection averages probabilities"):
        GreedySelection().fit(table)
