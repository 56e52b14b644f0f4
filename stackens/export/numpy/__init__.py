"""Programs as one Python file that needs numpy only, or nothing at all; and how rows are read."""

from stackens.export.numpy._open import NumpyRunner, open_numpy
from stackens.export.numpy._rows import columns_of
from stackens.export.numpy._values import is_one_row, row_reader, row_values, rows_of
from stackens.export.numpy._write import write_numpy

__all__ = [
    "NumpyRunner",
    "columns_of",
    "is_one_row",
    "open_numpy",
    "row_reader",
    "row_values",
    "rows_of",
    "write_numpy",
]
