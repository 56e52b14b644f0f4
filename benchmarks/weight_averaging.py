"""Speed and memory of averaging checkpoints in files, against the disk and against peers.

    python benchmarks/weight_averaging.py                              small files, everything
    python benchmarks/weight_averaging.py --size-mb 488 --files 8      what we claim
    python benchmarks/weight_averaging.py safetensors --repeats 9      only this part
    python benchmarks/weight_averaging.py --mergekit ~/mk/bin/python   mergekit is a peer too

The files are made in a temporary folder (TMPDIR says where) and are in the page cache. Each side
has an interpreter of its own, which has imported what it needs; all run in turn, and dirty pages
are written back between them. The floor does what any side must at our durability: read all files
once (with as many threads), write one of their size, compute its checksum, wait until it is on the
disk. The peers neither wait nor compute a checksum, so each is also compared with what that takes
after it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
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


SIDES: dict[str, Callable[[list[Path], Path], None]] = {
    "ours": ours,
    "floor": floor,
    "stack-and-mean": stack_and_mean,
    "running sum": running_sum,
    "swa_utils": swa_utils,
}
DURABLE = ("ours", "floor")  # sides whose output has a checksum and is on the disk


def serve(name: str) -> None:
    """Run a side for each line of standard input, as `Interpreter` asks."""
    print("ready", flush=True)
    for line in sys.stdin:
        output, *paths = map(Path, json.loads(line))
        wall, cpu = time.perf_counter(), time.process_time()
        SIDES[name](paths, output)
        took = [time.perf_counter() - wall, time.process_time() - cpu]
        print(json.dumps(took), flush=True)


class Interpreter:
    """A side in a process of its own, its imports done."""

    def __init__(self, name: str, mergekit: str | None) -> None:
        command = [sys.executable, __file__, "--side", name]
        if name == "mergekit":
            command = [str(mergekit), str(Path(__file__).with_name("mergekit_linear.py"))]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.process.stdout.readline()

    def ask(self, paths: list[Path], output: Path) -> None:
        """Start one merge."""
        self.process.stdin.write(json.dumps([str(output), *map(str, paths)]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> tuple[float, float]:
        """Wait for it, and return wall and processor seconds."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} failed. Run it by hand to see why.")
        return tuple(json.loads(line))

    def __enter__(self) -> Interpreter:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def side_names(options: argparse.Namespace) -> list[str]:
    """Return the sides of this run."""
    return [*SIDES, *(["mergekit"] if options.mergekit else [])]


# ---------------------------------------------------------------- parts


@dataclass(frozen=True)
class Took:
    """Seconds of one merge: wall, processor, and wall with checksum and durability."""

    wall: float
    cpu: float
    durable: float


def speed(title: str, dtype: str, suffix: str, options: argparse.Namespace) -> None:
    """Time all sides in turn; what counts is the median of the ratios within a round."""
    names = side_names(options)
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder), options.files, options.size_mb, dtype, suffix)
        output = Path(folder, f"average{suffix}")
        sides = {name: Interpreter(name, options.mergekit) for name in names}
        rounds = []
        for _ in range(options.repeats + 1):  # the first round is not counted
            rounds.append({name: _timed(name, sides[name], paths, output) for name in names})
        for side in sides.values():
            side.__exit__()
        size = paths[0].stat().st_size / 1e6
    counted = rounds[1:]
    print(f"{title}: {len(paths)} files of {size:.0f} MB, {THREADS} threads")
    for name in names:
        wall = statistics.median(times[name].wall for times in counted)
        cpu = statistics.median(times[name].cpu for times in counted)
        as_it_is = _spread([times[name].wall / times["ours"].wall for times in counted])
        durable = _spread([times[name].durable / times["ours"].wall for times in counted])
        print(
            f"    {name:15} {wall:6.2f} s, processor {cpu:6.2f} s; over ours {as_it_is}, "
            f"with fsync and checksum {durable}"
        )
    ratio = _spread([times["ours"].wall / times["floor"].wall for times in counted])
    print(f"    ours over the floor {ratio}; goal at most 1.60", flush=True)


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _timed(name: str, side: Interpreter, paths: list[Path], output: Path) -> Took:
    """Time a side, from a disk at rest, and what would make its output durable."""
    _remove(output)
    if hasattr(os, "sync"):
        os.sync()
    side.ask(paths, output)
    wall, cpu = side.answer()
    more = 0.0 if name in DURABLE else seconds(lambda: _make_durable(output))
    return Took(wall, cpu, wall + more)


def _remove(output: Path) -> None:
    if output.is_dir():
        shutil.rmtree(output)
    output.unlink(missing_ok=True)


def _make_durable(output: Path) -> None:
    """Compute the checksum of a file, or of those in a folder, and wait until it is on the disk."""
    for path in output.iterdir() if output.is_dir() else [output]:
        buffer, crc = bytearray(1 << 20), 0
        with path.open("r+b", buffering=0) as file:
            while count := file.readinto(buffer):
                crc = zlib.crc32(memoryview(buffer)[:count], crc)
            os.fsync(file.fileno())


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
        output = Path(folder, "average.safetensors")
        print(f"private memory beyond imports, {options.files} files of {options.size_mb} MB")
        for name in side_names(options):
            with Interpreter(name, options.mergekit) as side:
                print(f"    {name:15} {_private_peak(side, paths, output)}")
            _remove(output)
        for n_files in (2, 8, 32):
            linked = []
            for i in range(n_files):
                linked.append(Path(folder, f"link-{n_files}-{i}.safetensors"))
                os.link(paths[i % len(paths)], linked[-1])
            with Interpreter("ours", None) as side:
                print(f"    ours, {n_files:2} files  {_private_peak(side, linked, output)}")
    print("    goal for ours: at most 64 MB")


def _private_peak(side: Interpreter, paths: list[Path], output: Path) -> str:
    """Watch an interpreter from outside while it runs a side (Linux)."""
    if not Path("/proc/self/status").exists():
        return "unknown on this system"
    pid = side.process.pid
    before = peak = _private(pid)
    side.ask(paths, output)
    while not select.select([side.process.stdout], [], [], 0.001)[0]:
        peak = max(peak, _private(pid))
    side.answer()
    return f"{(peak - before) / 1e6:7.0f} MB"


def _private(pid: int) -> int:
    """Bytes of memory that are no file's, now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


PARTS = {part.__name__: part for part in (safetensors, bfloat16, pt, memory)}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        serve(sys.argv[2])
        sys.exit()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--size-mb", type=float, default=32, help="of each file; bfloat16 too")
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mergekit", help="interpreter that has mergekit; left out without")
    chosen = parser.parse_args()
    for part in chosen.parts or PARTS:
        PARTS[part](chosen)
