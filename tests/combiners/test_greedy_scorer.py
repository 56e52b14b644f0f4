"""Scorers see precomputed predictions as an estimator with the original labels."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import get_scorer, make_scorer, max_error, precision_score

from stackens.combiners import AutoCombiner, GreedySelection, UniformMean
from stackens.combiners._greedy_scorer import ScorerMetric, checked_scorer, trial_table
from stackens.out_of_fold import as_fitted_estimator


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


def test_remarks_of_metrics_are_left_out(make_table):
    table = make_table("binary", n=100)
    scorer = make_scorer(precision_score, pos_label="ant")  # warns where no row is called that
    values = table.values.copy()
    values[:, :2] = np.eye(2)[::-1]  # the first model never says ant, the second always
    found = GreedySelection(scorer, max_models=1).fit(replace(table, values=values))
    assert np.isfinite(found.path_.scores).all()


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


def untrained(table):
    """What cross_fit shows before it fits anything."""
    return replace(table, values=np.broadcast_to(0.0, table.values.shape))


def accuracy(model, X, y):
    return np.mean(model.predict(X) == y)


BAD_SCORERS = {
    "a metric": ("binary", lambda y, p: 0.0, "TypeError: .* takes 2 positional arguments"),
    "margins of numbers": ("regression", "roc_auc", "AttributeError: a regressor has none of"),
    "an unknown label": ("binary", "f1", "pos_label=1 is not a valid label"),
    "more than two classes": ("multiclass", "roc_auc", "multi_class must be in"),
    "numbers of classes": ("multiclass", "r2", "could not convert|not be converted|dtype"),
}


@pytest.mark.parametrize("combiner", [GreedySelection, AutoCombiner])
@pytest.mark.parametrize("case", BAD_SCORERS)
def test_scorers_are_tried_before_anything_is_fitted(make_table, combiner, case):
    kind, scoring, reason = BAD_SCORERS[case]
    message = f"(?s)'scoring' parameter.*{kind}.*Got .*, which fails: .*({reason}).*Choose another"
    with pytest.raises(ValueError, match=message):
        combiner(scoring=scoring).check_scoring(untrained(make_table(kind)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("combiner", "kind", "scoring"),
    [
        (GreedySelection(accuracy), "binary", False),
        (GreedySelection("roc_auc"), "binary", True),
        (GreedySelection("f1_macro"), "multiclass", True),
        (GreedySelection("neg_log_loss"), "multilabel", True),
        (GreedySelection("f1_samples"), "multilabel", True),
        (GreedySelection(), "regression", True),
        (GreedySelection("neg_mean_squared_error"), "multi-output", True),
        (GreedySelection(lambda model, X, y, sample_weight=None: np.nan), "regression", True),
        (AutoCombiner(scoring="balanced_accuracy"), "multiclass", True),
        (AutoCombiner({"greedy": GreedySelection("r2")}), "regression", True),
        (AutoCombiner(), "binary", True),
    ],
)
def test_scorers_that_work_are_not_refused(make_table, combiner, kind, scoring, weighted):
    table = untrained(make_table(kind, weighted=weighted))
    if weighted and not scoring:  # takes no weights
        with pytest.raises(ValueError, match="must take sample_weight"):
            combiner.check_scoring(table)
    else:
        assert combiner.check_scoring(table) is None


def test_scorers_of_candidates_are_tried(make_table):
    auto = AutoCombiner({"uniform": UniformMean(), "greedy": GreedySelection("roc_auc")})
    with pytest.raises(ValueError, match="Got make_scorer.roc_auc_score.*which fails"):
        auto.check_scoring(untrained(make_table("regression")))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "multi-output"])
def test_guesses_suit_the_target(make_table, kind):
    table = trial_table(make_table(kind))
    assert table.values.shape == (table.n_samples, 1, table.n_outputs)
    assert len(np.unique(table.values[:, 0, 0])) == table.n_samples
    if kind == "multi-output":
        np.testing.assert_array_equal(np.sort(table.values[:, 0], axis=0), np.sort(table.y, axis=0))
    else:
        assert table.values.min() >= 0
        assert table.values.max() <= 1
    if table.task.has_classes:
        np.testing.assert_allclose(table.values.sum(axis=2), 1)


@pytest.mark.parametrize("combiner", [GreedySelection, AutoCombiner])
def test_scorers_may_read_the_rows(make_table, combiner):
    table = make_table("binary", n=120)
    first = np.arange(120) < 60
    values = table.values.copy()
    right = table.task.encode(table.y)[:, None] == np.arange(2)
    values[:, 2] = np.where(first[:, None], right, ~right)  # knows the rows that count
    rows = pd.DataFrame({"counts": first.astype(float)})
    table = replace(table, values=values, features=rows)

    def share(estimator, X, y):
        return float(X["counts"] @ (estimator.predict(X) == y) / X["counts"].sum())

    assert combiner(scoring=share).reads_features
    assert not combiner(scoring="accuracy").reads_features
    found = combiner(scoring=share).fit(table)
    combiner(scoring=share).check_scoring(table)
    judged = found.combine(table).argmax(axis=1) == table.task.encode(table.y)
    assert judged[first].all()
    assert share(as_fitted_estimator(table.task, answers=values[:, 2]), rows, table.y) == 1.0
    with pytest.raises(ValueError, match="NoneType"):
        combiner(scoring=share).fit(replace(table, features=None))
