"""An averaged network gets back, layer by layer, the activity that averaging took away."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch
from torch import nn

from stackens.neural._activations import TRANSPOSED, Activations, layers_of, stop, watch
from stackens.neural._batch_norm import BATCH_NORMS, ChannelMoments, set_statistics
from stackens.neural._batches import repeatable_batches
from stackens.neural._least_squares import fit_layer, normal_equations
from stackens.neural._modules import check_same_tensors, copied, tensors_of
from stackens.schedules import Newest, Weights, resolve

__all__ = ["repair"]

_METHODS = ("moments", "least_squares")


def repair(
    merged: nn.Module,
    models: Iterable[nn.Module] | Mapping[str, nn.Module],
    data: Any,
    weights: Weights = "equal",
    *,
    method: Literal["moments", "least_squares"] = "moments",
    newest: Newest = "last",
) -> nn.Module:
    """Give the units of an averaged network back what they do in the models.

    Units of networks that were trained apart agree only in part, also once they are aligned. Their
    average varies less than either, the more so the deeper the layer. Here the linear and
    convolutional layers are set one after the other, so that their outputs over the data, before
    the nonlinearity, are again like those of the models. No labels are needed, and the architecture
    stays as it is.

    Parameters
    ----------
    merged : torch.nn.Module
        The average of the models, such as `stackens.weight_averaging.average` gives. Not changed.
    models : iterable of torch.nn.Module, or dict of str to Module
        What was averaged, after alignment. Not changed.
    data : tensor, array, tuple, dict, list, DataLoader or generator
        Rows of the training data without labels, or with labels that ``forward`` does not take,
        and without random augmentation: every pass must see the same rows. A tensor, an array, a
        tuple or a dict is one batch, everything else is made of batches. Thousands of rows do.
    weights : array-like of shape (n_models,), str or callable, default="equal"
        How much each model counts, as in the average. Not below zero.
    method : {"moments", "least_squares"}, default="moments"
        What is to be like the models. "moments": each channel is scaled and shifted until it has
        the weighted mean of the models' means and of their deviations, as published; a few rows
        do. "least_squares": each layer gets the weights that bring its outputs, row by row,
        nearest to the weighted mean of the models' outputs, so that the last layer comes near to
        the ensemble. It takes longer, and of hundreds of rows it has made much better networks.
    newest : {"last", "first"}, default="last"
        Where the newest model stands, for weights by a schedule.

    Returns
    -------
    module : torch.nn.Module
        A repaired copy of ``merged``, in the same training mode and on the same device.

    Raises
    ------
    TypeError
        If something other than torch modules is given.
    ValueError
        If there is no such method; if a model has other tensors than ``merged``, with a list of
        all differences; if there is no layer to repair; if a layer gets fewer than two rows; if
        values are not finite; if a weight is below zero.

    Notes
    -----
    Layers are set one after another in the order of the forward pass, since each changes what the
    next one gets. Every row (and position) counts the same, whatever the batches; dropout is off.
    BatchNorm layers are set by the way, to the statistics that `recalibrate_batch_norm` gives.

    "moments" takes one pass of each model over the data and, of the merged network, one pass for
    each layer that ends there; if all data are one batch, one pass. A layer that feeds a BatchNorm
    layer directly needs no repair. A layer without a bias cannot be shifted: its scale brings the
    root mean square of each channel to the weighted mean of the models', which did better than
    scaling the deviation. A channel that is constant over the data is only shifted.

    "least_squares" takes, for each layer, one pass of every network that ends there, and a matrix
    with a row and a column for each input of a unit, in double precision. What the rows do not
    tell is left as it is in the average: weights are drawn there by a ridge of a thousandth of the
    mean variance of the inputs, so that there may be fewer rows than inputs.

    Left as they are: layers of which a tensor is shared or computed (tied weights,
    parametrisations), those called more than once in a pass (give such a part of the network on
    its own), recurrent layers and ``torch.nn.MultiheadAttention``.

    The authors' code takes the statistics of each batch in training mode and leaves a BatchNorm
    layer behind each layer or folds it in. As in its experiments with perceptrons, the last
    layer is repaired, too.

    References
    ----------
    Jordan, Sedghi, Saukh, Entezari & Neyshabur (2023), REPAIR: REnormalizing Permuted Activations
    for Interpolation Repair, ICLR, arXiv:2211.08403.
    Nasery, Hayase, Koh & Oh (2025), Merging Models with Permutations and Least Squares,
    arXiv:2407.02447.

    Examples
    --------
    Two units that look at different inputs; their average varies less than either of them:

    >>> import torch
    >>> from stackens import weight_averaging as wa
    >>> X = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> models = [torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)]
    >>> with torch.no_grad():
    ...     for model, weight in zip(models, [[2.0, 0.0], [0.0, 2.0]]):
    ...         _ = model.weight.copy_(torch.tensor([weight]))
    >>> merged = wa.average(models)
    >>> repaired = wa.repair(merged, models, X)
    >>> [round(net(X).std(correction=0).item(), 2) for net in (*models, merged, repaired)]
    [2.0, 2.0, 1.41, 2.0]

    Networks that nobody aligned; the mean square of what is between the average and the ensemble:

    >>> _ = torch.manual_seed(0)
    >>> X = torch.randn(200, 4)
    >>> models = [
    ...     torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    ...     for _ in range(2)
    ... ]
    >>> merged = wa.average(models)
    >>> repaired = wa.repair(merged, models, X, method="least_squares")
    >>> ensemble = (models[0](X) + models[1](X)) / 2
    >>> before, after = ((net(X) - ensemble).square().mean().item() for net in (merged, repaired))
    >>> after < before / 10
    True
    """
    if method not in _METHODS:
        raise ValueError(
            f"The 'method' parameter of repair must be one of {_METHODS}. Got {method!r}. Use "
            "'least_squares' where there are hundreds of rows, 'moments' as published."
        )
    listed = _checked(merged, models)
    shares = resolve(weights, len(listed), newest=newest)
    if (shares < 0).any():
        raise ValueError(
            "The 'weights' parameter of repair must not be below zero, where a mean of deviations "
            f"need not be a deviation. Got {shares.tolist()}. Use weights of at least zero."
        )
    # A DataLoader draws a seed from the global generator whenever it is gone through.
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        batches = repeatable_batches(data)
        counted = [(m, float(w)) for m, w in zip(listed, shares, strict=True) if w]
        repaired = copied(merged)
        if method == "moments":
            _set_moments(repaired, counted, batches)
        else:
            _set_by_least_squares(repaired, counted, batches)
    return repaired


def _set_moments(repaired: nn.Module, models: list[tuple[nn.Module, float]], batches: Any) -> None:
    """Give each layer the weighted mean of the models' moments."""
    passes = [(watch(model, layers_of(model), batches), share) for model, share in models]
    parts = layers_of(repaired)
    first = passes[0][0]
    names = _in_order(parts, first, first.repeated | first.normalised)

    def set_part(name: str, seen: Activations) -> None:
        _set_part(parts[name], name, seen.of(name), [(one.of(name), w) for one, w in passes])

    if first.n_batches == 1 and not first.repeated:
        watch(repaired, {name: parts[name] for name in names}, batches, then=set_part)
    else:
        for name in names:
            then = None if name in first.repeated else stop
            set_part(name, watch(repaired, {name: parts[name]}, batches, then=then))


def _set_by_least_squares(
    repaired: nn.Module, models: list[tuple[nn.Module, float]], batches: Any
) -> None:
    """Bring the outputs of each layer near to the weighted mean of those in the models."""
    parts = layers_of(repaired)
    first = watch(models[0][0], layers_of(models[0][0]), batches)
    theirs = [(model, layers_of(model), share) for model, share in models]
    for name in _in_order(parts, first, first.repeated):
        part = parts[name]
        if isinstance(part, BATCH_NORMS):
            then = None if name in first.repeated else stop
            set_statistics({part: watch(repaired, {name: part}, batches, then=then).of(name)})
            continue
        layers = [(model, own[name], share) for model, own, share in theirs]
        equations = normal_equations(repaired, part, layers, batches)
        _check_rows(0 if equations is None else equations.count, name)
        if equations is not None:
            _check_finite([equations.gram, equations.cross], name)
            fit_layer(part, equations)


def _checked(merged: Any, models: Any) -> list[nn.Module]:
    """Return the models as a list, all of them torch modules with the tensors of the merged one."""
    if isinstance(models, nn.Module) or not isinstance(models, Iterable):
        raise TypeError(
            "The 'models' parameter of repair must hold the models that were averaged. Got one "
            f"{type(models).__name__}. Give a list."
        )
    named = models if isinstance(models, Mapping) else dict(enumerate(models))
    if not named:
        raise ValueError(
            "The 'models' parameter of repair must hold the models that were averaged. Got none. "
            "Give them in a list."
        )
    keras = getattr(getattr(sys.modules.get("keras"), "layers", None), "Layer", ())
    labelled = [("merged", merged), *((f"model {key}", model) for key, model in named.items())]
    for label, model in labelled:
        if not isinstance(model, nn.Module) or isinstance(model, keras):
            raise TypeError(
                f"Only torch modules can be repaired. Got a {type(model).__name__} ({label}). Load "
                "a state dict into a module first; train an average of other kinds a little more."
            )
        check_same_tensors(tensors_of(merged), tensors_of(model), label)
    return list(named.values())


def _in_order(parts: Mapping[str, Any], seen: Activations, left: set[str]) -> list[str]:
    """Return the names of the parts that are to be set, in the order of calls, or raise.

    Layers that are ``left`` stay as they are, BatchNorm is always set.
    """
    if seen.n_batches == 0:
        raise ValueError(
            "Repairing needs rows of data. Got no batch. Give rows of the training data."
        )
    names = [
        name
        for name in seen.moments
        if isinstance(parts.get(name), BATCH_NORMS) or (name in parts and name not in left)
    ]
    if not names:
        raise ValueError(
            "Repairing needs BatchNorm layers, or linear or convolutional ones with weights of "
            "their own that are called once in a pass. Got a network without. Give the part of "
            "the network that has some, or train the average a little more."
        )
    return names


def _set_part(
    part: Any, name: str, own: ChannelMoments, models: list[tuple[ChannelMoments, float]]
) -> None:
    """Set a layer to the weighted mean of the models' moments, or BatchNorm to its input's own."""
    fewest = min(moments.count for moments in (own, *(seen for seen, _ in models)))
    _check_rows(fewest, name)
    if isinstance(part, BATCH_NORMS):
        set_statistics({part: own})
        return
    weight, bias = part.weight, part.bias

    def target(statistic: Callable[[ChannelMoments], Any]) -> Any:
        return sum(share * statistic(moments).to(weight.device) for moments, share in models)

    mean = target(lambda moments: moments.mean)
    spread = _root_mean_square if bias is None else _deviation
    wanted, got = target(spread), spread(own)
    # A channel that only varies by rounding is constant.
    noise = torch.finfo(weight.dtype).eps * (wanted + abs(own.mean))
    scale = torch.where(got > noise, wanted / got, 1.0)
    _check_finite([mean, wanted, own.mean, got], name)
    with torch.no_grad():
        _scale_outputs(part, scale)
        if bias is not None:
            bias.copy_((bias.double() - own.mean) * scale + mean)


def _check_rows(count: int, name: str) -> None:
    if count < 2:
        raise ValueError(
            f"Repairing needs at least two values of each channel. Got {count} in {name!r}. Give "
            "more rows of the training data."
        )


def _check_finite(values: Iterable[torch.Tensor], name: str) -> None:
    if not all(value.isfinite().all() for value in values):
        raise ValueError(
            f"What the layers give on the data must be finite. Got other values in {name!r}. Look "
            "for NaN in the data and in the weights."
        )


def _scale_outputs(layer: Any, scale: torch.Tensor) -> None:
    """Multiply the weights that lead to each output channel of a layer."""
    weight = layer.weight.double()
    if isinstance(layer, TRANSPOSED):  # (inputs of all groups, outputs of one group, ...)
        weight = weight.unflatten(0, (layer.groups, -1)).transpose(1, 2)
        weight = weight * scale.reshape(weight.shape[:2] + (1,) * (weight.ndim - 2))
        weight = weight.transpose(1, 2).flatten(end_dim=1)
    else:
        weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    layer.weight.copy_(weight)


def _deviation(moments: Any) -> torch.Tensor:
    return (moments.squares / moments.count).sqrt()


def _root_mean_square(moments: Any) -> torch.Tensor:
    return (moments.squares / moments.count + moments.mean**2).sqrt()
