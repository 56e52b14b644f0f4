"""average: models of every kind, what is refused, and defects that were found elsewhere."""

import warnings
import weakref
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from stackens import schedules
from stackens import weight_averaging as wa
from stackens.exceptions import OtherBasinWarning
from stackens.weight_averaging import rules

RANDOM = np.random.default_rng(0)


def states(n=3):
    return [
        {"w": RANDOM.normal(size=(4, 3)), "half": RANDOM.normal(size=7).astype(np.float16)}
        | {"steps": np.array(10 * i)}
        for i in range(n)
    ]


def exact(models, weights, name):
    return np.einsum("m,m...->...", weights, [model[name].astype(float) for model in models])


# ---------------------------------------------------------------- weights, rules, generators


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("equal", [1 / 3, 1 / 3, 1 / 3]),
        ("linear", [1 / 6, 2 / 6, 3 / 6]),
        ([2, 0, 2], [0.5, 0, 0.5]),
        (partial(schedules.ema, decay=0.5), [0.25, 0.25, 0.5]),
        ([2.0, -0.5, -0.5], [2.0, -0.5, -0.5]),
    ],
)
def test_weights(weights, expected):
    models = states()
    merged = wa.average(models, weights)
    np.testing.assert_allclose(merged["w"], exact(models, expected, "w"))
    assert merged["half"].dtype == np.float16
    np.testing.assert_allclose(merged["half"], exact(models, expected, "half"), rtol=2.0**-11)
    assert merged["steps"] == 20


def test_weights_by_name():
    models = states()
    merged = wa.average(models, {"^w$": [0, 0, 1]})
    np.testing.assert_array_equal(merged["w"], models[2]["w"])
    np.testing.assert_allclose(
        merged["half"], exact(models, [1 / 3] * 3, "half"), rtol=1e-3, atol=1e-3
    )


def test_the_newest_may_stand_first():
    models = states()
    merged = wa.average(models, "linear", newest="first")
    np.testing.assert_allclose(merged["w"], exact(models, [3 / 6, 2 / 6, 1 / 6], "w"))
    assert merged["steps"] == 0


def test_integers_by_majority():
    models = [{"w": np.ones(1), "steps": np.array(i)} for i in (7, 7, 9)]
    assert wa.average(models, buffer="majority")["steps"] == 7
    assert wa.average(models)["steps"] == 9


def test_other_rules_and_their_base():
    base, *models = states()
    merged = wa.average(models, rule="task_arithmetic", base=base)
    change = exact(models, [0.5, 0.5], "w") - base["w"]
    rule = rules.rule_for("task_arithmetic")
    arrays = [model["w"] for model in models]
    np.testing.assert_allclose(merged["w"], rule(arrays, [0.5, 0.5], base=base["w"]))
    assert not np.allclose(change, 0)
    with pytest.raises(ValueError, match="base"):
        wa.average(models, rule="ties")
    with pytest.raises(ValueError, match=r"missing in base"):
        wa.average(models, rule="ties", base={"w": base["w"], "steps": base["steps"]})


@pytest.mark.parametrize("newest", ["last", "first"])
@pytest.mark.parametrize("weights", ["equal", [0.5, 0.25, 0.25], "linear", {"^w": [0, 0, 1]}])
def test_a_generator_gives_what_a_list_gives(weights, newest):
    models = states()
    listed = wa.average(models, weights, newest=newest)
    streamed = wa.average(iter(models), weights, newest=newest)
    assert list(streamed) == list(listed)
    for name, values in listed.items():
        np.testing.assert_allclose(streamed[name], values, rtol=1e-12)
        assert streamed[name].dtype == values.dtype


def test_a_generator_may_reuse_one_module():
    torch = pytest.importorskip("torch")
    module, values = torch.nn.Linear(2, 2), [1.0, 2.0, 6.0]

    def checkpoints():
        for value in values:
            module.load_state_dict(
                {k: torch.full_like(v, value) for k, v in module.state_dict().items()}
            )
            yield module

    merged = wa.average(checkpoints())
    assert (merged.weight == 3).all()
    assert (module.weight == 6).all()


def test_a_generator_holds_few_models_at_a_time():
    class Weights(dict):
        pass

    handles, most = [], 0

    def checkpoints():
        nonlocal most
        for i in range(20):
            model = Weights(w=np.full(3, float(i)))
            handles.append(weakref.ref(model))
            most = max(most, sum(handle() is not None for handle in handles))
            yield model
            del model

    assert (wa.average(checkpoints())["w"] == 9.5).all()
    assert most <= 3  # the first, the one before, and the new one


def test_generators_that_do_not_fit_their_weights():
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        wa.average(iter(states(3)), [0.5, 0.5])
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        wa.average(iter(states(3)), [0.25] * 4)
    with pytest.raises(ValueError, match="at least one model"):
        wa.average(iter([]))


# ---------------------------------------------------------------- every kind of model


def linear_models():
    X, y = RANDOM.normal(size=(40, 3)), np.arange(40) % 3
    return [LogisticRegression(C=C).fit(X, y) for C in (0.1, 1.0, 10.0)]


def pipelines():
    X, y = RANDOM.normal(3, 5, size=(40, 3)), RANDOM.normal(size=40)
    return [make_pipeline(StandardScaler(), Ridge()).fit(X[i::2], y[i::2]) for i in (0, 1)]


def perceptrons():
    X, y = RANDOM.normal(size=(40, 3)), np.arange(40) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [MLPClassifier((4,), max_iter=2, random_state=i).fit(X, y) for i in (0, 1)]


def modules():
    torch = pytest.importorskip("torch")
    return [torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)) for _ in range(3)]


KINDS = [
    states,
    lambda: [list(state.values()) for state in states()],
    lambda: [tuple(state.values()) for state in states()],
    lambda: [module.state_dict() for module in modules()],
    modules,
    linear_models,
    pipelines,
    perceptrons,
]


def tensors(model):
    adapter = wa.adapters.adapter_of(model)
    return {
        name: wa.adapters.to_array(tensor) for name, tensor in adapter.tensors(model, model).items()
    }


@pytest.mark.parametrize("make", KINDS)
def test_the_result_is_of_the_same_kind_and_the_models_stay(make):
    models = make()
    before = [{name: array.copy() for name, array in tensors(model).items()} for model in models]
    merged = wa.average(models, "linear")
    assert type(merged) is type(models[0])
    for model, arrays in zip(models, before, strict=True):
        for name, array in tensors(model).items():
            np.testing.assert_array_equal(array, arrays[name])
            assert not np.shares_memory(array, tensors(merged)[name])


@pytest.mark.parametrize("make", KINDS)
def test_a_model_averaged_with_itself_is_that_model(make):
    model = make()[0]
    for several in ([model] * 3, iter([model] * 3)):
        merged = tensors(wa.average(several))
        for name, array in tensors(model).items():
            np.testing.assert_array_equal(merged[name], array)
            assert merged[name].dtype == array.dtype


def test_models_may_have_names():
    models = states(2)
    merged = wa.average({"a": models[0], "b": models[1]}, [1, 0])
    np.testing.assert_array_equal(merged["w"], models[0]["w"])
    with pytest.raises(ValueError, match=r"'w' in b"):
        wa.average({"a": models[0], "b": models[0] | {"w": np.full((4, 3), np.nan)}})


# ---------------------------------------------------------------- what is refused


def test_what_cannot_be_averaged():
    X, y = np.eye(4), [0, 1, 0, 1]
    tree = DecisionTreeClassifier().fit(X, y)
    for bad, message in (
        ([tree, tree], "can be blended"),
        ([DecisionTreeClassifier()], "can be blended"),
        ([LogisticRegression().fit(X, y), tree], "can be blended"),
        ([tree.fit(X, y), LogisticRegression().fit(X, y)], "model 0 are no linear models"),
        (states()[0], "Got the tensors of one"),
        (list(states()[0].values()), "Got the tensors of one"),
        (3, "Got a int"),
    ):
        with pytest.raises(TypeError, match=message):
            wa.average(bad)
    with pytest.raises(ValueError, match="not fitted"):
        wa.average([Ridge()])


def test_nan_is_named_by_model_and_tensor():
    models = states()
    models[1]["half"][3] = np.nan
    for several in (models, iter(models)):
        with pytest.raises(ValueError, match=r"'half' in model 1"):
            wa.average(several)
    assert np.isfinite(wa.average(models, [1, 0, 1])["half"]).all()


def test_infinities_that_all_models_share_stay():
    models = [{"mask": np.array([-np.inf, 0.0]), "w": np.array([float(i)])} for i in (1, 3)]
    merged = wa.average(models)
    np.testing.assert_array_equal(merged["mask"], [-np.inf, 0])
    assert merged["w"] == 2


# ---------------------------------------------------------------- is the average any good?


def two_basins(model):
    return 1 - np.abs(np.abs(model["w"]) - 1).item()


def test_a_bad_average_is_warned_about():
    models = [{"w": np.array([-1.0])}, {"w": np.array([1.0])}]
    for several in (models, iter(models)):
        with pytest.warns(OtherBasinWarning, match="0 against 1 in the mean") as caught:
            wa.average(several, evaluate=two_basins)
        assert caught[0].filename == __file__
    with pytest.warns(OtherBasinWarning):
        wa.average(models, evaluate=lambda model: 1 - two_basins(model), greater_is_better=False)
    wa.average(models, [0, 1], evaluate=two_basins)
    wa.average([models[0], models[0]], evaluate=two_basins)


# ---------------------------------------------------------------- defects found in other libraries


def test_integer_buffers_survive_where_torch_fails():
    torch = pytest.importorskip("torch")
    models = modules()
    for i, model in enumerate(models):
        for _ in range(i + 3):
            model(torch.randn(8, 3))
    averaged = torch.optim.swa_utils.AveragedModel(
        models[0], multi_avg_fn=torch.optim.swa_utils.get_swa_multi_avg_fn(), use_buffers=True
    )
    averaged.update_parameters(models[0])
    with pytest.raises(RuntimeError):
        averaged.update_parameters(models[1])
    for several in (models, iter(models)):
        merged = wa.average(several)
        assert merged[1].num_batches_tracked == 5
        assert merged[1].num_batches_tracked.dtype == torch.int64
        mean = torch.stack([model[1].running_mean for model in models]).double().mean(0)
        torch.testing.assert_close(merged[1].running_mean, mean.float())


def test_another_architecture_is_no_silent_truncation():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    short, long = nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for several in ([short, long], [long, short], iter([short, long])):
        with pytest.raises(ValueError, match=r"'1.weight': missing in model"):
            wa.average(several)


def test_short_floats_are_the_rounded_exact_mean():
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    for dtype, bits in ((torch.bfloat16, 7), (torch.float16, 10)):
        stack = torch.randn(10, 5000, generator=generator).to(dtype)
        expected = stack.double().numpy().mean(axis=0)
        for several in ([{"w": w} for w in stack], iter([{"w": w} for w in stack])):
            merged = wa.average(several)["w"]
            assert merged.dtype == dtype
            off = np.abs(merged.double().numpy() - expected)
            ulp = 2.0 ** (np.floor(np.log2(np.abs(expected))) - bits)
            assert (off <= np.maximum(ulp, 2.0**-24) / 2 * (1 + 1e-9)).all()


def test_weight_zero_works():
    models = states()
    merged = wa.average(models, [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(merged["w"], models[1]["w"])
    np.testing.assert_array_equal(merged["half"], models[1]["half"])


def test_only_integers_have_no_average():
    with pytest.raises(ValueError, match=r"must hold floating numbers.*only integers and bools"):
        wa.average([{"w": np.array([1, 2])}, {"w": np.array([3, 5])}])


def test_the_buffer_parameter_is_checked_without_buffers_too():
    with pytest.raises(ValueError, match=r"'buffer' parameter must be 'newest' or 'majority'"):
        wa.average([{"w": np.ones(1)}] * 2, buffer="mean")


@pytest.mark.parametrize("weights", ["equal", [0.5, 0.5]])
@pytest.mark.parametrize("make", [list, iter])
def test_where_the_newest_stands_is_checked(weights, make):
    with pytest.raises(ValueError, match="'newest' parameter must be 'last' or 'first'"):
        wa.average(make([{"w": np.ones(1)}] * 2), weights, newest="front")


def test_paths_are_for_another_function():
    with pytest.raises(TypeError, match=r"Got the path '[ab].pt'.*average_checkpoints"):
        wa.average(["a.pt", "b.pt"])
