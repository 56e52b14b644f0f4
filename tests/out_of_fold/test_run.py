"""Tests of the run: jobs for every policy, and back to one table."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.naive_bayes import GaussianNB

from stackens._core._task import Task
from stackens.exceptions import BaseModelError, BaseModelWarning, ConstantPredictionWarning
from stackens.out_of_fold import FoldBag
from stackens.out_of_fold._folds import Folds
from stackens.out_of_fold._jobs import Data, Fitted, Member
from stackens.out_of_fold._run import (
    final_model,
    out_of_fold_values,
    run_members,
    split_failures,
    warn_constant,
)
from tests.base_models import CountingClassifier, FailingClassifier

X = np.random.default_rng(0).normal(size=(12, 2))
DATA = Data(X, np.arange(12) % 2, Task("binary", 2, np.array([0, 1])))


def member(name, policy="refit", model=None):
    return Member(name, model or GaussianNB(), "predict_proba", policy)


def folds_of(*tests):
    rows = np.arange(12)
    splits = tuple((np.setdiff1d(rows, test), np.array(test)) for test in tests)
    covered = np.isin(rows, np.concatenate(tests))
    return Folds(splits, covered, shuffled=True)


THREE = folds_of([0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_job_for_each_fold_and_refit(n_jobs):
    frozen = GaussianNB().fit(X, DATA.y)
    members = [member("bag", "bag"), member("refit"), member("frozen", "frozen", frozen)]
    fitted = run_members(members, DATA, THREE, n_jobs, "raise", 0)
    assert {name: len(results) for name, results in fitted.items()} == {
        "bag": 3,
        "refit": 4,
        "frozen": 1,
    }
    bag = final_model(members[0], fitted["bag"], THREE, DATA)
    assert isinstance(bag, FoldBag)
    assert bag.n_train == [8, 8, 8]
    refit = final_model(members[1], fitted["refit"], THREE, DATA)
    np.testing.assert_array_equal(refit.theta_, frozen.theta_)
    assert final_model(members[2], fitted["frozen"], THREE, DATA) is frozen
    values = out_of_fold_values(members, fitted, THREE, DATA)
    np.testing.assert_array_equal(values[:, 0], values[:, 1])
    np.testing.assert_array_equal(values[:, 2], frozen.predict_proba(X))


def answers(*values):
    return [Fitted(values=np.asarray(value, dtype=float)) for value in values]


def test_repeats_are_averaged_and_uncovered_rows_are_nan():
    folds = folds_of([0, 1], [1, 2])
    data = Data(X[:4], DATA.y[:4], Task("regression", 1))
    fitted = {"m": answers([[1.0], [2.0]], [[4.0], [5.0]])}
    values = out_of_fold_values([member("m", "bag")], fitted, folds, data)
    np.testing.assert_array_equal(values[:, 0, 0], [1.0, 3.0, 5.0, np.nan])


def test_failures_are_split_off_with_a_warning():
    error = BaseModelError("it is broken")
    members = [member("good"), member("bad")]
    fitted = {"good": answers([[1.0]]), "bad": [*answers([[1.0]]), Fitted(error=error)]}
    with pytest.warns(BaseModelWarning, match="Left out: it is broken"):
        kept, failures = split_failures(members, fitted)
    assert kept == members[:1]
    assert failures == {"bad": "it is broken"}
    with pytest.raises(BaseModelError, match=r"All base models failed\. it is broken"):
        split_failures(members[1:], {"bad": fitted["bad"]})


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_failures_are_collected_from_any_job(n_jobs):
    bad = member("bad", model=FailingClassifier(max_rows=7))
    fitted = run_members([bad, member("good")], DATA, THREE, n_jobs, "drop", 0)
    assert any(result.error for result in fitted["bad"])
    assert not any(result.error for result in fitted["good"])
    # Fits on 8 rows go well, the fit on all 12 fails.
    only_full = member("bad", model=FailingClassifier(max_rows=8))
    errors = [r.error for r in run_members([only_full], DATA, THREE, n_jobs, "drop", 0)["bad"]]
    assert [error is None for error in errors] == [True, True, True, False]
    with pytest.raises(BaseModelError, match="fit on all rows"):
        run_members([only_full], DATA, THREE, n_jobs, "raise", 0)


class FailsFromTheSecondFit(CountingClassifier):
    fits = 0

    def fit(self, X, y):
        super().fit(X, y)
        if type(self).fits >= 2:  # not "==": another thread may count in between
            raise ValueError("broken on purpose")
        return self


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_model_that_has_failed_is_not_fitted_any_more(n_jobs):
    FailsFromTheSecondFit.fits = 0
    many = folds_of(*np.arange(12)[:, None])
    members = [member("bad", model=FailsFromTheSecondFit()), member("good")]
    fitted = run_members(members, DATA, many, n_jobs, "drop", 0)
    with pytest.warns(BaseModelWarning, match="'bad'.*failed in fold"):
        kept, _ = split_failures(members, fitted)
    assert [member.name for member in kept] == ["good"]
    # Of the 13 fits two, and one more where another job was under way.
    assert 2 <= FailsFromTheSecondFit.fits <= 1 + n_jobs


def test_constant_models_are_named():
    members = [member("varies"), member("constant", model=DummyClassifier())]
    values = np.full((5, 2, 2), 0.5)
    values[:, 0, 1] = np.arange(5)
    with pytest.warns(ConstantPredictionWarning, match=r"\['constant'\] predict the same value"):
        warn_constant(members, values)
    warn_constant(members[:1], values[:, :1])
    warn_constant(members, values[:1])


def test_progress_names_models_and_folds(capsys):
    run_members([member("bayes")], DATA, THREE, None, "raise", 1)
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "bayes" in shown
