"""Blending: the weights of a mean of models, learnt on out-of-fold predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackens._core._sklearn import HasMethods, StrOptions
from stackens.combiners import COMBINERS, Combiner, checked_scorer, combiner_for
from stackens.ensemble import ClassifierOutputs, OutOfFoldEnsemble, RegressorOutputs

if TYPE_CHECKING:
    from stackens.export.program import Graph
    from stackens.export.readers import Method, Table
    from stackens.out_of_fold import OutOfFoldTable

__all__ = ["BlendedClassifier", "BlendedRegressor"]


class _Blended(OutOfFoldEnsemble):
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **OutOfFoldEnsemble._parameter_constraints,
        "weighting": [
            StrOptions(set(COMBINERS)),
            "array-like",
            dict,
            HasMethods(["fit", "combine"]),
        ],
        "scoring": [None, str, callable],
    }

    def __init__(
        self,
        estimators: Any,
        *,
        weighting: Any = "simplex",
        scoring: Any = None,
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
        self.weighting = weighting
        self.scoring = scoring
        self.cv = cv
        self.final_fit = final_fit
        self.out_of_bag = out_of_bag
        self.stack_method = stack_method
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.random_state = random_state
        self.verbose = verbose

    def _choose_combiner(self, table: OutOfFoldTable | None) -> Combiner:
        del table
        return combiner_for(self.weighting, self.scoring)

    def _check_combiner(self, sample_weight: Any) -> None:
        super()._check_combiner(sample_weight)
        if self.scoring is not None:
            checked_scorer(self.scoring, type(self).__name__)

    def _read_into(self, graph: Graph, table: Table, method: Method) -> int:
        """Return the node of what this blend answers, in an exported program."""
        from stackens.export.readers.ensembles import read_combined  # slow, and rarely needed

        combined = read_combined(self.cross_fit_, self.combiner_, graph, table)
        labels = method == "predict" and self.cross_fit_.task.has_classes
        return graph.argmax(combined) if labels else combined


class BlendedClassifier(ClassifierOutputs, _Blended):
    """Weighted mean of the probabilities of several classifiers.

    The base models are fitted once over the folds; the weights are learnt on their
    out-of-fold predictions, so that a model that only memorises gets no credit for it.

    Parameters
    ----------
    estimators : list of (str, estimator) pairs, dict, or list of estimators
        Base models; ``"drop"`` in place of one leaves it out.
    weighting : str, array-like of shape (n_models,), dict or Combiner, default="simplex"
        ``"simplex"``: weights that sum to one and minimise log loss, the exact optimum.
        ``"greedy"``: models picked one by one for ``scoring`` (Caruana). ``"uniform"``: plain
        mean. ``"nnls"``: non-negative least squares. ``"vote"``: majority of labels. An array
        (a weight for each entry of ``estimators``) or a dict by name fixes the weights. Other
        names of :mod:`stackens.combiners` work too.
    scoring : str, scorer or None, default=None
        What ``"greedy"`` and ``"auto"`` optimise: any scikit-learn scorer. None means log
        loss. Other weightings have a loss of their own and refuse one.
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
    weights_ : ndarray of shape (n_models,)
        Learnt weights, in the order of ``out_of_fold_.names``.
    estimators_ : list
        What predicts for each base model: a fitted model, or a bag of fold models.
    named_estimators_ : Bunch
        The same by name.
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    References
    ----------
    Breiman (1996). Stacked regressions. Machine Learning 24, 49-64.
    Caruana, Niculescu-Mizil, Crew & Ksikes (2004). Ensemble selection from libraries of
    models. ICML. doi:10.1145/1015330.1015432

    See Also
    --------
    StackedClassifier : A meta-learner in place of weights.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> models = [("rf", RandomForestClassifier(random_state=0)), ("nb", GaussianNB())]
    >>> blend = se.BlendedClassifier(models).fit(X, y)
    >>> bool(blend.weights_[0] > blend.weights_[1])
    True
    >>> blend.predict_proba(X[:2]).shape
    (2, 2)
    """


class BlendedRegressor(RegressorOutputs, _Blended):
    """Weighted mean of the predictions of several regressors.

    Parameters
    ----------
    estimators : list of (str, estimator) pairs, dict, or list of estimators
        Base models; ``"drop"`` in place of one leaves it out.
    weighting : str, array-like of shape (n_models,), dict or Combiner, default="simplex"
        ``"simplex"``: weights that sum to one and minimise squared error, the exact optimum.
        ``"greedy"``: models picked one by one for ``scoring`` (Caruana). ``"uniform"``: plain
        mean. ``"nnls"``: non-negative least squares. An array (a weight for each entry of
        ``estimators``) or a dict by name fixes the weights. Other names of
        :mod:`stackens.combiners` work too.
    scoring : str, scorer or None, default=None
        What ``"greedy"`` and ``"auto"`` optimise: any scikit-learn scorer. None means squared
        error. Other weightings have a loss of their own and refuse one.
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
    weights_ : ndarray of shape (n_models,)
        Learnt weights, in the order of ``out_of_fold_.names``.
    estimators_ : list
        What predicts for each base model: a fitted model, or a bag of fold models.
    named_estimators_ : Bunch
        The same by name.

    References
    ----------
    Breiman (1996). Stacked regressions. Machine Learning 24, 49-64.

    See Also
    --------
    StackedRegressor : A meta-learner in place of weights.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import RidgeCV
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> blend = se.BlendedRegressor([("ridge", RidgeCV()), ("knn", KNeighborsRegressor())])
    >>> blend.fit(X, y).weights_.round(1).tolist()
    [0.9, 0.1]
    """
