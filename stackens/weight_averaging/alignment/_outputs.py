"""What a network computes from given tensors, in double precision whatever its own is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from stackens.weight_averaging.adapters._containers import canonical_names
from stackens.weight_averaging.adapters._keras import KerasAdapter
from stackens.weight_averaging.adapters._torch import TorchAdapter

__all__ = ["keras_outputs", "mlp_layers", "mlp_outputs", "torch_outputs"]

Arrays = Mapping[str, NDArray]
Outputs = Callable[[Arrays], list[NDArray]]


def torch_outputs(module: Any, example: Any) -> Outputs:
    """Return a function from the tensors of a torch module to its outputs.

    A copy of the module runs in evaluation mode on the CPU.

    Parameters
    ----------
    module : torch.nn.Module
    example : tensor or array, or tuple or dict of them
        Inputs of ``forward``; a tuple holds several, a dict those given by name.
    """
    import torch

    from stackens.neural._modules import unwrapped

    adapter = TorchAdapter()
    module = adapter.copy(unwrapped(module)).to("cpu").double().eval()
    own_names = canonical_names(module.state_dict())
    tensors = adapter.tensors(module, module)
    first_of: dict[int, str] = {}
    tied = [(first_of.setdefault(id(tensor), name), name) for name, tensor in tensors.items()]
    tied = [(first, name) for first, name in tied if first != name]
    inputs = torch.utils._pytree.tree_map(_as_torch, example)
    by_name = isinstance(inputs, Mapping)
    args = () if by_name else inputs if isinstance(inputs, tuple) else (inputs,)

    def outputs(arrays: Arrays) -> list[NDArray]:
        given = {own_names[name]: _as_torch(arrays[name]) for name in tensors}
        named = dict(inputs) if by_name else None
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]), _in_double():
                torch.default_generator.manual_seed(0)  # noise in forward is the same each time
                found = torch.func.functional_call(module, given, args, named, tie_weights=False)
        except _FAILURES as error:
            raise _not_run(module, error) from error
        # That one tensor under two names stays one is part of what the network is.
        apart = [np.asarray(arrays[first] - arrays[name]) for first, name in tied]
        return [*_as_arrays(found), *apart]

    return outputs


def keras_outputs(model: Any, example: Any) -> Outputs:
    """Return a function from the tensors of a Keras model to its outputs.

    The model runs in inference mode and is left as it is, also its states and seeds.

    Parameters
    ----------
    model : keras.Model
        On the torch backend.
    example : array or tensor, or whatever of them the model takes

    Raises
    ------
    RuntimeError
        If Keras runs on another backend.
    """
    import keras
    import torch

    if keras.backend.backend() != "torch":
        raise RuntimeError(
            "Keras models are run in double precision through torch. Got the backend "
            f"{keras.backend.backend()!r}. Set the environment variable KERAS_BACKEND to 'torch' "
            "before Keras is imported, and load the model there."
        )
    variables = dict(zip(KerasAdapter().tensors(model, model), model.weights, strict=True))
    inputs = keras.tree.map_structure(_as_torch, example)

    def outputs(arrays: Arrays) -> list[NDArray]:
        with torch.no_grad(), _in_double():
            values = [(variable, _as_torch(arrays[name])) for name, variable in variables.items()]
            try:
                with keras.StatelessScope(values):
                    return _as_arrays(model(inputs, training=False))
            except _FAILURES as error:
                raise _not_run(model, error) from error

    return outputs


_FAILURES = (RuntimeError, TypeError, ValueError, IndexError)


def _not_run(network: Any, error: Exception) -> ValueError:
    return ValueError(
        f"The network must run on the example. Got from a {type(network).__name__}: "
        f"{' '.join(str(error).split())}. Give inputs of the shapes and types that it is called "
        "with."
    )


def mlp_outputs(model: Any, example: Any) -> Outputs:
    """Return a function from the tensors of an ``MLPClassifier`` or ``MLPRegressor`` to its scores.

    Scores are what stands before the last, fixed step: the logits of a classifier.

    Parameters
    ----------
    model : estimator
    example : array of shape (n_samples, n_features)
    """
    layers = mlp_layers(model, example)
    return lambda arrays: [list(layers(arrays))[-1][0]]


def mlp_layers(model: Any, example: Any) -> Callable[[Arrays], Iterator[tuple[NDArray, NDArray]]]:
    """Return a function from the tensors of an MLP to each layer before and after its activation.

    Parameters
    ----------
    model : estimator
    example : array of shape (n_samples, n_features)
    """
    activation = _ACTIVATIONS[model.activation]
    inputs, n_layers = np.asarray(example, np.float64), len(model.coefs_)

    def layers(arrays: Arrays) -> Iterator[tuple[NDArray, NDArray]]:
        hidden = inputs
        for i in range(n_layers):
            linear = hidden @ arrays[f"coefs_.{i}"] + arrays[f"intercepts_.{i}"]
            hidden = activation(linear)
            yield linear, hidden

    return layers


_ACTIVATIONS: dict[str, Callable[[NDArray], NDArray]] = {
    "identity": lambda x: x,
    "logistic": expit,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
}


def _in_double() -> AbstractContextManager:
    """Return a context in which torch computes nothing in less than double precision.

    Casting the tensors alone does not do that: modules make tensors of their own, and casts to
    single precision are common inside of norms.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    wider = dict.fromkeys((torch.float16, torch.bfloat16, torch.float32), torch.float64)
    wider |= dict.fromkeys((torch.complex32, torch.complex64), torch.complex128)

    def widened(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.to(wider[value.dtype]) if value.dtype in wider else value
        if isinstance(value, list | tuple):
            return type(value)(map(widened, value))
        return wider.get(value, value) if isinstance(value, torch.dtype) else value

    class Double(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            named = {name: widened(value) for name, value in (kwargs or {}).items()}
            return widened(func(*widened(args), **named))

    return Double()


def _as_torch(value: Any) -> Any:
    """Return an array or tensor as a torch tensor on the CPU, real numbers in double precision."""
    import torch

    if isinstance(value, np.ndarray | np.generic):
        value = torch.from_numpy(np.array(value))
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().to("cpu")
    return value.double() if value.is_floating_point() else value


def _as_arrays(outputs: Any) -> list[NDArray]:
    import torch
    from torch.utils._pytree import tree_leaves

    return [leaf.numpy() for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]
