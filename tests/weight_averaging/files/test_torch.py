"""torch's files: read in place, unsafe pickles refused, written for torch."""

import argparse
import collections
import datetime
import os
import pathlib
import sys
import types
import zipfile
import zlib

import numpy as np
import pytest

from stackens.weight_averaging.files._dtypes import DTYPES
from stackens.weight_averaging.files._layout import Slot
from stackens.weight_averaging.files._sources import Extent, Strided, Tensor, Unread
from stackens.weight_averaging.files._torch import is_torch_zip, plan_torch, read_torch

torch = pytest.importorskip("torch")


def as_float(tensor):
    return tensor.detach().to(torch.complex128 if tensor.is_complex() else torch.float64).numpy()


@pytest.fixture
def tensors():
    torch_random = torch.Generator().manual_seed(0)
    normal = lambda *shape: torch.randn(*shape, generator=torch_random)  # noqa: E731
    shared = normal(5, 3)
    return collections.OrderedDict(
        float=normal(4, 3),
        double=normal(2).double(),
        half=normal(7).half(),
        bfloat16=normal(7).bfloat16(),
        float8=normal(9).to(torch.float8_e4m3fn),
        complex=torch.complex(normal(2), normal(2)),
        count=torch.tensor(3),
        small=torch.tensor([1, 2], dtype=torch.int16),
        unsigned=torch.tensor([1, 2], dtype=torch.uint16),
        mask=torch.tensor([True, False]),
        parameter=torch.nn.Parameter(normal(3)),
        empty=torch.zeros(0, 4),
        part=normal(10)[2:6],
        transposed=normal(3, 4).T,
        channels_last=normal(2, 3, 4, 4).to(memory_format=torch.channels_last),
        expanded=normal(1, 3).expand(4, 3),
        embedding=shared,
        head=shared,
    )


def test_every_kind_of_tensor_is_read(tensors, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(tensors, path)
    read = read_torch(path, trusted=False)
    assert list(read) == list(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype.name == str(tensor.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(np.asarray(read[name]), as_float(tensor), err_msg=name)
        assert read[name].shape == tuple(tensor.shape)
    assert isinstance(read["channels_last"].source, Strided)
    assert isinstance(read["part"].source, Extent)
    assert read["embedding"] == read["head"]


def test_all_around_the_weights_is_read(tmp_path):
    path = tmp_path / "training.ckpt"
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    content = {
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "best": np.float64(0.5),
        "args": argparse.Namespace(lr=0.1),
        "out": pathlib.Path("runs"),
        "misc": [{1, 2}, b"bytes", b"", 1j, None, torch.Size([1]), torch.float16, (1.5, "x")],
        "device": torch.device("cpu"),
        "counts": collections.defaultdict(int, {"a": 1}),
        "more": collections.Counter("aab"),
    }
    torch.save(content, path)
    read = read_torch(path, trusted=False)
    assert read["epoch"] == 3
    assert read["counts"]["a"] == 1
    assert set(read["state_dict"]) == set(network.state_dict())
    assert isinstance(read["optimizer"]["state"][0]["exp_avg"], Tensor)
    weight = read["state_dict"]["0.weight"]
    np.testing.assert_array_equal(np.asarray(weight), as_float(network[0].weight))


def test_paths_that_python_3_13_has_written_are_read(tmp_path, monkeypatch):
    module = types.ModuleType("pathlib._local")
    module.PosixPath = type("PosixPath", (), {"__module__": "pathlib._local"})
    monkeypatch.setitem(sys.modules, "pathlib._local", module)
    torch.save({"w": torch.ones(2), "out": module.PosixPath()}, tmp_path / "checkpoint.pt")
    read = read_torch(tmp_path / "checkpoint.pt", trusted=False)
    np.testing.assert_array_equal(np.asarray(read["w"]), [1.0, 1.0])


class Unsafe:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_unsafe_pickles_are_refused_and_not_run(tmp_path):
    path, made = tmp_path / "unsafe.pt", tmp_path / "made"
    torch.save({"w": torch.zeros(2), "evil": Unsafe(made)}, path)
    with pytest.raises(ValueError, match=r"unsafe.pt must hold nothing but.*mkdir.*trusted=True"):
        read_torch(path, trusted=False)
    assert not made.exists()
    read = read_torch(path, trusted=True)
    assert made.exists()
    np.testing.assert_array_equal(np.asarray(read["w"]), [0, 0])


@pytest.mark.parametrize(
    "name", ["builtins.eval", "builtins.getattr", "os.system", "torch.load", "torch.int_repr"]
)
def test_only_listed_names_are_found(tmp_path, name):
    module, attribute = name.split(".")
    path = tmp_path / "bad.pt"
    with zipfile.ZipFile(path, "w") as archive:
        code = f"c{module}\n{attribute}\n(X\x01\x00\x00\x001tR.".encode()
        archive.writestr("archive/data.pkl", b"\x80\x02" + code)
    with pytest.raises(ValueError, match=r"bad.pt must"):
        read_torch(path, trusted=False)


def test_damaged_files_are_refused(tensors, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(tensors, path)
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(ValueError, match=r"whole zip file"):
        read_torch(path, trusted=False)
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    storage = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    storage += b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ"
    for arguments, found in [
        (b"K\x00K\x03\x85K\x01\x85\x89NtR.", "reaches over the end"),
        (b"K\x00K\x02\x85K\x01K\x01\x86\x89NtR.", "strides"),
        (b"J\xff\xff\xff\xffK\x02\x85K\x01\x85\x89NtR.", "shape"),
    ]:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + rebuild + storage + arguments)
            archive.writestr("archive/data/0", bytes(8))
        with pytest.raises(ValueError, match=rf"file of torch.save.*{found}"):
            read_torch(path, trusted=False)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + rebuild + storage + arguments)
        archive.writestr("archive/byteorder", b"big")
    with pytest.raises(ValueError, match=r"little-endian"):
        read_torch(path, trusted=False)


def test_torch_reads_what_is_written(tmp_path):
    path = tmp_path / "new.pt"
    raw = {
        "w": np.arange(6, dtype="<f4"),
        "b": np.array([0x3F80, 0xC000], "<u2"),  # 1 and -2 in bfloat16
        "f8": np.array([0x38], "u1"),  # 1 in float8_e4m3fn
        "u": np.array([1, 60000], "<u2"),
        "n": np.array([70000]),
        "none": np.zeros(0, "<f4"),
    }
    slots = [
        Slot("w", DTYPES["F32"], (2, 3), ("tied",)),
        Slot("b", DTYPES["BF16"], (2,)),
        Slot("f8", DTYPES["F8_E4M3"], (1,)),
        Slot("u", DTYPES["U16"], (2,)),
        Slot("n", DTYPES["I64"], ()),
        Slot("none", DTYPES["F32"], (3, 0)),
    ]
    plan = plan_torch(slots)
    plan.create(path)
    with open(path, "r+b") as file:
        for name, place in plan.places.items():
            file.seek(place)
            file.write(raw[name].tobytes())
    crcs = {name: zlib.crc32(array.tobytes()) for name, array in raw.items()}
    assert plan.finish(path, crcs) == zlib.crc32(path.read_bytes())
    for options in ({}, {"mmap": True}):
        state = torch.load(path, weights_only=True, **options)
        assert type(state) is collections.OrderedDict
        assert list(state) == ["w", "tied", "b", "f8", "u", "n", "none"]
        assert torch.equal(state["w"], torch.arange(6.0).reshape(2, 3))
        assert state["w"].data_ptr() == state["tied"].data_ptr()
        assert torch.equal(state["b"], torch.tensor([1, -2], dtype=torch.bfloat16))
        assert (state["f8"].dtype, state["f8"].item()) == (torch.float8_e4m3fn, 1)
        assert state["u"].tolist() == [1, 60000]
        assert state["n"].item() == 70000
        assert state["none"].shape == (3, 0)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert is_torch_zip(archive.namelist())
    again = read_torch(path, trusted=False)
    assert again["w"] == again["tied"]


@pytest.mark.filterwarnings("ignore")  # torch's own: quantised tensors are on their way out
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: torch.eye(2).to_sparse(), "sparse"),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantised"),
        (lambda: torch.ones(2, device="meta"), "on the meta device"),
        (lambda: torch.zeros(2, dtype=torch.float8_e4m3fnuz), "of float8_e4m3fnuz"),
    ],
)
def test_tensors_of_other_kinds_are_no_danger_but_have_no_mean(tmp_path, make, kind):
    torch.save({"w": torch.ones(2), "odd": make()}, tmp_path / "model.pt")
    for trusted in (False, True):
        with pytest.raises(ValueError, match=rf"must hold dense tensors. Got one that is {kind}"):
            read_torch(tmp_path / "model.pt", trusted=trusted)


@pytest.mark.parametrize("protocol", [2, 5])
def test_what_a_run_keeps_beside_its_weights_is_no_danger(tmp_path, protocol):
    run = {
        "generator": np.random.RandomState(0).get_state(),
        "curve": np.array([0.3, 0.2]),
        "began": datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC),
        "settings": types.SimpleNamespace(rate=0.1, steps=range(3)),
        "recent": collections.deque([0.5], maxlen=3),
        "bytes": bytearray(b"x"),
    }
    content = {"model": {"w": torch.ones(2)}, **run}
    torch.save(content, tmp_path / "model.pt", pickle_protocol=protocol)
    read = read_torch(tmp_path / "model.pt", trusted=False)
    np.testing.assert_array_equal(np.asarray(read["model"]["w"]), [1, 1])
    assert isinstance(read["curve"], Unread)


def test_conjugate_views_are_resolved_by_torch_where_it_may(tmp_path):
    tensor = torch.tensor([[1 + 2j, 3 - 1j]]).conj()
    torch.save({"w": tensor}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="trusted=True"):
        read_torch(tmp_path / "model.pt", trusted=False)
    read = read_torch(tmp_path / "model.pt", trusted=True)
    np.testing.assert_array_equal(np.asarray(read["w"]), [[1 - 2j, 3 + 1j]])
