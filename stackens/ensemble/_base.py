"""Fit base models over folds, then a combiner: what every blended or stacked estimator does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, is_classifier
from sklearn.utils import Bunch, get_tags
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.validation import check_is_fitted, validate_data

from stackens._core._rows import as_features
from stackens._core._sklearn import (
    StrOptions,
    VisualBlock,
    check_feature_names_in,
    fit_context,
    raise_for_params,
)
from stackens.combiners import Combiner, check_passthrough, meta_features
from stackens.out_of_fold import (
    CrossFit,
    OutOfFoldTable,
    PredictionTable,
    add_members,
    as_seed,
    cross_fit,
    estimator_pairs,
    is_dropped,
    seeded_clone,
    validate_estimators,
)

__all__ = ["OutOfFoldEnsemble"]


class OutOfFoldEnsemble(MetaEstimatorMixin, TransformerMixin, BaseEstimator, ABC):
    """Base of the estimators that combine out-of-fold predictions.

    A subclass says which combiner to use (``_make_combiner``); how predictions come out is added
    by ``ClassifierOutputs`` or ``RegressorOutputs``.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimators": [list, tuple, dict],
        "cv": ["cv_object", StrOptions({"prefit"})],
        "stack_method": [StrOptions({"auto", "predict_proba", "decision_function", "predict"})],
        "final_fit": [StrOptions({"auto", "bag", "refit"}), dict],
        "out_of_bag": [StrOptions({"auto"}), "boolean"],
        "n_jobs": [None, Integral],
        "on_error": [StrOptions({"raise", "drop"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    estimators: Any
    cv: Any
    final_fit: Any
    out_of_bag: Any
    n_jobs: int | None
    on_error: str
    random_state: Any
    verbose: int
    stack_method: str
    # Blends read no features and leave this alone.
    passthrough: Any = False

    @abstractmethod
    def _make_combiner(self, X: Any) -> Combiner:
        """Return the unfitted combiner that the parameters ask for."""

    def _check_combiner(self, sample_weight: Any) -> None:
        """Raise early on a combiner that cannot work, before any base model is fitted."""
        del sample_weight

    # --- parameters -------------------------------------------------------------------------

    @property
    def _pairs(self) -> list[tuple[Any, Any]]:
        return estimator_pairs(self.estimators)

    @property
    def named_estimators(self) -> Bunch:
        """Unfitted base models by name."""
        return Bunch(**dict(self._pairs))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with those of the base models as ``name__parameter``."""
        params = super().get_params(deep=False)
        if not deep:
            return params
        try:
            pairs = self._pairs
        except (TypeError, ValueError):  # not valid yet; fit says what is wrong
            return params
        nested = dict(pairs)
        final = params.get("final_estimator")
        if hasattr(final, "get_params") and not isinstance(final, type):
            nested["final_estimator"] = final
        params.update(dict(pairs))
        for name, estimator in nested.items():
            if hasattr(estimator, "get_params") and not isinstance(estimator, type):
                params.update(
                    {f"{name}__{key}": value for key, value in estimator.get_params().items()}
                )
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the ensemble, whole base models by name, or ``name__parameter``."""
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        try:
            names = [name for name, _ in self._pairs]
        except (TypeError, ValueError):  # not valid yet; fit says what is wrong
            names = []
        replaced = {key: params.pop(key) for key in list(params) if key in names}
        if replaced:
            pairs = [(name, replaced.get(name, estimator)) for name, estimator in self._pairs]
            self.estimators = dict(pairs) if isinstance(self.estimators, Mapping) else pairs
        super().set_params(**params)
        return self

    # --- fitting ----------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=False)  # base models are not validated yet
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, **fit_params: Any
    ) -> Self:
        """Fit the base models over the folds, then the combiner on their predictions.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target. Labels reach the base models as they are.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, for base models and combiner.
        groups : array-like of shape (n_samples,) or None, default=None
            Group of each row; a group never stands on both sides of a split.
        **fit_params : dict
            More metadata, with scikit-learn's metadata routing switched on.

        Returns
        -------
        self : object
        """
        raise_for_params(fit_params, self, "fit", allow=None)
        pairs = validate_estimators(self.estimators)
        self._check_names(pairs)
        self._check_combiner(sample_weight)
        X = as_features(X)
        check_passthrough(X, self.passthrough)
        validate_data(self, X, y, skip_check_array=True)
        fitted = cross_fit(
            pairs,
            X,
            y,
            cv=self.cv,
            groups=groups,
            sample_weight=sample_weight,
            final_fit=self._final_fit_of(pairs),
            out_of_bag=self.out_of_bag,
            stack_method=self.stack_method,
            classification=is_classifier(self),
            n_jobs=self.n_jobs,
            on_error=self.on_error,
            random_state=self.random_state,
            verbose=self.verbose,
            params=fit_params,
        )
        return self._adopt(fitted)

    def fit_from(self, cross_fit: CrossFit) -> Self:
        """Fit only the combiner, on a cross-fit that exists already.

        Parameters
        ----------
        cross_fit : CrossFit
            From :func:`stackens.cross_fit`. Its models are used; the parameters ``estimators``,
            ``cv`` and those of fitting are not, except that models of the cross-fit that
            ``estimators`` does not name are left out. An empty ``estimators`` takes all.

        Returns
        -------
        self : object
        """
        self._validate_params()
        self._check_source(cross_fit)
        self._check_combiner(None)
        names = [name for name, model in self._pairs if not is_dropped(model)]
        missing = [name for name in names if name not in cross_fit.names]
        if missing:
            raise ValueError(
                f"The cross-fit must hold every estimator. Got {list(cross_fit.names)}, without "
                f"{missing}. Add them to the cross-fit, or leave them out of 'estimators'."
            )
        if names and tuple(names) != cross_fit.names:
            cross_fit = cross_fit.select(names)
        features = cross_fit.out_of_fold.features
        if features is not None:
            validate_data(self, features, skip_check_array=True)
        return self._adopt(cross_fit)

    def _check_names(self, pairs: list[tuple[str, Any]]) -> None:
        clash = sorted({name for name, _ in pairs} & set(self.get_params(deep=False)))
        if clash:
            raise ValueError(
                f"Estimator names conflict with constructor arguments. Got {clash} as names of "
                f"base models of {type(self).__name__}, where they are parameters. Rename them."
            )

    def _check_source(self, cross_fit: CrossFit) -> None:
        if not isinstance(cross_fit, CrossFit):
            raise TypeError(
                "fit_from takes the result of stackens.cross_fit. Got "
                f"{type(cross_fit).__name__}. For features and target use fit."
            )
        if cross_fit.task.is_classification != is_classifier(self):
            raise ValueError(
                f"A {'classifier' if is_classifier(self) else 'regressor'} needs a cross-fit of "
                f"its own kind of target. Got {type(self).__name__} and a {cross_fit.task.kind} "
                "target. Use the classifier for classes and the regressor for numbers."
            )

    def _final_fit_of(self, pairs: list[tuple[str, Any]]) -> Any:
        """Leave out entries for models that are switched off."""
        if not isinstance(self.final_fit, Mapping):
            return self.final_fit
        dropped = {name for name, model in self._pairs if is_dropped(model)}
        return {name: fit for name, fit in self.final_fit.items() if name not in dropped}

    def _adopt(self, fitted: CrossFit) -> Self:
        """Fit the combiner and set the learnt attributes."""
        table = fitted.out_of_fold
        combiner = self._make_combiner(table.features)
        # A copy: a combiner given as a parameter is left as it is.
        self.combiner_ = seeded_clone("combiner", combiner, as_seed(self.random_state)).fit(table)
        # The training rows were needed until here; a fitted ensemble does not carry them along.
        self.cross_fit_ = replace(fitted, out_of_fold=replace(table, features=None))
        self.estimators_ = list(fitted.models.values())
        dropped = {name: "drop" for name, model in self._pairs if is_dropped(model)}
        self.named_estimators_ = Bunch(**fitted.models, **dropped)
        self.stack_method_ = ["predict" if kind == "value" else kind for kind in table.response]
        return self

    @property
    def out_of_fold_(self) -> OutOfFoldTable:
        """The out-of-fold predictions that the combiner was fitted on."""
        return self.cross_fit_.out_of_fold

    @property
    def weights_(self) -> np.ndarray:
        """Weights of the models, shape (n_models,), where the combiner has them."""
        return self.combiner_.weights_

    def compact(self) -> Self:
        """Return a copy that predicts the same, without the table of training rows.

        For deployment: the copy is smaller by one row of numbers for each training row.
        """
        check_is_fitted(self, "cross_fit_")
        smaller = copy(self)
        smaller.cross_fit_ = self.cross_fit_.compact()
        return smaller

    # --- predicting -------------------------------------------------------------------------

    def _table(self, X: Any, *, all_models: bool = False) -> PredictionTable:
        """Predict X with every base model that the combiner gives weight."""
        if not hasattr(self, "cross_fit_"):
            check_is_fitted(self, "cross_fit_")  # raises; asking for its tags takes time
        X = as_features(X)
        if not self._fits_plainly(X):
            validate_data(self, X, reset=False, skip_check_array=True)
        skip = () if all_models else _weightless(self.combiner_, self.cross_fit_.names)
        return self.cross_fit_.predict(X, skip=skip)

    def _fits_plainly(self, X: Any) -> bool:
        """Whether X is an array of the right width for a fit without names: nothing to check."""
        return (
            isinstance(X, np.ndarray)
            and X.ndim == 2
            and X.shape[1] == getattr(self, "n_features_in_", None)
            and not hasattr(self, "feature_names_in_")
        )

    def transform(self, X: Any) -> Any:
        """Return the table of predictions of X, two-dimensional, as a meta-learner sees it.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array, DataFrame or sparse matrix of shape (n_samples, n_columns)
            Predictions of all base models (without the first class of a binary target), then
            the features that pass through, in the container that X came in.
        """
        columns = meta_features(self._table(X, all_models=True), self.passthrough)
        # COO and other formats without row access were read as CSR on the way in.
        return columns.asformat(X.format) if sparse.issparse(columns) else columns

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns of ``transform``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features, used with ``passthrough``.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self, "cross_fit_")
        table = self.cross_fit_.out_of_fold
        prefix = type(self).__name__.lower()
        models = [model for model, _ in table.columns()]
        names = []
        for position, model in enumerate(models):
            number = position - models.index(model)
            suffix = "" if models.count(model) == 1 else str(number)
            names.append(f"{prefix}_{table.names[model]}{suffix}")
        given = check_feature_names_in(
            self, input_features, generate_names=self.passthrough is not False
        )
        if self.passthrough is True:
            return np.concatenate([np.asarray(names, dtype=object), given])
        if self.passthrough:
            names += [given[c] if isinstance(c, Integral) else c for c in self.passthrough]
        return np.asarray(names, dtype=object)

    # --- what scikit-learn asks ---------------------------------------------------------------

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of metadata, as a router and a consumer of sample weights."""
        router = MetadataRouter(owner=self).add_self_request(self)
        pairs = [(n, m) for n, m in self._pairs if isinstance(n, str) and not is_dropped(m)]
        return add_members(router, pairs, self.cv)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            children = [get_tags(m) for _, m in self._pairs if not is_dropped(m)]
        except (TypeError, ValueError, AttributeError):  # not valid yet; fit says what is wrong
            return tags
        tags.input_tags.allow_nan = all(child.input_tags.allow_nan for child in children)
        tags.input_tags.sparse = all(child.input_tags.sparse for child in children)
        tags.target_tags.required = True
        return tags

    def _sk_visual_block_(self) -> Any:
        pairs = [(name, model) for name, model in self._pairs if not is_dropped(model)]
        names, models = [name for name, _ in pairs], [model for _, model in pairs]
        return VisualBlock("parallel", models, names=names, dash_wrapped=False)


def _weightless(combiner: Combiner, names: tuple[str, ...]) -> tuple[str, ...]:
    weights = getattr(combiner, "weights_", None)
    if weights is None or np.shape(weights) != (len(names),):
        return ()
    return tuple(name for name, weight in zip(names, weights, strict=True) if weight == 0)
