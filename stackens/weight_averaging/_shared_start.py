"""One short training that all networks of a soup start from, so that their average makes sense."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

__all__ = [
    "architecture",
    "check_one_architecture",
    "from_start",
    "is_network",
    "last_step",
    "short_training",
]

# What a network's length of training is called, and the settings that say what weights mean.
_LENGTHS = ("max_epochs", "max_iter")
_ARCHITECTURE = (
    *("hidden_layer_sizes", "activation", "n_bins", "categories"),
    *("loss", "power", "link"),  # of linear models, too
)
_FAMILIES = ("BaseMultilayerPerceptron", "TorchMLP")


def last_step(estimator: Any) -> Any:
    """Return the model at the end of a pipeline, or the model itself."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def is_network(estimator: Any) -> bool:
    """Whether two trainings from different starts can end in different basins of the loss."""
    names = [cls.__name__ for cls in type(last_step(estimator)).__mro__]
    return any(name.startswith(_FAMILIES) for name in names)


def architecture(estimator: Any) -> dict[str, str]:
    """Return the settings that make a model's tensors or say what is done with them, as text."""
    model = last_step(estimator)
    return {name: repr(_listed(getattr(model, name, None))) for name in _ARCHITECTURE}


def check_one_architecture(pairs: Sequence[tuple[str, Any]]) -> None:
    """Raise early if networks differ in what makes their tensors or what is done with them."""
    found = {name: architecture(model) for name, model in pairs}
    for parameter in _ARCHITECTURE:
        shown = {name: settings[parameter] for name, settings in found.items()}
        if len(set(shown.values())) > 1:
            raise ValueError(
                f"Networks must have one architecture to be averaged. Got {parameter}="
                f"{', '.join(f'{value} in {name!r}' for name, value in shown.items())}. Let them "
                "differ in learning rate, regularisation or seed instead, or blend them."
            )


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def short_training(estimator: Any, X: Any, y: Any, fraction: float, params: dict[str, Any]) -> Any:
    """Return a copy of a network after a share of its usual training.

    Parameters
    ----------
    estimator : estimator
        A network, or a pipeline that ends in one.
    X, y : training rows
    fraction : float
        Share of the usual epochs.
    params : dict
        For its ``fit``.
    """
    started = clone(estimator)
    network = last_step(started)
    length = next(name for name in _LENGTHS if name in network.get_params(deep=False))
    epochs = max(1, round(fraction * getattr(network, length)))
    network.set_params(**{length: epochs})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is cut short on purpose
        return started.fit(X, y, **params)


def from_start(start: Any, estimator: Any, X: Any, y: Any, params: dict[str, Any]) -> Any:
    """Train a network with the settings of an estimator, from where the start ended.

    Parameters
    ----------
    start : fitted estimator
        From `short_training`.
    estimator : estimator
        A network, or a pipeline that ends in one, of the same architecture.
    X, y : training rows
    params : dict
        For its ``fit``.
    """
    wanted = last_step(estimator)
    network = deepcopy(last_step(start))
    network.set_params(**wanted.get_params(deep=False)).set_params(warm_start=True)
    model = network
    if isinstance(estimator, Pipeline):
        model = clone(estimator)
        model.steps[-1] = (model.steps[-1][0], network)
    model.fit(X, y, **params)
    network.set_params(warm_start=wanted.warm_start)
    return model
