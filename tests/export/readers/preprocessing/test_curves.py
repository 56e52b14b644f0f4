"""Tests that exported functions, powers, quantiles and bins follow their sources."""

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
)

from stackens.exceptions import ExportError
from stackens.export.program import evaluate
from tests.export.readers.preprocessing.comparison import (
    largest_difference,
    number_rows,
    program_of,
)

TRAIN = number_rows(300, 3, missing=0.1, extremes=False, infinite=False, seed=1)
ROWS = number_rows(200, 3)
SMALL = number_rows(100, 3, extremes=False) / 100

EXACT = [np.abs, np.ceil, np.fabs, np.floor, np.isfinite, np.isnan, np.negative, np.positive]
EXACT += [np.sign, np.sqrt, np.square, np.trunc, None]
ROUNDED = [np.cbrt, np.exp, np.expm1, np.log, np.log10, np.log1p, np.log2, np.tanh]
ROUNDED += [special.expit, special.logit]


@pytest.mark.parametrize("function", EXACT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_without_rounding(function):
    assert largest_difference(FunctionTransformer(function).fit(TRAIN), ROWS) == 0.0


@pytest.mark.parametrize("function", ROUNDED)
@pytest.mark.parametrize("rows", [ROWS, SMALL], ids=["large", "small"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_to_rounding(function, rows):
    transformer = FunctionTransformer(function).fit(TRAIN)
    assert largest_difference(transformer, rows, relative=True) <= 4e-15


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("function", [np.log1p, np.expm1])
def test_tiny_numbers_are_not_lost(function):
    tiny = pd.DataFrame({"x": [1e-12, -3e-15, 1e-17, -0.0, 1e-200, 2e-9]})
    program = program_of(FunctionTransformer(function).fit(tiny), ["x"])
    (ours,) = evaluate(program, [tiny["x"].to_numpy()])
    np.testing.assert_allclose(ours[:, 0], function(tiny["x"]), rtol=1e-15)


@pytest.mark.parametrize("function", [np.log2, np.log10, np.cbrt])
def test_whole_answers_are_whole(function):
    """So that a floor behind them, which counts digits, is that of the source."""
    ends = (-22, 23) if function is np.log10 else (-300, 1000)
    whole = np.arange(*ends)
    x = {np.log2: 2.0**whole, np.log10: [float(f"1e{k}") for k in whole], np.cbrt: whole**3.0}
    rows = pd.DataFrame({"x": x[function]})
    pipeline = make_pipeline(FunctionTransformer(function), FunctionTransformer(np.floor))
    assert largest_difference(pipeline.fit(rows), rows) == 0.0


def test_validating_functions_refuse_what_is_not_finite():
    transformer = FunctionTransformer(np.abs, validate=True).fit(TRAIN.fillna(0))
    assert largest_difference(transformer, ROWS) == 0.0


@pytest.mark.parametrize(
    "transformer",
    [
        FunctionTransformer(lambda x: x + 1),
        FunctionTransformer(np.sin),
        FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 1}),
        FunctionTransformer(np.log, kw_args={"where": True}),
    ],
)
def test_other_functions_are_refused(transformer):
    with pytest.raises(ExportError, match="FunctionTransformer"):
        program_of(transformer, ["x"])


# --- powers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("rows", [ROWS, SMALL], ids=["large", "small"])
def test_yeo_johnson(standardize, rows):
    transformer = PowerTransformer(standardize=standardize).fit(TRAIN)
    assert largest_difference(transformer, rows, relative=True) <= 1e-12


@pytest.mark.parametrize("powers", [[0.0, 2.0, 1.0], [0.3, 2.5, -1.5], [1e-17, 2 - 4e-16, 0.0]])
def test_yeo_johnson_at_the_powers_that_are_logarithms(powers):
    transformer = PowerTransformer(standardize=False).fit(TRAIN)
    transformer.lambdas_ = np.array(powers)
    rows = number_rows(100, 3, extremes=False)
    assert largest_difference(transformer, rows, relative=True) <= 1e-12


@pytest.mark.parametrize("powers", [None, [0.0, 1.0, -0.7], [0.0, 0.0, 0.0]])
def test_box_cox_refuses_what_is_not_positive(powers):
    transformer = PowerTransformer("box-cox", standardize=powers is None).fit(TRAIN.abs() + 0.01)
    if powers is not None:
        transformer.lambdas_ = np.array(powers)
    rows = number_rows(100, 3, extremes=False)
    rows.iloc[:80] = rows.iloc[:80].abs()
    rows.iloc[80, 0] = 0.0
    assert largest_difference(transformer, rows, relative=True) <= 1e-12


# --- quantiles ------------------------------------------------------------------------------


def repeated(n, seed=0):
    rng = np.random.default_rng(seed)
    columns = {
        "steps": rng.integers(0, 6, n).astype(float),
        "half zero": np.where(rng.random(n) < 0.5, 0.0, rng.exponential(size=n)),
        "times": 1.7e9 + rng.integers(0, 40, n),
        "constant": np.full(n, 2.5),
        "smooth": rng.normal(size=n),
    }
    return pd.DataFrame(columns)


def around(frame):
    """Each row, and its neighbours one double below and above."""
    return pd.concat([frame, np.nextafter(frame, -np.inf), np.nextafter(frame, np.inf)])


SMOOTH = number_rows(400, 2, missing=0.0, extremes=False, infinite=False)


@pytest.mark.parametrize("n_quantiles", [10, 77, 400])
def test_quantiles_of_smooth_columns_are_exact(n_quantiles):
    transformer = QuantileTransformer(n_quantiles=n_quantiles).fit(SMOOTH)
    rows = around(number_rows(100, 2))
    assert largest_difference(transformer, rows) == 0.0


@pytest.mark.parametrize("n_quantiles", [10, 100])
def test_repeated_quantiles_jump_where_the_source_jumps(n_quantiles):
    train = repeated(100)
    rows = pd.concat([train, repeated(50, seed=1) + 0.5, train + 1e-3, train - 7.0])
    rows.iloc[::7, 0] = np.nan
    transformer = QuantileTransformer(n_quantiles=n_quantiles).fit(train)
    assert largest_difference(transformer, around(rows)) <= 1e-15


@pytest.mark.parametrize("train", [TRAIN, repeated(300)], ids=["smooth", "repeated"])
def test_normal_quantiles(train):
    transformer = QuantileTransformer(n_quantiles=100, output_distribution="normal").fit(train)
    rows = number_rows(150, train.shape[1]).set_axis(train.columns, axis=1)
    near = pd.concat([train.iloc[:100] + gap for gap in (0.0, 1.01e-7, -1.01e-7, 1e-3)])
    assert largest_difference(transformer, pd.concat([rows, train, near])) <= 1e-12


def test_quantiles_of_a_sparse_matrix_are_refused():
    train = pd.DataFrame({"a": [0, 1, 2, 1], "b": [0, 1, 2, 3]})
    pipeline = make_pipeline(OneHotEncoder(), QuantileTransformer(n_quantiles=3)).fit(train)
    with pytest.raises(ExportError, match="sparse_output=False"):
        program_of(pipeline, ["a", "b"])


# --- bins -----------------------------------------------------------------------------------


@pytest.mark.parametrize("encode", ["ordinal", "onehot", "onehot-dense"])
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
def test_bins_on_their_edges(encode, strategy):
    options = {"quantile_method": "averaged_inverted_cdf"} if strategy == "quantile" else {}
    train = TRAIN.fillna(0)
    transformer = KBinsDiscretizer(5, encode=encode, strategy=strategy, **options).fit(train)
    edges = pd.DataFrame(np.column_stack(transformer.bin_edges_), columns=train.columns)
    assert largest_difference(transformer, pd.concat([ROWS, around(edges)])) == 0.0


@pytest.mark.parametrize("encode", ["ordinal", "onehot-dense"])
@pytest.mark.filterwarnings("ignore:Feature .* is constant:UserWarning")
def test_a_constant_column_has_one_bin(encode):
    train = TRAIN.fillna(0).assign(c1=1.0)
    transformer = KBinsDiscretizer(4, encode=encode, strategy="uniform").fit(train)
    assert largest_difference(transformer, ROWS) == 0.0


def test_bins_in_single_precision():
    train = TRAIN.fillna(0)
    transformer = KBinsDiscretizer(7, encode="ordinal", strategy="uniform", dtype=np.float32).fit(
        train
    )
    edges = pd.DataFrame(np.column_stack(transformer.bin_edges_), columns=train.columns)
    single = pd.DataFrame(edges.to_numpy(np.float32).astype(float), columns=train.columns)
    assert largest_difference(transformer, pd.concat([ROWS, around(edges), around(single)])) == 0.0


@pytest.mark.parametrize(
    "first", [FunctionTransformer(np.log1p), FunctionTransformer(np.exp), PowerTransformer()]
)
def test_jumps_at_rounded_values_are_refused(first):
    counts = pd.DataFrame({"n": [0.0, 1, 1, 1, 2, 2, 3, 3, 3, 5, 8, 13] * 5})
    quantiles = {"strategy": "quantile", "quantile_method": "averaged_inverted_cdf"}
    for second in (QuantileTransformer(n_quantiles=20), KBinsDiscretizer(3, **quantiles)):
        with pytest.raises(ExportError, match="last bit"):
            program_of(make_pipeline(first, second).fit(counts), ["n"])
        scaled = make_pipeline(FunctionTransformer(np.square), second).fit(counts)
        assert largest_difference(scaled, counts) <= 1e-15
    smooth = make_pipeline(first, QuantileTransformer(n_quantiles=20)).fit(SMOOTH.abs() / 1e5)
    assert largest_difference(smooth, SMOOTH.abs() / 1e5) <= 1e-12
