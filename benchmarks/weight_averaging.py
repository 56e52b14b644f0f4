"""Speed and memory of averaging checkpoints in files, against the disk and against peers.

    python benchmarks/weight_averaging.py                              small files, everything
    python benchmarks/weight_averaging.py --size-mb 488 --files 8      what we claim
    python benchmarks/weight_averaging.py safetensors --repeats 9      only this part

The files are made in a temporary folder (TMPDIR says where) and are in the page cache. All sides
run in turn in one process, after imports; dirty pages are written back between them. The floor
does what any side must at our durability: read all files once (with as many threads), write one of
their size, compute its checksum, wait until it is on the disk. The peers do not wait.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import io
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import joblib
import torch
from safetensors.torch import load_file, save_file
from timing import seconds

from stackens import weight_averaging as wa

N_TENSORS = 201
THREADS = min(4, joblib.cpu_count())


def make_files(folder: Path, n_files: int, size_mb: float, dtype: str, suffix: str) -> list[Path]:
    """Write checkpoints of one architecture: an embedding, and matrices of equal size."""
    torch_dtype = getattr(torch, dtype)
    rows = max(1, int(size_mb * 1e6 / torch_dtype.itemsize / (N_TENSORS + 3) / 512))
    paths = []
    for k in range(n_files):
        random = torch.Generator().manual_seed(k)
        state = {"embedding.weight": torch.randn(4 * rows, 512, generator=random).to(torch_dtype)}
        for i in range(N_TENSORS - 1):
            state[f"layers.{i}.weight"] = torch.randn(rows, 512, generator=random).to(torch_dtype)
        paths.append(folder / f"checkpoint-{k}{suffix}")
        (save_file if suffix == ".safetensors" else torch.save)(state, paths[-1])
    return paths


# ---------------------------------------------------------------- sides


def ours(paths: list[Path], output: Path) -> None:
    """Average as a stream."""
    wa.average_checkpoints(paths, output)


def floor(paths: list[Path], output: Path) -> None:
    """Read all, write one, checksum, fsync: the least that can be done."""
    size, step = paths[0].stat().st_size, 1 << 20

    def read(part: int) -> None:
        buffer = bytearray(step)
        for path in paths[part::THREADS]:
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass

    threads = [threading.Thread(target=read, args=(part,)) for part in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content, crc = memoryview(bytearray(step)), 0
    with output.open("wb", buffering=0) as file:
        for start in range(0, size, step):
            piece = content[: min(step, size - start)]
            crc = zlib.crc32(piece, crc)
            file.write(piece)
        os.fsync(file.fileno())


def load(path: Path) -> dict[str, torch.Tensor]:
    """Load a checkpoint the way its format's library does."""
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path)


def save(state: dict[str, torch.Tensor], output: Path) -> None:
    """Save a checkpoint the way its format's library does."""
    save_file(state, output) if output.suffix == ".safetensors" else torch.save(state, output)


def stack_and_mean(paths: list[Path], output: Path) -> None:
    """Load all, stack each tensor, take the mean: what most scripts do."""
    states = [load(path) for path in paths]
    save({k: torch.stack([state[k] for state in states]).mean(0) for k in states[0]}, output)


def running_sum(paths: list[Path], output: Path) -> None:
    """Load one after another and add up, in the precision of the files."""
    total = load(paths[0])
    for path in paths[1:]:
        for name, tensor in load(path).items():
            total[name] = total[name] + tensor
    save({name: tensor / len(paths) for name, tensor in total.items()}, output)


class _Network(torch.nn.Module):
    """Parameters without a function, for ``swa_utils``."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.tensors = torch.nn.ParameterList(state.values())


def swa_utils(paths: list[Path], output: Path) -> None:
    """Let ``torch.optim.swa_utils.AveragedModel`` see one checkpoint after another."""
    averaged = None
    for path in paths:
        state = load(path)
        network = _Network(state)
        averaged = averaged or torch.optim.swa_utils.AveragedModel(network)
        averaged.update_parameters(network)
    tensors = averaged.module.tensors
    save({name: tensor.detach() for name, tensor in zip(state, tensors, strict=True)}, output)


def mergekit(paths: list[Path], output: Path) -> None:
    """Let mergekit's ``linear`` merge plain files, with default options."""
    from mergekit.graph import Executor
    from mergekit.options import MergeOptions
    from mergekit.scripts import merge_raw_pytorch as raw

    raw.SimpleLoaderCache._instance = None  # it would keep the files of an earlier round open
    models = [{"model": str(path), "parameters": {"weight": 1.0}} for path in paths]
    config = raw.RawPyTorchMergeConfig(merge_method="linear", models=models)
    folder = str(output.with_suffix(".mergekit"))
    tasks = raw.plan_flat_merge(config, folder, False, False, MergeOptions())
    Executor(tasks, math_device="cpu", storage_device="cpu").execute()


SIDES: dict[str, Callable[[list[Path], Path], None]] = {
    "ours": ours,
    "floor": floor,
    "stack-and-mean": stack_and_mean,
    "running sum": running_sum,
    "swa_utils": swa_utils,
}
if importlib.util.find_spec("mergekit"):
    SIDES["mergekit"] = mergekit


# ---------------------------------------------------------------- parts


def speed(title: str, dtype: str, suffix: str, options: argparse.Namespace) -> None:
    """Time all sides in turn; what counts is the median of the ratios within a round."""
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder), options.files, options.size_mb, dtype, suffix)
        output = Path(folder, f"average{suffix}")
        rounds = []
        for _ in range(options.repeats + 1):  # the first round is not counted
            rounds.append({name: _timed(side, paths, output) for name, side in SIDES.items()})
        size = paths[0].stat().st_size / 1e6
    print(f"{title}: {len(paths)} files of {size:.0f} MB, {THREADS} threads")
    for name in SIDES:
        took = statistics.median(times[name] for times in rounds[1:])
        ratios = [times[name] / times["ours"] for times in rounds[1:]]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"    {name:15} {took:6.2f} s, over ours {statistics.median(ratios):5.2f} ({spread})")
    ratio = statistics.median(times["ours"] / times["floor"] for times in rounds[1:])
    print(f"    ours over the floor {ratio:.2f}; goal at most 1.60")


def _timed(side: Callable[[list[Path], Path], None], paths: list[Path], output: Path) -> float:
    """Time a side, from a disk at rest and without what the side before it left."""
    output.unlink(missing_ok=True)
    shutil.rmtree(output.with_suffix(".mergekit"), ignore_errors=True)
    gc.collect()
    if hasattr(os, "sync"):
        os.sync()
    with contextlib.redirect_stderr(io.StringIO()):  # progress bars of mergekit
        return seconds(lambda: side(paths, output))


def safetensors(options: argparse.Namespace) -> None:
    """Time float32 in safetensors files."""
    speed("safetensors, float32", "float32", ".safetensors", options)


def bfloat16(options: argparse.Namespace) -> None:
    """Time bfloat16 in safetensors files."""
    speed("safetensors, bfloat16", "bfloat16", ".safetensors", options)


def pt(options: argparse.Namespace) -> None:
    """Time float32 in files of torch.save."""
    speed("torch .pt, float32", "float32", ".pt", options)


def memory(options: argparse.Namespace) -> None:
    """Measure the private memory of each side beyond its imports, and of ours with more files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder), options.files, options.size_mb, "float32", ".safetensors")
        print(f"private memory beyond imports, {options.files} files of {options.size_mb} MB")
        for name in SIDES:
            print(f"    {name:15} {_private_peak(name, paths, Path(folder))}")
        for n_files in (2, 8, 32):
            repeated = [paths[i % len(paths)] for i in range(n_files)]
            linked = []
            for i, path in enumerate(repeated):
                linked.append(Path(folder, f"link-{n_files}-{i}.safetensors"))
                os.link(path, linked[-1])
            print(f"    ours, {n_files:2} files  {_private_peak('ours', linked, Path(folder))}")
    print("    goal for ours: at most 64 MB")


def _private_peak(name: str, paths: list[Path], folder: Path) -> str:
    """Watch a fresh interpreter from outside while it runs one side (Linux)."""
    if not Path("/proc/self/status").exists():
        return "unknown on this system"
    arguments = [name, str(folder / "average.safetensors"), *map(str, paths)]
    with subprocess.Popen(
        [sys.executable, __file__, "--side", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        child.stdout.readline()  # imports are done
        before = peak = _private(child.pid)
        child.stdin.write(b"\n")
        child.stdin.flush()
        while child.poll() is None:
            peak = max(peak, _private(child.pid))
            time.sleep(0.001)
    return f"{(peak - before) / 1e6:7.0f} MB" if child.returncode == 0 else "failed"


def _private(pid: int) -> int:
    """Bytes of memory that are no file's, now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def run_side(name: str, output: str, *paths: str) -> None:
    """Run one side when told to, for `_private_peak`."""
    if name == "mergekit":
        import mergekit.scripts.merge_raw_pytorch  # noqa: F401
    print("ready", flush=True)
    sys.stdin.readline()
    SIDES[name]([Path(path) for path in paths], Path(output))


PARTS = {part.__name__: part for part in (safetensors, bfloat16, pt, memory)}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        run_side(*sys.argv[2:])
        sys.exit()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--size-mb", type=float, default=32, help="of each file; bfloat16 too")
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    for part in chosen.parts or PARTS:
        PARTS[part](chosen)
