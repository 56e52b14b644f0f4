"""A trained network as a base model: it predicts like the others and is never fitted again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.metaestimators import available_if

from stackens._core._losses import softmax
from stackens._core._rows import is_frame, n_rows, take_rows
from stackens._core._sklearn import HasMethods, Interval, StrOptions

__all__ = ["FrozenNetwork"]

_OUTPUTS = ("probabilities", "logits", "values")


def _gives_classes(self: FrozenNetwork) -> bool:
    return self.output != "values"


class FrozenNetwork(BaseEstimator):
    """A trained torch or Keras network, or any function, as a model that is never refitted.

    It goes wherever a base model goes: into ``cross_fit``, ``compare``, a blend or a stack,
    alone or as the last step of a Pipeline. Fitting does nothing, copies are the same object.

    Parameters
    ----------
    network : torch.nn.Module, Keras model or callable
        A callable gets rows of X (after `preprocess`) and returns an array or a tensor.
    output : {"probabilities", "logits", "values"}, default="probabilities"
        What the network returns: probabilities of classes, their logits (before softmax, or
        before the sigmoid where there is one column), or numbers, for regression.
    classes : array-like of shape (n_classes,) or None, default=None
        Labels of the output columns, in their order. None: the classes are 0, 1, ... in
        `predict`, and in an ensemble those of the target, sorted.
    preprocess : callable, transformer or None, default=None
        Turns rows into what the network reads: a function, or a fitted object with
        ``transform`` such as :class:`stackens.TabularEncoder`. None: the numbers of X.
    batch_size : int, default=1024
        Rows in one call of the network.

    Notes
    -----
    Rows that the network was trained on make it look too good. Cross-fitting warns of that
    (:class:`stackens.exceptions.LeakageWarning`), because only you can know.

    A torch module is called in evaluation mode, without gradients, in its own precision and on
    its own device. One output column of probabilities or logits is that of the second class.

    Examples
    --------
    >>> import numpy as np
    >>> from stackens import FrozenNetwork
    >>> frozen = FrozenNetwork(lambda X: 3 * X[:, :1], output="logits", classes=["no", "yes"])
    >>> X = np.array([[-1.0], [2.0]])
    >>> frozen.predict(X).tolist()
    ['no', 'yes']
    >>> frozen.predict_proba(X).round(3)
    array([[0.953, 0.047],
           [0.002, 0.998]])
    """

    _parameter_constraints: dict = {
        "network": [callable],
        "output": [StrOptions(set(_OUTPUTS))],
        "classes": ["array-like", None],
        "preprocess": [callable, HasMethods("transform"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        network: Any,
        *,
        output: Literal["probabilities", "logits", "values"] = "probabilities",
        classes: Any = None,
        preprocess: Callable[[Any], Any] | Any = None,
        batch_size: int = 1024,
    ) -> None:
        self.network = network
        self.output = output
        self.classes = classes
        self.preprocess = preprocess
        self.batch_size = batch_size

    @property
    def classes_(self) -> np.ndarray:
        """Labels of the output columns; absent when none were given."""
        if self.classes is None or not _gives_classes(self):
            raise AttributeError(
                "FrozenNetwork has classes_ only when its classes were given. Got classes=None. "
                "Pass the labels of the output columns as classes=[...]."
            )
        return np.asarray(self.classes)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Do nothing: the network stays as it is.

        Parameters
        ----------
        X, y, sample_weight : ignored

        Returns
        -------
        self : object
        """
        del X, y, sample_weight
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels of the most probable classes, or numbers.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_outputs) for several numbers

        Raises
        ------
        ValueError
            If the network does not answer with one row for each row of X.
        """
        if not _gives_classes(self):
            values = self._outputs(X)
            return values[:, 0] if values.shape[1] == 1 else values
        codes = self.predict_proba(X).argmax(axis=1)
        return codes if self.classes is None else self.classes_[codes]

    @available_if(_gives_classes)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities of the classes.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)

        Raises
        ------
        ValueError
            If the network answers with other numbers than probabilities although `output` says
            so, or with other columns than `classes`.
        """
        values = self._outputs(X)
        if self.output == "logits":
            both = np.column_stack([np.zeros(len(values)), values])
            probabilities = softmax(both if values.shape[1] == 1 else values)
        else:
            if not ((values >= -1e-6) & (values <= 1 + 1e-6)).all():
                raise ValueError(
                    "A network with output='probabilities' must return numbers from 0 to 1. Got "
                    f"values from {values.min():.3g} to {values.max():.3g}. Use output='logits' "
                    "for a network without softmax or sigmoid at its end."
                )
            one = values.shape[1] == 1
            probabilities = np.column_stack([1 - values, values]) if one else values
        if self.classes is not None and probabilities.shape[1] != len(self.classes):
            raise ValueError(
                "The network must return one column for each class. Got "
                f"{probabilities.shape[1]} columns for the classes {list(self.classes)}. Give "
                "the label of each column, in the order of the columns."
            )
        return probabilities

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, or R² for numbers.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,) or None, default=None
        """
        metric = accuracy_score if _gives_classes(self) else r2_score
        return metric(y, self.predict(X), sample_weight=sample_weight)

    def _outputs(self, X: Any) -> np.ndarray:
        """Return what the network says, float64 of shape (n_samples, n_outputs)."""
        self._validate_params()
        n = n_rows(X)
        parts = []
        for start in range(0, n, self.batch_size):
            rows = np.arange(start, min(n, start + self.batch_size))
            inputs = X if len(rows) == n else take_rows(X, rows)
            parts.append(self._checked(_ask(self.network, self._prepared(inputs)), len(rows)))
        return np.concatenate(parts)

    def _prepared(self, rows: Any) -> Any:
        if self.preprocess is not None:
            return getattr(self.preprocess, "transform", self.preprocess)(rows)
        values = rows.to_numpy() if is_frame(rows) else np.asarray(rows)
        return values.astype(np.float64) if values.dtype.kind in "OUS" else values

    def _checked(self, answer: Any, n: int) -> np.ndarray:
        values = np.asarray(answer, dtype=np.float64)
        if values.ndim == 0 or len(values) != n or values.ndim > 2:
            raise ValueError(
                "The network of FrozenNetwork must return an array of shape (n_samples, "
                f"n_outputs). Got the shape {values.shape} for {n} rows. Wrap it in a function "
                "that returns such an array."
            )
        return values.reshape(n, -1)

    def __sklearn_clone__(self) -> Self:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = tags.input_tags.string = self.preprocess is not None
        if _gives_classes(self):
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        else:
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        return tags


def _ask(network: Any, inputs: Any) -> Any:
    """Call a network of any framework, found by what is loaded already."""
    keras, torch = sys.modules.get("keras"), sys.modules.get("torch")
    # Keras first: with the torch backend its models are torch modules too
    if keras is not None and isinstance(network, keras.Model):
        answer = network(inputs, training=False)
    elif torch is not None and isinstance(network, torch.nn.Module):
        from stackens.neural._batches import call_with_batch
        from stackens.neural._modules import evaluating

        with evaluating(network):
            answer = call_with_batch(network, inputs)
    else:
        answer = network(inputs)
    return answer.detach().cpu().double() if hasattr(answer, "detach") else answer
