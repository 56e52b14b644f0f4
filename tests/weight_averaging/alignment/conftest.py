"""The one proof that tests of symmetries share, independent of the code that verifies them."""

import numpy as np
import pytest

from stackens.weight_averaging.adapters import adapter_of, to_array


def touched(symmetry, variable):
    """Names of the tensors that one variable changes."""
    return {
        name
        for name, axes in symmetry.layout.items()
        for parts in axes
        for part in parts
        if variable in (part.units, *part.signs, *(scale for scale, _ in part.scales))
        or (part.matrix is not None and part.matrix[0] == variable)
    }


def random_arrays(model, rng):
    """Tensors of a model in double precision, none of whose entries are equal."""
    arrays = {}
    for name, tensor in adapter_of(model).tensors(model, model).items():
        values = rng.normal(size=to_array(tensor).shape) * 0.5
        arrays[name] = np.abs(values) + 0.5 if "variance" in name or "_var" in name else values
    return arrays


@pytest.fixture
def preserved():
    """Prove that a symmetry leaves the outputs as they are, and that each of its parts must be."""

    def prove(symmetry, arrays, outputs, seed=0, necessary=all):
        rng = np.random.default_rng(seed)
        before = outputs(arrays)
        scale = 1 + max(np.abs(y).max() for y in before)

        def change(found):
            return max(np.abs(y - z).max() for y, z in zip(before, found, strict=True)) / scale

        for variable in symmetry.variables:
            names = touched(symmetry, variable)
            alone = symmetry.without([name for name in symmetry.variables if name != variable])
            for _ in range(20):  # few units may draw no change
                moved = alone.apply(alone.random(rng), arrays)
                if all(not np.array_equal(moved[name], arrays[name]) for name in names):
                    break
            else:
                raise AssertionError(f"{variable} does not change all of {names}")
            assert {name for name in arrays if moved[name] is not arrays[name]} <= names
            assert change(outputs(moved)) < 1e-9, variable
            # Without one of its tensors it is no symmetry.
            assert necessary(
                change(outputs({**moved, name: arrays[name]})) > 1e-7 for name in sorted(names)
            ), (variable, names)
        for _ in range(2):
            moved = symmetry.apply(symmetry.random(rng), arrays)
            assert change(outputs(moved)) < 1e-9
        return symmetry

    return prove


@pytest.fixture
def keras_preserved(preserved):
    """Read a Keras model, and prove what was read; returns the symmetry."""
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras was loaded with another backend")
    from stackens.weight_averaging.alignment._keras import keras_symmetry
    from stackens.weight_averaging.alignment._outputs import keras_outputs

    def prove(model, inputs, necessary=all):
        arrays = random_arrays(model, np.random.default_rng(0))
        outputs = keras_outputs(model, inputs)
        return preserved(keras_symmetry(model), arrays, outputs, necessary=necessary)

    return prove


@pytest.fixture
def torch_preserved(preserved):
    """Read a torch module, in double precision, and prove what was read; returns the symmetry."""
    torch = pytest.importorskip("torch")
    from stackens.neural._modules import tensors_of
    from stackens.weight_averaging.alignment._torch import torch_symmetry

    def tensors_in(value):
        if isinstance(value, torch.Tensor):
            return [value.detach().double().numpy()]
        values = value.values() if isinstance(value, dict) else value
        return [tensor for item in values for tensor in tensors_in(item)]

    def prove(module, *inputs):
        module.double().eval()
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, tensor in module.state_dict().items():
                if tensor.is_floating_point():
                    tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.5)
                    if name.endswith("_var"):
                        tensor.abs_().add_(0.5)
        inputs = tuple(x.double() if x.is_floating_point() else x for x in inputs)

        def outputs(arrays):
            state = {name: torch.tensor(array) for name, array in arrays.items()}
            with torch.no_grad():
                return tensors_in(
                    torch.func.functional_call(module, state, inputs, tie_weights=False)
                )

        arrays = {name: tensor.numpy().copy() for name, tensor in tensors_of(module).items()}
        # Biases before a norm, and those of keys, have no effect: not every tensor is necessary.
        return preserved(torch_symmetry(module, inputs), arrays, outputs, necessary=any)

    return prove
