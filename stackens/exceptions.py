"""Errors and warnings that people catch by name."""

__all__ = [
    "BaseModelError",
    "BaseModelTypeError",
    "BaseModelWarning",
    "ConstantPredictionWarning",
    "DamagedCacheWarning",
    "DamagedFileError",
    "DistillationWarning",
    "ExportError",
    "ExportMismatchError",
    "LeakageWarning",
    "MissingExtraError",
    "OtherBasinWarning",
    "OtherVersionWarning",
    "RareClassWarning",
    "StackensWarning",
    "UntrustedTypesError",
]


class BaseModelError(ValueError):
    """A base model or a final estimator failed; the message says which, where and why.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.linear_model import Ridge
    >>> try:
    ...     se.cross_fit({"ridge": Ridge(alpha=-1)}, [[0.0], [1.0], [2.0]], [0.1, 1.2, 2.1], cv=3)
    ... except se.exceptions.BaseModelError as error:
    ...     print(error)
    Base model 'ridge' (Ridge) failed in fold 1 of 3: ...
    """


class BaseModelTypeError(BaseModelError, TypeError):
    """A base model failed with a ``TypeError``, for example on a column it cannot read."""


class ExportError(ValueError):
    """A model cannot be exported exactly; the message says which part of it, and why.

    Examples
    --------
    >>> import stackens as se
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> knn = KNeighborsRegressor(1).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> try:
    ...     se.export.to_numpy(knn, "knn.py")
    ... except se.exceptions.ExportError as error:
    ...     print(error)
    The model KNeighborsRegressor of sklearn cannot be exported. Got ...
    """


class ExportMismatchError(ExportError):
    """An exported file answers other than the model that it was made from; it is not kept."""


class DamagedFileError(ValueError):
    """A saved file is not what was written: cut short, altered, or of a newer format."""


class UntrustedTypesError(ValueError):
    """A saved file uses classes or functions that were not trusted; the message lists them."""


class MissingExtraError(ImportError):
    """An optional package is needed; the message has the command that installs it."""


class StackensWarning(UserWarning):
    """Parent of all warnings that stackens gives."""


class LeakageWarning(StackensWarning):
    """Predictions may have been made by models that saw the answers."""


class DamagedCacheWarning(StackensWarning):
    """A file of a cache cannot be read, and what it held is made again."""


class OtherVersionWarning(StackensWarning):
    """A file was saved with another minor version of scikit-learn."""


class RareClassWarning(StackensWarning):
    """A class has fewer rows than there are folds, or is missing from a training part."""


class ConstantPredictionWarning(StackensWarning):
    """A base model predicts the same value for every row."""


class OtherBasinWarning(StackensWarning):
    """An average of weights is clearly worse than the models that it was made of."""


class DistillationWarning(StackensWarning):
    """Distilling does not pay: the plain student is given, or its teacher taught nothing."""


class BaseModelWarning(StackensWarning):
    """A base model failed and was left out (``on_error="drop"``)."""
