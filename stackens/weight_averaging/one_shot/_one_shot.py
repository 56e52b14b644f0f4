"""One network from those that sites have trained apart: weights come in, no data do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from stackens._core._optional import require
from stackens.weight_averaging._evaluation import Evaluate
from stackens.weight_averaging.one_shot._schemas import Schemas, read_schema
from stackens.weight_averaging.one_shot._sites import as_sites

__all__ = ["one_shot_merge"]

_SCHEMA = "schema.json"  # in a folder of sites


def one_shot_merge(
    sites: Iterable[Any] | Mapping[str, Any] | str | os.PathLike[str],
    build_model: Callable[[], Any],
    *,
    input_schema: Schemas | None = None,
    data: Any = None,
    steps: int = 1500,
    task: Literal["auto", "classification", "regression"] = "auto",
    align: bool = True,
    temperature: float = 2.0,
    weights: Literal["auto", "equal"] | ArrayLike = "auto",
    batch_size: int = 128,
    learning_rate: float = 1e-2,
    evaluate: Evaluate | None = None,
    greater_is_better: bool = True,
    random_state: int | None = None,
    verbose: int = 0,
) -> Any:
    """Merge networks of one architecture, trained apart to the end, into one of the same size.

    Nothing but weights has to leave a site. The server aligns the networks and averages them.
    Then it distils the ensemble of the received networks into one of them all, on synthetic
    inputs drawn from a declared schema; it starts from whatever agrees most with the ensemble
    there: an average, or the network of a site. This step carries most of the result.

    Parameters
    ----------
    sites : sequence or dict of state dicts, or of `Site`; or a folder
        A folder holds one file of `save_site` for each site and, perhaps, a ``schema.json`` of
        `save_schema`.
    build_model : callable
        ``build_model()`` gives a new torch module of the architecture. Its forward takes each
        input as an argument and returns one tensor: logits or probabilities with classes on
        the last axis, one number a row (binary classification, with ``task``), or predicted
        numbers.
    input_schema : InputSchema or sequence of InputSchema, default=None
        What inputs look like, one schema for each; before any scaler where sites send scalers.
        None takes that in the folder, or else those that the sites sent, by their rows. The
        nearer it is to real inputs, the nearer the merged network comes to the ensemble: quantiles
        (`InputSchema.describe`) do much better than a range, and correlations a little better.
    data : array, tensor or tuple of them, default=None
        Public rows without labels, in place of a schema.
    steps : int, default=1500
        Most steps of the distillation.
    task : {"auto", "classification", "regression"}, default="auto"
        "auto" is classification where sites send class counts, regression where they send output
        scalers; otherwise one output is regression and several are classes.
    align : bool, default=True
        Whether to align the networks before they are averaged.
    temperature : float, default=2.0
        Of the distillation, for classification.
    weights : {"auto", "equal"} or array-like, default="auto"
        How much sites count; of shape (n_sites,), or (n_sites, n_classes) in the ensemble. "auto"
        goes by their rows of each class, by their rows, or equally, depending on what all sites
        send. With class counts a site that has not seen a class has no say about it; where all
        sites send schemas, it has the less say about an input the farther that lies outside of
        the ranges it declared.
    batch_size : int, default=128
        Synthetic rows in each step.
    learning_rate : float, default=1e-2
        Largest rate of the distillation.
    evaluate : callable, default=None
        ``evaluate(model)`` gives a score, or one for each row, on rows that the server may see.
        It is for the report alone: nothing is chosen by it.
    greater_is_better : bool, default=True
        Whether that is so for ``evaluate``; False for a loss.
    random_state : int, default=None
        Seed of the synthetic inputs.
    verbose : int, default=0
        Above zero shows a progress bar.

    Returns
    -------
    torch.nn.Module
        What ``build_model()`` gives, with the merged weights, in evaluation mode. Where sites sent
        scalers, it takes rows as they are before any scaler and predicts in the units of the
        target. Its attribute ``report``, an `OneShotReport`, has ``frame()``, ``summary()`` and
        ``plot()``.

    Raises
    ------
    ValueError
        If sites differ in architecture (all differences are listed) or hold NaN, inputs do not fit
        the network, numbers that sites sent do not fit together, or a scaler cannot be written
        into the weights.
    TypeError
        If something is of the wrong kind.

    Warns
    -----
    OtherBasinWarning
        If ``evaluate`` shows that the merged network is clearly below the mean site.

    Notes
    -----
    What to expect, of four LSTMs of 128 units that read digits row by row, each trained on its own
    part of 1,400 images (mean accuracy over three seeds, ``benchmarks/one_shot.py``). With equal
    parts: sites 91%, best site 92%, ensemble 94.6%, plain average 28%, aligned average 83%, merged
    94.9%. With label skew: sites 77%, best site 87%, ensemble 94.5%, plain average 33%, aligned
    average 60%, merged 93.2%. There sites sent what `InputSchema.describe` tells of their inputs
    with ``detailed=True``; where the server knew nothing but a range and a smoothness, the merged
    networks had 92.8% and 91.2% (two seeds).

    References
    ----------
    Lin et al. (2020), Ensemble Distillation for Robust Model Fusion in Federated Learning,
    arXiv:2006.07242. Zhang et al. (2022), DENSE: Data-Free One-Shot Federated Learning,
    arXiv:2112.12371.

    Examples
    --------
    >>> import torch
    >>> from stackens.weight_averaging.one_shot import InputSchema, one_shot_merge
    >>> def build_model():
    ...     return torch.nn.Sequential(
    ...         torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    ...     )
    >>> _ = torch.manual_seed(0)
    >>> sites = {"north": build_model().state_dict(), "south": build_model().state_dict()}
    >>> schema = InputSchema(shape=(2,), low=-1, high=1)
    >>> merged = one_shot_merge(
    ...     sites, build_model, input_schema=schema, steps=300, align=False, random_state=0
    ... )
    >>> bool(merged.report.frame().loc["merged", "agreement"] > 0.95)
    True
    """
    require("torch", extra="torch", purpose="one_shot_merge")
    from stackens.weight_averaging.one_shot._merging import merge_networks

    _check(task, steps, batch_size, learning_rate, temperature)
    listed = as_sites(sites)
    if input_schema is None and data is None and isinstance(sites, str | os.PathLike):
        input_schema = _schema_in(Path(sites))
    return merge_networks(
        listed,
        build_model,
        schema=input_schema,
        data=data,
        task=task,
        align=align,
        weights=weights,
        evaluate=evaluate,
        greater_is_better=greater_is_better,
        rng=np.random.default_rng(random_state),
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        temperature=temperature,
        verbose=verbose,
    )


def _check(
    task: str, steps: int, batch_size: int, learning_rate: float, temperature: float
) -> None:
    if task not in ("auto", "classification", "regression"):
        raise ValueError(
            "The 'task' parameter must be 'auto', 'classification' or 'regression'. Got "
            f"{task!r}. Say what the networks predict."
        )
    numbers: dict[str, Any] = {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "temperature": temperature,
    }
    for name, value in numbers.items():
        whole = name in ("steps", "batch_size")
        fits = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
        if not fits or not 0 < value < np.inf:
            kind = "a whole number above zero" if whole else "a number above zero"
            raise ValueError(
                f"The {name!r} parameter must be {kind}. Got {value!r}. The default is a good "
                "start."
            )


def _schema_in(folder: Path) -> Schemas | None:
    path = folder / _SCHEMA
    return read_schema(path) if path.exists() else None
