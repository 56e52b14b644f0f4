"""From paths to a written output: open, compare, plan, stream, report."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from stackens.schedules import Newest, Weights
from stackens.weight_averaging.files._checkpoint import open_all
from stackens.weight_averaging.files._dtypes import by_name
from stackens.weight_averaging.files._engine import Target, stream
from stackens.weight_averaging.files._jobs import jobs_for, slots_for
from stackens.weight_averaging.files._journal import Journal
from stackens.weight_averaging.files._kernels import Job
from stackens.weight_averaging.files._layout import OutputFile
from stackens.weight_averaging.files._order import warn_if_sorted_as_text
from stackens.weight_averaging.files._outputs import companions, output_kind, plan_files
from stackens.weight_averaging.files._transaction import check_output, write
from stackens.weight_averaging.rules import Rule, group_weights
from stackens.weight_averaging.rules._buffers import Buffer

__all__ = ["AnyPath", "MergeReport", "merge"]

AnyPath = str | os.PathLike[str]

_MOST_THREADS = 4  # unless n_jobs says otherwise: more only wait for memory and disk


@dataclass(frozen=True)
class MergeReport:
    """What was written.

    Parameters
    ----------
    paths : tuple of Path
        The files of tensors, and the index of shards if there is one.
    tensors : int
        How many tensors they hold; tied weights that are written once count once.
    bytes : int
        Length of all files.
    crc32 : tuple of str
        The CRC-32 of each file in eight hexadecimal digits: what ``zlib.crc32`` and ``gzip`` give.
    seconds : float
        Wall time.

    Examples
    --------
    >>> import tempfile, zlib
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.savez(folder / "a.npz", w=np.zeros(3))
    >>> np.savez(folder / "b.npz", w=np.ones(3))
    >>> report = wa.average_checkpoints([folder / "a.npz", folder / "b.npz"], folder / "mean.npz")
    >>> [path.name for path in report.paths]
    ['mean.npz']
    >>> report.crc32 == (f"{zlib.crc32(report.paths[0].read_bytes()):08x}",)
    True
    """

    paths: tuple[Path, ...]
    tensors: int
    bytes: int
    crc32: tuple[str, ...]
    seconds: float


def merge(
    paths: Iterable[AnyPath],
    output: AnyPath,
    *,
    rule: Rule,
    base: AnyPath | None,
    weights: Weights | Mapping[str, Weights],
    newest: Newest,
    key: str | None,
    buffer: Buffer,
    dtype: Any,
    max_shard_bytes: int | None,
    trusted: bool,
    resume: bool,
    n_jobs: int | None,
    verbose: int,
) -> MergeReport:
    """Merge checkpoints; for parameters and errors see `average_checkpoints`."""
    began = time.perf_counter()
    output = Path(output)
    if output.is_dir():  # "." has no name, and a link to a folder can't be replaced by one
        output = output.resolve()
    wanted = _checked(paths, newest, buffer, rule, base, max_shard_bytes, n_jobs)
    rounded = None if dtype is None else by_name(dtype)
    if rounded is not None and rounded.kind != "float":
        raise ValueError(
            "The 'dtype' parameter must be a floating dtype, such as 'float32' or 'bfloat16'. Got "
            f"{dtype!r}. Choose one of these, or leave it out: other tensors keep theirs."
        )
    place = len(wanted) - 1 if newest == "last" else 0
    ancestors = [Path(base)] if rule.needs_base and base is not None else []
    opened = open_all([*wanted, *ancestors], newest=place, key=key, trusted=trusted)
    latest, checkpoints = opened[place], opened[: len(wanted)]
    kind = output_kind(output, latest, max_shard_bytes)
    inputs = {path for checkpoint in opened for path in checkpoint.files}
    check_output(output, [*inputs, *(c.path for c in opened)], folder=kind.folder)
    before = _state(inputs)
    shares = group_weights(weights, latest.tensors, len(checkpoints), newest=newest)
    # Of two, a share such as 0.7 mostly means that very path, not its place in a run.
    if len(wanted) > 2 and any(_falls_with_age(share, newest) for share in shares.values()):
        warn_if_sorted_as_text(wanted, newest=newest, stacklevel=3)
    jobs = jobs_for(
        checkpoints,
        rule=rule,
        base=opened[-1] if ancestors else None,
        weights=shares,
        newest=newest,
        buffer=buffer,
        dtype=rounded,
    )
    slots = slots_for(jobs, opened, latest, tie=kind.ties)
    files = plan_files(kind, latest, list(slots.values()), max_shard_bytes)
    job_of = {slot.name: jobs[name] for name, slot in slots.items()}
    others = companions(latest) if kind.folder else []
    crcs: list[int] = []

    def fill(parts: Sequence[Path], journal: Journal) -> None:
        crcs.extend(_streamed(files, parts, job_of, journal, _n_threads(n_jobs), verbose))
        if changed := [path for path, state in before.items() if _state([path])[path] != state]:
            raise ValueError(
                f"Checkpoints must stay as they are while they are read. Got {changed}, which "
                "something has written to. Run this again when they are complete."
            )
        for path in others:
            copy = parts[0].parent / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(latest.path / path, copy)

    fingerprint = _fingerprint(before, key, rule, jobs, files)
    write(output, files, fingerprint, fill, folder=kind.folder, resume=resume)
    return MergeReport(
        tuple(output / file.name if kind.folder else output for file in files),
        len(slots),
        sum(file.size for file in files),
        tuple(f"{crc:08x}" for crc in crcs),
        time.perf_counter() - began,
    )


def _checked(
    paths: Iterable[AnyPath],
    newest: Newest,
    buffer: Buffer,
    rule: Rule,
    base: AnyPath | None,
    max_shard_bytes: int | None,
    n_jobs: int | None,
) -> list[Path]:
    """Check the parameters that no other part does, and return the paths."""
    if not isinstance(paths, Iterable) or isinstance(paths, str | bytes | os.PathLike):
        raise TypeError(
            f"The 'paths' parameter must be a list of paths. Got {paths!r}. List the files, the "
            "oldest first: folders and patterns such as '*.pt' are not searched."
        )
    wanted = []
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(
                f"The 'paths' parameter must hold paths. Got {path!r} in it. Give text or "
                "pathlib.Path; models in memory are for average and merge."
            )
        wanted.append(Path(path))
    if not wanted:
        raise ValueError("The 'paths' parameter must name checkpoints. Got none. Give some.")
    for name, value, choices in (
        ("newest", newest, ("last", "first")),
        ("buffer", buffer, ("newest", "majority")),
    ):
        if value not in choices:
            raise ValueError(
                f"The {name!r} parameter must be one of {choices}. Got {value!r}. Choose one."
            )
    if rule.needs_base and base is None:
        raise ValueError(
            f"{rule!r} needs the checkpoint that all were fine-tuned from. Got no base. Give it as "
            "base=..., or choose rule='mean'."
        )
    if max_shard_bytes is not None and not (
        isinstance(max_shard_bytes, Real) and max_shard_bytes >= 1
    ):
        raise ValueError(
            "The 'max_shard_bytes' parameter must be a number above zero. Got "
            f"{max_shard_bytes!r}. Give bytes, such as 5 * 10**9, or None for one file."
        )
    if n_jobs is not None and (not isinstance(n_jobs, Integral) or n_jobs == 0):
        raise ValueError(
            f"The 'n_jobs' parameter must be a whole number other than 0. Got {n_jobs!r}. Give a "
            "number of threads, -1 for one for each core, or None."
        )
    return wanted


def _streamed(
    files: Sequence[OutputFile],
    parts: Sequence[Path],
    job_of: Mapping[str, Job],
    journal: Journal,
    n_threads: int,
    verbose: int,
) -> list[int]:
    """Fill and finish the files, and return the CRC-32 of each."""
    targets = {
        name: Target(part, place)
        for file, part in zip(files, parts, strict=True)
        for name, place in sorted(file.places.items(), key=lambda item: item[1])
    }
    jobs = [job_of[name] for name in targets]
    found = stream(jobs, list(targets.values()), journal, n_threads=n_threads, verbose=verbose)
    crcs = dict(zip(targets, found, strict=True))
    return [file.finish(part, crcs) for file, part in zip(files, parts, strict=True)]


def _falls_with_age(weights: NDArray[np.float64], newest: Newest) -> bool:
    """Whether the newer count more, as in schedules, so that the order of the paths matters."""
    steps = np.diff(weights if newest == "last" else weights[::-1])
    return bool((steps >= 0).all() and steps.any())


def _n_threads(n_jobs: int | None) -> int:
    if n_jobs is None:
        return min(_MOST_THREADS, joblib.cpu_count())
    return joblib.effective_n_jobs(n_jobs)


def _state(paths: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """Return what shows whether files were written to: their sizes and times."""
    found = {path: path.stat() for path in paths}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def _fingerprint(
    inputs: Mapping[Path, tuple[int, int]],
    key: str | None,
    rule: Rule,
    jobs: Mapping[str, Job],
    files: Sequence[OutputFile],
) -> str:
    """Return one line that changes with anything on which a byte of the output depends."""
    made = [
        (name, str(job.out_dtype), job.chunk, job.newest, job.majority, job.weights.tolist())
        for name, job in jobs.items()
    ]
    stated = [(str(path.resolve()), *state) for path, state in sorted(inputs.items())]
    planned = [(file.name, file.size, dict(file.places)) for file in files]
    everything = [version("stackens"), stated, key, joblib.hash(rule), made, planned]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()
