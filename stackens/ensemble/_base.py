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
from sklearn.base import MetaEstimatorMixin, TransformerMixin, clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils import Bunch, get_tags
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.validation import check_is_fitted, validate_data

from stackens._core._rows import as_features, check_columns, is_frame
from stackens._core._sklearn import (
    StrOptions,
    VisualBlock,
    check_feature_names_in,
    fit_context,
    raise_for_params,
    routing_enabled,
)
from stackens.combiners import (
    Combiner,
    FixedWeights,
    MajorityVote,
    UniformMean,
    meta_features,
    model_weights,
    passed_positions,
    weightless,
)
from stackens.ensemble._named_estimators import NamedEstimators
from stackens.out_of_fold import (
    CrossFit,
    OutOfFoldTable,
    PredictionTable,
    add_members,
    as_seed,
    cross_fit,
    is_dropped,
    route_fit,
    seeded_clone,
    validate_estimators,
)

__all__ = ["OutOfFoldEnsemble"]

_WITHOUT_LEARNING = FixedWeights | MajorityVote | UniformMean


class OutOfFoldEnsemble(MetaEstimatorMixin, TransformerMixin, NamedEstimators, ABC):
    """Base of the estimators that combine out-of-fold predictions.

    A subclass says which combiner to use (``_choose_combiner``); how predictions come out is added
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
    def _choose_combiner(self, table: OutOfFoldTable | None) -> Combiner:
        """Return the unfitted combiner that the parameters ask for."""

    def _make_combiner(self, table: OutOfFoldTable | None) -> Combiner:
        """Return the unfitted combiner; weights that a user chose are bound to names of models.

        So a model that fails or is switched off takes its weight along.
        """
        combiner = self._choose_combiner(table)
        names = [name for name, _ in self._pairs]
        if not isinstance(combiner, FixedWeights | MajorityVote) or not names:
            return combiner
        weights, owner = combiner.weights, type(self).__name__
        if isinstance(weights, Mapping):
            unknown = [name for name in weights if name not in names]
            if unknown:
                raise ValueError(
                    f"The weights of {owner} must go to its models. Got {unknown}, which are not "
                    f"among {names}. Correct the names."
                )
        else:
            weights = dict(zip(names, model_weights(weights, names, owner).tolist(), strict=True))
        return clone(combiner).set_params(weights=weights)

    def _check_combiner(self, sample_weight: Any) -> None:
        """Raise early on a combiner that cannot work, before any base model is fitted."""
        del sample_weight
        combiner = self._make_combiner(None)
        kept = [name for name, model in self._pairs if not is_dropped(model)]
        if isinstance(combiner, FixedWeights | MajorityVote) and kept:
            model_weights(combiner.weights, kept, type(self).__name__)

    def _check_table(self, table: OutOfFoldTable, *, scorers: bool = True) -> None:
        """Raise early on models, columns and scorers that the combiner cannot use."""
        combiner = self._make_combiner(table)
        first = replace(table.rows(np.arange(1)), covered=None, sample_weight=None)
        meta_features(first, self.passthrough)
        if not combiner.accepts(first):
            clone(combiner).fit(first)  # its own error says why
        if scorers and isinstance(combiner, Combiner):
            combiner.check_scoring(table)

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
            Group of each row; see :func:`stackens.cross_fit`.
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
        check_columns(X)
        validate_data(self, X, y, skip_check_array=True)
        if routing_enabled():  # here as well, so that an error names this class
            route_fit(pairs, self.cv, sample_weight, groups, fit_params, type(self).__name__)
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
            check=self._check_table,
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
        wanted = [name for name, model in self._pairs if not is_dropped(model)]
        names = [name for name in wanted if name in cross_fit.names]
        missing = [name for name in wanted if name not in {*names, *cross_fit.failures}]
        if missing or (wanted and not names):
            raise ValueError(
                f"The cross-fit must hold every estimator. Got {list(cross_fit.names)}, without "
                f"{missing or wanted}. Add them to it, or leave them out of 'estimators'."
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
                f"{type(cross_fit).__name__}. For features and target use fit, for a table of "
                "predictions stackens.combiners.combiner_for('simplex').fit(table)."
            )
        learns = not isinstance(self._make_combiner(None), _WITHOUT_LEARNING)
        if learns and cross_fit.out_of_fold.n_samples == 0:
            raise ValueError(
                "fit_from learns from the table of out-of-fold predictions. Got a compact "
                "cross-fit, whose table was left out. Pass the one that compact() was called on."
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
        combiner = self._make_combiner(table)
        # A copy: a combiner given as a parameter is left as it is.
        self.combiner_ = seeded_clone("combiner", combiner, as_seed(self.random_state)).fit(table)
        if self.passthrough is not False:
            everything = self.passthrough is True
            self._passed = (
                slice(None) if everything else passed_positions(table.features, self.passthrough)
            )
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
        combiner = self.combiner_
        if not hasattr(combiner, "weights_"):
            used = getattr(combiner, "best_combiner_", combiner)
            raise AttributeError(
                f"This {type(self).__name__} has no weights_: they exist where each model has one "
                f"weight. Got the combiner {used!r:.200}. Choose weights such as 'simplex'."
            )
        return combiner.weights_

    def __getattr__(self, name: str) -> Any:
        """Say of learnt attributes that they come with fit."""
        if name.endswith("_") and not name.startswith("_") and "cross_fit_" not in vars(self):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet, so it has no {name!r}. "
                "Call 'fit' with training rows before."
            )
        return self.__getattribute__(name)  # raises the usual error

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
        skip = () if all_models else weightless(self.combiner_, self.cross_fit_.names)
        return self.cross_fit_.predict(X, skip=skip)

    def _fits_plainly(self, X: Any) -> bool:
        """Whether X has the columns of the fit, seen without asking the base models' tags."""
        names = getattr(self, "feature_names_in_", None)
        if names is not None:
            return is_frame(X) and list(X.columns) == names.tolist()
        return (
            isinstance(X, np.ndarray)
            and X.ndim == 2
            and X.shape[1] == getattr(self, "n_features_in_", None)
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
            the features that pass through, in the container that X came in. The columns of a
            frame are called as :meth:`get_feature_names_out` says.
        """
        columns = meta_features(self._table(X, all_models=True), self.passthrough)
        if is_frame(columns):
            columns.columns = self.get_feature_names_out().tolist()
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
        passed = [] if self.passthrough is False else given[self._passed].tolist()
        return np.asarray([*names, *passed], dtype=object)

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
