"""One piece of a tensor: means rounded once, equal models unchanged, NaN found and named."""

import numpy as np
import pytest

from stackens.weight_averaging.files import _kernels
from stackens.weight_averaging.files._dtypes import DTYPES, SCRATCH, round_into, widen_into
from stackens.weight_averaging.files._kernels import Job, Kernels
from stackens.weight_averaging.files._sources import InMemory, OpenFiles
from stackens.weight_averaging.rules import Slerp, TaskArithmetic, WeightedMean, rule_for


def job(arrays, weights=None, *, code="F32", out=None, rule=None, **options):
    """Make a job of arrays that are in memory, as the format stores them."""
    n = len(arrays)
    return Job(
        "layer.weight",
        arrays[0].shape,
        DTYPES[code],
        DTYPES[out or code],
        tuple(InMemory(array, i) for i, array in enumerate(arrays)),
        tuple(f"{i}.pt" for i in range(n)),
        np.full(n, 1 / n) if weights is None else np.asarray(weights, float),
        WeightedMean() if rule is None else rule,
        **options,
    )


def run(work):
    """Do a job chunk by chunk, and return what the format stores."""
    with OpenFiles() as files, np.errstate(all="ignore"):
        kernels = Kernels(files)
        pieces = [
            kernels(work, start, min(start + work.chunk, work.size)).copy()
            for start in range(0, work.size, work.chunk)
        ]
    return np.concatenate(pieces)


def stored(values, code):
    out = np.empty(len(values), DTYPES[code].storage)
    round_into(np.asarray(values), DTYPES[code], out, np.empty(SCRATCH, np.uint32))
    return out


def widened(raw, code):
    out = np.empty(raw.size)
    widen_into(raw, DTYPES[code], out, np.empty(len(raw), np.uint32))
    return out


@pytest.mark.parametrize("n_models", [1, 2, 8, 9, 19])
def test_mean_of_float32_is_rounded_once(n_models):
    random = np.random.default_rng(n_models)
    arrays = random.normal(size=(n_models, 100_000)).astype(np.float32)
    weights = random.dirichlet(np.ones(n_models))
    expected = (weights @ arrays.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(run(job(arrays, weights)), expected)


@pytest.mark.parametrize("code", ["BF16", "F16"])
def test_mean_of_half_precision_is_the_correctly_rounded_one(code):
    random = np.random.default_rng(0)
    arrays = [stored(random.normal(size=200_000), code) for _ in range(8)]
    weights = random.dirichlet(np.ones(8))
    exact = sum(
        w * widened(raw, code).astype(np.longdouble) for w, raw in zip(weights, arrays, strict=True)
    )
    got = widened(run(job(arrays, weights, code=code)), code)
    expected = widened(stored(exact.astype(np.float64), code), code)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("code", ["F32", "F16", "BF16"])
def test_ten_million_means_are_at_most_one_unit_off(code):
    # Of the opposite sign, so that much cancels: single precision would be off by more.
    random = np.random.default_rng(0)
    storage, weights = DTYPES[code].storage, random.dirichlet(np.ones(3))
    whole = np.dtype(f"i{storage.itemsize}")
    for _ in range(10):
        first, third = random.normal(size=(2, 1_000_000))
        arrays = [stored(a, code) for a in (first, third, -(first + third))]
        exact = np.zeros(1_000_000, np.longdouble)
        for weight, raw in zip(weights, arrays, strict=True):
            exact += np.longdouble(weight) * widened(raw, code)
        expected = stored(exact.astype(np.float64), code)
        off = run(job(arrays, weights, code=code)).view(whole).astype(np.int64)
        off -= expected.view(whole)
        assert np.abs(off).max() <= 1  # patterns count units


@pytest.mark.parametrize("code", ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"])
@pytest.mark.parametrize("n_models", [3, 7, 10])
def test_mean_of_equal_models_is_that_model(code, n_models):
    random = np.random.default_rng(0)
    raw = stored(random.normal(size=5000) * 10.0 ** random.integers(-2, 2, 5000), code)
    weights = np.random.default_rng(1).dirichlet(np.ones(n_models))
    got = run(job([raw] * n_models, weights, code=code))
    assert got.dtype == raw.dtype
    np.testing.assert_array_equal(widened(got, code), widened(raw, code))  # 0 may lose its sign


@pytest.mark.parametrize("code", ["C64", "C128"])
def test_mean_of_complex_numbers(code):
    random = np.random.default_rng(0)
    storage = DTYPES[code].storage
    arrays = [(random.normal(size=(70_000, 2)) @ [1, 1j]).astype(storage) for _ in range(3)]
    weights = [0.5, 0.25, 0.25]
    expected = sum(w * a.astype(complex) for w, a in zip(weights, arrays, strict=True))
    np.testing.assert_allclose(run(job(arrays, weights, code=code)), expected, rtol=1e-7)
    np.testing.assert_array_equal(run(job([arrays[0]] * 3, weights, code=code)), arrays[0])


def test_output_of_another_dtype():
    arrays = [np.float32([1, 2.0**-30]), np.float32([2, 2.0**-30])]
    got = run(job(arrays, out="BF16"))
    np.testing.assert_array_equal(widened(got, "BF16"), [1.5, 2.0**-30])
    with pytest.raises(ValueError, match=r"'layer.weight' that are too large for float16"):
        run(job([np.float32([1e5])], out="F16"))


@pytest.mark.parametrize("code", ["F32", "F64", "F16", "BF16"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_named_by_file_and_tensor(code, bad):
    values = np.zeros(10)
    values[4] = bad
    arrays = [stored(np.zeros(10), code), stored(values, code)]
    with pytest.raises(ValueError, match=r"tensor 'layer.weight' in 1.pt"):
        run(job(arrays, code=code))
    with pytest.raises(ValueError, match=r"tensor 'layer.weight' in 1.pt"):
        run(job(arrays, code=code, rule=Slerp()))


@pytest.mark.parametrize("code", ["F32", "F64"])
def test_infinities_that_all_share_are_kept(code):
    mask = stored([-np.inf, 1.0, np.inf], code)
    np.testing.assert_array_equal(run(job([mask] * 3, code=code)), mask)


def test_rules_get_pieces_or_whole_tensors(monkeypatch):
    monkeypatch.setattr(_kernels, "_NUMBERS", 600)
    random = np.random.default_rng(0)
    base, one, other = random.normal(size=(3, 50, 40)).astype(np.float32)
    seen = []

    class Spy(TaskArithmetic):
        def __call__(self, arrays, weights, *, base=None, name="", offset=0):
            seen.append((arrays[0].shape, offset))
            return super().__call__(arrays, weights, base=base, name=name, offset=offset)

    got = run(job([one, other], rule=Spy(), base=InMemory(base, "base")))
    expected = TaskArithmetic()([one, other], [0.5, 0.5], base=base)
    np.testing.assert_array_equal(got, expected.reshape(-1).astype(np.float32))
    assert seen[:2] == [((300,), 0), ((300,), 300)]
    got = run(job([one, other], rule=Slerp()))
    expected = Slerp()([one, other], np.array([0.5, 0.5]))
    np.testing.assert_array_equal(got, expected.reshape(-1).astype(np.float32))


@pytest.mark.parametrize("rule", ["ties", "dare", "model_stock"])
def test_rules_on_bfloat16(rule):
    random = np.random.default_rng(0)
    base, one, other = (stored(random.normal(size=3000), "BF16") for _ in range(3))
    work = job([one, other], code="BF16", rule=rule_for(rule), base=InMemory(base, "base"))
    arrays = [widened(raw, "BF16") for raw in (one, other)]
    whole = rule_for(rule)(arrays, [0.5, 0.5], base=widened(base, "BF16"), name="layer.weight")
    np.testing.assert_array_equal(run(work), stored(whole, "BF16"))


def test_integers_come_from_the_newest_or_from_most():
    arrays = [np.array(a, "<i4") for a in ([1, 5, 7], [1, 6, 8], [2, 6, 9])]
    options = {"code": "I32"}
    for newest, expected in (("last", [2, 6, 9]), ("first", [1, 5, 7])):
        work = job(arrays, newest=newest, **options)
        np.testing.assert_array_equal(run(without_rule(work)), expected)
    work = job(arrays, majority=True, **options)
    np.testing.assert_array_equal(run(without_rule(work)), [1, 6, 9])


def without_rule(work):
    object.__setattr__(work, "rule", None)
    return work
