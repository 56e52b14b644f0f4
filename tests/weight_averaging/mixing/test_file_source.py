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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_damage_and_nan_are_found(tmp_path, dtype):
    path = tmp_path / "a.pt"
    tensor = torch.linspace(0, 1, 300_000).to(dtype)
    bad = tensor.clone()
    bad[-1] = torch.nan
    torch.save({"w": tensor, "bad": bad, "view": tensor[1:]}, path)
    with OpenFiles() as files:
        source = FileSource(path, files, {})
    source.check(["w", "view"], "first", source.tensors, "first")
    with pytest.raises(ValueError, match="NaN .*'bad' in first"):
        source.check(["bad"], "first", source.tensors, "first")
    content = bytearray(path.read_bytes())
    content[content.index(tensor.view(torch.uint8).numpy().tobytes()) + 400_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.pt must hold what was written.*'w'"):
        source.check(["w"], "first", source.tensors, "first")


def test_infinities_must_be_those_of_the_first_network(tmp_path):
    mask = torch.tensor([0.0, -torch.inf])
    torch.save({"mask": mask}, tmp_path / "a.pt")
    with OpenFiles() as files:
        source = FileSource(tmp_path / "a.pt", files, {})
    source.check(["mask"], "second", {"mask": mask}, "first")
    with pytest.raises(ValueError, match=r"infinite values of tensor 'mask' in second"):
        source.check(["mask"], "second", {"mask": torch.zeros(2)}, "first")
