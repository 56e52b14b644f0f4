"""Jobs side by side: one flat list, bounded threads, progress, results in order."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import joblib
from joblib import Parallel, delayed
from sklearn import config_context, get_config
from threadpoolctl import ThreadpoolController
from tqdm import tqdm

__all__ = [
    "Job",
    "limited_threads",
    "n_workers",
    "run_jobs",
    "single_threaded_blas",
    "thread_budget",
]


@dataclass(frozen=True)
class Job:
    """A call that can run beside others.

    Parameters
    ----------
    run : callable
        The function to call.
    args : tuple
        Its arguments.
    label : str
        What the progress bar shows.
    cost : float
        Expected cost in any unit; jobs start in order of falling cost.
    """

    run: Callable[..., Any]
    args: tuple[Any, ...]
    label: str = ""
    cost: float = 0.0


def n_workers(n_jobs: int | None, n_tasks: int) -> int:
    """Return how many jobs will run at the same time, following joblib's rules for None and -1."""
    return max(1, min(joblib.effective_n_jobs(n_jobs), n_tasks))


def thread_budget(workers: int) -> int | None:
    """Threads that one job may use, or None (no bound) when jobs run one after another."""
    return None if workers == 1 else max(1, joblib.cpu_count() // workers)


def limited_threads(user_api: str, threads: int) -> Any:
    """Limit the libraries of one kind only, because leaving a limit restores all it selected."""
    controller = _thread_pools(len(sys.modules)).select(user_api=user_api)
    return controller.limit(limits=threads)


@lru_cache(maxsize=1)
def _thread_pools(n_modules: int) -> ThreadpoolController:
    """Find the BLAS and OpenMP libraries: slow, hence again only after something was imported."""
    del n_modules
    return ThreadpoolController()


class _SingleThreadedBlas:
    """Holds BLAS at one thread while at least one run of jobs goes on in this process.

    A matrix product rounds differently with another number of threads, and results must not
    depend on ``n_jobs``. BLAS thread counts belong to the process, hence the counter. The thread
    that starts a run sets and restores them, never a job: OpenBLAS 0.3.30 ignores the calls of
    other threads once one has made them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._running == 0:
                self._limits = limited_threads("blas", 1)
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0 and self._limits is not None:
                self._limits.restore_original_limits()
                self._limits = None


single_threaded_blas = _SingleThreadedBlas()


class _Runner:
    """Runs jobs in other threads or processes under the caller's scikit-learn configuration.

    After `close` no job of this run starts or is still running in this process: a fit that goes
    on after another one failed would change warning filters and thread counts, which belong to
    the process, behind the caller's back.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._caller = os.getpid()
        self._config = get_config()
        self._filters = list(warnings.filters)
        self._changed = threading.Condition()
        self._running = 0
        self._closed = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the condition: another process never closes, and cannot receive a lock."""
        return {key: value for key, value in self.__dict__.items() if key != "_changed"}

    def __call__(self, index: int, job: Job) -> tuple[int, Any]:
        if os.getpid() != self._caller:  # where neither BLAS nor the warnings are set yet
            with single_threaded_blas, warnings.catch_warnings():
                warnings.filters = self._filters
                return index, self._run(job)
        with self._changed:
            if self._closed:
                return index, None
            self._running += 1
        try:
            return index, self._run(job)
        except BaseException:
            self._closed = True  # before another thread takes the next job
            raise
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _run(self, job: Job) -> Any:
        # Dask would let a model with n_jobs=None spread over the whole cluster again, where a
        # forest adds up its trees in any order; with "threading" None means 1, as elsewhere.
        nested = joblib.parallel_config(backend="threading")
        # OpenMP counts belong to the calling thread, so each job sets and restores its own.
        with nested, config_context(**self._config), limited_threads("openmp", self._threads):
            return job.run(*job.args)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._running == 0)


def run_jobs(
    jobs: Sequence[Job],
    *,
    n_jobs: int | None = None,
    threads: int | None = None,
    verbose: int = 0,
    description: str = "",
) -> list[Any]:
    """Run jobs, the longest first, and return their results in the order given.

    Parameters
    ----------
    jobs : sequence of Job
        Independent calls.
    n_jobs : int or None, default=None
        Jobs at the same time. None means 1 unless a joblib backend is active, -1 all cores.
        Threads are preferred; ``joblib.parallel_config`` chooses another backend.
    threads : int or None, default=None
        OpenMP threads of each job. None: its share of the cores, or all of them for one job at
        a time.
    verbose : int, default=0
        Above 0 shows a progress bar with the remaining time, and the label of the job that runs;
        where several run at the same time, of the one that ended last.
    description : str, default=""
        Text in front of the progress bar.

    Returns
    -------
    list
        Results, in the order of ``jobs``.
    """
    workers = n_workers(n_jobs, len(jobs))
    order = sorted(range(len(jobs)), key=lambda i: -jobs[i].cost)
    results: list[Any] = [None] * len(jobs)
    progress = tqdm(total=len(jobs), desc=description, disable=not verbose, unit="fit")
    with progress as bar, single_threaded_blas:

        def show(index: int) -> None:
            bar.set_postfix_str(jobs[index].label, refresh=workers == 1)

        for index, result in _completed(jobs, order, n_jobs, workers, threads, show):
            results[index] = result
            if workers > 1:
                show(index)
            bar.update()
    return results


def _completed(
    jobs: Sequence[Job],
    order: list[int],
    n_jobs: int | None,
    workers: int,
    threads: int | None,
    begins: Callable[[int], None],
) -> Iterator[tuple[int, Any]]:
    if workers == 1:
        for index in order:
            begins(index)
            with nullcontext() if threads is None else limited_threads("openmp", threads):
                result = jobs[index].run(*jobs[index].args)
            yield index, result
        return
    runner = _Runner(threads or thread_budget(workers) or 1)
    # Threads that enter and leave `warnings.catch_warnings` out of step could leave the
    # process with somebody else's filters: this outer one puts the caller's back.
    with warnings.catch_warnings(), closing(runner):
        calls = (delayed(runner)(index, jobs[index]) for index in order)
        try:
            parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator_unordered")
        except ValueError:  # a backend that cannot hand over results one by one
            parallel = Parallel(n_jobs=n_jobs, prefer="threads")
        yield from parallel(calls)
