"""Checkpoints in files, merged as a stream: memory does not grow with their number or size."""

from stackens.weight_averaging.files._average import average_checkpoints, merge_checkpoints
from stackens.weight_averaging.files._checkpoint import (
    Checkpoint,
    open_checkpoint,
    read_checkpoint,
    with_names_of,
)
from stackens.weight_averaging.files._merge import MergeReport

__all__ = [
    "Checkpoint",
    "MergeReport",
    "average_checkpoints",
    "merge_checkpoints",
    "open_checkpoint",
    "read_checkpoint",
    "with_names_of",
]
