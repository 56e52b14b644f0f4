"""compare, end to end."""

import warnings

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_diabetes, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, make_scorer, roc_auc_score
from sklearn.model_selection import KFold, TimeSeriesSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.evaluation import _statistics
from stackens.exceptions import BaseModelWarning, LeakageWarning, RareClassWarning, StackensWarning

X, Y = make_classification(240, 6, n_informative=3, flip_y=0.2, random_state=0)
MODELS = {
    "linear": LogisticRegression(),
    "bayes": GaussianNB(),
    "tree": DecisionTreeClassifier(max_depth=4, random_state=0),
}
COLUMNS = ["score", "score_se", "oof_score", "fit_s", "batch_us_per_row", "one_row_us", "bytes"]
COLUMNS += ["exported"]
BLENDS = ["blend uniform", "blend simplex", "blend greedy"]
USUAL = [*BLENDS, "stack logistic", "stack auto", "distilled"]


class Failing(ClassifierMixin, BaseEstimator):
    """Cannot be fitted on more than some rows."""

    def __init__(self, most=0):
        self.most = most

    def fit(self, X, y):
        if len(y) > self.most:
            raise ValueError("too many rows")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return np.repeat(self.classes_[0], len(X))


def test_the_leaderboard():
    frame = se.compare(MODELS, X, Y, random_state=0).frame()
    assert list(frame.columns) == COLUMNS
    assert sorted(frame.index) == sorted([*MODELS, *USUAL])
    assert frame["score"].is_monotonic_decreasing
    assert np.isnan(frame.loc["distilled", "oof_score"])
    assert frame.drop(columns="oof_score").notna().all(axis=None)
    assert frame.drop(index="distilled").notna().all(axis=None)
    assert (frame["score_se"] > 0).all()
    assert (frame.loc[USUAL, "fit_s"] > frame.loc["bayes", "fit_s"]).all()
    assert (frame.loc[USUAL, "bytes"] > 0).all()


def test_scores_are_those_of_models_fitted_by_hand():
    models = {
        **MODELS,
        "lightgbm": LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1, random_state=0),
        "forest": RandomForestClassifier(60, random_state=0),
    }
    splits = list(KFold(3, shuffle=True, random_state=1).split(X))
    frame = se.compare(
        models, X, Y, outer=splits, strategies=list(models), final_fit="refit"
    ).frame()
    for name, model in models.items():
        by_hand = [
            -log_loss(Y[test], clone(model).fit(X[train], Y[train]).predict_proba(X[test]))
            for train, test in splits
        ]
        assert frame.loc[name, "score"] == pytest.approx(np.mean(by_hand)), name


def test_boosted_trees_alone_are_their_bag_of_folds():
    models = {"boosted": LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1, random_state=0)}
    train, test = np.arange(160), np.arange(160, 240)
    report = se.compare(models, X, Y, outer=[(train, test)], strategies=["boosted"])
    bag = se.cross_fit(models, X[train], Y[train]).models["boosted"]
    expected = -log_loss(Y[test], bag.predict_proba(X[test]))
    assert report.frame().loc["boosted", "score"] == pytest.approx(expected)


def test_combinations_are_those_fitted_on_the_training_part():
    rows = np.arange(240)
    train, test = rows[:160], rows[160:]
    strategies = {
        "simplex": se.BlendedClassifier([], weighting="simplex"),
        "stack": se.StackedClassifier([], LogisticRegression(), passthrough=True),
        "some": se.BlendedClassifier([("tree", MODELS["tree"]), ("bayes", MODELS["bayes"])]),
    }
    report = se.compare(
        MODELS, X, Y, strategies=strategies, outer=[(train, test)], scoring="roc_auc"
    )
    for name, strategy in strategies.items():
        pairs = strategy.estimators or list(MODELS.items())
        by_hand = clone(strategy).set_params(estimators=pairs).fit(X[train], Y[train])
        expected = roc_auc_score(Y[test], by_hand.predict_proba(X[test])[:, 1])
        assert report.frame().loc[name, "score"] == pytest.approx(expected), name


def test_one_cross_fit_serves_all(monkeypatch):
    from stackens.comparison import _outer_run

    calls = []
    original = _outer_run.cross_fit
    monkeypatch.setattr(
        _outer_run, "cross_fit", lambda *a, **k: calls.append(len(a[1])) or original(*a, **k)
    )
    se.compare(MODELS, X, Y, outer=3)
    assert calls == [160, 160, 160]


def test_a_mixed_frame_with_text_labels():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": np.where(random.random(200) < 0.1, np.nan, random.normal(size=200)),
            "colour": random.choice(["red", "blue", None], size=200),
        }
    )
    y = pd.Series(np.where((frame["colour"] == "red") ^ (random.random(200) < 0.2), "yes", "no"))
    models = {"linear": dict(se.default_estimators(frame, y))["linear"]}
    report = se.compare(models, frame, y, scoring="accuracy", strategies=["linear", "simplex"])
    assert report.frame()["score"].min() > 0.7
    polars = pytest.importorskip("polars")
    again = se.compare(
        models,
        polars.from_pandas(frame),
        polars.Series(y.to_list()),
        scoring="accuracy",
        strategies=["linear", "simplex"],
    )
    pd.testing.assert_series_equal(report.frame()["score"], again.frame()["score"])


def test_sparse_rows():
    frame = se.compare({"linear": LogisticRegression()}, sparse.csr_matrix(X), Y, outer=0.3).frame()
    assert frame["score"].notna().all()


def test_regression():
    X, y = load_diabetes(return_X_y=True)
    models = {"ridge": Ridge(), "linear": LinearRegression()}
    report = se.compare(models, X, y.astype(int), outer=0.3)
    assert report.scoring == "neg_root_mean_squared_error"
    assert "stack ridge" in report.frame().index
    two = se.compare(models, X, np.column_stack([y, -y]), outer=0.3).frame()
    assert two["score"].notna().all()


def test_multilabel_and_three_classes(monkeypatch):
    monkeypatch.setattr(_statistics, "_SCORER_CALLS", 250)
    labels = np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(int)
    frame = se.compare(
        {"tree": DecisionTreeClassifier(max_depth=3, random_state=0)}, X, labels, outer=0.3
    ).frame()
    assert frame["score"].notna().all()
    three = np.digitize(X[:, 0] + X[:, 1], [-1, 1])
    frame = se.compare(
        MODELS, X, three, scoring="roc_auc_ovr", outer=0.3, strategies=["bayes", "logistic"]
    ).frame()
    assert (frame["score"] > 0.5).all()


def test_groups_and_weights_are_passed_on():
    groups = np.repeat(np.arange(24), 10)
    weights = np.where(Y == 1, 3.0, 1.0)
    report = se.compare(
        MODELS, X, Y, groups=groups, sample_weight=weights, outer=3, cv=3, random_state=0
    )
    plain = se.compare(MODELS, X, Y, groups=groups, outer=3, cv=3, random_state=0)
    assert report.frame()["score"].notna().all()
    assert not np.allclose(
        report.frame()["score"].sort_index(), plain.frame()["score"].sort_index()
    )
    assert report.best_estimator_.predict(X[:2]).shape == (2,)


def test_weights_equal_repeated_rows_in_the_score():
    weights = np.ones(240)
    weights[160:] = np.random.default_rng(0).integers(1, 4, size=80)
    repeat = np.repeat(np.arange(240), weights.astype(int))
    train = np.arange(160)
    by_weight = se.compare(
        {"bayes": GaussianNB()},
        X,
        Y,
        sample_weight=weights,
        outer=[(train, np.arange(160, 240))],
        strategies=["bayes"],
    )
    by_rows = se.compare(
        {"bayes": GaussianNB()},
        X[repeat],
        Y[repeat],
        outer=[(train, np.arange(160, len(repeat)))],
        strategies=["bayes"],
    )
    assert by_weight.frame()["score"]["bayes"] == pytest.approx(by_rows.frame()["score"]["bayes"])


def test_time_order():
    report = se.compare(MODELS, X, Y, cv=TimeSeriesSplit(3), strategies=["bayes", "uniform"])
    train, test = np.arange(192), np.arange(192, 240)
    model = GaussianNB().fit(X[train], Y[train])
    expected = -log_loss(Y[test], model.predict_proba(X[test]))
    assert report.frame().loc["bayes", "score"] == pytest.approx(expected)


def test_splits_given_as_pairs():
    cv = list(KFold(4, shuffle=True, random_state=0).split(X))
    report = se.compare(MODELS, X, Y, cv=iter(cv), outer=0.3)
    assert report.frame()["score"].notna().all()
    assert len(report.fit("blend uniform").out_of_fold_.splits) == 4


def test_a_model_without_probabilities():
    models = {**MODELS, "svc": LinearSVC(random_state=0)}
    with pytest.warns(StackensWarning, match="'svc': it gives no probabilities"):
        report = se.compare(models, X, Y, scoring="neg_log_loss", outer=0.3)
    frame = report.frame()
    assert frame.index[-1] == "svc"
    assert np.isnan(frame.loc["svc", "score"])
    assert frame["score"].drop("svc").notna().all()
    assert "blend" in report.fit("blend simplex").__class__.__name__.lower()
    fallback = se.compare(models, X, Y, outer=0.3)
    assert fallback.scoring == "roc_auc"
    assert "'svc' cannot give" in str(fallback)
    assert fallback.frame()["score"].notna().all()


def test_a_failing_model_is_left_out():
    models = {**MODELS, "broken": Failing()}
    with pytest.warns() as caught:
        report = se.compare(models, X, Y, outer=2)
    kinds = [warning.category for warning in caught]
    assert kinds.count(BaseModelWarning) == 1
    assert any("too many rows" in str(w.message) for w in caught if w.category is StackensWarning)
    assert np.isnan(report.frame().loc["broken", "score"])
    assert report.best_estimator_.predict(X[:2]).shape == (2,)
    with pytest.raises(ValueError, match="'broken'.*too many rows"):
        se.compare(models, X, Y, outer=2, on_error="raise")


def test_a_model_that_fails_in_one_split():
    splits = [(np.arange(100), np.arange(100, 240)), (np.arange(50), np.arange(50, 240))]
    with pytest.warns(StackensWarning, match="'fussy'"):
        frame = se.compare({**MODELS, "fussy": Failing(70)}, X, Y, outer=splits).frame()
    assert np.isnan(frame.loc["fussy", "score"])
    assert frame["score"].drop("fussy").notna().all()


def test_a_strategy_that_fails():
    class Unwilling(se.combiners.UniformMean):
        def fit(self, out_of_fold):
            raise RuntimeError("not today")

    strategies = {"unwilling": Unwilling(), "bayes": "bayes"}
    with pytest.warns(StackensWarning, match="'unwilling': RuntimeError: not today"):
        se.compare(MODELS, X, Y, outer=0.3, strategies=strategies)
    with pytest.raises(RuntimeError, match="not today"):
        se.compare(MODELS, X, Y, outer=0.3, strategies=strategies, on_error="raise")


def test_no_score_at_all():
    positive = np.flatnonzero(Y == 1)
    outer = [(np.setdiff1d(np.arange(240), positive[-20:]), positive[-20:])]
    with pytest.raises(ValueError, match="At least one strategy must have a score"):
        se.compare(MODELS, X, Y, scoring="roc_auc", outer=outer)


def test_a_scorer_that_does_not_suit_is_refused_before_anything_is_fitted():
    models = {"broken": Failing()}
    three = np.digitize(X[:, 0], [-1, 1])
    with pytest.raises(ValueError, match="must suit the target, which is multiclass.*'roc_auc'"):
        se.compare(models, X, three, scoring="roc_auc", on_error="raise")


def test_a_class_of_two_rows():
    y = np.where(Y == 1, "common", "other").astype(object)
    y[[3, 100]] = "rare"
    with pytest.warns(RareClassWarning):
        frame = se.compare(MODELS, X, y, random_state=0).frame()
    assert np.isfinite(frame["score"]).all()


def test_a_class_missing_from_a_training_part():
    y = np.where(Y == 1, 1, 0)
    y[200:] = 2
    outer = [(np.arange(160), np.arange(160, 240))]
    frame = se.compare(MODELS, X, y, outer=outer, strategies=["bayes", "uniform"]).frame()
    floor = 1 / (160 + 3)
    assert frame.loc["uniform", "score"] < 0.5 * np.log(floor) + 0.2
    assert np.isfinite(frame["score"]).all()


def test_fitted_models_are_used_as_they_are():
    models = {name: clone(model).fit(X[:80], Y[:80]) for name, model in MODELS.items()}
    with pytest.warns(LeakageWarning):
        report = se.compare(models, X[80:], Y[80:], cv="prefit", strategies=["bayes", "simplex"])
    assert report.fit("bayes") is models["bayes"]


def test_the_same_seed_gives_the_same_numbers():
    models = {"tree": DecisionTreeClassifier(), "forest": RandomForestClassifier(60)}
    first, again, other = (
        se.compare(models, X, Y, random_state=seed, n_jobs=n_jobs, strategies=["tree", "simplex"])
        for seed, n_jobs in ((1, 1), (1, 2), (2, 1))
    )
    timeless = ["score", "score_se", "oof_score", "bytes"]
    pd.testing.assert_frame_equal(first.frame()[timeless], again.frame()[timeless])
    assert not np.allclose(first.frame()["score"], other.frame()["score"])
    generator = np.random.RandomState(0)
    se.compare(models, X, Y, random_state=generator, strategies=["tree"], outer=0.3)


def test_any_scorer():
    def cost(y, predicted):
        return float(np.mean(np.where(y == 1, 5, 1) * (y != predicted)))

    report = se.compare(MODELS, X, Y, scoring=make_scorer(cost, greater_is_better=False), outer=0.3)
    assert report.scoring == "cost"
    assert (report.frame()["score"] < 0).all()
    assert (report.frame()["score_se"] > 0).all()


def test_progress(capsys):
    se.compare(MODELS, X, Y, outer=2, verbose=1)
    said = capsys.readouterr().err
    assert "Outer split 2 of 2: 120 rows to fit on, 120 set aside" in said
    assert "Scoring 9 strategies by log loss" in said
    assert (said.count("training a student on 120 rows"), said.count("Measuring")) == (2, 1)
    se.compare(MODELS, X, Y, outer=0.3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"scoring": "no such"}, ValueError, "get_scorer_names"),
        ({"outer": 1}, ValueError, "'outer' parameter"),
        ({"strategies": ["no such"]}, ValueError, "'strategies' parameter"),
        ({"on_error": "ignore"}, ValueError, "'on_error' parameter"),
        ({"cv": 1}, ValueError, "'cv' parameter"),
        ({"y": Y[:-1]}, ValueError, "inconsistent"),
        ({"y": np.zeros(240)}, ValueError, "at least two classes"),
        ({"estimators": []}, ValueError, "non-empty list"),
        ({"groups": np.repeat([0, 1, 2], 80)}, ValueError, "at least 'cv' groups"),
        ({"groups": [None] * 240}, ValueError, "groups must hold the group of each row"),
        ({"outer": 1_000}, ValueError, "as many rows as folds. .* outer=1000"),
        ({"scoring": accuracy_score}, ValueError, "Got the metric accuracy_score.*make_scorer"),
        ({"scoring": ["accuracy"]}, ValueError, "'scoring' parameter"),
        ({"estimators": {"a": GaussianNB}}, TypeError, "object with a fit method"),
    ],
)
def test_bad_input(changes, error, message):
    arguments = {"estimators": MODELS, "X": X, "y": Y, **changes}
    with pytest.raises(error, match=message):
        se.compare(**arguments)


def noise_scores(seed, n=150):
    random = np.random.default_rng(seed)
    rows, target = random.normal(size=(n, 5)), random.permutation(np.arange(n) % 2)
    models = {
        "linear": LogisticRegression(),
        "bayes": GaussianNB(),
        "forest": RandomForestClassifier(50, random_state=seed),
        "boosted": LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1, random_state=seed),
    }
    with warnings.catch_warnings():
        # a row that is in the bag of every tree is left out, which is rightly said
        warnings.simplefilter("ignore", UserWarning)
        report = se.compare(models, rows, target, scoring="roc_auc", outer=3, random_state=seed)
    return report.frame()["score"].sort_index()


def test_noise_scores_chance():
    scores = pd.concat([noise_scores(seed) for seed in range(4)], axis=1)
    assert len(scores) == 10
    # The AUC of 150 rows has a standard error of 0.047.
    assert (abs(scores.mean(axis=1) - 0.5) < 4 * 0.047 / np.sqrt(4)).all()


@pytest.mark.nightly
def test_noise_scores_chance_over_fifty_seeds():
    scores = pd.concat([noise_scores(seed, n=1_000) for seed in range(50)], axis=1)
    assert (abs(scores.mean(axis=1) - 0.5) < 0.01).all()
