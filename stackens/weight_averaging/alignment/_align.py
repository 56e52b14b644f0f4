"""align: networks trained apart are rewritten in one order of units, with the same functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stackens.weight_averaging._average import average
from stackens.weight_averaging._checkpoints import labelled
from stackens.weight_averaging._evaluation import Evaluate, score_of
from stackens.weight_averaging._interpolate import interpolate
from stackens.weight_averaging.adapters import adapter_of, alike
from stackens.weight_averaging.alignment._described import described
from stackens.weight_averaging.alignment._outputs import Outputs
from stackens.weight_averaging.alignment._report import AlignedModels, AlignmentReport, Quality
from stackens.weight_averaging.alignment._symmetry import Symmetry
from stackens.weight_averaging.alignment._verify import largest_change, verified
from stackens.weight_averaging.alignment.matching._activations import match_activations
from stackens.weight_averaging.alignment.matching._barycentre import match_many
from stackens.weight_averaging.alignment.matching._weights import Match
from stackens.weight_averaging.rules import check_finite

__all__ = ["align"]

Arrays = Mapping[str, NDArray]

_LARGEST_CHANGE = 1e-6  # of an output, relative, in double precision; rounding is far below


def align(
    models: Iterable[Any] | Mapping[str, Any],
    reference: Any = "barycentre",
    example: Any = None,
    *,
    activations: Any = None,
    symmetry: Symmetry | Mapping[str, Sequence[Any]] | None = None,
    signed: bool = True,
    n_restarts: int = 0,
    evaluate: Evaluate | None = None,
    greater_is_better: bool = True,
    random_state: int = 0,
) -> AlignedModels:
    """Bring networks that were trained apart into line, so that their weights can be averaged.

    Two networks that learnt the same may have it in units of another order, sign and scale. Each
    model is rewritten, with the same function, so that its weights come as near as possible to
    those of a reference. Which rewritings leave the function alone is found by following the
    network from its inputs to its outputs, and then tried on the network itself.

    Parameters
    ----------
    models : iterable, or dict of str to model
        Models of one architecture: torch modules, Keras models, scikit-learn's MLPs or
        ``TorchMLP`` estimators, alone or as the last step of a pipeline; with ``symmetry`` also
        dicts of arrays.
    reference : "barycentre", int, str or model, default="barycentre"
        What the models are brought near to: their common mean, found by turns; one of them,
        by its place or its name; or another model of the architecture.
    example : inputs, default=None
        A few rows, as for a call of the network (a tuple or dict for several inputs); of an
        estimator, as for ``predict``. Networks of torch and Keras need it.
    activations : inputs, default=None
        Rows without labels, real or made up, in the form of ``example`` (for torch also a list of
        batches of one size). Units are then matched by what they answer to these rows, and by
        weights only where no answers are seen, such as in the lower of stacked recurrent layers:
        see Notes. A few hundred rows are enough. Networks of torch and scikit-learn.
    symmetry : dict or None, default=None
        For networks that cannot be followed: for each tensor, by name, one entry for each axis.
        None stays; ``"P"`` moves with the units named P; ``"-P"`` changes signs with them, too;
        ``("P", 9)`` and ``(9, "P")`` have 9 places for each unit, side by side or far apart; a list
        of these and of numbers describes runs, such as ``["P", "P", "-P", "P"]`` for the gates of
        an LSTM in torch.
    signed : bool, default=True
        False leaves the signs of units alone.
    n_restarts : int, default=0
        More random starts of the search; better, and slower.
    evaluate : callable or None, default=None
        ``evaluate(model)`` gives a score, or one for each row, on data that no model was trained
        on. With it the report says what an average of the models is worth.
    greater_is_better : bool, default=True
        Whether that is so for ``evaluate``; False for a loss.
    random_state : int, default=0
        Seed of the search.

    Returns
    -------
    AlignedModels
        A sequence of new models; ``.report`` has ``frame()``, ``summary()`` and ``plot()``.

    Raises
    ------
    ValueError
        If the models differ (all differences are listed), hold NaN, or cannot be followed; if what
        leaves the function of the first alone changes that of another; or if there are
        ``activations`` for another kind of network, or for one with a ``symmetry``.
    TypeError
        If they are of different kinds.

    See Also
    --------
    average : The next step.
    repair : After the average, for networks whose activations shrank.
    one_shot_merge : Where an average is not enough.

    Notes
    -----
    By activations, units are brought together whose answers, over rows and positions, correlate
    most: with the reference, or for "barycentre" with the mean answer of the other models, by
    turns. Scales never matter. Rows should be like those that the models were trained on: on
    LSTMs they led to better averages than weights, and made-up rows to worse ones.

    Buffers of torch modules that are the same in all models (masks, encodings of positions) stay
    as they are, and so do units that are added to them or multiplied by them one by one. Of other
    buffers only the order changes; running statistics go with their units.

    References
    ----------
    Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin", arXiv:2209.04836.
    Li et al. (2016), "Convergent learning", arXiv:1511.07543, for activations.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from stackens import weight_averaging as wa
    >>> X, y = load_digits(return_X_y=True)
    >>> models = [
    ...     MLPClassifier(256, random_state=seed, max_iter=20, tol=1).fit(X / 16, y)
    ...     for seed in (0, 1)
    ... ]
    >>> aligned = wa.align(models)
    >>> wa.average(models).score(X / 16, y) < wa.average(aligned).score(X / 16, y)
    True

    With rows at hand units can be matched by what they answer:

    >>> aligned = wa.align(models, activations=X[:300] / 16)
    >>> wa.average(models).score(X / 16, y) < wa.average(aligned).score(X / 16, y)
    True
    """
    if not isinstance(n_restarts, Integral) or n_restarts < 0:
        raise ValueError(
            "The 'n_restarts' parameter of align must be a whole number of at least zero. Got "
            f"{n_restarts!r}. The default of 0 is a good start."
        )
    labels, listed = labelled(models)
    like = listed[0]
    adapter = adapter_of(like)
    named = reference is None or isinstance(reference, Real | str)
    extra = [] if named else [reference]
    called = [*labels, *["reference"] * len(extra)]
    states = [dict(state) for state in alike(adapter, [*listed, *extra], called, like)]
    for name in states[0]:
        check_finite([state[name] for state in states], name, called)
    place = len(listed) if extra else _place(reference, labels)
    rng = np.random.default_rng(random_state)
    known = described(like, states[0], example, symmetry, activations, states[1:])
    free = known.symmetry
    if known.run is not None and free.variables:
        free = verified(free, states[0], known.run(like), rng=rng).symmetry
    options: dict[str, Any] = {
        "rng": rng,
        "ignore": known.statistics,
        "signed": signed,
        "n_restarts": n_restarts,
    }
    answers = {} if known.answers is None else known.answers(states)
    if answers:
        matches = match_activations(free, answers, states, place, **options)
    else:
        matches = match_many(free, states, place, **options)
    matches, states = matches[: len(listed)], states[: len(listed)]
    changed = [
        free.apply(match.transformation, state)
        for match, state in zip(matches, states, strict=True)
    ]
    holders = [adapter.holder(model, like) for model in listed]
    deviation = None
    if known.run is not None:
        deviation = _deviation(known.run, holders, free, matches, states, labels)
    aligned = [
        adapter.write(adapter.copy(holder), state.items())
        for holder, state in zip(holders, changed, strict=True)
    ]
    others = [match for i, match in enumerate(matches) if i != place]
    report = AlignmentReport(
        _moved(free, matches, labels),
        [match.objective_before for match in others],
        [match.objective for match in others],
        deviation,
        free,
        [match.transformation for match in matches],
        matched="activations" if answers else "weights",
    )
    if evaluate is not None:
        found = _quality(listed, aligned, evaluate, greater_is_better)
        report = replace(report, quality=found)
    return AlignedModels(aligned, report)


def _place(reference: Any, labels: list[str]) -> int | Literal["barycentre"]:
    """Return the index of the reference among the models, or "barycentre"."""
    if reference == "barycentre" and reference not in labels:
        return "barycentre"
    if isinstance(reference, str) and reference in labels:
        return labels.index(reference)
    is_index = isinstance(reference, Integral) and not isinstance(reference, bool)
    if is_index and -len(labels) <= reference < len(labels):
        return int(reference) % len(labels)
    raise ValueError(
        "The 'reference' parameter must be \"barycentre\", one of the models by its place or name, "
        f"or another model. Got {reference!r} for models named {labels}. Use 0 for the first."
    )


def _moved(symmetry: Symmetry, matches: Sequence[Match], labels: Sequence[str]) -> pd.DataFrame:
    """Return, for each model and each group of units, which part of them moved and flipped."""
    owners = list(dict.fromkeys([*symmetry.units, *symmetry.signs.values()]))
    rows = []
    for label, match in zip(labels, matches, strict=True):
        change = match.transformation
        for units in owners:
            order = change.permutations.get(units)
            signs = [
                change.signs[sign]
                for sign, owner in symmetry.signs.items()
                if owner == units and sign in change.signs
            ]
            size = symmetry.size(units)
            rows.append(
                {
                    "model": label,
                    "units": units,
                    "size": size,
                    "moved": np.nan if order is None else np.mean(order != np.arange(size)),
                    "flipped": np.mean([s < 0 for s in signs]) if signs else np.nan,
                }
            )
    return pd.DataFrame(rows, columns=["model", "units", "size", "moved", "flipped"])


def _deviation(
    run: Callable[[Any], Outputs],
    models: Sequence[Any],
    symmetry: Symmetry,
    matches: Sequence[Match],
    states: Sequence[Arrays],
    labels: Sequence[str],
) -> float:
    """Return how much the changes that were made change any output, in double precision.

    The symmetry is that of the first model; others may differ in what no tensor shows.
    """
    worst = 0.0
    for model, match, state, label in zip(models, matches, states, labels, strict=True):
        wide = {
            name: array.astype(np.float64) if array.dtype.kind == "f" else array
            for name, array in state.items()
        }
        outputs = run(model)
        changed = symmetry.apply(match.transformation, wide)
        change = largest_change(outputs(wide), outputs(changed))
        if change > _LARGEST_CHANGE:
            raise ValueError(
                f"What leaves the function of {labels[0]} alone must do so for all models. Got a "
                f"change of {change:.0e} in the outputs of {label}. Look for what differs between "
                "the models and is no weight: settings used inside forward, or buffers that are "
                "not saved."
            )
        worst = max(worst, change)
    return worst


def _quality(
    models: list[Any], aligned: list[Any], evaluate: Evaluate, greater_is_better: bool
) -> Quality:
    before, after = (
        interpolate(pair[0], pair[1], evaluate, greater_is_better=greater_is_better)
        if len(pair) > 1
        else None
        for pair in (models, aligned)
    )
    return Quality(
        [score_of(evaluate, model) for model in models],
        score_of(evaluate, average(models)),
        score_of(evaluate, average(aligned)),
        before,
        after,
        greater_is_better,
    )
