"""Starts the example scripts as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["EXAMPLES", "run_example"]

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_example(script: str, *arguments: Any, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of the examples, such as ``"comparison/compare_strategies.py"``, to its end."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / script), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
