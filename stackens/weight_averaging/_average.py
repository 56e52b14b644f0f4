"""One model from several of one architecture: their weights are averaged, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackens.schedules import Newest, Weights, check_newest, resolve
from stackens.weight_averaging._checkpoints import labelled
from stackens.weight_averaging._evaluation import Evaluate, score_of, warn_if_worse
from stackens.weight_averaging._running import RunningSums
from stackens.weight_averaging.adapters import Arrays, adapter_of, alike
from stackens.weight_averaging.rules import (
    Rule,
    WeightedMean,
    check_finite,
    group_weights,
    is_averaged,
    merge_buffer,
    rule_for,
)
from stackens.weight_averaging.rules._buffers import Buffer, check_buffer

__all__ = ["average"]


def average(
    models: Iterable[Any] | Mapping[str, Any],
    weights: Weights | Mapping[str, Weights] = "equal",
    *,
    rule: str | Rule = "mean",
    base: Any = None,
    buffer: Buffer = "newest",
    newest: Newest = "last",
    evaluate: Evaluate | None = None,
    greater_is_better: bool = True,
) -> Any:
    """Average the weights of models of one architecture into one model.

    The models may be torch modules or state dicts, Keras 3 models, lists of arrays as
    ``get_weights()`` returns them, dicts of arrays, scikit-learn's linear models and MLPs, alone
    or as the last step of a pipeline, or ``TorchMLPClassifier`` and ``TorchMLPRegressor``. The
    result is a new object of the same kind, ready to predict; the models stay as they are.
    Averages are computed in double precision and rounded once.

    Only models of one basin have an average worth having: checkpoints of one run, or models
    fine-tuned from one start. Networks trained apart must be aligned first. With ``evaluate`` that
    is checked.

    Parameters
    ----------
    models : iterable, or dict of str to model
        In training order. From a generator they are taken one at a time where all are to be
        averaged by the rule ``"mean"`` with equal or given weights; memory then does not grow
        with their number. Otherwise all are held at once.
    weights : array-like of shape (n_models,), str, callable or dict, default="equal"
        What counts how much: see `stackens.schedules`. A dict maps regular expressions on names
        of tensors to weights; tensors that none matches are averaged equally.
    rule : str or Rule, default="mean"
        How tensors are merged: see `stackens.weight_averaging.rules`.
    base : model or None, default=None
        The model that all were fine-tuned from, for the rules that need it.
    buffer : {"newest", "majority"}, default="newest"
        Where integers and bools come from, such as the counter of batch normalisation: from the
        newest model, or element by element the value that most weight stands behind.
    newest : {"last", "first"}, default="last"
        Where the newest model stands. The result is a copy of it with other weights (of the first
        model, if they come from a generator): device, ``requires_grad``, tied weights,
        the state of random seeds and of the optimizer are its.
    evaluate : callable or None, default=None
        ``evaluate(model)`` gives a score, or one for each row, on data that no model was trained
        on. With it, a warning says when the average is worse than its ingredients.
    greater_is_better : bool, default=True
        Whether that is so for ``evaluate``; False for a loss.

    Returns
    -------
    model
        Batch normalisation should be recalibrated on training data before it is used; its
        averaged statistics are only an approximation.

    Raises
    ------
    ValueError
        If the models differ, in one list of all differences; if one is not fitted or holds NaN; if
        they are quantised; if the weights or the rule do not fit.
    TypeError
        If models are of different kinds, or of one whose weights have no mean, such as trees.

    Warns
    -----
    OtherBasinWarning
        If ``evaluate`` shows that the average is clearly worse than its ingredients.

    References
    ----------
    Wortsman et al. (2022), "Model soups", arXiv:2203.05482.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stackens import weight_averaging as wa
    >>> X, y = load_iris(return_X_y=True)
    >>> models = [LogisticRegression(C=C, max_iter=1000).fit(X, y) for C in (0.1, 1.0, 10.0)]
    >>> model = wa.average(models, weights=[0.2, 0.3, 0.5])
    >>> model.score(X, y)
    0.98...
    """
    merger = rule_for(rule)
    check_buffer(buffer)
    check_newest(newest)
    if isinstance(models, Iterator) and _is_streamed(merger, weights, buffer):
        merged, scores, shares = _streamed(models, weights, newest, evaluate)
    else:
        labels, listed = labelled(models)
        like = listed[-1 if newest == "last" else 0]
        adapter = adapter_of(like)
        ancestors = [base] if merger.needs_base and base is not None else []
        states = alike(adapter, [*listed, *ancestors], [*labels, *["base"] * len(ancestors)], like)
        ancestor = states.pop() if ancestors else None
        by_name = group_weights(weights, states[0], len(listed), newest=newest)
        arrays = _merged(merger.bind(states), states, by_name, ancestor, labels, buffer, newest)
        merged = adapter.write(adapter.copy(like), arrays)
        scores = [score_of(evaluate, model) for model in listed] if evaluate else []
        shares = np.mean(list(by_name.values()), axis=0)
    if evaluate:
        warn_if_worse(
            score_of(evaluate, merged), scores, shares, greater_is_better=greater_is_better
        )
    return merged


def _merged(
    rule: Rule,
    states: Sequence[Arrays],
    shares: Mapping[str, NDArray],
    ancestor: Arrays | None,
    labels: Sequence[str],
    buffer: Buffer,
    newest: Newest,
) -> Iterator[tuple[str, NDArray]]:
    """Yield the merged tensors, not rounded; only those of one name are in memory at a time."""
    for name, weights in shares.items():
        arrays = [state[name] for state in states]
        if not is_averaged(arrays[0].dtype):
            yield name, merge_buffer(arrays, weights, how=buffer, newest=newest)
            continue
        counted = [i for i, weight in enumerate(weights) if weight]
        check_finite([arrays[i] for i in counted], name, [labels[i] for i in counted])
        origin = None if ancestor is None else ancestor[name]
        if origin is not None:
            check_finite([origin], name, ["base"])
        yield name, rule(arrays, weights, base=origin, name=name)


def _is_streamed(rule: Rule, weights: Any, buffer: Buffer) -> bool:
    """Whether models can be added up one at a time: the weight of each is known when it comes."""
    known = weights == "equal" if isinstance(weights, str) else not callable(weights)
    return (
        type(rule) is WeightedMean
        and buffer == "newest"
        and known
        and not isinstance(weights, Mapping)
    )


def _streamed(
    models: Iterator[Any], weights: Any, newest: Newest, evaluate: Evaluate | None
) -> tuple[Any, list, NDArray]:
    """Return the average of models that are held one at a time, their scores and their weights."""
    given = None if isinstance(weights, str) else resolve(weights, np.size(weights))
    sums, scores, like, adapter = RunningSums(), [], None, None
    for i, model in enumerate(models):
        if adapter is None:
            like, adapter = model, adapter_of(model)
        labels = ["model 0", f"model {i}"]
        arrays = alike(adapter, [like, model], labels, like)[1]
        weight = 1.0 if given is None else given[i] if i < len(given) else 0.0
        sums.add(arrays, [weight], labels[1])
        if evaluate:
            scores.append(score_of(evaluate, model))
    if adapter is None:
        raise ValueError("Averaging takes at least one model. Got none. Give some models.")
    shares = resolve("equal" if given is None else given, sums.n_models)
    recipe = [1.0 / sums.n_models if given is None else 1.0]
    integers = "last" if newest == "last" else "first"
    return adapter.write(adapter.copy(like), sums.mixed(recipe, integers=integers)), scores, shares
