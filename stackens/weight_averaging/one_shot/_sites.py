"""What a site sends: its network's weights and a few numbers about its rows, in one file."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackens.weight_averaging.adapters import adapter_of
from stackens.weight_averaging.adapters._values import is_tensor, to_array
from stackens.weight_averaging.files import open_checkpoint
from stackens.weight_averaging.files._dtypes import by_name
from stackens.weight_averaging.files._layout import Slot
from stackens.weight_averaging.files._safetensors import plan_safetensors
from stackens.weight_averaging.files._transaction import check_output, write
from stackens.weight_averaging.one_shot._report import ALIGNED, ENSEMBLE, MERGED, NAIVE
from stackens.weight_averaging.one_shot._schemas import Schemas, as_schemas, plain, read_plain

__all__ = ["Site", "as_sites", "read_sites", "save_site"]

_KEY = "stackens.site"  # of the metadata in the file's header
_FISHER = "stackens.fisher."  # before the names of tensors of Fisher information in a file
_OTHER_FILES = (".pt", ".pth", ".bin", ".ckpt", ".npz", ".h5", ".hdf5", ".keras")
_FACTS = ("n_rows", "class_counts", "input_scaler", "output_scaler", "input_schema")

Scaler = tuple[NDArray[np.float64], NDArray[np.float64]]  # mean, scale


@dataclass(frozen=True, eq=False)
class Site:
    """The weights that one site sends, and what it says about its rows.

    Parameters
    ----------
    state : mapping of str to tensor
        The state dict of its network.
    n_rows : float, default=None
        How many rows it trained on; the sum of ``class_counts`` where those are given.
    class_counts : array-like of shape (n_classes,), default=None
        How many of its rows are of each class, in the order of the network's outputs.
    input_scaler, output_scaler : object with ``mean_`` and ``scale_``, or (mean, scale), \
default=None
        What the site did around the network: it gets ``(x - mean) / scale``, and ``mean + scale *
        output`` is the prediction. Each is a number, or an array that broadcasts to a row.
    input_schema : InputSchema or sequence of InputSchema, default=None
        What the site's rows look like, one schema for each input of the network, such as
        `InputSchema.describe` gives.
    fisher : mapping of str to array-like, default=None
        The diagonal of the Fisher information of each weight: the mean over rows of the squared
        gradient of the log likelihood, of the weight's shape. The average counts weights by it;
        those that it leaves out are counted alike.
    name : str, default=""
        What the site is called in reports and errors.

    Raises
    ------
    ValueError
        If numbers make no sense.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import weight_averaging as wa
    >>> rows = np.random.default_rng(0).normal(20, 5, (200, 3))
    >>> site = wa.Site(
    ...     {"weight": np.zeros((2, 3))},
    ...     class_counts=[150, 50],
    ...     input_scaler=(rows.mean(axis=0), rows.std(axis=0)),
    ...     input_schema=wa.InputSchema.describe(rows),
    ...     name="north",
    ... )
    >>> site.n_rows
    200.0
    """

    state: Mapping[str, Any] = field(repr=False)
    n_rows: float | None = None
    class_counts: Any = None
    input_scaler: Any = None
    output_scaler: Any = None
    input_schema: Any = None
    fisher: Any = field(default=None, repr=False)
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.state, Mapping) or not self.state:
            raise self._wrong("state", "be the network's state dict", type(self.state).__name__)
        if self.class_counts is not None:
            counts = self._numbers("class_counts", self.class_counts)
            if counts.ndim != 1 or (counts < 0).any() or not counts.sum() > 0:
                raise self._wrong(
                    "class_counts", "be one number of at least zero for each class", counts
                )
            object.__setattr__(self, "class_counts", counts)
            if self.n_rows is None:
                object.__setattr__(self, "n_rows", float(counts.sum()))
        if self.n_rows is not None:
            n_rows = self._numbers("n_rows", self.n_rows)
            if n_rows.ndim or not n_rows > 0:
                raise self._wrong("n_rows", "be a number above zero", self.n_rows)
            object.__setattr__(self, "n_rows", float(n_rows))
        for name in ("input_scaler", "output_scaler"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, self._scaler(name, getattr(self, name)))
        if self.input_schema is not None:
            object.__setattr__(self, "input_schema", as_schemas(self.input_schema))
        if self.fisher is not None:
            object.__setattr__(self, "fisher", self._fisher(self.fisher))

    def _fisher(self, given: Any) -> dict[str, NDArray[np.float64]]:
        if not isinstance(given, Mapping):
            raise self._wrong("fisher", "be a dict like 'state'", type(given).__name__)
        fisher = {name: self._numbers("fisher", values) for name, values in given.items()}
        shapes = {name: tuple(tensor.shape) for name, tensor in self.state.items()}
        bad = [name for name, values in fisher.items() if values.shape != shapes.get(name)]
        bad += [name for name, values in fisher.items() if (values < 0).any()]
        if bad:
            raise self._wrong(
                "fisher", "hold numbers of at least zero for weights, of their shapes", bad
            )
        return fisher

    def _scaler(self, name: str, scaler: Any) -> Scaler:
        if hasattr(scaler, "mean_") and hasattr(scaler, "scale_"):
            # scikit-learn has None where it does not centre, or does not scale
            mean = 0.0 if scaler.mean_ is None else scaler.mean_
            scaler = mean, 1.0 if scaler.scale_ is None else scaler.scale_
        if not isinstance(scaler, tuple | list) or len(scaler) != 2:
            raise self._wrong(name, "have mean_ and scale_, or be a pair of them", scaler)
        mean, scale = (self._numbers(name, part) for part in scaler)
        try:
            mean, scale = np.broadcast_arrays(mean, scale)
        except ValueError as error:
            raise self._wrong(
                name, "have a mean and a scale of one shape", (mean.shape, scale.shape)
            ) from error
        if not (scale > 0).all():
            raise self._wrong(name, "have scales above zero", scale)
        return mean.copy(), scale.copy()

    def _numbers(self, name: str, given: ArrayLike) -> NDArray[np.float64]:
        try:
            array = to_array(given) if is_tensor(given) else given
            values = np.array(array, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise self._wrong(name, "be numbers", given) from error
        if not np.isfinite(values).all():
            raise self._wrong(name, "be finite", given)
        return values

    def _wrong(self, name: str, must: str, got: Any) -> ValueError:
        where = f" of site {self.name!r}" if self.name else " of a site"
        return ValueError(
            f"{name!r}{where} must {must}. Got {got!r}. Give what describes the rows that the "
            "network was trained on, or leave it out."
        )


def save_site(
    path: str | os.PathLike[str],
    model: Any,
    *,
    n_rows: float | None = None,
    class_counts: ArrayLike | None = None,
    input_scaler: Any = None,
    output_scaler: Any = None,
    input_schema: Schemas | None = None,
    fisher: Mapping[str, Any] | None = None,
) -> None:
    """Write what a site sends to the server: one safetensors file, with no row of data in it.

    Parameters
    ----------
    path : path-like
        Ends in ``.safetensors``. The name of the file, without that, becomes the site's.
    model : torch.nn.Module or dict of str to tensor
        The trained network.
    n_rows, class_counts, input_scaler, output_scaler, input_schema, fisher
        See `Site`. All of them can be left out; all of them say something about the site's rows.

    Raises
    ------
    ValueError
        If numbers make no sense, or the weights are not finite.
    TypeError
        If ``model`` is no network.
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from stackens.weight_averaging.one_shot import read_sites, save_site
    >>> folder = Path(tempfile.mkdtemp())
    >>> save_site(folder / "north.safetensors", {"w": np.zeros(3)}, class_counts=[40, 2])
    >>> read_sites(folder)[0].n_rows
    42.0
    """
    output = Path(path)
    if output.suffix != ".safetensors":
        raise ValueError(
            f"The file of a site must end in '.safetensors'. Got {output.name!r}. Rename it."
        )
    if isinstance(model, Site):
        raise TypeError(
            "save_site takes the network itself. Got a Site. Give its network or state dict, and "
            "the rest by name: save_site(path, network, n_rows=...)."
        )
    tensors = adapter_of(model).tensors(model, model)
    site = Site(
        tensors,
        n_rows,
        class_counts,
        input_scaler,
        output_scaler,
        input_schema,
        fisher,
        output.stem,
    )
    arrays = {name: to_array(tensor) for name, tensor in tensors.items()}
    bad = [name for name, array in arrays.items() if np.isnan(array).any()]
    if bad:
        raise ValueError(
            f"A site must send finite weights. Got NaN in {bad}. Its training has failed: train "
            "again."
        )
    for name, information in (site.fisher or {}).items():
        arrays[_FISHER + name] = information.astype(np.float32)
    facts = {name: _plain(getattr(site, name)) for name in _FACTS}
    given = {name: value for name, value in facts.items() if value is not None}
    check_output(output, [], folder=False)
    _write(output, arrays, {"format": "pt", _KEY: json.dumps(given)})


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return plain(value)
    if isinstance(value, tuple):
        return [part.tolist() for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def _write(output: Path, arrays: Mapping[str, NDArray], metadata: Mapping[str, str]) -> None:
    slots = [Slot(name, by_name(array.dtype.name), array.shape) for name, array in arrays.items()]
    layout = plan_safetensors(slots, metadata=metadata)

    def fill(paths: Any, journal: Any) -> None:
        crcs = {}
        with open(paths[0], "r+b") as file:
            for slot in slots:
                content = arrays[slot.name].astype(slot.dtype.storage, order="C").tobytes()
                file.seek(layout.places[slot.name])
                file.write(content)
                crcs[slot.name] = zlib.crc32(content)
        layout.finish(paths[0], crcs)

    write(output, [layout], "site", fill, folder=False, resume=False)


def read_sites(folder: str | os.PathLike[str]) -> list[Site]:
    """Read the files of all sites in a folder; nothing in them is run.

    Parameters
    ----------
    folder : path-like
        With files of `save_site`, or any safetensors files of weights.

    Returns
    -------
    list of Site
        In the order of the names of the files.

    Raises
    ------
    ValueError
        If there is no such file, one is damaged, or there are networks in other formats.
    """
    paths = sorted(Path(folder).glob("*.safetensors"))
    others = [path.name for path in sorted(Path(folder).glob("*")) if path.suffix in _OTHER_FILES]
    if others:
        raise ValueError(
            "The networks in a folder of sites must be .safetensors files, or they would be left "
            f"out. Got {others} in {folder}. Write them with save_site, or move them elsewhere."
        )
    if not paths:
        raise ValueError(
            f"A folder of sites must hold their .safetensors files. Got {folder} without any. "
            "Write them with save_site."
        )
    return [_read_site(path) for path in paths]


def _read_site(path: Path) -> Site:
    checkpoint = open_checkpoint(path)
    arrays = {name: np.asarray(tensor) for name, tensor in checkpoint.tensors.items()}
    fisher = {n.removeprefix(_FISHER): a for n, a in arrays.items() if n.startswith(_FISHER)}
    state = {name: array for name, array in arrays.items() if not name.startswith(_FISHER)}
    try:
        facts = dict(json.loads(checkpoint.metadata.get(_KEY, "{}")))
        if unknown := sorted(set(facts) - set(_FACTS)):
            raise ValueError(f"unknown entries {unknown}")
        if "input_schema" in facts:
            facts["input_schema"] = read_plain(facts["input_schema"])
        return Site(state, **facts, fisher=fisher or None, name=path.stem)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} must be the file of a site. Got one whose numbers are not valid ({error}). "
            "Write it with save_site."
        ) from error


def as_sites(sites: Iterable[Any] | Mapping[str, Any] | str | os.PathLike[str]) -> list[Site]:
    """Return sites, whatever they were given as: a folder, sites, or state dicts.

    Raises
    ------
    TypeError
        If something else was given.
    ValueError
        If there is none.
    """
    if isinstance(sites, str | os.PathLike):
        return read_sites(sites)
    is_state = isinstance(sites, Mapping) and any(map(is_tensor, sites.values()))
    if is_state or hasattr(sites, "state_dict"):
        raise TypeError(
            "Sites must be several. Got one network, or its state dict. Put those of all sites "
            "into a list."
        )
    named = sites.items() if isinstance(sites, Mapping) else ((None, site) for site in sites)
    listed: list[Site] = []
    for i, (key, site) in enumerate(named):
        name = f"site {i}" if key is None else str(key)
        if isinstance(site, Site):
            listed.append(site if site.name else _named(site, name))
        elif isinstance(site, Mapping):
            listed.append(Site(site, name=name))
        elif hasattr(site, "state_dict"):
            listed.append(Site(site.state_dict(), name=name))
        else:
            raise TypeError(
                "A site must be a state dict, a Site or a module. Got "
                f"{type(site).__name__} for {name}. Read files with read_sites."
            )
    if not listed:
        raise ValueError("Merging takes at least one site. Got none. Give their state dicts.")
    names = [site.name for site in listed]
    if len(set(names)) < len(names):
        raise ValueError(f"Names of sites must differ. Got {names}. Rename some of them.")
    if taken := sorted({ENSEMBLE, NAIVE, ALIGNED, MERGED} & set(names)):
        raise ValueError(
            f"The report needs the names {taken} itself. Got sites called so. Rename them."
        )
    return listed


def _named(site: Site, name: str) -> Site:
    return Site(**{**vars(site), "name": name})
