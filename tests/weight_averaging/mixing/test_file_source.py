"""Tests of frozen networks in files."""

import numpy as np
import pytest

from stackens.weight_averaging.files._sources import OpenFiles
from stackens.weight_averaging.mixing._file_source import FileSource

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_pieces_are_those_of_the_tensor(tmp_path, dtype):
    tensor = torch.arange(12.0).reshape(3, 4).to(dtype)
    torch.save({"w": tensor, "v": tensor.T}, tmp_path / "a.pt")
    with OpenFiles() as files:
        source = FileSource(tmp_path / "a.pt", files, {})
        assert source.chunk("w", 2, 7).tolist() == [2, 3, 4, 5, 6]
        assert source.chunk("v", 0, 4).tolist() == [0, 4, 8, 1]
    assert source.tensors["w"].shape == (3, 4)
    assert np.asarray(source.tensors["v"]).shape == (4, 3)
