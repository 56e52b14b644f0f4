"""What averaging weights in fit means: a validation part, a shared start, and one model out."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from stackens import schedules
from stackens._core._losses import row_losses
from stackens._core._parallel import Job, run_jobs
from stackens._core._rows import as_features, take_rows
from stackens._core._sklearn import (
    Interval,
    StrOptions,
    check_sample_weight,
    fit_context,
)
from stackens._core._task import Task, infer_task
from stackens.combiners import checked_scorer
from stackens.ensemble import NamedEstimators
from stackens.export.program import Graph
from stackens.export.readers import Method, Table, read_response
from stackens.out_of_fold import (
    as_seed,
    choose_response,
    model_error,
    respond,
    seeded_clone,
    validate_estimators,
    weight_params,
)
from stackens.weight_averaging._average import average
from stackens.weight_averaging._evaluation import Evaluate, score_of
from stackens.weight_averaging._shared_start import (
    check_one_architecture,
    from_start,
    is_network,
    short_training,
)
from stackens.weight_averaging._soups import greedy_soup
from stackens.weight_averaging._validation_part import validation_part
from stackens.weight_averaging.adapters import adapter_of, alike
from stackens.weight_averaging.alignment import align
from stackens.weight_averaging.mixing import learn_mixing

__all__ = ["WeightAveraged", "models_have"]

_EXAMPLES = 64  # rows on which an alignment is tried


def models_have(method: str) -> Any:
    """Make a method available where all base models have it."""

    def check(self: Any) -> bool:
        models = [model for _, model in self._pairs]
        return bool(models) and all(hasattr(model, method) for model in models)

    return available_if(check)


class WeightAveraged(MetaEstimatorMixin, NamedEstimators):
    """Base of the classifier and the regressor."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimators": [list, tuple, dict],
        "weighting": [StrOptions({"greedy", "equal", "learned"}), "array-like"],
        "init": [StrOptions({"shared", "separate"})],
        "init_fraction": [Interval(Real, 0, 1, closed="right")],
        "align": [StrOptions({"auto"}), "boolean"],
        "validation_fraction": [Interval(Real, 0, 0.5, closed="right")],
        "scoring": [None, str, callable],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimators: Any,
        *,
        weighting: Any = "greedy",
        init: str = "shared",
        init_fraction: float = 0.2,
        align: Any = "auto",
        validation_fraction: float = 0.2,
        scoring: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.estimators = estimators
        self.weighting = weighting
        self.init = init
        self.init_fraction = init_fraction
        self.align = align
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the models on a training part, and average them by what the rest says.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target. Labels reach the models as they are.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows.

        Returns
        -------
        self : object
        """
        pairs = validate_estimators(self.estimators)
        self._check_models(pairs)
        X = as_features(X)
        validate_data(self, X, y, skip_check_array=True)
        task, y = infer_task(y, classification=is_classifier(self))
        if is_classifier(self):
            self.classes_ = task.classes
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X, dtype=np.float64)
        seed = as_seed(self.random_state)
        training, held_out = validation_part(
            X,
            y,
            task,
            self.validation_fraction,
            sample_weight=sample_weight,
            random_state=seed,
        )
        models = self._fitted(pairs, X, y, sample_weight, training, seed)
        trained_apart = self.init == "separate" or any(
            isinstance(model, FrozenEstimator) for _, model in pairs
        )
        wanted = trained_apart if self.align == "auto" else self.align
        self.alignment_ = None
        if wanted and all(map(is_network, models.values())):
            aligned = align(models, 0, take_rows(X, training[:_EXAMPLES]))
            models = dict(zip(models, aligned, strict=True))
            self.alignment_ = aligned.report
        like = next(reversed(models.values()))
        alike(adapter_of(like), list(models.values()), list(models), like)
        evaluate = self._evaluate(models, X, y, sample_weight, held_out, task)
        self.scores_ = {name: score_of(evaluate, model).mean for name, model in models.items()}
        self.model_, self.weights_ = self._averaged(models, evaluate)
        self.score_ = score_of(evaluate, self.model_).mean
        self.estimators_ = list(models.values())
        return self

    def _check_models(self, pairs: list[tuple[str, Any]]) -> None:
        """Raise early on models whose average would be none, and on weights that do not fit."""
        kinds: dict[str, list[str]] = {}
        for name, model in pairs:
            try:
                kind = adapter_of(_unfrozen(model)).kind
            except TypeError as error:
                raise TypeError(
                    f"The estimator {name!r} has no weights to average. {error}"
                ) from error
            kinds.setdefault(kind, []).append(name)
        if len(kinds) > 1:
            raise TypeError(
                "Models must be of one kind to be averaged. Got "
                f"{'; '.join(f'{kind}: {names}' for kind, names in kinds.items())}. Give models of "
                "one kind, or blend them: see BlendedClassifier and BlendedRegressor."
            )
        if not isinstance(self.weighting, str):
            schedules.resolve(self.weighting, len(pairs))
        if self.scoring is not None:
            checked_scorer(self.scoring, type(self).__name__)
        networks = [(name, model) for name, model in pairs if is_network(_unfrozen(model))]
        check_one_architecture([(name, _unfrozen(model)) for name, model in networks])

    def _fitted(
        self,
        pairs: list[tuple[str, Any]],
        X: Any,
        y: Any,
        sample_weight: NDArray | None,
        training: NDArray,
        seed: int | None,
    ) -> dict[str, Any]:
        """Fit all models on the training part, networks from one start."""
        rows, target = take_rows(X, training), take_rows(y, training)
        weights = None if sample_weight is None else sample_weight[training]
        seeded = {
            name: model if isinstance(model, FrozenEstimator) else seeded_clone(name, model, seed)
            for name, model in pairs
        }
        to_start = [(name, model) for name, model in seeded.items() if is_network(model)]
        start = None
        if to_start and self.init == "shared":
            name, first = to_start[0]
            params = {} if weights is None else weight_params(first, weights)
            start = _told(name, short_training, first, rows, target, self.init_fraction, params)

        def fit(name: str, model: Any) -> Any:
            if isinstance(model, FrozenEstimator):
                return model.estimator
            params = {} if weights is None else weight_params(model, weights)
            if start is not None and is_network(model):
                return _told(name, from_start, start, model, rows, target, params)
            return _told(name, model.fit, rows, target, **params)

        jobs = [Job(fit, (name, model), name) for name, model in seeded.items()]
        fitted = run_jobs(
            jobs, n_jobs=self.n_jobs, verbose=self.verbose, description="weight average"
        )
        return dict(zip(seeded, fitted, strict=True))

    def _evaluate(
        self,
        models: dict[str, Any],
        X: Any,
        y: Any,
        sample_weight: NDArray | None,
        held_out: NDArray,
        task: Task,
    ) -> Evaluate:
        """Return what scores a model on the validation part, greater is better."""
        rows, target = take_rows(X, held_out), take_rows(y, held_out)
        weights = None if sample_weight is None else sample_weight[held_out]
        if self.scoring is not None:
            scorer = checked_scorer(self.scoring, type(self).__name__)
            given = {} if weights is None else {"sample_weight": weights}
            return lambda model: scorer(model, rows, target, **given)
        name, first = next(iter(models.items()))
        response = choose_response(name, first, "auto", task)
        codes = task.encode(target)

        def score(model: Any) -> Any:
            values = respond(model, rows, response, task)
            if response == "decision_function":
                scores = (values.argmax(axis=1) == codes).astype(np.float64)
            else:
                scores = -row_losses(values, codes, task)
            return scores if weights is None else np.average(scores, weights=weights)

        return score

    def _averaged(self, models: dict[str, Any], evaluate: Evaluate) -> tuple[Any, NDArray]:
        """Return the average and the weight of each model."""
        if isinstance(self.weighting, str) and self.weighting == "greedy":
            soup = greedy_soup(models, evaluate)
            return soup.model, soup.weights
        if isinstance(self.weighting, str) and self.weighting == "learned" and len(models) > 1:
            mix = learn_mixing(
                models,
                evaluate=lambda model: score_of(evaluate, model).mean,
                verbose=self.verbose,
            )
            return mix.model, mix.weights[0]
        weights = "equal" if isinstance(self.weighting, str) else self.weighting
        shares = schedules.resolve(weights, len(models))
        return average(models, shares, evaluate=evaluate), shares

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            children = [get_tags(model) for _, model in self._pairs]
        except (TypeError, ValueError, AttributeError):  # not valid yet; fit says what is wrong
            return tags
        tags.input_tags.allow_nan = all(child.input_tags.allow_nan for child in children)
        tags.input_tags.sparse = all(child.input_tags.sparse for child in children)
        tags.target_tags.required = True
        return tags

    def predict(self, X: Any) -> NDArray:
        """Predict with the averaged model.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
        """
        X = self._checked(X)
        return self.model_.predict(X)

    def _read_into(self, graph: Graph, table: Table, method: Method) -> int:
        """Return the node of what the averaged model answers, in an exported program."""
        return read_response(self.model_, graph, table, method)

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self, "model_")
        X = as_features(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        return X


def _unfrozen(model: Any) -> Any:
    return model.estimator if isinstance(model, FrozenEstimator) else model


def _told(name: str, train: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Train, and say which model it was if that fails."""
    try:
        return train(*args, **params)
    except Exception as error:
        raise model_error(
            f"The model {name!r} failed", error, "Correct it, or leave it out of 'estimators'."
        ) from error
