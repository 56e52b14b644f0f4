"""Tests of blends, stacks and cross-fits as teachers: their settings, and no fit too many."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import stackens as se
from stackens._core._task import Task, infer_task
from stackens.combiners import cross_fitted_predictions
from stackens.distillation.teachers import (
    EnsembleTeacher,
    TeacherRows,
    TeachingOptions,
    resolve_teacher,
)
from stackens.exceptions import LeakageWarning
from tests.base_models import CountingClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4))
Y = (X[:, 0] + RNG.normal(size=240) > 0).astype(int)
ROWS = TeacherRows(X, Y, infer_task(Y)[0])
PAIRS = [("nb", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]
PLAIN = TeachingOptions(calibrate=False)


def learn(teacher, options=PLAIN, rows=ROWS):
    kind = resolve_teacher(teacher, classification=rows.task.is_classification)
    return kind.learn(rows, options)


@pytest.mark.parametrize(
    "ensemble",
    [
        se.StackedClassifier(PAIRS),
        se.StackedClassifier(PAIRS, LogisticRegression(), passthrough=True),
        se.BlendedClassifier(PAIRS),
        se.BlendedClassifier(PAIRS, weighting={"nb": 0.0, "tree": 1.0}),
    ],
    ids=["stacked", "passthrough", "blended", "weights"],
)
def test_labels_go_through_the_whole_ensemble_and_answers_are_its_own(ensemble):
    fitted = learn(ensemble)
    assert not hasattr(ensemble, "cross_fit_")
    table = se.cross_fit(PAIRS, X, Y).out_of_fold
    expected = cross_fitted_predictions(ensemble._make_combiner(table), table)
    np.testing.assert_allclose(fitted.soft, expected, atol=1e-12)
    np.testing.assert_allclose(fitted.outputs(X), ensemble.fit(X, Y).predict_proba(X), atol=1e-12)
    assert fitted.source == "out-of-fold, 5 folds, through the whole ensemble"
    del ensemble.cross_fit_


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_a_stack_know_nothing_of_noise_and_in_sample_ones_do(seed):
    noise = np.random.default_rng(seed).normal(size=(400, 5))
    y = np.arange(400) % 2
    rows = TeacherRows(noise, y, infer_task(y)[0])
    memory = DecisionTreeClassifier(random_state=0)
    stack = se.StackedClassifier(
        [("memory", memory), ("forest", RandomForestClassifier(50, random_state=0))],
        LogisticRegression(),
    )
    honest = learn(stack, TeachingOptions(random_state=seed), rows)
    assert roc_auc_score(y, honest.soft[:, 1]) < 0.6
    blend = se.BlendedClassifier(stack.estimators, weighting="uniform")
    honest = learn(blend, TeachingOptions(random_state=seed), rows)
    assert roc_auc_score(y, honest.soft[:, 1]) < 0.6
    told = learn(blend, TeachingOptions(soft_targets="in_sample"), rows)
    assert roc_auc_score(y, told.soft[:, 1]) > 0.95
    assert told.source == "in-sample (asked for by name)"


def test_its_own_settings_count_and_only_the_default_folds_are_ours():
    ours = TeachingOptions(cv=3, n_jobs=2, random_state=5, verbose=0)
    default = EnsembleTeacher(se.StackedClassifier(PAIRS)).settings(ours)
    assert (default["cv"], default["n_jobs"], default["random_state"]) == (3, 2, 5)
    own_folds = StratifiedKFold(4)
    seed = np.random.RandomState(0)
    own = EnsembleTeacher(
        se.StackedClassifier(
            PAIRS, cv=own_folds, n_jobs=1, random_state=seed, final_fit="bag", out_of_bag=False
        )
    )
    settings = own.settings(ours)
    assert (settings["cv"], settings["n_jobs"]) == (own_folds, 1)
    assert (settings["final_fit"], settings["out_of_bag"]) == ("bag", False)
    # The user's generator is not drawn from: it gives the same seed every time.
    assert settings["random_state"] == own.settings(ours)["random_state"]
    assert learn(own.ensemble).source.startswith("out-of-fold, 4 folds")


def test_a_list_of_splits_as_its_folds_is_refused():
    splits = list(StratifiedKFold(3).split(X, Y))
    with pytest.raises(ValueError, match="as cv of the distillation"):
        learn(se.StackedClassifier(PAIRS, cv=splits))


def test_a_cross_fit_of_the_very_rows_needs_no_fit_and_other_rows_do():
    counted = [("counting", CountingClassifier()), ("nb", GaussianNB())]
    given = se.cross_fit(counted, X, Y)
    CountingClassifier.fits = 0
    fitted = learn(given)
    assert CountingClassifier.fits == 0
    stack = se.StackedClassifier([]).fit_from(given)
    np.testing.assert_allclose(fitted.outputs(X), stack.predict_proba(X), atol=1e-12)
    copied = TeacherRows(X.copy(), Y.tolist(), ROWS.task)
    np.testing.assert_array_equal(learn(given, rows=copied).soft, fitted.soft)
    assert CountingClassifier.fits == 0
    for other in (
        TeacherRows(X[:200], Y[:200], ROWS.task),
        TeacherRows(X + 1e-9, Y, ROWS.task),
        TeacherRows(X, 1 - Y, ROWS.task),
        TeacherRows(X, Y, ROWS.task, sample_weight=np.ones(240)),
    ):
        CountingClassifier.fits = 0
        assert learn(given, rows=other).soft.shape == (len(other), 2)
        assert CountingClassifier.fits == 6  # five folds and all rows


def test_cross_fits_over_other_folds_have_labels_of_their_own_in_the_cache(tmp_path):
    options = TeachingOptions(cache=tmp_path)
    labels = [learn(se.cross_fit(PAIRS, X, Y, cv=cv), options).soft for cv in (3, 4, 3)]
    assert not np.array_equal(labels[0], labels[1])
    np.testing.assert_array_equal(labels[0], labels[2])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_cross_fit_of_one_model_is_that_model():
    given = se.cross_fit([("tree", PAIRS[1][1])], X, Y)
    fitted = learn(given)
    np.testing.assert_array_equal(fitted.soft, given.out_of_fold.values[:, 0])
    assert fitted.source == "out-of-fold, 5 folds"


def test_models_of_a_cross_fit_that_were_fitted_elsewhere_stay_so():
    with pytest.warns(LeakageWarning):
        given = se.cross_fit([("nb", FrozenEstimator(GaussianNB().fit(X, Y))), PAIRS[1]], X, Y)
    with pytest.warns(LeakageWarning):
        fitted = learn(given, rows=TeacherRows(X[:100], Y[:100], ROWS.task))
    assert "nb as given" in fitted.source


def test_an_ensemble_takes_its_models_from_a_cross_fit():
    CountingClassifier.fits = 0
    given = se.cross_fit([*PAIRS, ("counting", CountingClassifier())], X, Y)
    CountingClassifier.fits = 0
    blend = se.BlendedClassifier(PAIRS)
    fitted = EnsembleTeacher(blend, given).learn(ROWS, PLAIN)
    assert CountingClassifier.fits == 0
    np.testing.assert_allclose(fitted.soft, learn(blend).soft)
    everything = EnsembleTeacher(se.BlendedClassifier([]), given).learn(ROWS, PLAIN)
    assert CountingClassifier.fits == 0
    expected = se.BlendedClassifier([]).fit_from(given).predict_proba(X)
    np.testing.assert_allclose(everything.outputs(X), expected)
    missing = se.BlendedClassifier([("other", GaussianNB())])
    with pytest.raises(ValueError, match=r"without \['other'\]"):
        EnsembleTeacher(missing, given).learn(ROWS, PLAIN)


def test_regressors_are_teachers_of_values():
    y = X @ [1.0, 2.0, 0.0, 0.0]
    rows = TeacherRows(X, y, Task("regression", 1))
    models = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=4, random_state=0))]
    for ensemble in (
        se.StackedRegressor(models, LinearRegression()),
        se.BlendedRegressor(models, weighting="simplex"),
    ):
        fitted = learn(ensemble, TeachingOptions(), rows)
        assert fitted.soft.shape == (240, 1)
        np.testing.assert_allclose(fitted.outputs(X)[:, 0], ensemble.fit(X, y).predict(X))


def test_wrong_parameters_of_an_ensemble_are_refused_before_any_fit():
    CountingClassifier.fits = 0
    blend = se.BlendedClassifier([("counting", CountingClassifier())], weighting=[1.0, 2.0])
    with pytest.raises(ValueError, match="weights"):
        learn(blend)
    assert CountingClassifier.fits == 0
