"""Pinball loss and its score."""

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_pinball_loss

from stackens._core._task import Task
from stackens.distillation._pinball import pinball_losses, pinball_scoring
from stackens.evaluation import Answers, row_scores, score_answers

LEVELS = (0.1, 0.5, 0.9)


def test_it_is_scikit_learns_loss_averaged_over_levels():
    rng = np.random.default_rng(0)
    y, values, weights = rng.normal(size=50), rng.normal(size=(50, 3)), rng.random(50)
    target = np.repeat(y[:, None], 3, axis=1)
    expected = np.mean(
        [
            mean_pinball_loss(y, values[:, i], alpha=level, sample_weight=weights)
            for i, level in enumerate(LEVELS)
        ]
    )
    losses = pinball_losses(values, target, LEVELS)
    assert np.average(losses, weights=weights) == pytest.approx(expected)
    scoring, task = pinball_scoring(LEVELS), Task("regression", 3, y_ndim=2)
    answers = Answers(values, "predict")
    assert score_answers(scoring, answers, target, task, weights) == pytest.approx(-expected)
    assert row_scores(scoring, answers, target, task, None) is not None


def test_the_scorer_takes_estimators():
    X, y = np.zeros((4, 1)), np.array([0.0, 1.0, 2.0, 10.0])
    model = DummyRegressor(strategy="quantile", quantile=0.9).fit(X, y)
    scoring = pinball_scoring([0.9])
    expected = -mean_pinball_loss(y, model.predict(X), alpha=0.9)
    assert scoring.scorer(model, X, y) == pytest.approx(expected)
    assert scoring.sign == -1
    assert "pinball" in scoring.words
