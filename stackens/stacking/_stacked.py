"""Stacking: a meta-learner fitted on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier, is_regressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from stackens._core._sklearn import HasMethods, StrOptions, VisualBlock, routing_enabled
from stackens.combiners import COMBINERS, Combiner, MetaLearner, combiner_for, meta_features
from stackens.ensemble import ClassifierOutputs, OutOfFoldEnsemble, RegressorOutputs
from stackens.out_of_fold import OutOfFoldTable, weight_params
from stackens.preprocessing import TabularEncoder

if TYPE_CHECKING:
    from stackens.export.program import Graph
    from stackens.export.readers import Method, Table

__all__ = ["StackedClassifier", "StackedRegressor"]


def _answers(method: str) -> Callable[[Any], bool]:
    """Whether a stack's final estimator has a method; its own AttributeError says why not."""

    def check(stack: _Stacked) -> bool:
        final = stack.final_estimator
        if _is_estimator(final):
            getattr(getattr(stack, "final_estimator_", final), method)
        return True

    return check


def _is_estimator(final: Any) -> bool:
    """Whether final_estimator is an estimator rather than a combiner or the name of one."""
    return hasattr(final, "fit") and not isinstance(final, Combiner)


class _Stacked(OutOfFoldEnsemble):
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **OutOfFoldEnsemble._parameter_constraints,
        "final_estimator": [None, StrOptions(set(COMBINERS)), HasMethods("fit")],
        "passthrough": ["boolean", list],
    }

    def __init__(
        self,
        estimators: Any,
        final_estimator: Any = "auto",
        *,
        passthrough: Any = False,
        cv: Any = 5,
        final_fit: Any = "auto",
        out_of_bag: Any = "auto",
        stack_method: str = "auto",
        n_jobs: int | None = None,
        on_error: str = "raise",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.estimators = estimators
        self.final_estimator = final_estimator
        self.passthrough = passthrough
        self.cv = cv
        self.final_fit = final_fit
        self.out_of_bag = out_of_bag
        self.stack_method = stack_method
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.random_state = random_state
        self.verbose = verbose

    def _choose_combiner(self, table: OutOfFoldTable | None) -> Combiner:
        final = self.final_estimator
        if final is None or (isinstance(final, str) and final == "auto"):
            if self.passthrough is False or self.passthrough == []:
                return combiner_for("auto")
            final = _linear_default(is_classifier(self), table)
        if _is_estimator(final):
            return MetaLearner(final, self.passthrough)
        if self.passthrough:
            raise ValueError(
                f"A combiner of predictions alone cannot use passthrough={self.passthrough!r}. "
                f"Got final_estimator={final!r}. Pass a scikit-learn estimator instead."
            )
        return combiner_for(final)

    def _check_combiner(self, sample_weight: Any) -> None:
        final = self.final_estimator
        if not _is_estimator(final):
            super()._check_combiner(sample_weight)
            return
        fits = is_classifier if is_classifier(self) else is_regressor
        if not fits(final):
            kind = fits.__name__.removeprefix("is_")
            raise ValueError(f"'final_estimator' parameter should be a {kind}. Got {final}")
        if sample_weight is not None and not routing_enabled():
            weight_params(final, sample_weight)

    @property
    def final_estimator_(self) -> Any:
        """The fitted meta-learner: an estimator, or the combiner that was picked."""
        combiner = self.combiner_
        for name in ("final_estimator_", "best_combiner_"):
            if hasattr(combiner, name):
                return getattr(combiner, name)
        return combiner

    def _final_input(self, X: Any) -> Any:
        """Return what the final estimator sees for X."""
        return meta_features(self._table(X), self.passthrough)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of metadata: fit to base models, predict to the final estimator."""
        router = super().get_metadata_routing()
        final = getattr(self, "final_estimator_", self.final_estimator)
        if _is_estimator(final):
            mapping = MethodMapping().add(caller="predict", callee="predict")
            router.add(final_estimator_=final, method_mapping=mapping)
        return router

    def _predict_with_final(self, X: Any, params: dict[str, Any]) -> Any:
        if params and routing_enabled():
            params = process_routing(self, "predict", **params).final_estimator_["predict"]
        return self.final_estimator_.predict(self._final_input(X), **params)

    def _read_into(self, graph: Graph, table: Table, method: Method) -> int:
        """Return the node of what this stack answers, in an exported program."""
        # not at the top: a tenth of the time to import this class
        from stackens.export.readers import ensembles, read_response

        combiner = self.combiner_
        asks_final = method == "decision_function" or (
            method == "predict" and _is_estimator(self.final_estimator)
        )
        if isinstance(combiner, MetaLearner) and asks_final:
            predictions = ensembles.read_predictions(self.cross_fit_, graph, table)
            seen = ensembles.read_meta_features(combiner, graph, predictions)
            return read_response(combiner.final_estimator_, graph, seen, method)
        combined = ensembles.read_combined(self.cross_fit_, combiner, graph, table)
        if method == "decision_function":
            return ensembles.log_odds(graph, combined)
        labels = method == "predict" and self.cross_fit_.task.has_classes
        return graph.argmax(combined) if labels else combined

    def _sk_visual_block_(self) -> Any:
        final = self.final_estimator
        shown = VisualBlock(
            "parallel",
            [final if _is_estimator(final) else repr(final or "auto")],
            names=["final_estimator"],
            dash_wrapped=False,
        )
        return VisualBlock("serial", (super()._sk_visual_block_(), shown), dash_wrapped=False)


def _linear_default(classification: bool, table: OutOfFoldTable | None) -> Any:
    """Return a linear meta-learner over predictions and raw features of any type."""
    model = LogisticRegression(max_iter=1000) if classification else RidgeCV(np.logspace(-3, 3, 13))
    if table is not None and table.task.kind == "multilabel":
        model = OneVsRestClassifier(model)
    is_sparse = table is not None and sparse.issparse(table.features)
    prepare = MaxAbsScaler() if is_sparse else TabularEncoder(encoding="one-hot", scale=True)
    return make_pipeline(prepare, model)


class StackedClassifier(ClassifierOutputs, _Stacked):
    """A meta-learner over the out-of-fold predictions of several classifiers.

    A drop-in for :class:`sklearn.ensemble.StackingClassifier` that fits each base model once
    per fold, keeps what it fitted, takes any splitter, groups, frames with text, and failing
    models, and by default picks its meta-learner by cross-validation.

    Parameters
    ----------
    estimators : list of (str, estimator) pairs, dict, or list of estimators
        Base models; ``"drop"`` in place of one leaves it out. A stack can be one of them.
    final_estimator : "auto", estimator, str, Combiner or None, default="auto"
        ``"auto"`` (or None) picks by cross-validation on the out-of-fold table among a few
        combiners, with the one-standard-error rule toward the most reliable (see
        :class:`stackens.combiners.AutoCombiner`). A classifier is fitted on the predictions.
        A name such as ``"logistic"`` chooses one of :mod:`stackens.combiners`. With
        ``passthrough``, ``"auto"`` is a logistic regression.
    passthrough : bool or list of column names or positions, default=False
        Features that the meta-learner sees beside the predictions: all, or these. In frames
        they keep their names and types.
    cv : int, splitter, iterable of (train, test), or "prefit", default=5
        Folds, as in :func:`stackens.cross_fit`.
    final_fit : {"auto", "bag", "refit"} or dict of name -> one of these, default="auto"
        Whether each base model predicts as the mean of its fold models or is fitted again on
        all rows.
    out_of_bag : {"auto", True, False}, default="auto"
        Whether bagged forests are fitted once, with out-of-bag rows as out-of-fold rows.
    stack_method : {"auto", "predict_proba", "decision_function", "predict"}, default="auto"
        What to ask of classifiers.
    n_jobs : int or None, default=None
        Fits at the same time; -1 uses all cores.
    on_error : {"raise", "drop"}, default="raise"
        Whether a failing base model stops the fit or is left out with a warning.
    random_state : int, RandomState or None, default=None
        Seed of the folds, and of base models and combiners that have none.
    verbose : int, default=0
        Above 0 shows progress.

    Attributes
    ----------
    cross_fit_ : CrossFit
        The fitted base models, and their predictions for the training rows.
    out_of_fold_ : OutOfFoldTable
        Out-of-fold predictions of the training rows.
    combiner_ : Combiner
        The fitted combiner.
    final_estimator_ : estimator or Combiner
        The fitted meta-learner.
    estimators_ : list
        What predicts for each base model: a fitted model, or a bag of fold models.
    named_estimators_ : Bunch
        The same by name.
    classes_ : ndarray of shape (n_classes,)
        Class labels; for a multilabel target a list with one array for each label.
    stack_method_ : list of str
        What was asked of each base model.

    References
    ----------
    Wolpert (1992). Stacked generalization. Neural Networks 5(2), 241-259.
    van der Laan, Polley & Hubbard (2007). Super learner. doi:10.2202/1544-6115.1309

    See Also
    --------
    BlendedClassifier : Weights in place of a meta-learner.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_wine(return_X_y=True)
    >>> models = [("rf", RandomForestClassifier(random_state=0)), ("nb", GaussianNB())]
    >>> stack = se.StackedClassifier(models).fit(X, y)
    >>> stack.predict(X[:3]).tolist()
    [0, 0, 0]
    """

    @available_if(_answers("predict"))
    def predict(self, X: Any, **predict_params: Any) -> Any:
        """Predict class labels.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        **predict_params : dict
            Passed to the final estimator's predict.

        Returns
        -------
        ndarray of shape (n_samples,), or of 0 and 1 of shape (n_samples, n_labels)
        """
        if predict_params or _is_estimator(self.final_estimator):
            return self._predict_with_final(X, predict_params)
        return super().predict(X)

    @available_if(_answers("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples, n_labels)
            For a multilabel target, the probability that each label is present.
        """
        return super().predict_proba(X)

    @available_if(_answers("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the final estimator's margins, or the log-odds that a combiner's answer means.

        With three classes or more these are log-probabilities.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes or n_labels)
        """
        check_is_fitted(self, "cross_fit_")
        if isinstance(self.combiner_, MetaLearner):
            return self.final_estimator_.decision_function(self._final_input(X))
        proba = np.clip(self._combined(X), np.finfo(float).tiny, None)
        if isinstance(self.classes_, list):
            return np.log(proba) - np.log(np.clip(1.0 - proba, np.finfo(float).tiny, None))
        logs = np.log(proba)
        return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs


class StackedRegressor(RegressorOutputs, _Stacked):
    """A meta-learner over the out-of-fold predictions of several regressors.

    A drop-in for :class:`sklearn.ensemble.StackingRegressor`; see :class:`StackedClassifier`.

    Parameters
    ----------
    estimators : list of (str, estimator) pairs, dict, or list of estimators
        Base models; ``"drop"`` in place of one leaves it out. A stack can be one of them.
    final_estimator : "auto", estimator, str, Combiner or None, default="auto"
        ``"auto"`` (or None) picks by cross-validation on the out-of-fold table among a few
        combiners, with the one-standard-error rule toward the most reliable (see
        :class:`stackens.combiners.AutoCombiner`). A regressor is fitted on the predictions.
        A name such as ``"nnls"`` or ``"ridge"`` chooses one of :mod:`stackens.combiners`. With
        ``passthrough``, ``"auto"`` is a ridge regression.
    passthrough : bool or list of column names or positions, default=False
        Features that the meta-learner sees beside the predictions: all, or these. In frames
        they keep their names and types.
    cv : int, splitter, iterable of (train, test), or "prefit", default=5
        Folds, as in :func:`stackens.cross_fit`.
    final_fit : {"auto", "bag", "refit"} or dict of name -> one of these, default="auto"
        Whether each base model predicts as the mean of its fold models or is fitted again on
        all rows.
    out_of_bag : {"auto", True, False}, default="auto"
        Whether bagged forests are fitted once, with out-of-bag rows as out-of-fold rows.
    stack_method : {"auto", "predict_proba", "decision_function", "predict"}, default="auto"
        What to ask of classifiers.
    n_jobs : int or None, default=None
        Fits at the same time; -1 uses all cores.
    on_error : {"raise", "drop"}, default="raise"
        Whether a failing base model stops the fit or is left out with a warning.
    random_state : int, RandomState or None, default=None
        Seed of the folds, and of base models and combiners that have none.
    verbose : int, default=0
        Above 0 shows progress.

    Attributes
    ----------
    cross_fit_ : CrossFit
        The fitted base models, and their predictions for the training rows.
    out_of_fold_ : OutOfFoldTable
        Out-of-fold predictions of the training rows.
    combiner_ : Combiner
        The fitted combiner.
    final_estimator_ : estimator or Combiner
        The fitted meta-learner.
    estimators_ : list
        What predicts for each base model: a fitted model, or a bag of fold models.
    named_estimators_ : Bunch
        The same by name.

    References
    ----------
    Breiman (1996). Stacked regressions. Machine Learning 24, 49-64.

    See Also
    --------
    BlendedRegressor : Weights in place of a meta-learner.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import RidgeCV
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> stack = se.StackedRegressor([("ridge", RidgeCV()), ("knn", KNeighborsRegressor())])
    >>> stack.fit(X, y).predict(X[:3]).shape
    (3,)
    """

    @available_if(_answers("predict"))
    def predict(self, X: Any, **predict_params: Any) -> Any:
        """Predict target values.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        **predict_params : dict
            Passed to the final estimator's predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        if predict_params or _is_estimator(self.final_estimator):
            return self._predict_with_final(X, predict_params)
        return super().predict(X)
