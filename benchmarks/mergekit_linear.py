"""One side of weight_averaging.py: mergekit, run by an interpreter that has it.

It reads lines from standard input, each a JSON list of the output and the input files, and answers
each with the seconds and the processor seconds that mergekit's ``linear`` merge took.
"""

from __future__ import annotations

import json
import sys
import time

from mergekit.graph import Executor
from mergekit.options import MergeOptions
from mergekit.scripts import merge_raw_pytorch as raw


def merge(output: str, paths: list[str]) -> None:
    """Merge plain files into a folder, with default options."""
    raw.SimpleLoaderCache._instance = None  # it would keep the files of an earlier round open
    models = [{"model": path, "parameters": {"weight": 1.0}} for path in paths]
    config = raw.RawPyTorchMergeConfig(merge_method="linear", models=models)
    tasks = raw.plan_flat_merge(config, output, False, False, MergeOptions())
    Executor(tasks, math_device="cpu", storage_device="cpu").execute()


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        output, *paths = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        merge(output, paths)
        took = [time.perf_counter() - wall, time.process_time() - cpu]
        print(json.dumps(took), flush=True)
