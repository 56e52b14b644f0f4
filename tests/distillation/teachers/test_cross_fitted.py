"""Tests of repeats, seeds, partial coverage, groups, failures and the cache of learnt labels."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, RepeatedStratifiedKFold, ShuffleSplit, TimeSeriesSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens._core._task import infer_task
from stackens.distillation.teachers import TeacherRows, TeachingOptions, resolve_teacher
from stackens.exceptions import BaseModelWarning, DamagedCacheWarning
from tests.base_models import CountingClassifier, FailingClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
Y = (X[:, 0] + RNG.normal(size=200) > 0).astype(int)
ROWS = TeacherRows(X, Y, infer_task(Y)[0])
TREE = DecisionTreeClassifier(random_state=0)
STACK = se.StackedClassifier(
    [
        ("nb", GaussianNB()),
        ("tree", DecisionTreeClassifier(max_depth=3)),
        ("lr", LogisticRegression()),
    ]
)


def learn(teacher, rows=ROWS, **options):
    return resolve_teacher(teacher, classification=True).learn(rows, TeachingOptions(**options))


def noise_of(fitted):
    """Squared distance of the labels to the true probabilities."""
    return np.mean((fitted.soft[:, 1] - norm.cdf(X[:, 0])) ** 2)


@pytest.mark.parametrize(
    "teacher", [TREE, RandomForestClassifier(50, random_state=0)], ids=["folds", "out-of-bag"]
)
def test_repeats_average_labels_of_other_folds_and_seeds_and_cut_noise(teacher):
    once, again = (learn(teacher, n_repeats=n, calibrate=False) for n in (1, 5))
    assert again.source == f"{once.source}, 5 repeats"
    assert noise_of(again) < noise_of(once)
    np.testing.assert_allclose(again.soft.sum(axis=1), 1.0)
    np.testing.assert_array_equal(again.outputs(X[:9]), once.outputs(X[:9]))


def test_repeats_fit_nothing_on_all_rows_again():
    CountingClassifier.fits = 0
    learn(CountingClassifier(), n_repeats=3)
    assert CountingClassifier.fits == 5 + 1 + 2 * 5


def test_repeats_respect_groups():
    groups = np.repeat(np.arange(20), 10)
    means = np.repeat(RNG.normal(size=20), 10)
    rows = TeacherRows(
        np.column_stack([groups, means]), np.repeat(np.arange(20) % 2, 10), ROWS.task, groups=groups
    )
    fitted = learn(TREE, rows, n_repeats=3)
    # A tree that saw a row of the group would know the answer of all of it.
    assert np.mean(fitted.soft.argmax(axis=1) == rows.y) < 0.9
    assert np.isfinite(fitted.soft).all()


@pytest.mark.parametrize("cv", [KFold(3), KFold(3, shuffle=True, random_state=0), [([0], [1])]])
def test_repeats_of_folds_that_stay_the_same_are_refused(cv):
    with pytest.raises(ValueError, match="drawn again"):
        learn(TREE, cv=cv, n_repeats=2)


def test_splitters_that_can_be_drawn_again_and_those_that_repeat_themselves():
    twice = learn(TREE, cv=KFold(3, shuffle=True), n_repeats=2, random_state=0)
    assert twice.source == "out-of-fold, 3 folds, 2 repeats"
    own = learn(TREE, cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0))
    assert own.source == "out-of-fold, 6 folds"


def test_rows_that_are_never_held_out_have_no_soft_target():
    fitted = learn(GaussianNB(), cv=TimeSeriesSplit(3))
    assert np.isnan(fitted.soft[:50]).all()
    assert np.isfinite(fitted.soft[50:]).all()
    random = learn(GaussianNB(), cv=ShuffleSplit(2, test_size=0.3), n_repeats=4, random_state=0)
    known = np.isfinite(random.soft).all(axis=1)
    assert 0.6 < known.mean() < 1.0
    np.testing.assert_allclose(random.soft[known].sum(axis=1), 1.0)


def test_a_model_without_probabilities_votes():
    class Labels(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return self.classes_[(X[:, 0] > 0).astype(int)]

    fitted = learn(Labels())
    assert fitted.source == "out-of-fold, 5 folds, votes turned into probabilities"
    votes = X[:, 0] > 0
    np.testing.assert_array_equal(fitted.soft.argmax(axis=1), votes)
    assert fitted.soft.max(axis=1) == pytest.approx(np.mean(votes == Y), abs=0.02)
    assert fitted.temperature_ is None
    off = learn(Labels(), calibrate=False)
    assert off.source == "out-of-fold, 5 folds, one-hot (the teacher has no probabilities)"
    np.testing.assert_array_equal(off.soft[:, 1], votes)


def test_a_base_model_that_fails_is_left_out_where_the_ensemble_says_so():
    stack = se.StackedClassifier(
        [("nb", GaussianNB()), ("broken", FailingClassifier())], on_error="drop"
    )
    with pytest.warns(BaseModelWarning):
        fitted = learn(stack, n_repeats=2)
    assert np.isfinite(fitted.soft).all()


@pytest.mark.parametrize("n_repeats", [1, 2])
def test_the_same_seed_gives_the_same_bits_whatever_n_jobs_and_cache(n_repeats, tmp_path):
    options = {"random_state": 3, "n_repeats": n_repeats}
    plain = learn(STACK, **options)
    answer = plain.outputs(X)
    for others in ({"n_jobs": 2}, {"cache": tmp_path}, {"cache": tmp_path}):
        fitted = learn(STACK, **options, **others)
        np.testing.assert_array_equal(fitted.soft, plain.soft)
        np.testing.assert_array_equal(fitted.outputs(X), answer)
        assert (fitted.source, fitted.temperature_) == (plain.source, plain.temperature_)
    other_seed = learn(STACK, random_state=4, n_repeats=n_repeats)
    assert not np.array_equal(other_seed.soft, plain.soft)


def test_known_labels_are_read_and_the_model_is_fitted_only_for_new_rows(tmp_path):
    options = {"cache": tmp_path, "random_state": 0}
    first = learn(CountingClassifier(), **options)
    labels = first.outputs(X[:5])
    CountingClassifier.fits = CountingClassifier.predictions = 0
    again = learn(CountingClassifier(), **options)
    np.testing.assert_array_equal(again.soft, first.soft)
    np.testing.assert_array_equal(again.outputs(X[:5]), labels)
    assert (CountingClassifier.fits, CountingClassifier.predictions) == (0, 0)
    assert again.n_calls == 0
    other = again.outputs(X[5:9])
    assert CountingClassifier.fits == 6
    np.testing.assert_array_equal(other, first.outputs(X[5:9]))


def test_other_rows_teachers_and_settings_have_labels_of_their_own(tmp_path):
    CountingClassifier.fits = 0
    learn(CountingClassifier(), cache=tmp_path)
    groups = np.arange(200) // 2
    for rows, options in (
        (TeacherRows(X + 1, Y, ROWS.task), {}),
        (TeacherRows(X, 1 - Y, ROWS.task), {}),
        (TeacherRows(X, Y, ROWS.task, sample_weight=None, groups=groups), {}),
        (ROWS, {"cv": 4}),
        (ROWS, {"calibrate": False}),
        (ROWS, {"random_state": 1}),
    ):
        CountingClassifier.fits = 0
        learn(CountingClassifier(), rows, cache=tmp_path, **options)
        assert CountingClassifier.fits > 0
    n_files = len(list(tmp_path.iterdir()))
    assert n_files == 7
    for n_jobs in (None, 2):
        CountingClassifier.fits = 0
        learn(CountingClassifier(), cache=tmp_path, n_jobs=n_jobs)
        assert CountingClassifier.fits == 0


def test_damaged_labels_are_made_again(tmp_path):
    first = learn(GaussianNB(), cache=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(DamagedCacheWarning):
        again = learn(GaussianNB(), cache=tmp_path)
    np.testing.assert_array_equal(again.soft, first.soft)
    np.testing.assert_array_equal(learn(GaussianNB(), cache=tmp_path).soft, first.soft)
