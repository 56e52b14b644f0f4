"""Learn how to mix frozen networks of one architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackens._core._optional import require
from stackens.weight_averaging._evaluation import Score, numbers_of
from stackens.weight_averaging.mixing._batches import Batches, split_arrays
from stackens.weight_averaging.mixing._constraint import CONSTRAINTS, Constraint, allowed
from stackens.weight_averaging.mixing._descent import Descent
from stackens.weight_averaging.mixing._gradient import MixedNetwork
from stackens.weight_averaging.mixing._groups import groups_of
from stackens.weight_averaging.mixing._ingredients import Ingredients
from stackens.weight_averaging.mixing._learned import LearnedMixing, scores_frame
from stackens.weight_averaging.mixing._search import search
from stackens.weight_averaging.mixing._starts import best_start
from stackens.weight_averaging.mixing._trainable import trainable

__all__ = ["learn_mixing"]


def learn_mixing(
    models: Sequence[Any] | Mapping[str, Any],
    loss: Callable[..., Any] | None = None,
    data: Any = None,
    *,
    evaluate: Callable[[Any], float] | None = None,
    network: Any = None,
    key: str | None = None,
    per: str | Sequence[str] = "model",
    constraint: Constraint = "simplex",
    bias: bool = False,
    start: str | ArrayLike = "best",
    validation: Any = None,
    validation_fraction: float = 0.2,
    batch_size: int = 256,
    learning_rate: float = 0.05,
    max_epochs: int = 50,
    patience: int = 5,
    max_evaluations: int = 300,
    greater_is_better: bool = True,
    random_state: int | None = None,
    verbose: int = 0,
) -> LearnedMixing:
    """Learn only the mixing weights of networks that stay frozen.

    With a `loss` the weights follow its gradient: each step merges the networks in place, goes
    forward and back once, and takes the scalar products of the gradient with the frozen tensors,
    so that memory stays at one network and one gradient however many are mixed, and the frozen
    ones may be files. With `evaluate`, a score without a gradient such as accuracy, the weights
    are searched by trial.

    Parameters
    ----------
    models : sequence, or dict of name -> model
        Networks of one architecture: torch modules, Keras models on the torch backend, state
        dicts or paths of checkpoints (with `network`). With `evaluate`, anything that
        :func:`average` takes.
    loss : callable, default=None
        ``loss(outputs, y)`` -> torch scalar, for batches that are pairs; for other batches
        ``loss(network, batch)``. It should be a mean over rows.
    data : tuple of arrays, iterable or callable, default=None
        What `loss` learns from: ``(X, y)`` arrays or tensors; an iterable of batches such as a
        ``DataLoader``; or a function that returns a new iterator of batches for each epoch. The
        batches of a generator are kept in memory.
    evaluate : callable, default=None
        ``evaluate(model)`` -> score, or one for each row, instead of `loss` and `data`. It should
        look at rows that no network was trained on.
    network : torch.nn.Module, default=None
        The module that state dicts or checkpoints belong to. It is copied, never changed.
    key : str or None, default=None
        For files of torch: where the weights are in a whole training checkpoint; see
        `average_checkpoints`.
    per : {"model", "layer", "tensor"} or list of str, default="model"
        Which tensors share their weights: all, those of a layer, none, or those whose name a
        regular expression matches.
    constraint : {"simplex", "bounded", "free"}, default="simplex"
        Weights that are positive and sum to one, that lie between 0 and 1, or any.
    bias : bool, default=False
        Also learn a number for each group that is added to its tensors (only with `loss`).
    start : {"best", "equal"} or array-like of shape (n_models,), default="best"
        ``"best"``: the best on the held-out rows of equal weights, each model alone and the
        greedy soup, so that the result is never worse there than any of them. Weights that are
        given must fit the constraint.
    validation : like data, default=None
        Held-out rows on which learning stops early and the best weights are picked. None takes
        them from `data`: rows of arrays, or whole batches, which are then kept in memory.
    validation_fraction : float, default=0.2
        Share of the rows, or batches, of `data` that is held out when `validation` is None.
    batch_size : int, default=256
        Rows in a batch that is cut from arrays.
    learning_rate : float, default=0.05
        Of Adam, on the logarithms of the weights.
    max_epochs : int, default=50
        Passes through `data` at most.
    patience : int, default=5
        Epochs without a better loss on the held-out rows after which learning ends.
    max_evaluations : int, default=300
        Calls of `evaluate` in the search, after those for the start.
    greater_is_better : bool, default=True
        Whether that is so for `evaluate`; False for a loss.
    random_state : int, default=None
        Seed of the held-out rows and of the order of the batches.
    verbose : int, default=0
        Above 0 shows progress.

    Returns
    -------
    LearnedMixing
        ``.model``, ``.weights``, ``.frame()``, ``.plot()``, ``.loss``, ``.history``.

    Raises
    ------
    ValueError
        If models differ in names, shapes or types of their tensors (all differences are named),
        if rows to learn from or to hold out are missing, or no mixture has a finite loss or score.

    Notes
    -----
    Networks run in evaluation mode: dropout is off, and the statistics of batch normalisation
    are mixed like the weights of their layer but carry no gradient. Recalibrate them afterwards.

    References
    ----------
    Wortsman et al. (2022), "Model soups", arXiv:2203.05482, section 4 (learned soups);
    Yang et al. (2024), "AdaMerging", arXiv:2310.02575.

    Examples
    --------
    >>> import torch
    >>> from stackens import weight_averaging as wa
    >>> X = torch.linspace(-1, 1, 80)[:, None]
    >>> low, high = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    >>> _ = torch.nn.init.constant_(low.weight, 1.0), torch.nn.init.constant_(high.weight, 5.0)
    >>> mix = wa.learn_mixing([low, high], torch.nn.functional.mse_loss, (X, 2 * X), random_state=0)
    >>> mix.frame().round(2)
           model 0  model 1
    group
    (all)     0.75     0.25
    """
    if (loss is None) == (evaluate is None) or (loss is not None and data is None):
        given = [name for name, value in (("loss", loss), ("data", data)) if value is not None]
        given += ["evaluate"] * (evaluate is not None)
        raise ValueError(
            "learn_mixing needs either 'loss' with 'data', or 'evaluate'. Got "
            f"{given or 'neither'}. Give a loss where there is a gradient, a score otherwise."
        )
    if not callable(evaluate if loss is None else loss):
        raise TypeError(
            "The 'loss' and 'evaluate' parameters must be functions. Got "
            f"{evaluate if loss is None else loss!r:.100}. Give one such as "
            "torch.nn.functional.cross_entropy, or lambda model: model.score(X, y)."
        )
    if constraint not in CONSTRAINTS:
        raise ValueError(
            f"The 'constraint' parameter must be one of {CONSTRAINTS}. Got {constraint!r} instead."
        )
    if bias and loss is None:
        raise ValueError("A bias is learnt by its gradient. Got bias=True without a 'loss'.")
    _check_counts(batch_size=batch_size, patience=patience, max_evaluations=max_evaluations)
    if not isinstance(max_epochs, Integral) or max_epochs < 0:
        raise ValueError(
            "The 'max_epochs' parameter must be a whole number of at least 0. Got "
            f"{max_epochs!r}. Leave it out for the default."
        )
    if not (isinstance(learning_rate, Real) and 0 < learning_rate < np.inf):
        raise ValueError(
            f"The 'learning_rate' parameter must be a number above zero. Got {learning_rate!r}. "
            "Give one such as 0.05."
        )
    with Ingredients(models, network, key) as ingredients:
        groups = groups_of(ingredients.mixed_names, per)
        first = _start_weights(start, len(groups), len(ingredients.names), constraint)
        if loss is None:
            sign = 1.0 if greater_is_better else -1.0
            return _by_trial(
                ingredients, groups, evaluate, sign, first, constraint, max_evaluations, verbose
            )
        rng = np.random.default_rng(random_state)
        training, held_out = split_arrays(data, validation, validation_fraction, rng)
        torch = require("torch", extra="torch", purpose="learn_mixing with a loss")
        with torch.inference_mode(False):
            model, tensors = ingredients.copy()
        with torch.inference_mode(False), trainable(model, tensors) as forward:
            mixed = MixedNetwork(forward, tensors, ingredients.sources(), groups)
            like = next(iter(tensors.values()))
            descent = Descent(
                mixed,
                loss,
                Batches(training, batch_size, like),
                Batches(held_out, batch_size, like),
            )
            tried: list[tuple[str, Score]] = []
            if first is None:
                first, tried = best_start(
                    lambda weights: descent.at(weights).score, len(groups), ingredients.names
                )
            begin = descent.at(first)
            best = descent.run(
                begin,
                constraint,
                bias=bias,
                learning_rate=learning_rate,
                max_epochs=max_epochs,
                patience=patience,
                rng=rng,
                verbose=verbose,
            )
            _check_found(best.loss, "loss")
            mixed.set_weights(best.weights, best.bias, last=True)
        return LearnedMixing(
            model=model,
            weights=best.weights,
            bias=best.bias,
            groups=groups,
            names=ingredients.names,
            loss=best.loss,
            start_loss=begin.loss,
            history=descent.history,
            scores=scores_frame([*(tried or [("start", begin.score)]), ("learnt", best.score)]),
        )


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, Integral) or count < 1:
            raise ValueError(
                f"The {name!r} parameter must be a whole number of at least 1. Got {count!r}. "
                "Leave it out for the default."
            )


def _check_found(best: float, name: str) -> None:
    """Raise if no mixture had a loss or a score."""
    if not np.isfinite(best):
        raise ValueError(
            f"The {name!r} function must give finite numbers. Got none for any mixture. Look for "
            "NaN in the data, or for labels that the function cannot take."
        )


def _start_weights(
    start: str | ArrayLike, n_groups: int, n_models: int, constraint: Constraint
) -> NDArray[np.float64] | None:
    """Return weights of shape (n_groups, n_models) to start from, or None for the best."""
    if isinstance(start, str) and start == "best":
        return None
    if isinstance(start, str) and start == "equal":
        start = np.full(n_models, 1 / n_models)
    weights = np.asarray(start, dtype=np.float64) if not isinstance(start, str) else np.zeros(0)
    if weights.shape not in ((n_models,), (n_groups, n_models)) or not np.isfinite(weights).all():
        raise ValueError(
            f"The 'start' parameter must be 'best', 'equal' or {n_models} finite weights. Got "
            f"{start!r} instead."
        )
    if not allowed(weights, constraint):
        raise ValueError(
            f"The 'start' parameter must fit the constraint {constraint!r}. Got {start!r}. Give "
            "weights between 0 and 1, with a sum of one for 'simplex', or constraint='free'."
        )
    return np.broadcast_to(weights, (n_groups, n_models)).copy()


def _by_trial(
    ingredients: Ingredients,
    groups: Mapping[str, list[str]],
    evaluate: Any,
    sign: float,
    first: NDArray[np.float64] | None,
    constraint: Constraint,
    max_evaluations: int,
    verbose: int,
) -> LearnedMixing:
    """Search the weights by a score, times a sign that makes the greater the better."""

    def score(weights: NDArray[np.float64]) -> Score:
        values = np.ravel(numbers_of(evaluate(ingredients.merge(weights, groups))))
        usable = values.size and np.isfinite(values).all()
        return Score(sign * values if usable else np.array([-np.inf]))

    tried: list[tuple[str, Score]] = []
    if first is None:
        first, tried = best_start(score, len(groups), ingredients.names)
    begin = score(first)
    weights, best, history = search(
        score, first, begin, constraint, max_evaluations=max_evaluations, verbose=verbose
    )
    _check_found(best.mean, "evaluate")
    return LearnedMixing(
        model=ingredients.merge(weights, groups),
        weights=weights,
        bias=np.zeros(len(groups)),
        groups=groups,
        names=ingredients.names,
        loss=-best.mean,
        start_loss=-begin.mean,
        history=history,
        scores=scores_frame([*(tried or [("start", begin)]), ("learnt", best)]),
    )
