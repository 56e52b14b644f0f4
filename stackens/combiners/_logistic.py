"""Meta-learners that are linear in the models' log-probabilities."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import Any

import numpy as np
from scipy.special import expit

from stackens._core._losses import softmax
from stackens._core._parallel import single_threaded_blas
from stackens.combiners._base import (
    Combiner,
    count_weights,
    fitting_rows,
    require_names,
    require_table,
)
from stackens.combiners._log_linear import (
    BinaryProblem,
    LogLinearProblem,
    log_linear_scores,
    row_blocks,
    solve_log_linear,
)
from stackens.out_of_fold import OutOfFoldTable, PredictionTable

__all__ = ["LogLinearPool", "LogisticOnLogits", "is_probability", "with_probabilities"]

# Probabilities are kept between this and one minus this before a logarithm is taken. Smaller
# floors let a few over-confident rows of forests and neighbours decide the weights.
LOGIT_FLOOR = 1e-3


class _LogLinear(Combiner):
    """What both meta-learners share: features, one problem or one for each label, answers."""

    def _penalty(self) -> float:
        raise NotImplementedError

    _nonnegative = False

    def accepts(self, table: PredictionTable) -> bool:
        return table.task.is_classification

    @abstractmethod
    def _prior(self, table: PredictionTable) -> np.ndarray:
        """Return what the weights are pulled to; one dimension means one weight for a model."""

    def fit(self, out_of_fold: OutOfFoldTable) -> Any:
        name = type(self).__name__
        require_table(out_of_fold, OutOfFoldTable, name)
        if not out_of_fold.task.is_classification:
            raise ValueError(
                f"{name} combines classifiers. Got a regression table. Use RidgeLeaveOneOut."
            )
        penalty = self._penalty()
        rows = fitting_rows(out_of_fold, name)
        self._check_table(rows)
        self.centre_, self.scale_ = _standardisation(rows)
        weights = count_weights(rows)
        target = rows.target
        coefs, intercepts = [], []
        parts = _problems(self._features(rows, slice(None)), rows.task.kind)
        for features, codes in zip(parts, target.reshape(len(target), -1).T, strict=True):
            kind = BinaryProblem if features.ndim == 2 else LogLinearProblem
            problem = kind(features, codes.astype(np.intp), weights, self._prior(rows), penalty)
            with single_threaded_blas:
                coef, intercept = solve_log_linear(problem, nonnegative=self._nonnegative)
            coefs.append(coef)
            intercepts.append(intercept)
        self._store(coefs, intercepts, rows)
        self.names_ = rows.names
        return self

    def combine(self, table: PredictionTable) -> np.ndarray:
        require_names(self, table)
        self._check_table(table)
        answers = np.empty((table.n_samples, table.n_outputs))
        for rows in row_blocks(table.n_samples, table.n_models * table.n_outputs):
            parts = _problems(self._features(table, rows), table.task.kind)
            scores = [
                log_linear_scores(features, coef, intercept)
                for features, coef, intercept in zip(
                    parts, self._coefs, self._intercepts, strict=True
                )
            ]
            if table.task.kind == "multiclass":
                answers[rows] = softmax(scores[0])
            else:
                answers[rows, -len(scores) :] = expit(np.stack(scores, axis=1))
                if table.task.kind == "binary":
                    answers[rows, 0] = expit(-scores[0])
        return answers

    @abstractmethod
    def _store(
        self, coefs: list[np.ndarray], intercepts: list[np.ndarray], rows: OutOfFoldTable
    ) -> None:
        """Set the learnt attributes."""

    def _keep(
        self, coefs: list[np.ndarray], intercepts: list[np.ndarray], rows: OutOfFoldTable
    ) -> None:
        self._coefs, self._intercepts = coefs, intercepts
        one = rows.task.kind == "multiclass"
        self.intercept_ = intercepts[0] if one else np.concatenate(intercepts)

    def _check_table(self, table: PredictionTable) -> None:
        """Refuse tables that this combiner cannot read."""

    def _n_features(self, table: PredictionTable) -> int:
        return table.n_models

    def _features(self, table: PredictionTable, rows: slice) -> np.ndarray:
        """Return what the scores of these rows are linear in.

        Shape (n_outputs, n_rows, n_features), with one output for a binary task. They are made
        block by block, so that hardly more memory is taken than for the result.
        """
        n_outputs = 1 if table.task.kind == "binary" else table.n_outputs
        values = table.values[rows]
        features = np.empty((n_outputs, len(values), self._n_features(table)))
        for block in row_blocks(len(values), table.n_models * table.n_outputs):
            self._fill(table, values[block].transpose(2, 0, 1), features[:, block])
        return features

    def _fill(self, table: PredictionTable, values: np.ndarray, features: np.ndarray) -> None:
        """Write log-odds (binary, multilabel) or centred log-probabilities of the models.

        ``values`` have shape (n_outputs, n_rows, n_models). Margins and values are standardised.
        """
        pooled = with_probabilities(table)
        if not isinstance(pooled, slice):
            numbers = np.setdiff1d(np.arange(table.n_models), pooled)
            standardised = values[-len(features) :, :, numbers] - self.centre_[numbers]
            features[:, :, numbers] = standardised / self.scale_[numbers]
        clipped = np.clip(values[:, :, pooled], LOGIT_FLOOR, 1.0 - LOGIT_FLOOR)
        if table.task.kind == "binary":
            odds = np.divide(clipped[1:], clipped[:1])
        elif table.task.kind == "multilabel":
            odds = clipped / (1.0 - clipped)
        else:
            odds = clipped
        np.log(odds, out=odds)
        if table.task.kind == "multiclass":
            odds -= odds.mean(axis=0)
        features[:, :, pooled] = odds


def with_probabilities(table: PredictionTable) -> np.ndarray | slice:
    """Return which models give probabilities, in a form that copies nothing where all do."""
    found = np.flatnonzero([is_probability(kind) for kind in table.response])
    return slice(None) if len(found) == table.n_models else found


def _problems(features: np.ndarray, kind: str) -> list[np.ndarray]:
    """Cut features of shape (n_outputs, n_rows, n_models) into those of every problem to solve.

    Shape (n_rows, n_models, n_classes) for a multiclass task, otherwise (n_rows, n_models).
    """
    return [features.transpose(1, 2, 0)] if kind == "multiclass" else list(features)


def is_probability(kind: str) -> bool:
    return kind in ("predict_proba", "predict")


def _standardisation(rows: OutOfFoldTable) -> tuple[np.ndarray, np.ndarray]:
    """Return what margins and values are shifted and divided by, for each model."""
    centre, scale = np.zeros(rows.n_models), np.ones(rows.n_models)
    for model, kind in enumerate(rows.response):
        if is_probability(kind):
            continue
        values = rows.values[:, model]
        weights = rows.sample_weight
        if kind == "value":
            centre[model] = np.average(values[:, 0], weights=weights)
        spread = np.average(((values - centre[model]) ** 2).mean(axis=1), weights=weights)
        scale[model] = np.sqrt(spread) if spread > 0 else 1.0
    return centre, scale


class LogisticOnLogits(_LogLinear):
    """Logistic regression on the models' log-odds (log-probabilities for several classes).

    Binary and multilabel tasks have one coefficient for each model (and label). With several
    classes, the score of a class is linear in what each model says about that class, with a
    coefficient for each model and class: far fewer than one for each pair of classes, and on
    tables of up to 26 classes no worse. Models with only ``decision_function``, and
    regressors, take part with standardised values.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the L2 penalty, in units of rows, as in scikit-learn.

    Attributes
    ----------
    coef_ : ndarray of shape (n_models,), or (n_models, n_outputs) with several outputs
        Coefficients of the models, in the order of the table's names.
    intercept_ : ndarray of shape (n_outputs,), or (1,) for a binary task

    References
    ----------
    Ting & Witten (1999), Issues in stacked generalization, arXiv:1105.5466

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> models = {"nb": GaussianNB(), "tree": DecisionTreeClassifier(random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> se.combiners.LogisticOnLogits().fit(table).coef_.shape
    (2, 3)
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def _penalty(self) -> float:
        if not isinstance(self.C, Real) or not 0 < self.C < np.inf:
            raise ValueError(
                "The 'C' parameter of LogisticOnLogits must be a positive number. "
                f"Got {self.C!r}. Use 1.0 unless you have a reason."
            )
        return 1.0 / float(self.C)

    def _prior(self, table: PredictionTable) -> np.ndarray:
        per_class = table.task.kind == "multiclass"
        return np.zeros((table.n_models, table.n_outputs) if per_class else table.n_models)

    def _store(
        self, coefs: list[np.ndarray], intercepts: list[np.ndarray], rows: OutOfFoldTable
    ) -> None:
        self._keep(coefs, intercepts, rows)
        self.coef_ = coefs[0] if rows.task.has_classes else np.stack(coefs, axis=1)


class LogLinearPool(_LogLinear):
    """A weighted geometric mean of the models' probabilities, corrected for each class.

    The score of a class is ``sum_m weights[m] * log p[m, class] + b[class]``: one weight for
    each model and one number for each class, however many classes there are. The penalty
    pulls toward the plain geometric mean. Weights need not have a sum of one: a greater sum
    makes the answer more confident, which a mean of models usually needs. Models with only
    ``decision_function`` take part with standardised margins, pulled toward zero.

    Parameters
    ----------
    penalty : float, default=3.0
        Strength of the pull, in units of rows.
    nonnegative : bool, default=False
        Whether weights must not be negative.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,), or (n_models, n_labels) for a multilabel task
        Exponents of the models, in the order of the table's names.
    intercept_ : ndarray of shape (n_outputs,), or (1,) for a binary task

    References
    ----------
    Genest & Zidek (1986), Combining probability distributions: a critique and an annotated
    bibliography, Statistical Science 1(1), DOI 10.1214/ss/1177013825

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> models = {"nb": GaussianNB(), "tree": DecisionTreeClassifier(random_state=0)}
    >>> table = se.cross_fit(models, X, y, random_state=0).out_of_fold
    >>> se.combiners.LogLinearPool().fit(table).weights_.shape
    (2,)
    """

    def __init__(self, penalty: float = 3.0, nonnegative: bool = False) -> None:
        self.penalty = penalty
        self.nonnegative = nonnegative

    def _penalty(self) -> float:
        if not isinstance(self.penalty, Real) or not 0 <= self.penalty < np.inf:
            raise ValueError(
                f"The 'penalty' parameter of {type(self).__name__} must be a number of at least "
                f"zero. Got {self.penalty!r}. Use 3.0 unless you have a reason."
            )
        return float(self.penalty)

    @property
    def _nonnegative(self) -> bool:  # type: ignore[override]
        return self.nonnegative

    def accepts(self, table: PredictionTable) -> bool:
        numbers = "value" in table.response and table.task.kind != "binary"
        return super().accepts(table) and not numbers

    def _check_table(self, table: PredictionTable) -> None:
        numbers = [
            name for name, kind in zip(table.names, table.response, strict=True) if kind == "value"
        ]
        if numbers and table.task.kind != "binary":
            raise ValueError(
                f"{type(self).__name__} needs a number for each class. Got models that predict one "
                f"number: {numbers}. Leave them out, or use LogisticOnLogits."
            )

    def _prior(self, table: PredictionTable) -> np.ndarray:
        pooled = np.array([is_probability(kind) for kind in table.response])
        return pooled / max(1, pooled.sum())

    def _store(
        self, coefs: list[np.ndarray], intercepts: list[np.ndarray], rows: OutOfFoldTable
    ) -> None:
        self._keep(coefs, intercepts, rows)
        self.weights_ = coefs[0] if rows.task.has_classes else np.stack(coefs, axis=1)
