"""Random fields: range, smoothness along the right axes, margins."""

import numpy as np
import pytest

from stackens.weight_averaging.one_shot._fields import (
    default_lengths,
    factor_of,
    uniform_fields,
)


def neighbours(fields, axis):
    """Correlation of neighbours along an axis, over all rows."""
    centred = fields - fields.mean()
    first, second = (np.delete(centred, place, axis=axis) for place in (-1, 0))
    return float((first * second).mean() / centred.var())


def test_fields_lie_between_0_and_1_and_reach_both_ends():
    fields = uniform_fields(500, (6, 2), {0: (0.0, 2.0)}, np.random.default_rng(0))
    assert fields.shape == (500, 6, 2)
    assert 0 <= fields.min() < 0.001
    assert 0.999 < fields.max() <= 1


@pytest.mark.parametrize("axis", [0, 1])
def test_a_longer_correlation_length_makes_neighbours_more_alike(axis):
    alike = [
        neighbours(
            uniform_fields(400, (12, 12), {axis: (length,)}, np.random.default_rng(0)), axis + 1
        )
        for length in (0.0, 1.0, 4.0)
    ]
    assert alike[0] + 0.1 < alike[1] < alike[2] - 0.1


def test_the_other_axis_is_not_smoothed():
    fields = uniform_fields(400, (12, 12), {0: (4.0,)}, np.random.default_rng(0))
    assert neighbours(fields, 1) > neighbours(fields, 2) + 0.3


def test_rows_take_different_lengths():
    fields = uniform_fields(400, (30, 1), {0: (0.0, 30.0)}, np.random.default_rng(0))
    bumps = np.abs(np.diff(fields[:, :, 0], axis=1)).mean(axis=1)
    assert (bumps < 0.05).mean() > 0.3
    assert (bumps > 0.1).mean() > 0.3


def test_margins_are_uniform_unless_any_are_wanted():
    def spread(any_margins):
        rng = np.random.default_rng(0)
        fields = uniform_fields(2000, (5, 1), {0: (2.0,)}, rng, any_margins=any_margins)
        return np.histogram(fields, bins=4, range=(0, 1))[0] / fields.size

    assert spread(False) == pytest.approx([0.25] * 4, abs=0.03)
    assert spread(True)[[0, 3]].min() > 0.3


def test_places_along_several_axes_have_levels_of_their_own_where_margins_are_unknown():
    rng = np.random.default_rng(0)
    fields = uniform_fields(3000, (6, 4), {}, rng, any_margins=True)
    same_feature = np.corrcoef(fields[:, 0, 0], fields[:, 5, 0])[0, 1]
    other_feature = np.corrcoef(fields[:, 0, 0], fields[:, 5, 1])[0, 1]
    assert same_feature > other_feature + 0.1


def test_factors_bring_correlations():
    wanted = np.array([[1.0, 0.7, -0.4], [0.7, 1.0, 0.2], [-0.4, 0.2, 1.0]])
    fields = uniform_fields(
        4000, (3,), {}, np.random.default_rng(0), factors={0: factor_of(wanted)}
    )
    assert np.corrcoef(fields.T) == pytest.approx(wanted, abs=0.06)
    assert fields.mean(axis=0) == pytest.approx([0.5] * 3, abs=0.02)


def test_a_factor_of_what_is_no_matrix_of_correlations_is_of_the_nearest():
    impossible = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    factor = factor_of(impossible)
    assert np.diag(factor @ factor.T) == pytest.approx(1)


def test_the_seed_decides():
    draws = [uniform_fields(3, (4,), {0: (1.0,)}, np.random.default_rng(s)) for s in (0, 0, 1)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


def test_default_lengths_go_from_none_to_the_whole_axis():
    lengths = default_lengths(27)
    assert lengths == pytest.approx((0, 3, 9, 27))
