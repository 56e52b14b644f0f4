"""What the tabular classifier and regressor in torch share; torch itself is loaded in fit."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from stackens._core._optional import require
from stackens._core._rows import n_rows, take_rows
from stackens._core._sklearn import Interval, StrOptions, check_sample_weight, fit_context
from stackens.neural._table import TargetRows, code_columns, encoded, fit_encoder, held_out
from stackens.preprocessing import TabularEncoder

__all__ = ["TorchMLP"]

_ENOUGH_TO_HOLD_OUT = 100  # rows, for early_stopping="auto"
_ACTIVATIONS = {"elu", "gelu", "mish", "relu", "selu", "silu", "tanh"}


class TorchMLP(BaseEstimator, ABC):
    """Base of :class:`TorchMLPClassifier` and :class:`TorchMLPRegressor`.

    A subclass says how targets become numbers (``_learn_target``, ``_target_rows``) and how
    outputs become predictions.
    """

    encoder_: TabularEncoder
    module_: Any
    n_iter_: int
    loss_curve_: list[float]
    validation_scores_: list[float]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(_ACTIVATIONS)],
        "n_bins": [Interval(Integral, 0, None, closed="left")],
        "categories": [StrOptions({"auto", "one_hot", "embedding"})],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "schedule": [StrOptions({"one_cycle", "constant"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "average": [StrOptions({"ema", "swa", "last_n"}), None],
        "warm_start": ["boolean"],
        "device": [str],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (256,),
        *,
        activation: str = "relu",
        n_bins: int = 16,
        categories: Literal["auto", "one_hot", "embedding"] = "auto",
        dropout: float = 0.0,
        learning_rate: float = 3e-3,
        weight_decay: float | Literal["auto"] = "auto",
        schedule: Literal["one_cycle", "constant"] = "one_cycle",
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int = 40,
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.15,
        n_iter_no_change: int = 16,
        average: Literal["ema", "swa", "last_n"] | None = None,
        warm_start: bool = False,
        device: str = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_bins = n_bins
        self.categories = categories
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.average = average
        self.warm_start = warm_start
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @abstractmethod
    def _numbers(self, y: Any, *, going_on: bool) -> np.ndarray:
        """Return y as class codes or as numbers, and learn classes or shape unless going on."""

    @abstractmethod
    def _targets(self, rows: TargetRows, *, going_on: bool) -> TargetRows:
        """Return the rows with targets that the network learns, learning their scale."""

    @property
    @abstractmethod
    def _n_outputs(self) -> int:
        """Number of outputs of the network."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        initial_state: Mapping[str, Any] | None = None,
        on_epoch: Callable[[Any, int, float | None], object] | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : DataFrame (pandas or polars) or array-like of shape (n_samples, n_features)
            Training rows: numbers, booleans, dates, text, categories, missing values.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows. A row of weight 2 is the same as two rows.
        initial_state : mapping of str to tensor or array, or None, default=None
            Weights to start from in place of random ones, as ``module_.state_dict()`` of a model
            of the same settings fitted on the same columns gives them: for soups, whose
            ingredients share their start.
        on_epoch : callable or None, default=None
            Called as ``on_epoch(module, epoch, validation_loss)`` after each epoch, for example
            a :class:`stackens.neural.CheckpointRecorder`. Training stops when it returns True.

        Returns
        -------
        self : object

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        ValueError
            If a parameter, X, y, the weights or the initial state cannot be used, or the training
            diverges.
        TypeError
            If X is sparse, or a cell holds a list, a dict or the like.
        """
        require("torch", extra="torch", purpose=f"{type(self).__name__}.fit()")
        from stackens.neural._fitting import device_named, loaded, new_network, train_network

        device_named(self.device)
        hidden = self._hidden()
        validate_data(self, X, y, skip_check_array=True)
        check_consistent_length(X, y)
        going_on = self.warm_start and hasattr(self, "module_")
        weights = _weights(X, sample_weight)
        keep = weights > 0
        numbers = self._numbers(y if keep.all() else take_rows(y, keep), going_on=going_on)
        if not going_on:
            self.encoder_ = fit_encoder(X, weights, self.categories)
        table = encoded(self.encoder_, X)[keep]
        rows = TargetRows(table, numbers, weights[keep]).merged()
        rows = self._targets(rows, going_on=going_on)
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        chosen = self._held_out(rows, rng)
        training = rows.take(~chosen)
        if going_on:
            network = loaded(self.module_, self.module_.state_dict())
        else:
            network = new_network(
                rows,  # all of them, so that the bins do not depend on the seed
                code_columns(self.encoder_),
                self._n_outputs,
                hidden=hidden,
                activation=self.activation,
                n_bins=self.n_bins,
                seed=seed,
            )
        if initial_state is not None:
            network = loaded(network, initial_state)
        self.module_, history = train_network(
            network,
            training,
            rows.take(chosen) if chosen.any() else None,
            batch_size=self.batch_size,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            average=self.average,
            epochs=self.max_iter,
            patience=self.n_iter_no_change,
            device=self.device,
            n_jobs=self.n_jobs,
            seed=seed,
            on_epoch=self._reporting(on_epoch),
        )
        self.n_iter_ = len(history.losses)
        self.loss_curve_ = history.losses
        self.validation_scores_ = [-loss for loss in history.validation_losses]
        return self

    def with_state(self, state: Mapping[str, Any]) -> Self:
        """Return a copy of this fitted model with other weights.

        Parameters
        ----------
        state : mapping of str to tensor or array
            As ``module_.state_dict()``, for example an average of several.

        Raises
        ------
        ValueError
            If names or shapes differ; every difference is listed.
        """
        check_is_fitted(self)
        from stackens.neural._fitting import loaded

        model = copy.copy(self)
        model.module_ = loaded(self.module_, state)
        return model

    def _hidden(self) -> tuple[int, ...]:
        sizes = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object))
        if sizes.ndim > 1 or not all(
            isinstance(size, Integral) and int(size) > 0 for size in sizes
        ):
            raise ValueError(
                f"The 'hidden_layer_sizes' parameter of {type(self).__name__} must be an int of at "
                f"least 1 or a sequence of them. Got {self.hidden_layer_sizes!r} instead. Use "
                "(256,) for one layer of 256 units."
            )
        return tuple(int(size) for size in sizes)

    def _held_out(self, rows: TargetRows, rng: np.random.RandomState) -> np.ndarray:
        wanted = self.early_stopping
        if wanted == "auto":
            wanted = len(rows) >= _ENOUGH_TO_HOLD_OUT
        return held_out(rows, self.validation_fraction if wanted else 0.0, rng)

    def _reporting(self, on_epoch: Any) -> Any:
        if not self.verbose:
            return on_epoch

        def report(module: Any, epoch: int, loss: float | None) -> object:
            told = "" if loss is None else f", validation loss {loss:.5f}"
            print(f"{type(self).__name__}: epoch {epoch + 1} of {self.max_iter}{told}")
            return None if on_epoch is None else on_epoch(module, epoch, loss)

        return report

    def _outputs(self, X: Any) -> np.ndarray:
        """Return what the network says, float64 of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        from stackens.neural._fitting import outputs

        return outputs(self.module_, encoded(self.encoder_, X), self.device, self.n_jobs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _weights(X: Any, sample_weight: Any) -> np.ndarray:
    n = n_rows(X)
    if sample_weight is None:
        return np.ones(n)
    weights = check_sample_weight(sample_weight, np.empty((n, 1)), ensure_non_negative=True)
    return weights.astype(np.float64)
