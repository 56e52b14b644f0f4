"""How many threads torch takes on the CPU while a network is fitted or asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import joblib
import torch

from stackens._core._parallel import limited_threads

__all__ = ["torch_threads"]


@contextmanager
def torch_threads(n_jobs: int | None) -> Iterator[None]:
    """Hold torch at a number of threads, in the calling thread, for a ``with`` block.

    Small networks gain little from a second thread, and lose much where cores are busy: the
    threads wait for each other at every operation. Base models run side by side anyway.

    Parameters
    ----------
    n_jobs : int or None
        None means one; -1 all cores.
    """
    # asked for the first time in a thread, torch sets that thread's count: before ours, then
    torch.get_num_threads()
    with limited_threads("openmp", 1 if n_jobs is None else joblib.effective_n_jobs(n_jobs)):
        yield
