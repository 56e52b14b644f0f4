"""From paths to a written output: parameters, reports, interruptions, changed files."""

import os
import signal
import subprocess
import sys
import zlib

import numpy as np
import pytest

from stackens import weight_averaging as wa
from stackens.exceptions import StackensWarning
from stackens.weight_averaging.files import _engine, _merge


def left(folder):
    """What is in a folder beside the inputs."""
    return sorted(name for name in os.listdir(folder) if not name.startswith("step-"))


def test_the_report_says_what_was_written(npz_files, tmp_path):
    output = tmp_path / "average.npz"
    report = wa.average_checkpoints(npz_files, output)
    assert report.paths == (output,)
    assert report.tensors == 8
    assert report.bytes == output.stat().st_size
    assert report.crc32 == (f"{zlib.crc32(output.read_bytes()):08x}",)
    assert report.seconds > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"newest": "middle"}, r"'newest' parameter must be one of"),
        ({"buffer": "mean"}, r"'buffer' parameter must be one of"),
        ({"max_shard_bytes": 0}, r"'max_shard_bytes' parameter must be a number above zero"),
        ({"max_shard_bytes": "5GB"}, r"'max_shard_bytes' parameter must be.*'5GB'"),
        ({"n_jobs": 0}, r"'n_jobs' parameter must be a whole number other than 0"),
        ({"n_jobs": "2"}, r"'n_jobs' parameter must be.*'2'"),
        ({"dtype": "int8"}, r"'dtype' parameter must be a floating dtype.*'int8'"),
        ({"dtype": np.complex64}, r"'dtype' parameter must be a floating dtype"),
        ({"dtype": "float7"}, r"dtype must be one of.*'float7'"),
        ({"weights": [0.5, 0.5]}, r"must have shape \(3,\)"),
        ({"weights": {"nothing": "equal"}}, r"nothing"),
    ],
)
def test_parameters_are_checked(npz_files, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        wa.average_checkpoints(npz_files, tmp_path / "average.npz", **options)
    assert left(tmp_path) == []


def test_paths_are_a_list(npz_files, tmp_path):
    with pytest.raises(TypeError, match=r"must be a list of paths"):
        wa.average_checkpoints(npz_files[0], tmp_path / "average.npz")
    for wrong in (None, 3):
        with pytest.raises(TypeError, match=r"must be a list of paths. Got"):
            wa.average_checkpoints(wrong, tmp_path / "average.npz")
        with pytest.raises(TypeError, match=rf"must hold paths. Got {wrong} in it"):
            wa.average_checkpoints([wrong], tmp_path / "average.npz")
    with pytest.raises(ValueError, match=r"must name checkpoints"):
        wa.average_checkpoints([], tmp_path / "average.npz")


def test_rules_that_need_a_base_say_so(npz_files, tmp_path):
    with pytest.raises(ValueError, match=r"Ties.*Got no base"):
        wa.merge_checkpoints(npz_files, tmp_path / "merged.npz", rule="ties")


def test_an_output_equal_to_an_input_is_refused(npz_files, tmp_path):
    before = npz_files[1].read_bytes()
    link = tmp_path / "link.npz"
    link.symlink_to(npz_files[1])
    for output in (npz_files[1], link):
        with pytest.raises(ValueError, match=r"must not be one of the inputs"):
            wa.average_checkpoints(npz_files, output)
    assert npz_files[1].read_bytes() == before


def test_nan_leaves_nothing(npz_files, states, tmp_path):
    states[1]["weight"][2, 3] = np.nan
    np.savez(npz_files[1], **states[1])
    with pytest.raises(ValueError, match=r"tensor 'weight' in .*step-1.npz"):
        wa.average_checkpoints(npz_files, tmp_path / "average.npz")
    assert left(tmp_path) == []


def test_files_that_change_while_they_are_read_are_noticed(npz_files, tmp_path, monkeypatch):
    real = _merge.stream

    def stream(*arguments, **options):
        os.utime(npz_files[0], (1, 1))
        return real(*arguments, **options)

    monkeypatch.setattr(_merge, "stream", stream)
    with pytest.raises(ValueError, match=r"must stay as they are.*step-0.npz"):
        wa.average_checkpoints(npz_files, tmp_path / "average.npz")
    assert left(tmp_path) == []


def test_ctrl_c_keeps_the_journal(npz_files, tmp_path, monkeypatch):
    output = tmp_path / "average.npz"
    expected = wa.average_checkpoints(npz_files, output).crc32
    output.unlink()

    def interrupted(block, kernels, files):
        if block.job.name == "half":
            raise KeyboardInterrupt
        return real(block, kernels, files)

    real = _engine._write
    monkeypatch.setattr(_engine, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        wa.average_checkpoints(npz_files, output, n_jobs=1)
    assert left(tmp_path) == ["average.npz.part", "average.npz.part.journal"]
    written = []

    def counted(block, kernels, files):
        written.append(block.job.name)
        return real(block, kernels, files)

    monkeypatch.setattr(_engine, "_write", counted)
    assert wa.average_checkpoints(npz_files, output).crc32 == expected
    assert left(tmp_path) == ["average.npz"]
    assert "embedding" not in written
    assert "half" in written


KILLED = """
import os, signal, sys
from stackens import weight_averaging as wa
from stackens.weight_averaging.files._journal import Journal

record, count = Journal.record, 0

def record_and_die(self, block, crc):
    global count
    record(self, block, crc)
    count += 1
    if count == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)

Journal.record = record_and_die
wa.average_checkpoints(sys.argv[3:], sys.argv[2], n_jobs=2)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no signals")
@pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors"])
def test_kill_9_in_the_middle(tmp_path, monkeypatch, suffix):
    random = np.random.default_rng(0)
    paths = [tmp_path / f"step-{model}.npz" for model in range(3)]
    for path in paths:
        np.savez(path, **{f"w{i}": random.normal(size=(90, 1000)) for i in range(15)})
    whole = tmp_path / f"step-whole{suffix}"
    wa.average_checkpoints(paths, whole)
    output = tmp_path / f"average{suffix}"
    command = [sys.executable, "-c", KILLED, "7", str(output), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert left(tmp_path) == [f"average{suffix}.part", f"average{suffix}.part.journal"]
    written = []
    real = _engine._write

    def counted(block, kernels, files):
        written.append(block)
        return real(block, kernels, files)

    monkeypatch.setattr(_engine, "_write", counted)
    wa.average_checkpoints(paths, output)
    assert output.read_bytes() == whole.read_bytes()
    assert left(tmp_path) == [f"average{suffix}"]
    assert len(written) == 15 - 7


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_more_checkpoints_than_may_be_open_at_a_time(save, tmp_path):
    paths = [tmp_path / f"step-{i}.npz" for i in range(60)]
    for i, path in enumerate(paths):
        save(path, w=np.full((3, 40_000), i, np.float32), b=np.float32([i]))
    wa.average_checkpoints(paths, tmp_path / "average.npz", n_jobs=4)
    with np.load(tmp_path / "average.npz") as average:
        assert (average["w"] == 29.5).all()
        assert average["b"] == 29.5
    assert left(tmp_path) == ["average.npz"]


@pytest.mark.parametrize("weights", ["linear", lambda n: np.arange(n), [1.0, 2.0, 3.0]])
def test_paths_sorted_as_text_are_told_where_age_counts(states, tmp_path, weights):
    paths = [tmp_path / f"step-{step}.npz" for step in (10, 8, 9)]
    for path, state in zip(paths, states, strict=True):
        np.savez(path, **state)
    with pytest.warns(StackensWarning, match=r"'step-10.npz' before 'step-8.npz'"):
        wa.average_checkpoints(sorted(paths), tmp_path / "a.npz", weights=weights)
    wa.average_checkpoints(sorted(paths), tmp_path / "b.npz")
    wa.average_checkpoints(sorted(paths), tmp_path / "c.npz", weights=[0.5, 0.2, 0.3])
    # shares of two models, which have sizes or versions in their names
    wa.average_checkpoints([paths[0], paths[2]], tmp_path / "d.npz", weights=[0.3, 0.7])


def test_quantised_weights_are_refused_before_anything_is_written(tmp_path):
    for i in range(2):
        packed = np.full((4, 2), i, np.int32)
        np.savez(tmp_path / f"step-{i}.npz", **{"fc.qweight": packed, "fc.scales": np.ones(2)})
    paths = [tmp_path / "step-0.npz", tmp_path / "step-1.npz"]
    with pytest.raises(ValueError, match=r"Got 'fc.qweight' with 'fc.scales'.*step-1.npz"):
        wa.average_checkpoints(paths, tmp_path / "average.npz")
    assert left(tmp_path) == []
    wa.average_checkpoints([paths[0], paths[0]], tmp_path / "average.npz")  # one and the same


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_to_an_empty_folder_is_an_output(npz_files, tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    wa.average_checkpoints(npz_files, tmp_path / "link")
    assert os.listdir(tmp_path / "real") == ["model.safetensors"]
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(FileExistsError, match="where this process works"):
        wa.average_checkpoints(npz_files, ".")
