"""A few running sums make every average, and lose no bits on the way."""

from functools import partial

import numpy as np
import pytest

from stackens import schedules
from stackens.weight_averaging._running import RunningSums, plan_sums

RANDOM = np.random.default_rng(0)


def averages(rows, models):
    """Every average, each as soon as its last model has been added."""
    kept, recipes = plan_sums(rows)
    sums, found = RunningSums(len(kept)), {}
    for n, model in enumerate(models, start=1):
        sums.add(model, [rows[k][n - 1] if len(rows[k]) >= n else 0.0 for k in kept], str(n))
        for j, row in enumerate(rows):
            if len(row) == n:
                found[j] = dict(sums.mixed(*recipes[j], model))["w"]
    return len(kept), [found[j] for j in range(len(rows))]


@pytest.mark.parametrize(
    ("named", "n_sums"),
    [
        ([schedules.equal], 1),
        ([schedules.exponential], 1),
        ([partial(schedules.exponential, decay=0.3)], 1),
        ([schedules.linear], 2),
        ([schedules.equal, schedules.linear], 2),
        (list(schedules.SCHEDULES.values()), 3),
        ([partial(schedules.ema, decay=0.9)], 1),
        (
            [lambda n: np.arange(1, n + 1) ** 2.0],
            4,
        ),  # three, and one more where rounding asks for it
    ],
)
@pytest.mark.parametrize("n", [1, 2, 3, 12, 100])
def test_schedules_need_few_sums_however_many_models_there_are(named, n_sums, n):
    rows = [
        schedules.resolve(schedule, m, newest="first")
        for m in range(1, n + 1)
        for schedule in named
    ]
    stack = RANDOM.normal(size=(n, 20))
    needed, found = averages(rows, [{"w": values} for values in stack])
    assert needed <= n_sums
    for row, average in zip(rows, found, strict=True):
        np.testing.assert_allclose(average, row @ stack[: len(row)], rtol=0, atol=1e-8)


def test_weights_without_structure_work_too():
    rows = [RANDOM.dirichlet(np.ones(n)) for n in range(1, 13)]
    stack = RANDOM.normal(size=(12, 20))
    needed, found = averages(rows, [{"w": values} for values in stack])
    assert needed <= 7
    for row, average in zip(rows, found, strict=True):
        np.testing.assert_allclose(average, row @ stack[: len(row)], atol=1e-8)


def test_equal_models_leave_no_rounding():
    model = {"w": RANDOM.normal(size=1000), "mask": np.array([-np.inf, 0.0])}
    sums = RunningSums()
    for i in range(3):
        sums.add(model, [1 / 3], str(i))
    mixed = dict(sums.mixed([1.0]))
    np.testing.assert_array_equal(mixed["w"], model["w"])
    np.testing.assert_array_equal(mixed["mask"], model["mask"])


def test_shapes_types_and_integers():
    models = [
        {
            "scalar": np.asarray(float(i)),
            "matrix": np.full((2, 3), 1j * i, np.complex64),
            "half": np.full(4, i, np.float16),
            "count": np.array(i),
            "empty": np.zeros((0, 2)),
        }
        for i in (1, 2, 6)
    ]
    sums = RunningSums()
    for i, model in enumerate(models):
        sums.add(model, [1.0], str(i))
    mixed = dict(sums.mixed([1 / 3]))
    assert list(mixed) == list(models[0])
    assert mixed["scalar"] == 3
    np.testing.assert_array_equal(mixed["matrix"], np.full((2, 3), 3j))
    assert mixed["half"].dtype == np.float64
    assert mixed["count"] == 6
    assert dict(sums.mixed([1 / 3], integers="first"))["count"] == 1
    assert mixed["empty"].shape == (0, 2)


def test_what_is_added_may_change_afterwards():
    values, sums = np.ones(2), RunningSums()
    sums.add({"w": values}, [0.5], "a")
    values += 2
    sums.add({"w": values}, [0.5], "b")
    np.testing.assert_array_equal(dict(sums.mixed([1.0]))["w"], [2, 2])


def test_nan_is_named():
    sums = RunningSums()
    sums.add({"w": np.ones(2)}, [0.5], "first.pt")
    with pytest.raises(ValueError, match=r"'w' in second.pt"):
        sums.add({"w": np.array([1, np.nan])}, [0.5], "second.pt")
    with pytest.raises(ValueError, match=r"'w' in first.pt"):
        RunningSums().add({"w": np.array([np.nan])}, [0.5], "first.pt")
