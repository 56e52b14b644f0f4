"""Scores of predictions that exist already."""

import numpy as np
import pytest
from sklearn.metrics import get_scorer, make_scorer, mean_absolute_error, r2_score

from stackens._core._task import Task, infer_task
from stackens.evaluation._scoring import (
    Answers,
    check_scoring,
    resolve_scoring,
    row_scores,
    score_answers,
)

BINARY = Task("binary", 2, np.array(["no", "yes"]))
THREE = Task("multiclass", 3, np.array([1, 2, 3]))
NUMBERS = Task("regression", 1)


class Fixed:
    """An honest estimator around known answers, for scikit-learn's own scorers."""

    def __init__(self, task, values, response):
        self.classes_ = task.classes
        self._estimator_type = "classifier" if task.is_classification else "regressor"
        self.values, self.task = values, task

        def predict_proba(X):
            return values

        def decision_function(X):
            return values[:, 1] if task.kind == "binary" else values

        if response == "predict_proba":
            self.predict_proba = predict_proba
        elif response == "decision_function":
            self.decision_function = decision_function

    def fit(self, X, y):
        return self

    def predict(self, X):
        if self.task.is_classification:
            return self.task.classes[self.values.argmax(axis=1)]
        return self.values[:, 0] if self.task.y_ndim == 1 else self.values

    def __sklearn_tags__(self):
        from sklearn.dummy import DummyClassifier, DummyRegressor

        dummy = DummyClassifier if self.task.is_classification else DummyRegressor
        return dummy().__sklearn_tags__()


def table(task, n=200, seed=0):
    random = np.random.default_rng(seed)
    if task.is_classification:
        y = task.classes[random.integers(task.n_outputs, size=n)]
        values = random.dirichlet(np.ones(task.n_outputs), size=n).round(2)
        values[:, -1] = 1 - values[:, :-1].sum(axis=1)
        return y, np.clip(values, 0, 1)
    y = random.normal(size=(n, task.n_outputs))
    values = y + random.normal(size=y.shape)
    return (y if task.y_ndim == 2 else y[:, 0]), values


@pytest.mark.parametrize(
    ("name", "task", "response"),
    [
        ("neg_log_loss", BINARY, "predict_proba"),
        ("neg_log_loss", THREE, "predict_proba"),
        ("accuracy", THREE, "predict_proba"),
        ("roc_auc", BINARY, "predict_proba"),
        ("roc_auc", BINARY, "decision_function"),
        ("roc_auc_ovr", THREE, "predict_proba"),
        ("balanced_accuracy", THREE, "decision_function"),
        ("f1_macro", THREE, "predict"),
        ("neg_brier_score", Task("binary", 2, np.array([0, 1])), "predict_proba"),
        ("neg_brier_score", THREE, "predict_proba"),
        ("neg_root_mean_squared_error", NUMBERS, "predict"),
        ("neg_root_mean_squared_error", Task("regression", 2, y_ndim=2), "predict"),
        ("neg_mean_absolute_error", NUMBERS, "predict"),
        ("neg_mean_squared_error", NUMBERS, "predict"),
        ("r2", NUMBERS, "predict"),
        ("r2", Task("regression", 2, y_ndim=2), "predict"),
        ("balanced_accuracy", BINARY, "predict_proba"),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_scikit_learn(name, task, response, weighted):
    y, values = table(task)
    weights = np.random.default_rng(1).integers(1, 4, size=len(y)) if weighted else None
    extra = {} if weights is None else {"sample_weight": weights}
    expected = get_scorer(name)(Fixed(task, values, response), np.zeros((len(y), 1)), y, **extra)
    scoring = resolve_scoring(name, task, {})
    found = score_answers(scoring, Answers(values, response), y, task, weights)
    assert found == pytest.approx(expected, abs=1e-12)


def test_brier_score_of_a_part_without_every_class():
    y, values = table(THREE)
    part = y != 3
    scoring = resolve_scoring("neg_brier_score", THREE, {"a": "predict_proba"})
    found = score_answers(scoring, Answers(values[part], "predict_proba"), y[part], THREE, None)
    truth = (y[part, None] == [1, 2, 3]).astype(float)
    assert found == pytest.approx(-((values[part] - truth) ** 2).sum(axis=1).mean())


def test_log_loss_of_a_part_without_every_class():
    y, values = table(THREE)
    part = y != 3
    found = score_answers(
        resolve_scoring(None, THREE, {"a": "predict_proba"}),
        Answers(values[part], "predict_proba"),
        y[part],
        THREE,
        None,
    )
    of_the_truth = np.clip(values[part, y[part] - 1], np.finfo(float).eps, None)
    assert found == pytest.approx(np.log(of_the_truth).mean())


def test_linear_part_of_the_auc_predicts_resampled_scores():
    y, values = table(BINARY, n=2_000)
    values[:, 1] += 0.3 * (y == "yes")
    scoring = resolve_scoring("roc_auc", BINARY, {})
    terms = row_scores(scoring, Answers(values, "predict_proba"), y, BINARY, None)
    random = np.random.default_rng(0)
    for _ in range(5):
        draw = random.integers(len(y), size=len(y))
        exact = score_answers(
            scoring, Answers(values[draw], "predict_proba"), y[draw], BINARY, None
        )
        linear = terms.finish(terms.terms[draw].mean(axis=0))
        assert linear == pytest.approx(exact, abs=1e-3)


def test_usual_scoring_and_why():
    assert resolve_scoring(None, NUMBERS, {}).words == "RMSE"
    plain = resolve_scoring(None, BINARY, {"a": "predict_proba"})
    assert (plain.words, plain.sign, plain.note) == ("log loss", -1, "")
    margins = resolve_scoring(None, BINARY, {"a": "predict_proba", "svc": "decision_function"})
    assert margins.name == "roc_auc"
    assert "'svc' cannot give" in margins.note
    assert resolve_scoring(None, THREE, {"svc": "decision_function"}).name == "balanced_accuracy"
    assert resolve_scoring(None, BINARY, {"vote": "predict"}).name == "balanced_accuracy"
    labels, _ = infer_task(np.array([[0, 1], [1, 1], [1, 0]]))
    assert resolve_scoring(None, labels, {"a": "decision_function"}).name == "f1_macro"


def test_callables_keep_their_name_and_are_called():
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    scoring = resolve_scoring(scorer, NUMBERS, {})
    assert scoring.words == "mean absolute error"
    y, values = table(NUMBERS)
    answers = Answers(values, "predict")
    assert row_scores(scoring, answers, y, NUMBERS, None) is None
    expected = -np.abs(values[:, 0] - y).mean()
    assert score_answers(scoring, answers, y, NUMBERS, None) == pytest.approx(expected)

    def accuracy(estimator, X, y):
        return 0.25

    named_alike = resolve_scoring(accuracy, BINARY, {})
    y, values = table(BINARY)
    assert score_answers(named_alike, Answers(values, "predict_proba"), y, BINARY, None) == 0.25


@pytest.mark.parametrize("scoring", ["no_such_scorer", 3])
def test_unknown_scorer(scoring):
    with pytest.raises(ValueError, match=r"'scoring' parameter .* Got .*get_scorer_names"):
        resolve_scoring(scoring, NUMBERS, {})


def test_reasons_when_answers_cannot_be_scored():
    y, values = table(BINARY)
    log_loss = resolve_scoring("neg_log_loss", BINARY, {})
    with pytest.raises(ValueError, match="it gives no probabilities"):
        score_answers(log_loss, Answers(values, "decision_function"), y, BINARY, None)
    with pytest.raises(ValueError, match="it predicts numbers, not classes"):
        score_answers(
            resolve_scoring("f1_macro", BINARY, {}), Answers(values, "value"), y, BINARY, None
        )
    with pytest.raises(ValueError, match="ValueError: "):
        score_answers(
            resolve_scoring("roc_auc", THREE, {}),
            Answers(*table(THREE)[1:], "predict_proba"),
            table(THREE)[0],
            THREE,
            None,
        )

    def not_a_number(estimator, X, y):
        return np.nan

    with pytest.raises(ValueError, match="is nan"):
        score_answers(
            resolve_scoring(not_a_number, BINARY, {}),
            Answers(values, "predict_proba"),
            y,
            BINARY,
            None,
        )


@pytest.mark.parametrize(
    ("scoring", "task", "y", "responses"),
    [
        ("roc_auc", BINARY, ["no", "yes", "yes"], {"svc": "decision_function"}),
        (
            "neg_log_loss",
            BINARY,
            ["no", "yes", "yes"],
            {"svc": "decision_function"},
        ),  # of combinations
        ("neg_mean_poisson_deviance", NUMBERS, [0.0, 2.0, 5.0], {"tree": "predict"}),
        ("roc_auc_ovr", THREE, [1, 2, 3], {"nb": "predict_proba"}),
        (lambda *_: np.nan, NUMBERS, [1.0, 2.0], {"tree": "predict"}),  # it may say more later
    ],
)
def test_scorers_that_suit(scoring, task, y, responses):
    check_scoring(resolve_scoring(scoring, task, responses), np.array(y), task, responses)


@pytest.mark.parametrize(
    ("scoring", "task", "y", "reason"),
    [
        ("accuracy", NUMBERS, [1.5, 2.5, 3.0], "continuous is not supported"),
        ("roc_auc", THREE, [1, 2, 3], "multi_class must be in"),
        (lambda *_: 1 / 0, BINARY, ["no", "yes"], "ZeroDivisionError: division by zero"),
        ("roc_auc", NUMBERS, [1.5, 2.5, 3.0], "AttributeError: a regressor has none of the"),
    ],
)
def test_scorers_that_do_not_suit(scoring, task, y, reason):
    usual = "predict_proba" if task.is_classification else "predict"
    metric = resolve_scoring(scoring, task, {"model": usual})
    with pytest.raises(ValueError, match=f"must suit the target, which is {task.kind}.*{reason}"):
        check_scoring(metric, np.array(y), task, {"model": usual})


def test_metrics_are_not_scorers():
    with pytest.raises(ValueError, match=r"Got the metric r2_score\. Wrap it in sklearn.*make_sc"):
        resolve_scoring(r2_score, NUMBERS, {})


def test_losses_made_into_scorers_are_shown_as_losses():
    made = resolve_scoring(make_scorer(mean_absolute_error, greater_is_better=False), NUMBERS, {})
    assert (made.name, made.sign) == ("mean_absolute_error", -1)
    assert resolve_scoring(make_scorer(r2_score), NUMBERS, {}).sign == 1


def test_scorers_must_take_the_weights_that_there_are():
    metric = resolve_scoring(lambda estimator, X, y: 0.0, NUMBERS, {})
    y, responses = np.array([1.0, 2.5]), {"tree": "predict"}
    check_scoring(metric, y, NUMBERS, responses)
    with pytest.raises(ValueError, match="unexpected keyword argument 'sample_weight'"):
        check_scoring(metric, y, NUMBERS, responses, sample_weight=np.ones(2))
