"""The steps of a one-shot merge: build, fold, align, average, distil, compare."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from stackens.exceptions import OtherBasinWarning
from stackens.neural import recalibrate_batch_norm
from stackens.neural._modules import copied, evaluating
from stackens.weight_averaging._average import average
from stackens.weight_averaging._evaluation import Evaluate, Score, is_clear, score_of
from stackens.weight_averaging.alignment import AlignedModels
from stackens.weight_averaging.alignment import align as align_models
from stackens.weight_averaging.one_shot._distil import distil
from stackens.weight_averaging.one_shot._ensemble import (
    Ensemble,
    Form,
    answers,
    likeness,
    output_form,
)
from stackens.weight_averaging.one_shot._familiarity import Familiarity, familiarity_of
from stackens.weight_averaging.one_shot._fisher import (
    Statistics,
    aligned_statistics,
    common_statistics,
)
from stackens.weight_averaging.one_shot._inputs import as_tensors, input_source
from stackens.weight_averaging.one_shot._networks import (
    CommonTerms,
    build_networks,
    common_terms,
    narrow,
    precision_of,
    widen,
)
from stackens.weight_averaging.one_shot._report import (
    ALIGNED,
    ENSEMBLE,
    MERGED,
    NAIVE,
    OneShotReport,
)
from stackens.weight_averaging.one_shot._schemas import Declaration, Schemas, as_schemas
from stackens.weight_averaging.one_shot._shares import sent_by_all, site_shares
from stackens.weight_averaging.one_shot._sites import Site
from stackens.weight_averaging.rules import FisherMean

__all__ = ["merge_networks"]

_FEWER = 0.9  # of the sites that would count without ranges: from here on the report tells
_RARE = 0.1  # of the share that a class should have

Inputs = Sequence[torch.Tensor]
Networks = dict[str, nn.Module]


def merge_networks(
    sites: Sequence[Site],
    build_model: Callable[[], nn.Module],
    *,
    schema: Schemas | None,
    data: Any,
    task: Literal["auto", "classification", "regression"],
    align: bool,
    weights: Any,
    evaluate: Evaluate | None,
    greater_is_better: bool,
    rng: np.random.Generator,
    **distillation: Any,
) -> nn.Module:
    """Merge the networks of sites; the parameters are those of `one_shot_merge`.

    Parameters
    ----------
    distillation
        What `distil` takes: ``steps``, ``batch_size`` and so on.
    """
    draw_rows, held_rows = input_source(_declared(schema, data, sites), data, rng)
    seed = int(rng.integers(2**31))
    received = build_networks(sites, build_model, seed)
    precision = precision_of(received[0])
    for network in received:
        widen(network)
    try:
        _check_inputs(received[0], as_tensors(held_rows, received[0]))
    except ValueError:  # a forward with casts of its own may run in the types received only
        for network in received:
            narrow(network, precision)
        _check_inputs(received[0], as_tensors(held_rows, received[0]))
    common, terms = common_terms(received, sites, held_rows)
    statistics = common_statistics(received, sites, terms, held_rows)

    def inputs_of(rows: Sequence[NDArray[Any]]) -> Inputs:
        return as_tensors(terms.standardised(rows), common[0])

    held_back = inputs_of(held_rows)
    form = _form(common, sites, held_back, task)
    shares, by_class = site_shares(weights, sites, form)
    ensemble = Ensemble(common, by_class, form, _familiarity(weights, sites, terms))
    own: Networks = {site.name: network for site, network in zip(sites, common, strict=True)}
    averages: Networks = {NAIVE: average(own, shares, rule=_rule(statistics))}
    if align:
        aligned = _aligned(own, held_back, seed)
        moved = None if statistics is None else aligned_statistics(statistics, aligned.report)
        averages[ALIGNED] = average(aligned, shares, rule=_rule(moved))
    for network in averages.values():
        recalibrate_batch_norm(network, tuple(held_back))

    starts = {**averages, **own}
    # by agreement: an average that is sure of nothing is not far away, and yet of no use
    start = str(_likenesses(starts, ensemble, held_back)["agreement"].idxmax())
    merged = copied(starts[start])
    history = distil(merged, ensemble, lambda n: inputs_of(draw_rows(n)), held_back, **distillation)
    networks = {**own, ENSEMBLE: ensemble, **averages, MERGED: merged}
    frame = _likenesses(networks, ensemble, held_back)
    sites_per_row = _sites_per_row(ensemble, shares, held_back)
    rare_classes = _rare_classes(ensemble, sites, held_back)
    raw = {name: terms.raw(network, held_back, name) for name, network in networks.items()}
    for network in raw.values():
        narrow(network, precision)
    if evaluate is not None:
        scores = {name: score_of(evaluate, network.eval()) for name, network in raw.items()}
        frame["score"] = [score.mean for score in scores.values()]
        frame["score_se"] = [score.se for score in scores.values()]
        _warn_if_worse(scores, list(own), greater_is_better)
    curve = pd.DataFrame({"step": history.steps, "distance": history.distances})
    model = raw[MERGED].eval()
    model.report = OneShotReport(
        frame,
        curve,
        by_class,
        form.task,
        list(own),
        start,
        synthetic=data is None,
        sites_per_row=sites_per_row,
        rare_classes=rare_classes,
        greater_is_better=greater_is_better,
    )
    return model


def _declared(schema: Schemas | None, data: Any, sites: Sequence[Site]) -> Declaration | None:
    """Return what inputs look like: by the caller, or else by the sites, by share of rows."""
    if schema is not None:
        return [(1.0, as_schemas(schema))]
    sent = None if data is not None else sent_by_all(sites, "input_schema")
    if sent is None:
        return None
    rows = np.array(sent_by_all(sites, "n_rows") or [1.0] * len(sites))
    return list(zip((rows / rows.sum()).tolist(), sent, strict=True))


def _familiarity(weights: Any, sites: Sequence[Site], terms: CommonTerms) -> Familiarity | None:
    """Return how well each site knows a row in common terms; None if others weigh the sites."""
    known = familiarity_of(sites) if isinstance(weights, str) and weights == "auto" else None
    if known is None or terms.input_scaler is None:
        return known
    mean, scale = terms.input_scaler
    return known.rescaled(1 / scale, -mean / scale)


def _check_inputs(network: nn.Module, inputs: Inputs) -> None:
    """Raise unless a network takes inputs of this shape."""
    shapes = [tuple(part.shape[1:]) for part in inputs]
    rows = [part[:2] for part in inputs]
    try:
        with evaluating(network):
            network(*rows)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        kinds = [str(part.dtype).removeprefix("torch.") for part in inputs]
        raise ValueError(
            f"Inputs must be what the networks take. Got rows of shape {shapes} of {kinds}, and of "
            f"it: {error}. Give a schema, or an array of 'data', for each input; 'shape' is "
            "without the axis of rows, and whole numbers are only for tokens."
        ) from error
    outputs = answers(network, rows)
    if outputs.ndim < 1 or len(outputs) != 2:
        raise ValueError(
            "A network must give one prediction for each row. Got outputs of shape "
            f"{tuple(outputs.shape)} for 2 rows of shape {shapes}. Let rows be the first axis."
        )


def _form(
    networks: Sequence[nn.Module], sites: Sequence[Site], held_back: Inputs, task: Any
) -> Form:
    """Tell what the networks predict, from what the sites sent and what comes out."""
    counted = any(site.class_counts is not None for site in sites)
    scaled = any(site.output_scaler is not None for site in sites)
    if task == "auto" and (counted or scaled):
        task = "classification" if counted else "regression"
    outputs = [answers(network, held_back) for network in networks]
    bad = [
        site.name
        for site, part in zip(sites, outputs, strict=True)
        if not bool(part.isfinite().all())
    ]
    if bad:
        raise ValueError(
            f"Networks must give finite outputs on the inputs. Got others from {bad}. Check the "
            "ranges of the schema, and the scalers."
        )
    form = output_form(outputs, task)
    if form.task == "classification" and scaled:
        raise ValueError(
            "Scalers of outputs are for regression. Got some for classification. Leave them out."
        )
    if form.task == "regression" and counted:
        raise ValueError(
            "Class counts are for classification. Got some for regression. Leave them out."
        )
    return form


def _rule(statistics: Statistics | None) -> str | FisherMean:
    # normalised: a site with large gradients must not drown the others
    return "mean" if statistics is None else FisherMean(statistics, normalise=True)


def _aligned(networks: Networks, inputs: Inputs, seed: int) -> AlignedModels:
    """Return the networks with their units in matching order and sign; their functions stay."""
    example = tuple(part[:8] for part in inputs)
    try:
        return align_models(networks, example=example, random_state=seed)
    except ValueError as error:
        raise ValueError(
            f"Networks must be aligned before they are averaged. Got: {error} Or give align=False: "
            "distillation then starts from the plain average, and needs more steps."
        ) from error


def _likenesses(networks: Networks, ensemble: Ensemble, held_back: Inputs) -> pd.DataFrame:
    wanted = answers(ensemble, held_back)
    rows = {
        name: vars(likeness(answers(network, held_back), wanted, ensemble.form))
        for name, network in networks.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("network")


def _sites_per_row(ensemble: Ensemble, shares: NDArray[np.float64], inputs: Inputs) -> float | None:
    """Return how many sites have a say about a row, in the mean; None if about all do."""
    if ensemble.familiarity is None:
        return None
    parts = shares[:, None] * ensemble.familiarity(inputs).cpu().double().numpy()
    number = float((1 / ((parts / parts.sum(axis=0)) ** 2).sum(axis=0)).mean())
    return number if number < _FEWER / (shares**2).sum() else None


def _rare_classes(ensemble: Ensemble, sites: Sequence[Site], inputs: Inputs) -> list[int]:
    """Return the classes that the inputs hardly have, by the ensemble."""
    form = ensemble.form
    if form.task == "regression":
        return []
    found = form.logarithms(answers(ensemble, inputs)).exp().mean(dim=0).cpu().double().numpy()
    counts = [site.class_counts for site in sites if site.class_counts is not None]
    expected = np.sum(counts, axis=0) if counts else np.ones(form.n_classes)
    return np.flatnonzero(found < _RARE * expected / expected.sum()).tolist()


def _warn_if_worse(scores: Mapping[str, Score], sites: Sequence[str], greater: bool) -> None:
    mean = np.mean([scores[name].values for name in sites], axis=0)
    drop = Score((1.0 if greater else -1.0) * (mean - scores[MERGED].values))
    if is_clear(drop, float(mean.mean()), greater_is_better=greater):
        warnings.warn(
            f"The merged network scores {scores[MERGED].mean:.4g} where the sites score "
            f"{mean.mean():.4g} in the mean: it is no model worth having yet. Give it more steps, "
            "or a schema (or public rows) closer to real inputs; or keep the networks apart and "
            "blend their predictions.",
            OtherBasinWarning,
            stacklevel=4,
        )
