"""A frozen network in a file, read piece by piece while its mixing weight is learnt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from stackens.weight_averaging.files import open_checkpoint
from stackens.weight_averaging.files._dtypes import widen
from stackens.weight_averaging.files._sources import OpenFiles, Tensor

__all__ = ["FileSource"]


class FileSource:
    """The tensors of a checkpoint on disk, of which none stays in memory.

    Parameters
    ----------
    path : path-like
        A checkpoint of any format that :func:`average_checkpoints` reads.
    files : OpenFiles
        Where its files stay open, to be closed by the caller.
    scratch : dict
        Buffers that several sources may share.
    key : str or None, default=None
        Where the weights are in a file of torch.

    Attributes
    ----------
    tensors : dict of str -> Tensor
        Headers; `numpy.asarray` reads one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        files: OpenFiles,
        scratch: dict,
        key: str | None = None,
    ) -> None:
        self.tensors: dict[str, Tensor] = open_checkpoint(Path(path), key=key).tensors
        self._files = files
        self._scratch = scratch

    def chunk(self, name: str, start: int, stop: int) -> Any:
        """Return elements of a flattened tensor; the next call may overwrite them."""
        import torch

        tensor = self.tensors[name]
        storage, size = tensor.dtype.storage, stop - start
        if len(self._scratch.get(storage, ())) < size:
            self._scratch[storage] = np.empty(size, storage)
        raw = self._scratch[storage][:size]
        tensor.source.read_into(start, raw, self._files)
        return torch.from_numpy(widen(raw, tensor.dtype))
