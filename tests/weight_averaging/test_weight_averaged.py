"""Tests of weight averaging as an estimator."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

import stackens as se
from stackens.exceptions import OtherBasinWarning

X, Y = load_breast_cancer(return_X_y=True)
LOGISTIC = [(f"c{i}", LogisticRegression(C=c)) for i, c in enumerate([0.1, 1.0, 10.0])]
RIDGES = [(f"a{i}", Ridge(a)) for i, a in enumerate([0.1, 1.0])]

CHECKED = [
    se.WeightAveragedClassifier(LOGISTIC),
    se.WeightAveragedClassifier(LOGISTIC, weighting="equal"),
    se.WeightAveragedRegressor(RIDGES),
    se.WeightAveragedRegressor(RIDGES, weighting=[0.75, 0.25]),
]


# One check gives all weight to one class.
@pytest.mark.filterwarnings("ignore:divide by zero encountered in log:RuntimeWarning")
@parametrize_with_checks(CHECKED)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", CHECKED[::2], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "check", [check_param_validation, check_dataframe_column_names_consistency]
)
def test_checks_that_scikit_learn_runs_on_its_own_classes(estimator, check):
    check(type(estimator).__name__, estimator)


def scaled(model):
    return make_pipeline(StandardScaler(), model)


@pytest.mark.parametrize("weighting", ["greedy", "equal", "learned", [0.2, 0.3, 0.5]])
def test_linear_models(weighting):
    models = {name: scaled(model) for name, model in LOGISTIC}
    average = se.WeightAveragedClassifier(models, weighting=weighting, random_state=0).fit(X, Y)
    assert average.weights_.sum() == pytest.approx(1)
    coefs = [model[-1].coef_ for model in average.estimators_]
    np.testing.assert_allclose(
        average.model_[-1].coef_, np.tensordot(average.weights_, coefs, 1), rtol=1e-10
    )
    np.testing.assert_array_equal(average.predict(X), average.model_.predict(X))
    assert average.predict_proba(X).shape == (len(X), 2)
    if weighting in ("greedy", "learned"):
        assert average.score_ >= max(average.scores_.values())


def mlps(n=4, **options):
    rates = np.geomspace(0.0005, 0.005, n)
    options = {"hidden_layer_sizes": (32,), "max_iter": 25, "early_stopping": False} | options
    return [
        (f"m{i}", MLPClassifier(learning_rate_init=rate, **options)) for i, rate in enumerate(rates)
    ]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_from_a_shared_start_have_an_average():
    digits, labels = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(digits / 16, labels, random_state=0)
    shared = se.WeightAveragedClassifier(mlps(), weighting="equal", random_state=0)
    shared.fit(train, y_train)
    losses = [log_loss(y_test, m.predict_proba(test)) for m in shared.estimators_]
    assert log_loss(y_test, shared.predict_proba(test)) < np.mean(losses)
    assert len({model.coefs_[0].tobytes() for model in shared.estimators_}) == 4
    assert isinstance(shared.model_, MLPClassifier)

    apart = clone(shared).set_params(init="separate", align=False)
    with pytest.warns(OtherBasinWarning, match="worse than its ingredients"):
        apart.fit(train, y_train)
    assert apart.score_ < shared.score_
    assert apart.alignment_ is None is shared.alignment_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::stackens.exceptions.OtherBasinWarning")
def test_networks_trained_apart_are_aligned():
    digits, labels = load_digits(return_X_y=True)
    model = MLPClassifier(hidden_layer_sizes=(128,), max_iter=25)
    models = [(f"m{i}", clone(model).set_params(random_state=i)) for i in range(2)]
    average = se.WeightAveragedClassifier(models, weighting="equal", init="separate")
    average.set_params(random_state=0).fit(digits / 16, labels)
    plain = clone(average).set_params(align=False).fit(digits / 16, labels)
    assert average.score_ > plain.score_
    assert average.alignment_.frame()["moved"].iloc[1] > 0.5
    fitted = [(name, FrozenEstimator(model.fit(digits / 16, labels))) for name, model in models]
    frozen = clone(average).set_params(init="shared", estimators=fitted).fit(digits / 16, labels)
    assert frozen.alignment_ is not None
    se.WeightAveragedClassifier(LOGISTIC, init="separate").fit(X[:, :2], Y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regression_with_networks_and_several_outputs():
    features, target = load_diabetes(return_X_y=True)
    target = np.column_stack([target, -target]) / 100
    models = [
        (f"m{i}", MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, alpha=a))
        for i, a in enumerate((0, 1))
    ]
    average = se.WeightAveragedRegressor(models, random_state=0).fit(features, target)
    assert average.predict(features).shape == target.shape


def test_labels_names_and_frames_are_kept():
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    labels = np.where(Y == 1, "benign", "malign")
    average = se.WeightAveragedClassifier([("one", scaled(LogisticRegression()))])
    average.fit(frame, labels)
    assert average.feature_names_in_.tolist() == ["a", "b", "c"]
    assert set(average.predict(frame)) == {"benign", "malign"} == set(average.classes_)
    with pytest.raises(ValueError, match="feature names"):
        average.predict(frame[["b", "a", "c"]])


def test_models_without_probabilities_and_other_scorers():
    margins = se.WeightAveragedClassifier(
        [("a", scaled(RidgeClassifier(0.1))), ("b", scaled(RidgeClassifier(10.0)))]
    ).fit(X, Y)
    assert not hasattr(margins, "predict_proba")
    assert margins.decision_function(X).shape == (len(X),)
    assert 0.9 < margins.score_ <= 1
    auc = se.WeightAveragedClassifier(
        [(n, scaled(m)) for n, m in LOGISTIC], scoring="roc_auc", random_state=0
    ).fit(X, Y)
    assert 0.9 < auc.score_ <= 1


def test_frozen_models_are_taken_as_they_are():
    fitted = [LogisticRegression(C=c).fit(X[:, :3], Y) for c in (0.1, 1.0)]
    before = [model.coef_.copy() for model in fitted]
    models = [(f"f{i}", FrozenEstimator(model)) for i, model in enumerate(fitted)]
    average = se.WeightAveragedClassifier(models, weighting="equal").fit(X[:, :3], Y)
    np.testing.assert_allclose(average.model_.coef_, np.mean(before, axis=0))
    assert all(map(np.array_equal, before, [model.coef_ for model in fitted]))


def test_weights_count_as_repeated_rows():
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    # lbfgs counts rows and weights in another order, so compare to its own tolerance.
    models = [
        (name, scaled(model.set_params(tol=1e-10, max_iter=2000))) for name, model in LOGISTIC
    ]
    average = se.WeightAveragedClassifier(models, weighting="equal", random_state=0)
    first = clone(average).fit(X[:, :4], Y, sample_weight=weights)
    second = clone(average).fit(X[rows, :4], Y[rows])
    np.testing.assert_allclose(
        first.model_[-1].coef_, second.model_[-1].coef_, rtol=1e-3, atol=1e-4
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_same_seed_gives_the_same_bits_whatever_n_jobs():
    fits = [
        se.WeightAveragedClassifier(
            [(name, scaled(model)) for name, model in mlps(2, max_iter=5)], random_state=3, n_jobs=n
        ).fit(X, Y)
        for n in (1, 2)
    ]
    np.testing.assert_array_equal(*[fit.predict_proba(X) for fit in fits])
    restored = pickle.loads(pickle.dumps(fits[0]))
    np.testing.assert_array_equal(restored.predict_proba(X), fits[0].predict_proba(X))
