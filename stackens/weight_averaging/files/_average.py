"""average_checkpoints and merge_checkpoints: checkpoints on disk become one, as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stackens.schedules import Newest, Weights
from stackens.weight_averaging.files._merge import AnyPath, MergeReport, merge
from stackens.weight_averaging.rules import Rule, WeightedMean, rule_for
from stackens.weight_averaging.rules._buffers import Buffer

__all__ = ["average_checkpoints", "merge_checkpoints"]


def average_checkpoints(
    paths: Iterable[AnyPath],
    output: AnyPath,
    *,
    weights: Weights | Mapping[str, Weights] = "equal",
    newest: Newest = "last",
    key: str | None = None,
    buffer: Buffer = "newest",
    dtype: Any = None,
    max_shard_bytes: int | None = None,
    trusted: bool = False,
    resume: bool = True,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> MergeReport:
    """Average checkpoints in files into one file, without loading them.

    The files are read chunk by chunk, averaged in double precision and rounded once; memory stays
    below 64 MB whatever their number and size. All headers are compared first. The output is
    written under another name (``<output>.part``) and moved when it is complete and on the disk; a
    run that was interrupted is taken up again by the same call.

    Inputs may be safetensors files, single or in shards (the index or the folder); files of
    ``torch.save``, which are read in place without running their pickle; ``.npz``; and Keras'
    ``.weights.h5``, whole-model ``.h5`` and ``.keras``. Only the weights are averaged: the state of
    an optimizer and all else that is no tensor of the model is left out, or is the newest file's
    where the output is a copy of it (HDF5 and Keras).

    Parameters
    ----------
    paths : iterable of path-like
        Checkpoints of one architecture, in training order: files, ``*.index.json``, or folders as
        Hugging Face writes them.
    output : path-like
        The suffix chooses the format: ``.safetensors``; ``.pt``, ``.pth``, ``.bin`` or ``.ckpt`` (a
        plain state dict); ``.npz``; ``.h5`` or ``.keras`` (for inputs of this kind). A folder gets
        safetensors files, and the other files of the newest checkpoint's folder. Tensors have the
        names that they have in the newest checkpoint.
    weights : array-like of shape (n_checkpoints,), str, callable or dict, default="equal"
        What counts how much: see `stackens.schedules`. A dict maps regular expressions on names
        of tensors to weights; tensors that none matches are averaged equally.
    newest : {"last", "first"}, default="last"
        Where the newest checkpoint stands.
    key : str or None, default=None
        For files of torch: where the weights are in a whole training checkpoint, such as
        ``"state_dict"`` or ``"ema.model"``. None finds the one dict of tensors that there is; where
        several belong together, such as an encoder's and a decoder's, the key of the dict around
        them, or "" for the outermost, takes them all.
    buffer : {"newest", "majority"}, default="newest"
        Where integers and bools come from: from the newest checkpoint, or element by element the
        value that most weight stands behind.
    dtype : str or dtype, default=None
        What floating tensors are rounded to, such as ``"bfloat16"``. None keeps the dtype of each.
    max_shard_bytes : int or None, default=None
        For a folder: most bytes of tensors in a file. None writes one file.
    trusted : bool, default=False
        Whether files of torch that hold more than tensors and plain containers may be unpickled,
        which can run any code.
    resume : bool, default=True
        Whether to go on with what an interrupted run of the same call has left.
    n_jobs : int or None, default=None
        Threads. None: one for each core, at most 4; -1: one for each core.
    verbose : int, default=0
        Above 0 shows a progress bar in bytes of output.

    Returns
    -------
    MergeReport

    Raises
    ------
    ValueError
        If checkpoints differ (in one list of all differences), are damaged, hold NaN or quantised
        weights, or are not safe to read; or weights, output and other parameters do not fit.
    FileNotFoundError, FileExistsError, OSError
        If an input is missing, the output is a folder that is not empty, or the disk is too small.

    Warns
    -----
    StackensWarning
        If newer ones of three or more checkpoints count more, and the paths are sorted as text, so
        that step 1000 stands before step 900.

    Notes
    -----
    After an error nothing is left of the output; after an interruption (Ctrl-C, a killed process)
    ``<output>.part`` and its journal are.

    Infinities that all checkpoints share, such as the mask of an attention layer, are kept.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> folder = Path(tempfile.mkdtemp())
    >>> for step in (1, 2, 3):
    ...     np.savez(folder / f"step-{step}.npz", w=np.full(4, step, np.float32), steps=step)
    >>> report = wa.average_checkpoints(
    ...     sorted(folder.glob("step-*.npz")), folder / "average.npz", weights="linear"
    ... )
    >>> report.tensors, report.bytes == (folder / "average.npz").stat().st_size
    (2, True)
    >>> average = np.load(folder / "average.npz")
    >>> average["w"], average["steps"]
    (array([2.333, 2.333, 2.333, 2.333], dtype=float32), array(3))
    """
    return merge(
        paths,
        output,
        rule=WeightedMean(),
        base=None,
        weights=weights,
        newest=newest,
        key=key,
        buffer=buffer,
        dtype=dtype,
        max_shard_bytes=max_shard_bytes,
        trusted=trusted,
        resume=resume,
        n_jobs=n_jobs,
        verbose=verbose,
    )


def merge_checkpoints(
    paths: Iterable[AnyPath],
    output: AnyPath,
    *,
    rule: str | Rule,
    base: AnyPath | None = None,
    weights: Weights | Mapping[str, Weights] = "equal",
    newest: Newest = "last",
    key: str | None = None,
    buffer: Buffer = "newest",
    dtype: Any = None,
    max_shard_bytes: int | None = None,
    trusted: bool = False,
    resume: bool = True,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> MergeReport:
    """Merge checkpoints in files into one file by any rule.

    As `average_checkpoints`, with a choice of rule. Rules that work element by element are applied
    chunk by chunk; the others get whole tensors, so that each thread holds one tensor of every
    checkpoint: lower ``n_jobs`` if that is too much memory.

    Parameters
    ----------
    paths, output
        See `average_checkpoints`.
    rule : str or Rule
        How tensors are merged: see `stackens.weight_averaging.rules`.
    base : path-like or None, default=None
        The checkpoint that all were fine-tuned from, for the rules that need it.
    weights, newest, key, buffer, dtype, max_shard_bytes, trusted, resume, n_jobs, verbose
        See `average_checkpoints`.

    Returns
    -------
    MergeReport

    Raises
    ------
    ValueError
        As `average_checkpoints`, or if the rule does not fit the checkpoints or lacks its base.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name, w in {"base": [0, 0], "a": [1, 0], "b": [0, 3]}.items():
    ...     np.savez(folder / f"{name}.npz", w=np.float32(w))
    >>> _ = wa.merge_checkpoints(
    ...     [folder / "a.npz", folder / "b.npz"],
    ...     folder / "merged.npz",
    ...     rule=wa.rules.TaskArithmetic(scale=2.0),
    ...     base=folder / "base.npz",
    ... )
    >>> np.load(folder / "merged.npz")["w"]
    array([1., 3.], dtype=float32)
    """
    return merge(
        paths,
        output,
        rule=rule_for(rule),
        base=base,
        weights=weights,
        newest=newest,
        key=key,
        buffer=buffer,
        dtype=dtype,
        max_shard_bytes=max_shard_bytes,
        trusted=trusted,
        resume=resume,
        n_jobs=n_jobs,
        verbose=verbose,
    )
