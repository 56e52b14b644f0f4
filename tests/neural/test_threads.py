"""Tests of the thread count of torch: held for a while, then as it was, whatever happens."""

import threading

import pytest

torch = pytest.importorskip("torch")

from stackens.neural._threads import torch_threads  # noqa: E402


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 1), (1, 1), (2, 2)])
def test_threads_are_held_and_given_back(n_jobs, expected):
    before = torch.get_num_threads()
    with torch_threads(n_jobs):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == before


def test_threads_are_given_back_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="on purpose"), torch_threads(2):
        raise RuntimeError("on purpose")
    assert torch.get_num_threads() == before


def test_a_new_thread_gets_its_count():
    counts = []

    def work():
        with torch_threads(1):
            counts.append(torch.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert counts == [1]
