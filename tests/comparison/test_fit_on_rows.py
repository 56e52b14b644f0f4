"""Weight averages as strategies: fitted by themselves on the outer training rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_diabetes, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stackens as se
from stackens._core._task import infer_task
from stackens.comparison._fit_on_rows import fit_on_rows, what_predicts
from stackens.comparison._inputs import Inputs
from stackens.comparison._strategies import Strategy
from stackens.exceptions import LeakageWarning, StackensWarning
from stackens.export import exported_cost

X, Y = make_classification(200, 6, n_informative=3, flip_y=0.2, random_state=0)
OUTER = [(np.arange(140), np.arange(140, 200))]
LINEAR = {"c1": LogisticRegression(C=0.01), "c2": LogisticRegression(C=1.0)}
MODELS = {**LINEAR, "bayes": GaussianNB()}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def inputs(models=MODELS, groups=None, sample_weight=None):
    options = {"random_state": 0, "n_jobs": None}
    task, y = infer_task(Y)
    return Inputs(list(models.items()), X, y, task, groups, sample_weight, 5, options)


def networks(**settings):
    """Two networks of one architecture, without seeds, behind scalers."""
    return {
        f"net{rate}": make_pipeline(
            StandardScaler(), MLPClassifier((4,), learning_rate_init=rate, max_iter=10, **settings)
        )
        for rate in (0.003, 0.03)
    }


@pytest.mark.parametrize("models", [LINEAR, networks()], ids=["linear", "networks"])
def test_the_score_is_that_of_an_average_fitted_on_the_training_part(models):
    report = se.compare(
        {**models, "bayes": GaussianNB()},
        X,
        Y,
        outer=OUTER,
        strategies=["weight average"],
        random_state=3,
    )
    ((train, test),) = OUTER
    average = se.WeightAveragedClassifier(models, random_state=3).fit(X[train], Y[train])
    row = report.frame().loc["weight average"]
    assert row["score"] == -log_loss(Y[test], average.predict_proba(X[test]))
    assert np.isnan(row["oof_score"])
    assert row["fit_s"] > 0
    assert row["one_row_us"] > row["batch_us_per_row"] > 0
    assert row["bytes"] == exported_cost(average.model_, X[test]).n_bytes
    assert row["exported"]


def test_rows_that_are_set_aside_are_never_seen():
    ((train, test),) = OUTER
    spoiled, labels = X.copy(), Y.copy()
    spoiled[test], labels[test] = 1e6, 1 - Y[test]
    options = {"outer": OUTER, "strategies": ["weight average"], "random_state": 0}
    clean = se.compare(LINEAR, X, Y, **options).frame()["score"].item()
    seen = se.compare(LINEAR, spoiled, labels, **options)
    average = se.WeightAveragedClassifier(LINEAR, random_state=0).fit(X[train], Y[train])
    assert clean == -log_loss(Y[test], average.predict_proba(X[test]))
    probabilities = average.predict_proba(spoiled[test])
    assert seen.frame()["score"].item() == pytest.approx(-log_loss(labels[test], probabilities))


def test_it_is_among_the_usual_strategies_and_a_combination():
    report = se.compare(MODELS, X, Y, random_state=0, outer=3)
    frame = report.frame()
    assert frame["oof_score"].isna().to_dict() == {
        name: name in ("weight average", "distilled") for name in frame.index
    }
    assert frame.drop(columns="oof_score").notna().all().all()
    assert "weight average" in report.findings.combinations
    assert report.plot().frame().loc["weight average", "combination"]
    without = se.compare(
        MODELS, X, Y, random_state=0, outer=3, strategies=[*MODELS, "simplex"]
    ).differences()
    one_of_many = report.differences().loc["blend simplex"]
    assert one_of_many["difference"] == without.loc["simplex", "difference"]
    assert one_of_many["high"] > without.loc["simplex", "high"]


def test_the_report_says_why_there_is_no_out_of_fold_score():
    report = se.compare(MODELS, X, Y, outer=OUTER, strategies=["weight average", "uniform"])
    reason = "No out-of-fold score for 'weight average': trained on the rows"
    assert str(report).splitlines()[-1].startswith(reason)
    assert "No out-of-fold score for &#x27;weight average&#x27;" in report._repr_html_()
    others = se.compare(MODELS, X, Y, outer=OUTER, strategies=["uniform"])
    assert "No out-of-fold score" not in str(others) + others._repr_html_()


class Skewed(LogisticRegression):
    """Errs to one side."""

    def __init__(self, by=0.0):
        super().__init__()
        self.by = by

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.coef_ = self.coef_ + np.array([[0.0, self.by]])
        return self


def test_it_is_recommended_where_it_is_clearly_better():
    rows = np.random.default_rng(0).normal(size=(300, 2))
    models = {"left": Skewed(-5.0), "right": Skewed(5.0)}
    report = se.compare(
        models,
        rows,
        (rows[:, 0] > 0).astype(int),
        strategies=["left", "right", "weight average"],
        outer=0.5,
        cv=2,
    )
    assert report.best == report.recommended == "weight average"
    said = report.summary()
    assert said.startswith("Use 'weight average': its log loss of")
    assert said.endswith("times its size.")
    assert report.best_estimator_.weights_.tolist() == [0.5, 0.5]


def test_refit_on_all_rows():
    weights = np.where(Y == 1, 3.0, 1.0)
    report = se.compare(
        MODELS,
        X,
        Y,
        outer=0.3,
        sample_weight=weights,
        strategies=["weight average"],
        random_state=1,
    )
    found = report.best_estimator_
    by_hand = se.WeightAveragedClassifier(LINEAR, random_state=1).fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(found.predict_proba(X), by_hand.predict_proba(X))
    assert list(found.named_estimators) == ["c1", "c2"]


def test_the_same_bits_whatever_n_jobs():
    models = {**networks(), "bayes": GaussianNB()}
    first, again, other = (
        se.compare(
            models, X, Y, strategies=["weight average"], outer=2, n_jobs=n_jobs, random_state=seed
        )
        for n_jobs, seed in ((1, 0), (2, 0), (1, 1))
    )
    timeless = ["score", "score_se", "bytes"]
    pd.testing.assert_frame_equal(
        first.frame()[timeless], again.frame()[timeless], check_exact=True
    )
    assert first.frame()["score"].item() != other.frame()["score"].item()
    refits = [report.best_estimator_.predict_proba(X) for report in (first, again)]
    np.testing.assert_array_equal(*refits)


def test_its_own_settings_are_kept():
    average = se.WeightAveragedClassifier(
        [("c2", LINEAR["c2"]), ("c1", LINEAR["c1"])], weighting="equal", random_state=7
    )
    report = se.compare(
        MODELS, X, Y, outer=OUTER, strategies={"mean": average, "bayes": "bayes"}, random_state=0
    )
    ((train, test),) = OUTER
    by_hand = clone(average).fit(X[train], Y[train])
    score = report.frame().loc["mean", "score"]
    assert score == -log_loss(Y[test], by_hand.predict_proba(X[test]))
    assert report.fit("mean").random_state == 7
    assert report.fit("mean").weights_.tolist() == [0.5, 0.5]


def test_the_score_of_the_comparison_chooses_the_weights():
    report = se.compare(
        MODELS, X, Y, outer=OUTER, scoring="roc_auc", strategies=["weight average"], random_state=0
    )
    ((train, test),) = OUTER
    average = se.WeightAveragedClassifier(LINEAR, scoring="roc_auc", random_state=0)
    probabilities = average.fit(X[train], Y[train]).predict_proba(X[test])[:, 1]
    assert report.frame()["score"].item() == pytest.approx(roc_auc_score(Y[test], probabilities))


def test_regression_with_two_groups():
    rows, y = load_diabetes(return_X_y=True)
    models = {
        "r1": Ridge(0.1),
        "n1": MLPRegressor(hidden_layer_sizes=(4,), max_iter=5),
        "r2": Ridge(1.0),
        "n2": MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, alpha=1.0),
    }
    report = se.compare(models, rows, y, outer=0.3, cv=2, random_state=0)
    names = [name for name in report.frame().index if name.startswith("weight average")]
    assert sorted(names) == ["weight average (n1, n2)", "weight average (r1, r2)"]
    assert report.frame().loc[names, "score"].notna().all()
    assert report.fit("weight average (r1, r2)").model_.coef_.shape == (10,)


def test_frames_groups_and_a_class_that_the_training_part_lacks():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    y = np.where(Y == 1, "yes", "no").astype(object)
    y[150:] = "rare"
    report = se.compare(
        MODELS,
        frame,
        y,
        outer=OUTER,
        cv=2,
        groups=np.arange(200) // 5,
        strategies=["weight average"],
    )
    assert np.isfinite(report.frame()["score"].item())
    assert report.best_estimator_.predict(frame[:2]).shape == (2,)
    assert list(report.best_estimator_.feature_names_in_) == list("abcdef")


class TakesGroups(ClassifierMixin, BaseEstimator):
    """Keeps what its fit is given."""

    def __init__(self, estimators=(), random_state=None, n_jobs=None, verbose=0):
        self.estimators = estimators
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y, groups=None):
        self.given_ = groups
        return self


def test_what_fit_takes_is_given():
    strategy = Strategy("grouped", ("c1", "c2"), TakesGroups())
    given = inputs(groups=np.arange(200), sample_weight=np.ones(200))
    found = fit_on_rows(strategy, given)
    assert found.given_ is given.groups
    assert found.random_state == 0
    assert [name for name, _ in found.estimators] == ["c1", "c2"]
    assert what_predicts(found) is found


class Refusing(LogisticRegression):
    """Cannot be fitted."""

    def fit(self, X, y, sample_weight=None):
        raise RuntimeError("not today")


def test_models_that_failed_are_left_out():
    models = {**LINEAR, "broken": Refusing(), "broken2": Refusing()}
    both = {"linear": "weight average (c1, c2)", "bad": "weight average (broken, broken2)"}
    with pytest.warns(StackensWarning) as caught:
        report = se.compare(models, X, Y, outer=OUTER, strategies=both)
    said = "'bad': ValueError: fewer than two of its models can be fitted"
    assert any(said in str(warning.message) for warning in caught)
    assert report.best == "linear"
    with pytest.raises(ValueError, match="fewer than two"):
        report.fit("bad")
    three = [*LINEAR.items(), ("broken", Refusing())]
    average = se.WeightAveragedClassifier(three, weighting="equal")
    strategy = Strategy("s", ("c1", "c2", "broken"), average)
    found = fit_on_rows(strategy, inputs(models), failed=["broken", "broken2"])
    assert found.weights_.tolist() == [0.5, 0.5]


def test_a_failing_average_is_handled_as_other_strategies():
    def scoring(model, X, y):
        raise RuntimeError("no score today")

    average = se.WeightAveragedClassifier([], weighting="greedy", scoring=scoring)
    options = {"outer": OUTER, "strategies": {"bad": average, "bayes": "bayes"}}
    with pytest.warns(StackensWarning, match="'bad': RuntimeError: no score today"):
        frame = se.compare(MODELS, X, Y, **options).frame()
    assert frame.loc["bad"].drop(["bytes", "exported"]).isna().all()
    with pytest.raises(RuntimeError, match="no score today"):
        se.compare(MODELS, X, Y, on_error="raise", **options)


def test_wrong_weights_of_an_average_are_told_before_anything_is_fitted():
    average = se.WeightAveragedClassifier([], weighting=[0.2, 0.3, 0.5])
    with pytest.raises(ValueError, match=r"shape \(2,\).*\n.*strategy 'bad'"):
        se.compare({"broken": Refusing(), **LINEAR}, X, Y, strategies={"bad": average})


def test_fitted_models_are_averaged_as_they_are():
    fitted = {name: clone(model).fit(X[:80], Y[:80]) for name, model in LINEAR.items()}
    average = se.WeightAveragedClassifier([], weighting="equal")
    with pytest.warns(LeakageWarning):
        report = se.compare(fitted, X[80:], Y[80:], cv="prefit", strategies={"mean": average})
    assert report.best_estimator_.estimators_ == list(fitted.values())
    coefs = [model.coef_ for model in fitted.values()]
    np.testing.assert_allclose(report.best_estimator_.model_.coef_, np.mean(coefs, axis=0))


def test_progress_says_that_models_are_trained_again(capsys):
    se.compare(MODELS, X, Y, outer=OUTER, strategies=["weight average"], verbose=1)
    assert "weight average: training 2 models once more" in capsys.readouterr().err


def test_torch_networks():
    pytest.importorskip("torch")
    models = {
        f"net{rate}": se.TorchMLPClassifier((4,), learning_rate=rate, max_iter=2)
        for rate in (0.003, 0.03)
    }
    report = se.compare(
        models, X, Y, outer=OUTER, cv=2, strategies=["weight average"], random_state=0
    )
    ((train, test),) = OUTER
    average = se.WeightAveragedClassifier(models, random_state=0).fit(X[train], Y[train])
    score = report.frame()["score"].item()
    assert score == pytest.approx(-log_loss(Y[test], average.predict_proba(X[test])), rel=1e-6)


def noise_score(seed, n_rows):
    rng = np.random.default_rng(seed)
    rows, target = rng.normal(size=(n_rows, 5)), rng.permutation(np.arange(n_rows) % 2)
    models = {
        **LINEAR,
        **{
            f"net{rate}": MLPClassifier((8,), learning_rate_init=rate, max_iter=10)
            for rate in (0.003, 0.03)
        },
        "forest": RandomForestClassifier(10, random_state=0),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        report = se.compare(
            models,
            rows,
            target,
            strategies=["weight average (c1, c2)", "weight average (net0.003, net0.03)"],
            cv=KFold(2),
            outer=0.8,
            scoring="roc_auc",
            random_state=seed,
        )
    return report.frame()["score"].sort_index()


def test_noise_scores_chance():
    scores = pd.concat([noise_score(seed, 500) for seed in range(4)], axis=1)
    # AUC on 400 rows has a standard error of 0.029.
    assert (abs(scores.mean(axis=1) - 0.5) < 4 * 0.029 / np.sqrt(4)).all()


@pytest.mark.nightly
def test_noise_scores_chance_over_fifty_seeds():
    scores = pd.concat([noise_score(seed, 1_500) for seed in range(50)], axis=1)
    assert (abs(scores.mean(axis=1) - 0.5) < 0.01).all()
