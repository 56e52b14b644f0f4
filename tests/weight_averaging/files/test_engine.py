"""The stream gives the same bytes with any number of threads, and stops at the first error."""

import threading
import zlib

import numpy as np
import pytest

from stackens.weight_averaging.files import _engine
from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._engine import Target, stream
from stackens.weight_averaging.files._journal import Journal
from stackens.weight_averaging.files._kernels import Job
from stackens.weight_averaging.files._sources import InMemory
from stackens.weight_averaging.rules import WeightedMean


def jobs_of(models):
    """Make a job for each tensor of models in memory."""
    n = len(models)
    return [
        Job(
            name,
            first.shape,
            DTYPES["F32"],
            DTYPES["F32"],
            tuple(InMemory(model[name], (name, i)) for i, model in enumerate(models)),
            tuple(f"{i}.pt" for i in range(n)),
            np.full(n, 1 / n),
            WeightedMean(),
        )
        for name, first in models[0].items()
    ]


@pytest.fixture
def models():
    random = np.random.default_rng(0)
    shapes = {"large": (700, 400), "empty": (0, 3), "small": (5,), "number": ()}
    return [
        {name: np.float32(random.normal(size=shape)) for name, shape in shapes.items()}
        for _ in range(3)
    ]


@pytest.fixture
def target(models, tmp_path):
    """A file with room for all tensors, and where each goes."""
    path, end, targets = tmp_path / "output", 3, []
    for array in models[0].values():
        targets.append(Target(path, end))
        end += array.nbytes
    path.write_bytes(bytes(end))
    return path, targets


def run(models, target, tmp_path, n_threads=2, **options):
    path, targets = target
    with Journal(tmp_path / "journal", "x") as journal:
        if not journal.finished:
            journal.restart()
        crcs = stream(jobs_of(models), targets, journal, n_threads=n_threads, **options)
    return path.read_bytes(), crcs


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_all_tensors_are_written(models, target, tmp_path, monkeypatch, n_threads):
    monkeypatch.setattr(_engine, "_BLOCK", 1 << 18)  # several blocks
    expected = [
        np.mean([model[name].astype(float) for model in models], axis=0).astype(np.float32)
        for name in models[0]
    ]
    content, crcs = run(models, target, tmp_path, n_threads)
    assert content == bytes(3) + b"".join(array.tobytes() for array in expected)
    assert crcs == [zlib.crc32(array.tobytes()) for array in expected]


def test_finished_blocks_are_not_computed_again(models, target, tmp_path, monkeypatch):
    monkeypatch.setattr(_engine, "_BLOCK", 1 << 18)
    content, crcs = run(models, target, tmp_path)
    written = []
    real = _engine._write

    def write(block, *buffers):
        written.append(block)
        return real(block, *buffers)

    monkeypatch.setattr(_engine, "_write", write)
    assert run(models, target, tmp_path) == (content, crcs)
    assert written == []
    path = target[0]
    damaged = bytearray(content)
    damaged[10] ^= 1
    path.write_bytes(damaged)
    assert run(models, target, tmp_path) == (content, crcs)
    assert [(block.job.name, block.start) for block in written] == [("large", 0)]


def test_an_error_in_a_thread_is_raised_and_stops_the_others(models, target, tmp_path):
    models[1]["small"][2] = np.nan
    before = threading.active_count()
    with pytest.raises(ValueError, match=r"'small' in 1.pt"):
        run(models, target, tmp_path)
    assert threading.active_count() == before


def test_progress_is_in_bytes(models, target, tmp_path, capsys):
    run(models, target, tmp_path, verbose=1)
    shown = capsys.readouterr().err
    assert "averaging: 100%" in shown
    assert "1.12M/1.12M" in shown
