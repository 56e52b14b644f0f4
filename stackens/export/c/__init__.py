"""Programs as one C99 file, which is the source of a Python extension too."""

from stackens.export.c._compile import compile_extension
from stackens.export.c._open import CRunner, open_c
from stackens.export.c._write import write_c

__all__ = ["CRunner", "compile_extension", "open_c", "write_c"]
