"""A frozen network in a file, read piece by piece while its mixing weight is learnt."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stackens.weight_averaging.adapters import to_array
from stackens.weight_averaging.files import open_checkpoint
from stackens.weight_averaging.files._dtypes import widen
from stackens.weight_averaging.files._sources import OpenFiles, Tensor, check_crc
from stackens.weight_averaging.rules import check_finite

__all__ = ["FileSource"]

_CHUNK = 1 << 18  # numbers that are checked at a time


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

    def check(
        self, names: Iterable[str], label: str, first: Mapping[str, Any], first_label: str
    ) -> None:
        """Read tensors piece by piece, to see that they are what was written, without NaN.

        Infinities must be those of the first network, whose tensors and label are given.
        """
        with OpenFiles() as files:
            for name in names:
                tensor, crc = self.tensors[name], 0
                raw = np.empty(min(tensor.size, _CHUNK), tensor.dtype.storage)
                for start in range(0, tensor.size, _CHUNK):
                    piece = raw[: tensor.size - start]
                    tensor.source.read_into(start, piece, files)
                    array = widen(piece, tensor.dtype)
                    if not np.isfinite(array).all():
                        own = to_array(first[name]).reshape(-1)[start : start + len(array)]
                        pieces = {first_label: own, label: array}
                        check_finite([*pieces.values()], name, [*pieces])
                    crc = zlib.crc32(piece.view(np.uint8).data, crc)
                if tensor.source.crc is not None:
                    check_crc(tensor.source, crc, name)

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
