"""Opens an exported C file, built as an extension, as a module that nothing else sees."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np

from stackens.exceptions import ExportError
from stackens.export.c._compile import compile_extension, require_whole
from stackens.export.numpy._open import quickest

__all__ = ["CRunner", "open_c"]


class CRunner:
    """An exported C file, built and opened.

    Attributes
    ----------
    module : module
        With ``predict``, ``predict_proba`` or ``decision_function``, COLUMNS and CLASSES.
    ask : callable
        The quickest public function for one raw row.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.ask = quickest(module)

    def outputs(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Answer as :class:`~stackens.export.verification.Runner` says."""
        given = [
            column.tolist()
            if column.dtype.kind == "O"
            else np.ascontiguousarray(column, dtype=np.float64)
            for column in columns
        ]
        flat = np.frombuffer(self.module._outputs(*given), dtype=np.float64)
        return flat.reshape(-1, self.module.N_OUTPUTS)


def open_c(path: str | Path) -> CRunner:
    """Open a C file that :func:`write_c` wrote, or the extension built from it. Trust it first.

    Parameters
    ----------
    path : str or Path
        A ``.c`` file is built in a temporary folder.

    Raises
    ------
    ExportError
        If it cannot be built, or is no exported model, or damaged.
    """
    path = Path(path)
    # From a folder of its own: a library is kept by its path as long as the process runs, so a
    # newer file of the same name would never be seen.
    folder = Path(tempfile.mkdtemp(prefix="stackens-"))
    try:
        if path.suffix.lower() == ".c":
            source = folder / (f"{path.stem}.c" if path.stem.isidentifier() else "model.c")
            copy = compile_extension(shutil.copyfile(path, source))
        else:
            require_whole(path)
            copy = Path(shutil.copyfile(path, folder / path.name))
        return CRunner(_load(copy, path))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # Windows keeps it while it is loaded


def _load(copy: Path, path: Path) -> ModuleType:
    name = copy.name.partition(".")[0]
    spec = spec_from_file_location(name, copy, loader=ExtensionFileLoader(name, str(copy)))
    if spec is None or spec.loader is None:
        raise ExportError(f"An extension must be a file. Got {path}. Export the model again.")
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as error:
        raise ExportError(
            f"An extension must be one that this Python can import. Got {path.name}, which fails "
            f"with: {error}. Build it here from its C file, with compile_extension."
        ) from error
    if not hasattr(module, "_outputs") or not hasattr(module, "predict"):
        raise ExportError(
            f"An extension must hold a model. Got {path.name}, which was not written by "
            "stackens.export.to_c. Export the model again."
        )
    return module
