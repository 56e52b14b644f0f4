"""The stream: blocks of the output, computed and written by whichever thread is free."""

from __future__ import annotations

import queue
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stackens._core._parallel import single_threaded_blas
from stackens.weight_averaging.files._checksum import crc32_of_parts
from stackens.weight_averaging.files._journal import Journal
from stackens.weight_averaging.files._kernels import Job, Kernels
from stackens.weight_averaging.files._layout import sync
from stackens.weight_averaging.files._sources import OpenFiles
from stackens.weight_averaging.files._verified import Verified

__all__ = ["Target", "stream"]

_BLOCK = 1 << 22  # bytes of output between two lines of the journal
_FLUSHED = 1 << 26  # bytes after which the disk is told to begin, so that little is left at the end
_OPEN_FILES = 192  # of all threads together; macOS allows 256

# Number of a block, CRC-32 of its bytes, and `MixedCrc` of what was read for it, if anything was.
_Done = tuple[int, int, int | None]


@dataclass(frozen=True)
class Target:
    """Where the numbers of an output tensor go: a file, and an offset in bytes."""

    path: Path
    offset: int


@dataclass(frozen=True)
class _Block:
    job: Job
    target: Target
    start: int
    stop: int

    def chunks(self) -> Iterator[tuple[int, int]]:
        for start in range(self.start, self.stop, self.job.chunk):
            yield start, min(start + self.job.chunk, self.stop)

    @property
    def nbytes(self) -> int:
        return (self.stop - self.start) * self.job.out_dtype.itemsize


def stream(
    jobs: Sequence[Job],
    targets: Sequence[Target],
    journal: Journal,
    *,
    n_threads: int,
    verbose: int = 0,
) -> list[int]:
    """Compute and write all tensors, and return the CRC-32 of the bytes of each.

    Memory is a few buffers for each thread, whatever the number and the size of the files, except
    for rules that need whole tensors. Blocks that the journal knows, and whose bytes are on disk as
    it says, are not computed again.

    Parameters
    ----------
    jobs : sequence of Job
    targets : sequence of Target
        One for each job; the files exist and are long enough.
    journal : Journal
    n_threads : int
    verbose : int, default=0
        Above 0 shows a progress bar, in bytes of output.
    """
    parts = [_blocks(job, target) for job, target in zip(jobs, targets, strict=True)]
    blocks = [block for part in parts for block in part]
    crcs = _run(blocks, journal, n_threads, verbose)
    each = iter(zip(crcs, (block.nbytes for block in blocks), strict=True))
    return [crc32_of_parts(next(each) for _ in part) for part in parts]


def _blocks(job: Job, target: Target) -> list[_Block]:
    """Cut a tensor into blocks of whole chunks."""
    chunks = 1 if job.in_order else max(1, _BLOCK // (job.chunk * job.out_dtype.itemsize))
    step = max(1, job.size) if job.in_order else chunks * job.chunk
    return [
        _Block(job, target, start, min(start + step, job.size))
        for start in range(0, job.size, step)
    ]


def _run(blocks: list[_Block], journal: Journal, n_threads: int, verbose: int) -> list[int]:
    """Let threads take block after block, and note in this thread what they have finished."""
    crcs = [0] * len(blocks)
    todo = iter(enumerate(blocks))
    lock, stop = threading.Lock(), threading.Event()
    verified = Verified([block.job for block in blocks])
    done: queue.SimpleQueue[_Done | BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            with OpenFiles(max(4, _OPEN_FILES // n_threads)) as files, np.errstate(all="ignore"):
                kernels = Kernels(files)
                while not stop.is_set():
                    with lock:
                        number, block = next(todo, (-1, None))
                    if block is None:
                        break
                    crc, read = journal.finished.get(number), None
                    if crc is None or _written(block, files) != crc:
                        crc = _write(block, kernels, files)
                        read = kernels.take_crc()
                    done.put((number, crc, read))
            done.put(None)
        except BaseException as error:  # handed to the thread that waits
            done.put(error)

    total = sum(block.nbytes for block in blocks)
    bar = tqdm(total=total, unit="B", unit_scale=True, desc="averaging", disable=not verbose)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(n_threads)]
    with bar, single_threaded_blas:
        try:
            for thread in threads:
                thread.start()
            running, unwritten = n_threads, 0
            while running:
                result = done.get()
                if result is None:
                    running -= 1
                elif isinstance(result, BaseException):
                    raise result
                else:
                    number, crcs[number], read = result
                    block = blocks[number]
                    for each in verified.add(number, block.stop - block.start, read):
                        if each not in journal.finished:
                            journal.record(each, crcs[each])
                    bar.update(block.nbytes)
                    unwritten += block.nbytes
                    if unwritten >= _FLUSHED:
                        sync(block.target.path)
                        unwritten = 0
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    return crcs


def _write(block: _Block, kernels: Kernels, files: OpenFiles) -> int:
    """Compute a block, write it, and return its CRC-32."""
    target, itemsize, crc = block.target, block.job.out_dtype.itemsize, 0
    for start, stop in block.chunks():
        view = kernels(block.job, start, stop).view(np.uint8).data
        crc = zlib.crc32(view, crc)
        # Asked for anew: reading more checkpoints than may be open closes the output, too.
        file = files.get(("output", target.path), lambda: target.path.open("r+b", buffering=0))
        file.seek(target.offset + start * itemsize)
        while view:
            view = view[file.write(view) :]
    return crc


def _written(block: _Block, files: OpenFiles) -> int:
    """Return the CRC-32 of the bytes that stand in a block's place."""
    crc, itemsize = 0, block.job.out_dtype.itemsize
    for start, stop in block.chunks():
        out = np.empty((stop - start) * itemsize, np.uint8)
        files.read_into(block.target.path, block.target.offset + start * itemsize, out)
        crc = zlib.crc32(out.data, crc)
    return crc
