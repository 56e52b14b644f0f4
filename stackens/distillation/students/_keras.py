"""A Keras 3 model on the torch backend as a student."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from stackens._core._task import Task
from stackens.distillation.students._module import NetworkStudent

__all__ = ["KerasStudent"]


@dataclass(frozen=True)
class KerasStudent(NetworkStudent):
    """Any Keras 3 model as a student; Keras must run on torch.

    Every fit starts from the weights that the model has, on a copy of it. Its loss, optimizer
    and callbacks are not used. The trained copy is ``module.model`` of the fitted student.

    Parameters
    ----------
    model : keras.Model
        Called with rows of X, it returns probabilities or logits of shape (n_samples, n_classes),
        or one column for two classes, or values of shape (n_samples, n_outputs).
    output : {"auto", "logits", "probabilities"}, default="auto"
        What it returns for classes. "auto" looks whether its last layer ends in softmax or
        sigmoid.
    epochs, batch_size, learning_rate, weight_decay, schedule, patience, standardise, name
        As of :class:`NetworkStudent`.

    Raises
    ------
    ValueError
        If Keras runs on another backend than torch, or `output` is unknown.

    Examples
    --------
    >>> import keras  # doctest: +SKIP
    >>> model = keras.Sequential(
    ...     [keras.layers.Dense(32, "relu"), keras.layers.Dense(3, "softmax")]
    ... )  # doctest: +SKIP
    >>> student = KerasStudent(model, epochs=20).fit(lesson)  # doctest: +SKIP
    >>> student.module.model.save("student.keras")  # doctest: +SKIP
    """

    model: Any
    output: Literal["auto", "logits", "probabilities"] = "auto"

    family: ClassVar[str] = "keras"

    def __post_init__(self) -> None:
        import keras

        if keras.backend.backend() != "torch":
            raise ValueError(
                "A Keras model can be a student only where Keras runs on torch. Got the backend "
                f"{keras.backend.backend()!r}. Set the environment variable KERAS_BACKEND=torch "
                "before Keras is imported."
            )
        if self.output not in ("auto", "logits", "probabilities"):
            raise ValueError(
                "The 'output' of KerasStudent must be 'auto', 'logits' or 'probabilities'. Got "
                f"{self.output!r} instead. Use 'auto' for a model whose last layer tells."
            )

    @property
    def label(self) -> str:
        return self.name or self.model.name

    def _copied(self, task: Task) -> Any:
        from stackens.neural._keras_module import KerasModule

        gives_probabilities = task.is_classification and (
            _ends_in_probabilities(self.model)
            if self.output == "auto"
            else self.output == "probabilities"
        )
        return KerasModule(_copy(self.model), gives_probabilities=gives_probabilities)


def _ends_in_probabilities(model: Any) -> bool:
    last = model.layers[-1] if getattr(model, "layers", None) else model
    if last is not model and getattr(last, "layers", None):
        return _ends_in_probabilities(last)
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    return activation in ("softmax", "sigmoid") or type(last).__name__ == "Softmax"


def _copy(model: Any) -> Any:
    """Return a copy of a Keras model with its weights."""
    import keras
    import torch

    before = random.getstate()  # Keras draws the seeds of copied layers from Python's generator
    random.seed(int(torch.randint(2**31 - 1, ())))
    # so that classes which are not registered with Keras are found, too
    classes = {type(part).__name__: type(part) for part in (model, *model._flatten_layers())}
    try:
        with keras.saving.custom_object_scope(classes):
            copied = copy.deepcopy(model)
    except (TypeError, NotImplementedError) as error:
        raise TypeError(
            f"A Keras student learns on a copy, but Keras could not copy this "
            f"{type(model).__name__} ({str(error).splitlines()[0]}). Give its class a get_config "
            "that returns the arguments of its constructor."
        ) from error
    finally:
        random.setstate(before)
    for old, new in zip(model.variables, copied.variables, strict=True):
        if new.path.endswith("seed_generator_state"):
            new.assign([int(torch.randint(2**31 - 1, ())), 0])
        else:
            new.assign(old)
    return copied
