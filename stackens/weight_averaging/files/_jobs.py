"""What is to be made of which tensors: one job for each tensor of the output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stackens.schedules import Newest
from stackens.weight_averaging.files._checkpoint import Checkpoint
from stackens.weight_averaging.files._dtypes import DType
from stackens.weight_averaging.files._kernels import Job
from stackens.weight_averaging.files._layout import Slot
from stackens.weight_averaging.files._sources import Source, Tensor
from stackens.weight_averaging.rules import (
    Rule,
    WeightedMean,
    check_not_quantised,
    check_same,
)

__all__ = ["jobs_for", "slots_for"]


def jobs_for(
    checkpoints: Sequence[Checkpoint],
    *,
    rule: Rule,
    base: Checkpoint | None,
    weights: Mapping[str, NDArray[np.float64]],
    newest: Newest,
    buffer: str,
    dtype: DType | None,
) -> dict[str, Job]:
    """Return a job for each tensor, in the order of the newest checkpoint, after all checks.

    Parameters
    ----------
    checkpoints : sequence of Checkpoint
    rule : Rule
    base : Checkpoint or None
    weights : dict of str to array of shape (n_checkpoints,)
    newest : {"last", "first"}
    buffer : {"newest", "majority"}
    dtype : DType or None
        For floating tensors; None keeps theirs.

    Raises
    ------
    ValueError
        If the checkpoints do not have the same tensors, or the rule does not fit them.
    """
    everything = [*checkpoints, *([base] if base is not None else [])]
    labels = [str(checkpoint.path) for checkpoint in everything]
    states = [checkpoint.state for checkpoint in everything]
    check_same(states, labels)
    check_not_quantised(states, labels)
    rule = rule.bind([checkpoint.state for checkpoint in checkpoints])
    jobs = {}
    for name, like in checkpoints[-1 if newest == "last" else 0].tensors.items():
        averaged = like.dtype.kind != "integer"
        sources: list[Source] = [checkpoint.tensors[name].source for checkpoint in checkpoints]
        shares, called = weights[name], labels[: len(checkpoints)]
        if averaged and type(rule) is WeightedMean:  # what does not count is not even read
            counted = np.flatnonzero(shares)
            sources, called = [sources[i] for i in counted], [called[i] for i in counted]
            shares = shares[counted]
        jobs[name] = Job(
            name,
            like.shape,
            like.dtype,
            dtype if dtype is not None and like.dtype.kind == "float" else like.dtype,
            tuple(sources),
            tuple(called),
            shares,
            rule if averaged else None,
            base=base.tensors[name].source if base is not None and averaged else None,
            newest=newest,
            majority=buffer == "majority",
        )
    if all(job.rule is None for job in jobs.values()):
        raise ValueError(
            "Checkpoints must hold floating tensors to be averaged. Got only integers and bools in "
            f"{labels[0]}. Quantised weights have no mean: average before quantising."
        )
    return jobs


def slots_for(
    jobs: Mapping[str, Job], checkpoints: Sequence[Checkpoint], newest: Checkpoint, *, tie: bool
) -> dict[str, Slot]:
    """Return what is to be written, by the name of the job that computes it.

    The names are those of the newest checkpoint's own file. Names that share a tensor in all
    checkpoints are written once, if the format can say so.

    Raises
    ------
    ValueError
        If tied tensors have different weights.
    """
    groups: dict[tuple[Tensor | str, ...], list[str]] = {}
    for name, job in jobs.items():
        shared = tuple(checkpoint.tensors[name] for checkpoint in checkpoints)
        groups.setdefault(shared if tie and job.size else (name,), []).append(name)
    slots = {}
    for first, *others in groups.values():
        job = jobs[first]
        for other in others:
            if not np.array_equal(job.weights, jobs[other].weights):
                raise ValueError(
                    "Tied tensors must have the same weights, as they stay one tensor. Got "
                    f"{job.weights} for {first!r} and {jobs[other].weights} for {other!r}. Give "
                    "their names one expression."
                )
        own = newest.own_names
        aliases = tuple(own[other] for other in others)
        slots[first] = Slot(own[first], job.out_dtype, job.shape, aliases)
    return slots
