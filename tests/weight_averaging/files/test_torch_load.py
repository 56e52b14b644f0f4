"""What can't be read in place is loaded by torch, safely unless the file is trusted."""

import numpy as np
import pytest

from stackens.exceptions import StackensWarning
from stackens.weight_averaging.files._sources import InMemory
from stackens.weight_averaging.files._torch_load import load_with_torch

torch = pytest.importorskip("torch")


@pytest.fixture
def old_file(tmp_path):
    path = tmp_path / "old.pt"
    shared = torch.arange(6.0).reshape(2, 3).T
    half = torch.tensor([1, -2], dtype=torch.bfloat16)
    state = {"w": shared, "tied": shared, "half": half, "steps": torch.tensor(3)}
    content = {"model": state, "epoch": 3}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def test_files_of_old_torch(old_file):
    with pytest.warns(StackensWarning, match=r"old.pt is in the format of torch before 1.6"):
        content = load_with_torch(old_file, trusted=False)
    assert content["epoch"] == 3
    state = content["model"]
    np.testing.assert_array_equal(np.asarray(state["w"]), [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(np.asarray(state["half"]), [1, -2])
    assert state["half"].dtype.code == "BF16"
    assert state["w"] == state["tied"] != state["half"]
    assert isinstance(state["w"].source, InMemory)


def test_whole_modules_need_trust(tmp_path):
    path = tmp_path / "module.pt"
    network = torch.nn.Linear(2, 3)
    torch.save(network, path)
    with pytest.raises(ValueError, match=r"module.pt must be a file that torch.load can read"):
        load_with_torch(path, trusted=False)
    state = load_with_torch(path, trusted=True)
    np.testing.assert_array_equal(np.asarray(state["weight"]), network.weight.detach())
    torch.save({"epoch": 3, "model": network}, path)
    state = load_with_torch(path, trusted=True)["model"]
    np.testing.assert_array_equal(np.asarray(state["weight"]), network.weight.detach())


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "bad.pt"
    path.write_bytes(b"\x80\x02garbage")
    with (
        pytest.warns(StackensWarning),
        pytest.raises(ValueError, match=r"bad.pt must be a file that torch.load can read"),
    ):
        load_with_torch(path, trusted=False)


def test_tensors_that_are_not_dense_are_refused(tmp_path):
    path = tmp_path / "sparse.pt"
    torch.save({"w": torch.eye(3).to_sparse()}, path)
    with pytest.raises(ValueError, match=r"sparse.pt must hold dense tensors. Got .*sparse_coo"):
        load_with_torch(path, trusted=True)
