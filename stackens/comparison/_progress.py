"""Lines that say what a comparison is doing, so that no long step is silent."""

from __future__ import annotations

import sys

from tqdm import tqdm

__all__ = ["say"]


def say(verbose: int, text: str) -> None:
    """Write a line to standard error, above a progress bar if there is one."""
    if verbose:
        tqdm.write(text, file=sys.stderr)
