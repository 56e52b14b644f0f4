"""RegMean: least squares of the outputs, with and without the bias, in every layout."""

import numpy as np
import pytest

from stackens.weight_averaging.rules import RegMean, WeightedMean

N_OUT, N_IN = 3, 5


def layers(seed=0, n=3, rows=40):
    """Inputs, kernels of shape (n_in, n_out) and biases of some models."""
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=(rows, N_IN)) @ rng.normal(size=(N_IN, N_IN)) + i for i in range(n)]
    kernels = list(rng.normal(size=(n, N_IN, N_OUT)))
    return inputs, kernels, list(rng.normal(size=(n, N_OUT)))


def with_ones(x):
    return np.column_stack([x, np.ones(len(x))])


def least_squares(inputs, outputs, weights):
    scale = [np.sqrt(w)[None] for w in weights]
    x = np.vstack([s * x for s, x in zip(scale, inputs, strict=True)])
    y = np.vstack([s * y for s, y in zip(scale, outputs, strict=True)])
    return np.linalg.lstsq(x, y, rcond=None)[0]


WEIGHTS = np.array([0.2, 0.3, 0.5])


def test_it_is_the_least_squares_solution():
    inputs, kernels, _ = layers()
    grams = [{"fc.weight": x.T @ x} for x in inputs]
    outputs = [x @ k for x, k in zip(inputs, kernels, strict=True)]
    expected = least_squares(inputs, outputs, WEIGHTS)
    rule = RegMean(grams, shrink=1.0, ridge=1e-13)
    result = rule([k.T for k in kernels], WEIGHTS, name="fc.weight")
    np.testing.assert_allclose(result, expected.T, rtol=1e-7, atol=1e-9)


def test_it_is_the_formula_of_the_paper_with_shrunk_matrices():
    inputs, kernels, _ = layers()
    shrunk = [0.9 * x.T @ x + 0.1 * np.diag(np.diag(x.T @ x)) for x in inputs]
    top = sum(w * g @ k for w, g, k in zip(WEIGHTS, shrunk, kernels, strict=True))
    expected = np.linalg.solve(np.tensordot(WEIGHTS, shrunk, 1), top)
    rule = RegMean([{"w": x.T @ x} for x in inputs], ridge=1e-13)
    np.testing.assert_allclose(rule([k.T for k in kernels], WEIGHTS, name="w"), expected.T)


def test_without_off_diagonals_it_is_a_mean_by_the_size_of_the_inputs():
    inputs, kernels, _ = layers()
    sizes = np.array([w * (x**2).sum(axis=0) for w, x in zip(WEIGHTS, inputs, strict=True)])
    expected = np.einsum("mi,mio->io", sizes, kernels) / sizes.sum(axis=0)[:, None]
    rule = RegMean([{"w": x.T @ x} for x in inputs], shrink=0.0, ridge=1e-13)
    np.testing.assert_allclose(rule([k.T for k in kernels], WEIGHTS, name="w"), expected.T)


@pytest.mark.parametrize(
    ("layout", "weight", "bias", "biases"),
    [
        ("out_in", "net.0.weight", "net.0.bias", None),
        ("in_out", "dense/kernel", "dense/bias", None),
        ("in_out", "coefs_.0", "intercepts_.0", None),
        ("out_in", "coef_", "intercept_", None),
        ("in_out", "0", "1", {"0": "1"}),
    ],
)
def test_weight_and_bias_are_solved_together(layout, weight, bias, biases):
    inputs, kernels, rows = layers()
    grams = [{weight: with_ones(x).T @ with_ones(x)} for x in inputs]
    outputs = [x @ k + b for x, k, b in zip(inputs, kernels, rows, strict=True)]
    expected = least_squares([with_ones(x) for x in inputs], outputs, WEIGHTS)
    shaped = [k.T if layout == "out_in" else k for k in kernels]
    states = [{weight: k, bias: b} for k, b in zip(shaped, rows, strict=True)]
    rule = RegMean(grams, shrink=1.0, ridge=1e-13, layout=layout, biases=biases).bind(states)
    merged = rule(shaped, WEIGHTS, name=weight)
    merged = merged.T if layout == "out_in" else merged
    np.testing.assert_allclose(merged, expected[:-1], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(rule(rows, WEIGHTS, name=bias), expected[-1], rtol=1e-6, atol=1e-8)


def test_a_bias_without_a_row_in_the_gram_matrix_gets_the_mean():
    inputs, kernels, rows = layers()
    states = [{"fc.weight": k.T, "fc.bias": b} for k, b in zip(kernels, rows, strict=True)]
    rule = RegMean([{"fc.weight": x.T @ x} for x in inputs]).bind(states)
    np.testing.assert_array_equal(
        rule(rows, WEIGHTS, name="fc.bias"), WeightedMean()(rows, WEIGHTS)
    )


@pytest.mark.parametrize("layout", ["out_in", "in_out"])
def test_convolutions_are_linear_layers_of_their_patches(layout):
    rng = np.random.default_rng(0)
    shape = (N_OUT, 2, 3, 2) if layout == "out_in" else (3, 2, 2, N_OUT)
    arrays = list(rng.normal(size=(2, *shape)))
    inputs = rng.normal(size=(2, 30, 12))
    rule = RegMean([{"conv": x.T @ x} for x in inputs], layout=layout)
    result = rule(arrays, [0.5, 0.5], name="conv")
    flat = [a.reshape(N_OUT, 12).T if layout == "out_in" else a.reshape(12, N_OUT) for a in arrays]
    expected = RegMean(rule.grams, layout="in_out")(flat, [0.5, 0.5], name="conv")
    expected = expected.T if layout == "out_in" else expected
    np.testing.assert_allclose(result, expected.reshape(shape))


@pytest.mark.parametrize("layout", ["out_in", "in_out"])
def test_a_weight_of_one_dimension_has_one_output(layout):
    inputs, kernels, _ = layers()
    flat = [k[:, 0] for k in kernels]
    rule = RegMean([{"coef_": x.T @ x} for x in inputs], layout=layout)
    expected = RegMean(rule.grams)([k[:, :1].T for k in kernels], WEIGHTS, name="coef_")
    np.testing.assert_allclose(rule(flat, WEIGHTS, name="coef_"), expected[0])


def test_inputs_that_were_always_zero_keep_the_mean():
    inputs, kernels, _ = layers()
    for x in inputs:
        x[:, 1] = 0.0
    rule = RegMean([{"w": x.T @ x} for x in inputs])
    arrays = [k.T for k in kernels]
    result, mean = rule(arrays, WEIGHTS, name="w"), WeightedMean()(arrays, WEIGHTS)
    np.testing.assert_allclose(result[:, 1], mean[:, 1], rtol=1e-14)
    assert np.abs(result[:, 0] - mean[:, 0]).max() > 0.01
    nothing = RegMean([{"w": np.zeros((N_IN, N_IN))}] * 3)
    np.testing.assert_array_equal(nothing(arrays, WEIGHTS, name="w"), mean)


def test_fewer_rows_than_inputs():
    inputs, kernels, _ = layers(rows=1)
    result = RegMean([{"w": x.T @ x} for x in inputs])([k.T for k in kernels], WEIGHTS, name="w")
    assert np.isfinite(result).all()
    assert np.abs(result).max() < 100


def test_a_model_of_weight_zero_does_not_count():
    inputs, kernels, _ = layers()
    grams = [{"w": x.T @ x} for x in inputs]
    expected = RegMean(grams[1:])([k.T for k in kernels[1:]], [0.4, 0.6], name="w")
    grams[0]["w"] = np.full((N_IN, N_IN), np.nan)
    arrays = [np.full((N_OUT, N_IN), np.nan), *[k.T for k in kernels[1:]]]
    result = RegMean(grams)(arrays, [0, 0.4, 0.6], name="w")
    np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "bad", [np.full((N_IN, N_IN), np.nan), -np.eye(N_IN)], ids=["NaN", "negative"]
)
def test_what_is_no_gram_matrix_is_named(bad):
    _, kernels, _ = layers()
    with pytest.raises(ValueError, match="Gram matrices: finite.*tensor 'w'"):
        RegMean([{"w": bad}] * 3)([k.T for k in kernels], WEIGHTS, name="w")


def test_shapes_that_do_not_fit():
    inputs, kernels, rows = layers()
    states = [{"w": k, "b": b} for k, b in zip(kernels, rows, strict=True)]
    grams = [{"w": x.T @ x} for x in inputs]
    with pytest.raises(ValueError, match=r"of shape \(3, 3\), or one larger .*Got \[\(5, 5\)\]"):
        RegMean(grams).bind(states)
    RegMean(grams, layout="in_out").bind(states)
    with pytest.raises(ValueError, match=r"Gram matrix of shape \(3, 3\) for tensor 'w'. Got"):
        RegMean(grams)(kernels, WEIGHTS, name="w")
    grams[1]["w"] = np.eye(6)
    with pytest.raises(ValueError, match=r"Got \[\(5, 5\), \(6, 6\)\]"):
        RegMean(grams, layout="in_out").bind(states)


@pytest.mark.parametrize("biases", [None, {"w": "nowhere"}, {}])
def test_a_bias_that_cannot_be_found(biases):
    grams = [{"w": np.eye(N_IN + 1)}] * 2
    states = [{"w": np.zeros((N_OUT, N_IN)), "b": np.zeros(N_OUT)}] * 2
    with pytest.raises(ValueError, match="the bias of tensor 'w'.*Give biases={'w': its name}"):
        RegMean(grams, biases=biases).bind(states)
    RegMean(grams, biases={"w": "b"}).bind(states)


def test_bind_reads_no_values():
    class Header:
        shape = (N_OUT, N_IN)

    RegMean([{"w": np.eye(N_IN)}] * 2).bind([{"w": Header()}] * 2)


@pytest.mark.parametrize(
    "parameters", [{"shrink": -0.1}, {"shrink": 1.1}, {"ridge": 0}, {"layout": "torch"}]
)
def test_bad_parameters(parameters):
    with pytest.raises(ValueError, match=f"'{next(iter(parameters))}' parameter of RegMean"):
        RegMean([], **parameters)


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="RegMean takes no negative weights"):
        RegMean([{}] * 2)([np.ones(2), np.ones(2)], [1.5, -0.5], name="w")


def test_repr_shows_parameters_but_no_arrays():
    shown = repr(RegMean([{"w": np.eye(1000)}]))
    assert shown == "RegMean(shrink=0.9, ridge=1e-06, layout='out_in', biases=None)"
