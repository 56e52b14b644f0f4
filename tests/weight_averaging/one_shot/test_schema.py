"""Declarations of inputs, and whether draws keep to them."""

import numpy as np
import pytest

from stackens.weight_averaging.one_shot import InputSchema


def draw(schema, n=400, seed=0):
    return schema.draw(n, np.random.default_rng(seed))


def test_draws_stay_in_the_range_of_each_feature():
    rows = draw(InputSchema(shape=(6, 2), low=[-1, 10], high=[1, 30]))
    assert rows.shape == (400, 6, 2)
    assert rows[..., 0].min() >= -1
    assert rows[..., 0].max() <= 1
    assert rows[..., 1].min() >= 10
    assert rows[..., 1].max() <= 30
    assert np.ptp(rows[..., 1]) > 19


def test_draws_by_mean_and_deviation():
    rows = draw(InputSchema(shape=(6, 2), mean=[0, 100], deviation=[1, 10]), n=2000)
    assert rows[..., 0].mean() == pytest.approx(0, abs=0.2)
    assert rows[..., 1].mean() == pytest.approx(100, abs=2)
    assert 8 < rows[..., 1].std() / rows[..., 0].std() < 12


def test_draws_by_quantiles_follow_each_features_own():
    levels = [[0, 5], [1, 5], [100, 6]]
    rows = draw(InputSchema(shape=(3, 2), quantiles=levels), n=2000)
    assert rows[..., 0].min() >= 0
    assert rows[..., 0].max() <= 100
    assert (rows[..., 0] <= 1).mean() == pytest.approx(0.5, abs=0.1)
    assert (rows[..., 1] == 5).mean() == pytest.approx(0.5, abs=0.1)


def test_quantiles_may_be_common_to_all_features():
    rows = draw(InputSchema(shape=(3, 2), quantiles=[0, 1]))
    assert rows.shape == (400, 3, 2)


def test_whole_numbers_and_flags():
    rows = draw(
        InputSchema(shape=(4, 3), low=[0, 0, 0], high=[1, 5, 1], integer=[True, True, False])
    )
    assert np.unique(rows[..., 0]).tolist() == [0, 1]
    assert np.unique(rows[..., 1]).tolist() == [0, 1, 2, 3, 4, 5]
    assert len(np.unique(rows[..., 2])) > 100


def test_tokens_and_their_frequencies():
    rows = draw(InputSchema(shape=(20,), vocabulary=3, frequencies=[3, 0, 1]))
    assert rows.dtype == np.int64
    assert (rows != 1).all()
    assert (rows == 0).mean() == pytest.approx(0.75, abs=0.02)
    assert set(np.unique(draw(InputSchema(shape=(20,), vocabulary=3)))) == {0, 1, 2}


def test_images_are_smooth_along_the_axes_that_are_named():
    images = draw(InputSchema(shape=(2, 9, 9), low=0, high=1, smoothness=3, smooth_axes=(1, 2)))
    for axis in (2, 3):
        assert np.abs(np.diff(images, axis=axis)).mean() < 0.2
    assert np.abs(np.diff(images, axis=1)).mean() > 0.25


def test_the_same_seed_gives_the_same_draws():
    schema = InputSchema(shape=(5, 2), low=0, high=1)
    assert (draw(schema, seed=3) == draw(schema, seed=3)).all()
    assert (draw(schema, seed=3) != draw(schema, seed=4)).any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shape": ()}, "'shape'.*Got"),
        ({"shape": (0, 2), "low": 0, "high": 1}, "'shape'"),
        ({"shape": (2.5,), "low": 0, "high": 1}, "'shape'"),
        ({"shape": (4, 2)}, "needs either 'low' and 'high'"),
        ({"shape": (4, 2), "low": 0}, "needs either 'low' and 'high'"),
        ({"shape": (4, 2), "low": 0, "high": 1, "mean": 0, "deviation": 1}, "needs either"),
        ({"shape": (4, 2), "low": 1, "high": 0}, "at least 'low'"),
        ({"shape": (4, 2), "low": [0, 0, 0], "high": 1}, "broadcast to the shape"),
        ({"shape": (4, 2), "low": np.zeros((3, 4, 2)), "high": 1}, "broadcast to the shape"),
        ({"shape": (4, 2), "low": np.nan, "high": 1}, "be finite"),
        ({"shape": (4, 2), "low": "a", "high": 1}, "be numbers"),
        ({"shape": (4, 2), "mean": 0, "deviation": -1}, "at least zero"),
        ({"shape": (4, 2), "quantiles": [1, 0]}, "never fall"),
        ({"shape": (4, 2), "quantiles": [1]}, "two or more"),
        ({"shape": (4, 2), "low": 0, "high": 1, "integer": [True] * 3}, "broadcast"),
        ({"shape": (4, 2), "low": 0, "high": 1, "smooth_axes": (2,)}, "axes of the shape"),
        ({"shape": (4, 2), "low": 0, "high": 1, "smoothness": -1}, "'smoothness'"),
        ({"shape": (4, 2), "low": 0, "high": 1, "smoothness": np.inf}, "'smoothness'"),
        ({"shape": (4,), "low": 0, "high": 1, "frequencies": [1]}, "come with a vocabulary"),
        ({"shape": (4,), "vocabulary": 3, "low": 0}, "no low"),
        ({"shape": (4,), "vocabulary": 0}, "'vocabulary'"),
        ({"shape": (4,), "vocabulary": 3, "frequencies": [1, 1]}, "be 3 numbers"),
        ({"shape": (4,), "vocabulary": 3, "frequencies": [0, 0, 0]}, "one above it"),
        ({"shape": (4,), "low": 0, "high": 1, "transitions": [[1]]}, "come with a vocabulary"),
        ({"shape": (4,), "vocabulary": 2, "transitions": np.ones((2, 2))}, "be 3 times 2 numbers"),
        ({"shape": (4,), "vocabulary": 2, "transitions": -np.ones((3, 2))}, "at least zero"),
        ({"shape": (4,), "vocabulary": 2, "correlations": [np.eye(4)]}, "no correlations"),
        ({"shape": (4, 2), "low": 0, "high": 1, "correlations": 0.5}, "one matrix or None"),
        ({"shape": (4, 2), "low": 0, "high": 1, "correlations": [None]}, "one matrix or None"),
        ({"shape": (2,), "low": 0, "high": 1, "correlations": ["a"]}, "one matrix or None"),
        ({"shape": (2,), "low": 0, "high": 1, "correlations": [np.eye(3)]}, "axis of 2"),
        ({"shape": (2,), "low": 0, "high": 1, "correlations": [np.ones((2, 2)) * 2]}, "symmetric"),
        ({"shape": (2,), "low": 0, "high": 1, "correlations": [[[1, np.nan]] * 2]}, "symmetric"),
        ({"shape": (2,), "low": 0, "high": 1, "correlations": [[[1, 0.5], [0, 1]]]}, "symmetric"),
    ],
)
def test_declarations_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        InputSchema(**given)


def test_describe_gives_ranges_whole_numbers_and_smoothness():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(300, 40, 1)), axis=1)
    flags = rng.integers(0, 2, size=(300, 40, 1))
    schema = InputSchema.describe(np.concatenate([walk, flags], axis=2))
    assert schema.shape == (40, 2)
    assert schema.integer.tolist() == [False, True]
    assert schema.quantiles[4, 0] == pytest.approx(np.median(walk))
    assert schema.quantiles[[0, -1], 1].tolist() == [0, 1]
    rows = draw(schema)
    assert np.unique(rows[..., 1]).tolist() == [0, 1]
    assert rows[..., 0].min() >= walk.min()
    assert rows[..., 0].max() <= walk.max()


def test_describe_finds_smooth_rows_smoother():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200, 30, 1))
    smooth = np.cumsum(noise, axis=1)
    assert InputSchema.describe(noise).smoothness == 0
    assert InputSchema.describe(smooth).smoothness > 2


def test_describe_finds_the_smooth_axes_whatever_their_order():
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(size=(300, 3, 20)), axis=2)  # channels first
    walks[:, 1] += 500
    schema = InputSchema.describe(walks)
    assert schema.smooth_axes == (1,)
    assert schema.quantiles.shape == (9, 3, 20)
    rows = draw(schema)
    assert rows[:, 1].min() > 400
    assert rows[:, [0, 2]].max() < 100
    steps = np.diff(rows, axis=2)
    assert steps.std() < rows[:, 0].std()
    last = InputSchema.describe(np.moveaxis(walks, 1, 2))
    assert last.smooth_axes == (0,)
    assert last.quantiles.shape == (9, 3)
    images = rng.uniform(size=(50, 3, 16, 16)).cumsum(axis=2).cumsum(axis=3)
    assert InputSchema.describe(images).smooth_axes == (1, 2)
    assert InputSchema.describe(images).quantiles.shape == (9, 3, 1, 16)


def test_features_that_go_together_do_not_shorten_what_is_smooth_in_time():
    rng = np.random.default_rng(0)
    hours = 0.8 * rng.normal(size=(300, 24, 1)) + 0.6 * rng.normal(size=(300, 24, 4))
    for i in range(1, 24):
        hours[:, i] = 0.95 * hours[:, i - 1] + 0.31 * hours[:, i]
    schema = InputSchema.describe(hours)
    assert schema.smooth_axes == (0,)
    assert schema.smoothness > 2.5


def test_columns_of_a_table_and_single_rows_have_no_order_of_their_own():
    rng = np.random.default_rng(0)
    assert InputSchema.describe(np.cumsum(rng.normal(size=(99, 9)), axis=1)).smooth_axes == ()
    assert InputSchema.describe(rng.normal(size=(1, 5, 2))).smooth_axes == (0,)
    assert draw(InputSchema.describe(np.zeros((4, 1, 1)))).shape == (400, 1, 1)


def test_describe_gives_no_extreme_of_a_single_row_away():
    rows = np.random.default_rng(0).uniform(size=(1000, 4, 1))
    rows[0, 0, 0] = 1e6
    assert InputSchema.describe(rows).quantiles.max() < 1
    whole = np.rint(1000 * rows)
    assert InputSchema.describe(whole).quantiles.max() < 1000


def test_describe_counts_tokens():
    schema = InputSchema.describe(np.array([[0, 1], [1, 1]]), vocabulary=4)
    assert schema.frequencies.tolist() == [1, 3, 0, 0]


def test_draws_are_correlated_as_declared():
    features = np.array([[1.0, -0.8, 0.0], [-0.8, 1.0, 0.0], [0.0, 0.0, 1.0]])
    rows = draw(
        InputSchema(shape=(30, 3), mean=0, deviation=1, smoothness=5, correlations=[None, features])
    )
    assert np.corrcoef(rows.reshape(-1, 3).T) == pytest.approx(features, abs=0.1)
    assert np.corrcoef(rows[:, 3, 0], rows[:, 4, 0])[0, 1] > 0.9  # still smooth along time


def test_a_description_of_rows_draws_their_like():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(500, 10, 1)).cumsum(axis=1)
    rows = np.concatenate([np.exp(first), 5 - 2 * first + rng.normal(size=first.shape)], axis=2)
    assert InputSchema.describe(rows).correlations is None
    schema = InputSchema.describe(rows, detailed=True)
    assert [matrix.shape for matrix in schema.correlations] == [(10, 10), (2, 2)]
    drawn = draw(schema)
    together = np.corrcoef(np.log(drawn[:, 5, 0]), drawn[:, 5, 1])[0, 1]
    assert together == pytest.approx(np.corrcoef(first[:, 5, 0], rows[:, 5, 1])[0, 1], abs=0.1)


def test_places_with_levels_of_their_own_keep_them():
    rng = np.random.default_rng(0)
    rows = rng.uniform(size=(300, 6, 2))
    assert InputSchema.describe(rows, detailed=True).quantiles.shape == (9, 2)
    rows += np.arange(6)[:, None]  # such as an hour of the day
    few = InputSchema.describe(rows[:50], detailed=True)  # would nearly be the rows
    assert few.quantiles.shape == InputSchema.describe(rows).quantiles.shape == (9, 2)
    schema = InputSchema.describe(rows, detailed=True)
    assert schema.quantiles.shape == (9, 6, 2)
    assert draw(schema).mean(axis=0) == pytest.approx(rows.mean(axis=0), abs=0.1)


def test_described_tokens_follow_each_other_as_in_the_rows():
    rows = (np.arange(300)[:, None] + np.arange(8)) % 5  # each is followed by the next
    assert InputSchema.describe(rows, vocabulary=5).transitions is None
    schema = InputSchema.describe(rows, vocabulary=5, detailed=True)
    assert schema.transitions.shape == (6, 5)
    drawn = draw(schema)
    assert ((drawn[:, :-1] + 1) % 5 == drawn[:, 1:]).mean() > 0.9


def test_rows_with_missing_values_are_not_described():
    with pytest.raises(ValueError, match="finite numbers"):
        InputSchema.describe(np.full((3, 2, 1), np.nan))


def test_the_arguments_stay_as_they_are():
    low = np.zeros(2)
    InputSchema(shape=(4, 2), low=low, high=1, integer=[True, False]).draw(
        3, np.random.default_rng(0)
    )
    assert (low == 0).all()
