"""Small networks with symmetries written by hand, for the tests of matching."""

import numpy as np

from stackens.weight_averaging.alignment._symmetry import Part, Symmetry, UnitMatrix, Units


def fixed(size):
    return (Part(size),)


def drawn(symmetry, rng):
    """Random tensors of the shapes that a symmetry describes."""
    shapes = {
        name: tuple(sum(part.length for part in parts) for parts in axes)
        for name, axes in symmetry.layout.items()
    }
    return {name: rng.normal(size=shape) / 4 for name, shape in shapes.items()}


def noisy(arrays, rng, size):
    return {name: array + size * rng.normal(size=array.shape) for name, array in arrays.items()}


def largest_difference(arrays, others):
    return max(np.abs(arrays[name] - others[name]).max() for name in arrays)


def inner_product(arrays, others):
    return sum(np.vdot(arrays[name], others[name]) for name in arrays)


def mlp(*sizes, scales=True, signs=False):
    """Layers w0, b0, w1, ...: ReLU units have scales, tanh units signs."""
    hidden = len(sizes) - 2

    def units(layer, power):
        size = sizes[layer + 1]
        if not 0 <= layer < hidden:
            return fixed(size)
        return (
            Part(
                size,
                units=f"u{layer}",
                signs=(f"s{layer}",) if signs else (),
                scales=((f"c{layer}", power),) if scales else (),
            ),
        )

    layout = {}
    for layer in range(hidden + 1):
        layout[f"w{layer}"] = (units(layer, 1), units(layer - 1, -1))
        layout[f"b{layer}"] = (units(layer, 1),)
    names = range(hidden)
    return Symmetry(
        layout,
        {f"u{i}": Units(sizes[i + 1]) for i in names},
        signs={f"s{i}": f"u{i}" for i in names} if signs else {},
        scales={f"c{i}": f"u{i}" for i in names} if scales else {},
    )


def mlp_outputs(arrays, x, activation=lambda x: np.maximum(x, 0)):
    n_layers = len(arrays) // 2
    for layer in range(n_layers):
        x = x @ arrays[f"w{layer}"].T + arrays[f"b{layer}"]
        x = activation(x) if layer < n_layers - 1 else x
    return x


def recurrent(size, n_inputs, n_outputs, *, kind="lstm", layers=1):
    """Recurrent layers as torch has them, and a head; the gate in the middle or last is odd."""
    gates, odd, apart = {"lstm": (4, 2, False), "gru": (3, 2, True), "rnn": (1, 0, False)}[kind]
    layout, units, signs, summed = {}, {}, {}, []
    below = fixed(n_inputs)
    for layer in range(layers):
        name, sign = f"h{layer}", f"s{layer}"
        rows = tuple(
            Part(size, units=name, signs=(sign,) if gate == odd else ()) for gate in range(gates)
        )
        columns = (Part(size, units=name, signs=(sign,)),)
        layout |= {
            f"weight_ih{layer}": (rows, below),
            f"weight_hh{layer}": (rows, columns),
            f"bias_ih{layer}": (rows,),
            f"bias_hh{layer}": (rows,),
        }
        stop = (gates - apart) * size  # the last gate of a GRU has two biases of its own
        summed.append((f"bias_ih{layer}", f"bias_hh{layer}", 0, stop))
        units[name], signs[sign], below = Units(size), name, columns
    layout["head"] = (fixed(n_outputs), below)
    return Symmetry(layout, units, signs=signs, summed=tuple(summed))


def normalised(size, n_inputs, n_outputs, blocks=1):
    """A linear layer, normalisation and tanh: a sign before the norm and one after it."""
    before, both, after = (
        (Part(size, units="u", signs=signs),)
        for signs in (("before",), ("before", "after"), ("after",))
    )
    layout = {
        "w0": (before, fixed(n_inputs)),
        "mean": (before,),
        "gamma": (both,),
        "beta": (after,),
        "w1": (fixed(n_outputs), after),
    }
    signs = {"before": "u", "after": "u"}
    return Symmetry(layout, {"u": Units(size, blocks)}, signs=signs)


def attention(heads, width, n_inputs, n_outputs):
    """Query, key, value and output weights; matrices in every head."""
    rows = {
        name: (Part(heads, inner=width, units="heads", matrix=matrix),)
        for name, matrix in {"q": ("qk", 1), "k": ("qk", -1), "v": ("vo", 1)}.items()
    }
    layout = {name: (parts, fixed(n_inputs)) for name, parts in rows.items()}
    columns = (Part(heads, inner=width, units="heads", matrix=("vo", -1)),)
    layout["o"] = (fixed(n_outputs), columns)
    matrices = {name: UnitMatrix("heads", heads, width) for name in ("qk", "vo")}
    return Symmetry(layout, {"heads": Units(heads)}, matrices=matrices)


def attention_outputs(arrays, x, heads):
    """Of one sequence of shape (steps, n_inputs)."""
    q, k, v = ((x @ arrays[name].T).reshape(len(x), heads, -1).swapaxes(0, 1) for name in "qkv")
    scores = np.exp(q @ k.swapaxes(1, 2) / 4)
    mixed = (scores / scores.sum(axis=2, keepdims=True)) @ v
    return mixed.swapaxes(0, 1).reshape(len(x), -1) @ arrays["o"].T
