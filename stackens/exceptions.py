"""Errors and warnings that people catch by name."""

__all__ = [
    "BaseModelError",
    "BaseModelTypeError",
    "BaseModelWarning",
    "ConstantPredictionWarning",
    "DamagedCacheWarning",
    "DistillationWarning",
    "LeakageWarning",
    "MissingExtraError",
    "OtherBasinWarning",
    "RareClassWarning",
    "StackensWarning",
]


class BaseModelError(ValueError):
    """A base model or a final estimator failed; the message says which, where and why."""


class BaseModelTypeError(BaseModelError, TypeError):
    """A base model failed with a ``TypeError``, for example on a column it cannot read."""


class MissingExtraError(ImportError):
    """An optional package is needed; the message has the command that installs it."""


class StackensWarning(UserWarning):
    """Parent of all warnings that stackens gives."""


class LeakageWarning(StackensWarning):
    """Predictions may have been made by models that saw the answers."""


class DamagedCacheWarning(StackensWarning):
    """A file of a cache cannot be read, and what it held is made again."""


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
