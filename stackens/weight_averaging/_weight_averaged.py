"""Weight averaging as an estimator: several models of one architecture become one model."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin

from stackens.weight_averaging._weight_averaged_base import WeightAveraged, models_have

__all__ = ["WeightAveragedClassifier", "WeightAveragedRegressor"]


class WeightAveragedClassifier(ClassifierMixin, WeightAveraged):
    """One classifier whose weights are an average of several of one architecture.

    A validation part is set aside. Networks start from one short training that they share and
    differ in seed and settings afterwards, so that they stay in one basin of the loss and their
    average is a model (a soup); linear models, whose loss has one basin, are fitted as they are.
    The weights of the average are chosen on the validation part. The result is one model with the
    size and the speed of any of them.

    Parameters
    ----------
    estimators : list of (name, estimator) pairs, dict of name -> estimator, or list
        Models of one architecture: ``TorchMLPClassifier``, scikit-learn's ``MLPClassifier`` or
        linear classifiers, alone or as the last step of a pipeline. A ``FrozenEstimator`` is
        taken as it was fitted.
    weighting : {"greedy", "equal", "learned"} or array-like, default="greedy"
        ``"greedy"`` starts with the best model and adds others while that does no harm, so the
        result is never worse on the validation part than the best of them. ``"learned"`` searches
        the weights from there. An array holds the weight of each model.
    init : {"shared", "separate"}, default="shared"
        Whether networks start from one short training of the first of them, or each from its own
        draw.
    init_fraction : float, default=0.2
        Share of the first network's usual epochs that makes the shared start.
    align : {"auto"} or bool, default="auto"
        Whether networks are aligned with the first before they are averaged. ``"auto"``: if they
        were trained apart, from separate starts or as frozen estimators. ``False`` averages
        such networks as they are, which is usually bad.
    validation_fraction : float, default=0.2
        Share of the distinct rows that are set aside to choose the weights.
    scoring : str, callable or None, default=None
        A scikit-learn scorer to choose the weights by. None: the log likelihood, or the accuracy
        of models without probabilities.
    n_jobs : int or None, default=None
        How many models are fitted at the same time.
    random_state : int, RandomState or None, default=None
        Seed of the validation part, and of models that have none.
    verbose : int, default=0
        Above 0 shows progress.

    Attributes
    ----------
    model_ : estimator
        The average, a model of the same class as the estimators.
    weights_ : array of shape (n_models,)
        How much each model counts.
    alignment_ : AlignmentReport or None
        What aligning the models did; None where they were not aligned.
    estimators_ : list of estimators
        The fitted models.
    scores_ : dict of str -> float
        Score of each model on the validation part, greater is better.
    score_ : float
        That of the average, which was chosen on the same rows: a little too good.
    classes_ : array of shape (n_classes,)
    n_features_in_ : int
    feature_names_in_ : array of shape (n_features_in_,)

    See Also
    --------
    stackens.weight_averaging.greedy_soup : The same for models that are trained already.
    BlendedClassifier : Averages predictions instead, of models of any kind.

    References
    ----------
    Wortsman et al. (2022), "Model soups", arXiv:2203.05482.

    Frankle et al. (2020), "Linear mode connectivity and the lottery ticket hypothesis",
    arXiv:1912.05671, for the shared start.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> import stackens as se
    >>> X, y = load_iris(return_X_y=True)
    >>> models = [(f"C={C}", LogisticRegression(C=C, max_iter=1000)) for C in (0.1, 1.0, 10.0)]
    >>> average = se.WeightAveragedClassifier(models, random_state=0).fit(X, y)
    >>> average.model_
    LogisticRegression(C=10.0, max_iter=1000, ...)
    >>> average.predict(X[:2])
    array([0, 0])
    """

    @models_have("predict_proba")
    def predict_proba(self, X: Any) -> NDArray:
        """Predict probabilities with the averaged model.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        X = self._checked(X)
        return self.model_.predict_proba(X)

    @models_have("decision_function")
    def decision_function(self, X: Any) -> NDArray:
        """Return the averaged model's margins.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
        """
        X = self._checked(X)
        return self.model_.decision_function(X)


class WeightAveragedRegressor(RegressorMixin, WeightAveraged):
    """One regressor whose weights are an average of several of one architecture.

    See `WeightAveragedClassifier` for how it works.

    Parameters
    ----------
    estimators : list of (name, estimator) pairs, dict of name -> estimator, or list
        Models of one architecture: ``TorchMLPRegressor``, scikit-learn's ``MLPRegressor`` or
        linear regressors, alone or as the last step of a pipeline. A ``FrozenEstimator`` is
        taken as it was fitted.
    weighting : {"greedy", "equal", "learned"} or array-like, default="greedy"
    init : {"shared", "separate"}, default="shared"
    init_fraction : float, default=0.2
    align : {"auto"} or bool, default="auto"
    validation_fraction : float, default=0.2
    scoring : str, callable or None, default=None
        None: the squared error.
    n_jobs : int or None, default=None
    random_state : int, RandomState or None, default=None
    verbose : int, default=0

    Attributes
    ----------
    model_ : estimator
        The average, a model of the same class as the estimators.
    weights_ : array of shape (n_models,)
    estimators_ : list of estimators
        The fitted models.
    scores_ : dict of str -> float
        Score of each model on the validation part, greater is better.
    score_ : float
        That of the average, which was chosen on the same rows: a little too good.
    n_features_in_ : int
    feature_names_in_ : array of shape (n_features_in_,)

    References
    ----------
    Wortsman et al. (2022), "Model soups", arXiv:2203.05482.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> import stackens as se
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = [(f"alpha={alpha}", Ridge(alpha)) for alpha in (0.01, 0.1, 1.0)]
    >>> average = se.WeightAveragedRegressor(models, random_state=0).fit(X, y)
    >>> average.weights_.sum()
    np.float64(1.0)
    """
