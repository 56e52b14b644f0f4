"""Tests of jobs side by side: order, errors, threads, progress, nothing left behind."""

import os
import threading
import time
import warnings
from itertools import chain

import joblib
import numpy as np
import pytest
from sklearn import config_context, get_config
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier  # loads the OpenMP library of scikit-learn
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from stackens import StackedClassifier, compare, cross_fit
from stackens._core._parallel import Job, n_workers, run_jobs, thread_budget


def square(number):
    return number * number


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_results_come_in_the_order_given(n_jobs):
    jobs = [Job(square, (i,), cost=i % 3) for i in range(7)]
    assert run_jobs(jobs, n_jobs=n_jobs) == [i * i for i in range(7)]


def test_no_jobs():
    assert run_jobs([]) == []


def test_results_from_processes():
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert run_jobs([Job(np.sqrt, (4.0,)), Job(np.sqrt, (9.0,))]) == [2.0, 3.0]


def test_a_backend_that_gives_results_only_together():
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        assert run_jobs([Job(np.sqrt, (4.0,)), Job(np.sqrt, (9.0,))]) == [2.0, 3.0]


def test_the_longest_job_starts_first():
    started = []
    run_jobs([Job(started.append, (cost,), cost=cost) for cost in (1.0, 3.0, 2.0)])
    assert started == [3.0, 2.0, 1.0]


def fail():
    raise KeyError("broken")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_errors_pass_through_and_threads_are_given_back(n_jobs):
    before = blas_threads()
    with pytest.raises(KeyError, match="broken"):
        run_jobs([Job(fail, ()), Job(square, (2,))], n_jobs=n_jobs)
    assert blas_threads() == before


def test_blas_has_one_thread_in_every_job():
    before = blas_threads()
    assert before
    for n_jobs in (1, 2, 1, 2):
        inside = run_jobs([Job(blas_threads, ())] * 3, n_jobs=n_jobs)
        assert all(set(counts) == {1} for counts in inside)
    assert blas_threads() == before


def test_blas_has_one_thread_in_other_processes():
    with joblib.parallel_config(backend="loky", n_jobs=2):
        pools = run_jobs([Job(threadpool_info, ())] * 2)
    assert {pool["num_threads"] for pool in chain(*pools) if pool["user_api"] == "blas"} == {1}


def test_a_run_inside_a_job_leaves_blas_bounded():
    def nested():
        run_jobs([Job(square, (2,))])
        return blas_threads()

    for n_jobs in (1, 2):
        inside = run_jobs([Job(nested, ())] * 2, n_jobs=n_jobs)
        assert all(set(counts) == {1} for counts in inside)


def test_no_job_goes_on_after_an_error():
    before, started, ended = blas_threads(), threading.Event(), []

    def slow():
        started.set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            time.sleep(0.2)
        ended.append("slow")

    def fail_meanwhile():
        started.wait(20)
        fail()

    filters = list(warnings.filters)
    jobs = [Job(slow, ()), Job(fail_meanwhile, ()), Job(ended.append, ("never",))]
    with pytest.raises(KeyError, match="broken"):
        run_jobs(jobs, n_jobs=2)
    assert ended == ["slow"]
    assert blas_threads() == before
    assert warnings.filters == filters


def configuration():
    return get_config()["assume_finite"], warnings.filters[0][0]


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_jobs_see_the_callers_configuration(backend):
    with joblib.parallel_config(backend=backend, n_jobs=2), config_context(assume_finite=True):
        seen = run_jobs([Job(configuration, ())] * 2)
    assert seen == [(True, "error")] * 2
    assert get_config()["assume_finite"] is False


def openmp_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]


def test_openmp_is_bounded_by_the_share_of_the_cores():
    before = openmp_threads()
    assert before
    inside = run_jobs([Job(openmp_threads, ())] * 2, n_jobs=2)
    assert all(max(counts) <= thread_budget(2) for counts in inside)
    assert openmp_threads() == before


def test_a_bound_of_the_caller_on_openmp_is_left_alone():
    with threadpool_limits(1, user_api="openmp"):
        run_jobs([Job(square, (2,))])
        assert set(openmp_threads()) == {1}


def test_budgets():
    assert n_workers(None, 5) == 1
    assert n_workers(2, 5) == 2
    assert n_workers(8, 3) == 3
    assert n_workers(4, 0) == 1
    assert thread_budget(1) is None
    assert thread_budget(10**6) == 1
    assert thread_budget(2) == max(1, joblib.cpu_count() // 2)


def test_warning_filters_are_put_back():
    before = list(warnings.filters)
    run_jobs([Job(square, (i,)) for i in range(4)], n_jobs=2)
    assert warnings.filters == before


def test_progress_names_the_jobs(capsys):
    run_jobs([Job(square, (1,), "forest fold 1 of 2")], verbose=1, description="cross-fit")
    shown = capsys.readouterr().err
    assert "cross-fit" in shown
    assert "1/1" in shown
    run_jobs([Job(square, (1,))], description="cross-fit")
    assert capsys.readouterr().err == ""


def test_the_job_that_runs_is_named_while_it_runs(capsys):
    jobs = [Job(lambda: capsys.readouterr().err, (), f"fold {i}") for i in (1, 2)]
    for label, shown in zip(("fold 1", "fold 2"), run_jobs(jobs, verbose=1), strict=True):
        assert shown.rstrip().endswith(f"{label}]")


def test_dask_gives_the_same_bits():
    distributed = pytest.importorskip("distributed")
    X, y = make_classification(300, random_state=0)
    models = {"linear": LogisticRegression(), "forest": RandomForestClassifier(10, max_depth=3)}

    def everything():
        fitted = cross_fit(models, X, y, random_state=0)
        stack = StackedClassifier(models, "logistic", random_state=0).fit(X, y)
        report = compare(models, X, y, strategies=["simplex"], outer=0.3, random_state=0)
        scores = report.frame()[["score", "score_se", "oof_score"]].to_numpy()
        return fitted.out_of_fold.values, fitted.predict(X).values, stack.predict(X), scores

    here = everything()
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        assert os.getpid() not in run_jobs([Job(os.getpid, ())] * 4)
        # A model with n_jobs=None must not spread over the cluster again from inside a job.
        assert run_jobs([Job(joblib.effective_n_jobs, (None,))] * 2) == [1, 1]
        there = everything()
    for alone, clustered in zip(here, there, strict=True):
        np.testing.assert_array_equal(alone, clustered)
