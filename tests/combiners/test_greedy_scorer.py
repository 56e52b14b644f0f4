"""Scorers see precomputed predictions as an estimator with the original labels."""

import numpy as np
import pytest
from sklearn.metrics import get_scorer, make_scorer, max_error, precision_score

from stackens.combiners import GreedySelection
from stackens.combiners._greedy_scorer import ScorerMetric, as_fitted_estimator, checked_scorer


def test_scorers_get_labels_and_probabilities(make_table):
    table = make_table("binary")
    estimator, p = as_fitted_estimator(table.task), table.values[:, 0]
    seen = {}

    def scorer(model, X, y, sample_weight=None):
        seen.update(classes=model.classes_, labels=model.predict(X), p=model.predict_proba(X), y=y)
        return 0.5

    assert scorer(estimator, p, table.y) == 0.5
    assert seen["classes"].tolist() == ["ant", "bee"]
    assert (seen["labels"] == np.array(["ant", "bee"])[p.argmax(axis=1)]).all()
    np.testing.assert_array_equal(seen["p"], p)


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [
        ("binary", "roc_auc"),
        ("binary", "matthews_corrcoef"),
        ("multiclass", "roc_auc_ovo"),
        ("multiclass", "f1_macro"),
        ("multilabel", "roc_auc"),
        ("multilabel", "f1_micro"),
        ("regression", "neg_mean_absolute_percentage_error"),
        ("multi-output", "explained_variance"),
    ],
)
def test_scorers_of_every_task(make_table, kind, scoring):
    table = make_table(kind, n=100, weighted=True)
    scorer, estimator = get_scorer(scoring), as_fitted_estimator(table.task)
    scores = [scorer(estimator, table.values[:, m], table.y) for m in range(4)]
    metric = ScorerMetric(table.values, table.y, table.task, scorer, None)
    choice, score = metric.best(1)
    assert choice == np.argmax(scores)
    assert score == max(scores)


def test_pos_label(make_table):
    table = make_table("binary", n=100)
    scorer = make_scorer(precision_score, pos_label="ant", zero_division=0)
    found = GreedySelection(scorer, max_models=1).fit(table)
    expected = [
        precision_score(
            table.y, table.task.decode(table.values[:, m].argmax(axis=1)), pos_label="ant"
        )
        for m in range(4)
    ]
    assert found.path_.scores[0] == max(expected)


def test_weights_reach_the_scorer(make_table):
    table = make_table("regression", weighted=True)
    seen = []

    def scorer(model, X, y, sample_weight=None):
        seen.append(sample_weight)
        return -np.average((model.predict(X) - y) ** 2, weights=sample_weight)

    GreedySelection(scorer, max_models=1).fit(table)
    assert len(seen) == 4
    np.testing.assert_array_equal(seen[0], table.sample_weight)


def test_a_scorer_without_weights_is_refused_when_rows_are_weighted(make_table):
    scorer = make_scorer(max_error, greater_is_better=False)
    GreedySelection(scorer).fit(make_table("regression"))
    with pytest.raises(ValueError, match=r"must take sample_weight .* Got .* Use another scorer"):
        GreedySelection(scorer).fit(make_table("regression", weighted=True))


def test_nan_scores(make_table):
    table = make_table("regression")
    with pytest.raises(ValueError, match=r"The scorer must give numbers\. Got NaN"):
        GreedySelection(lambda model, X, y: np.nan).fit(table)
    target = table.values[0, 2, 0]
    found = GreedySelection(
        lambda model, X, y: 1.0 if model.predict(X)[0] == target else np.nan, max_models=1
    ).fit(table)
    assert found.counts_.tolist() == [0, 0, 1, 0]


def test_checked_scorer():
    assert repr(checked_scorer("r2", "It")) == repr(get_scorer("r2"))
    assert checked_scorer(print, "It") is print
    for bad in ("r3", 7, None):
        with pytest.raises(ValueError, match=r"'scoring' parameter of It must .* Got .* lists"):
            checked_scorer(bad, "It")
