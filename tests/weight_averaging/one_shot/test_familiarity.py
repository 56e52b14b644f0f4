"""Rows outside of the ranges that a site declared are those about which it has less say."""

import numpy as np
import pytest
import torch

from stackens.weight_averaging.one_shot import InputSchema, Site
from stackens.weight_averaging.one_shot._familiarity import familiarity_of

STATE = {"w": np.zeros(2)}


def sites(*schemas):
    return [Site(STATE, input_schema=schema, name=str(i)) for i, schema in enumerate(schemas)]


def ranges(*ends, **settings):
    return sites(*(InputSchema(shape=(2,), low=a, high=b, **settings) for a, b in ends))


def test_a_row_counts_by_how_far_beyond_the_range_it_lies():
    known = familiarity_of(ranges((0, 1), (0, 10)))
    rows = torch.tensor([[0.5, 0.5], [1.25, 0.5], [1.5, 2.0], [9.0, 9.0], [99.0, 0.5]])
    factors = known([rows])
    torch.testing.assert_close(factors[1], torch.ones(5))
    # the strangest feature tells; widths of ranges are the unit
    wanted = np.exp(-4 * np.array([0, 0.25, 1, 3, 3]))
    torch.testing.assert_close(factors[0].double(), torch.tensor(wanted), rtol=1e-4, atol=1e-9)
    assert (factors > 0).all()


def test_where_all_ranges_are_left_the_nearest_site_counts_most():
    factors = familiarity_of(ranges((0, 1), (2, 3)))([torch.tensor([[-1.0, 0.5]])])
    assert factors[0, 0] == 1
    assert factors[1, 0] < 0.01


def test_positions_are_averaged():
    schemas = [InputSchema(shape=(4, 1), low=0, high=high) for high in (1, 2)]
    row = torch.tensor([[[0.0], [0.0], [0.0], [2.0]]])
    factors = familiarity_of(sites(*schemas))([row])
    assert factors[0, 0].item() == pytest.approx(np.exp(-4 * 0.25))


def test_a_number_that_never_changed_at_a_site_has_the_width_of_all():
    known = familiarity_of(ranges((3, 3), (1, 5)))
    assert known([torch.tensor([[3.0, 5.0]])])[0, 0].item() == pytest.approx(np.exp(-4 * 0.5))
    everywhere = familiarity_of(ranges((3, 3), (3, 3)))([torch.tensor([[3.0, 4.0]])])
    assert everywhere.tolist() == [[1.0], [1.0]]


def test_ranges_follow_scales():
    raw = torch.tensor([[1.5, 0.5], [1.0, 7.0]])
    known = familiarity_of(ranges((0, 1), (0, 10)))
    scaled = known.rescaled(np.array([2.0, 0.5]), np.array([1.0, -1.0]))
    moved = raw * torch.tensor([2.0, 0.5]) + torch.tensor([1.0, -1.0])
    torch.testing.assert_close(scaled([moved]), known([raw]))


@pytest.mark.parametrize(
    "declared",
    [
        {"quantiles": [[0, 0], [0.5, 0.1], [1, 1]]},
        {"mean": 0.5, "deviation": 1 / 6},
        {"low": [0, 0], "high": 1},
    ],
)
def test_whatever_a_schema_declares_has_ends(declared):
    wide = InputSchema(shape=(2,), low=-9, high=9)
    known = familiarity_of(sites(InputSchema(shape=(2,), **declared), wide))
    inside, outside = known([torch.tensor([[0.9, 0.1], [2.8, 0.1]])])[0].tolist()
    assert inside == 1
    assert outside == pytest.approx(np.exp(-4), rel=1e-3)


def test_tokens_that_a_site_has_never_seen():
    schemas = [
        InputSchema(shape=(2,), vocabulary=3, frequencies=counts) for counts in ([5, 1, 0], None)
    ]
    factors = familiarity_of(sites(*schemas))([torch.tensor([[0, 1], [0, 2]])])
    assert factors[0].tolist() == pytest.approx([1, np.exp(-4 * 0.5)])
    assert factors[1].tolist() == [1, 1]


def test_of_several_inputs_the_strangest_tells():
    numbers = [InputSchema(shape=(1,), low=0, high=high) for high in (1, 4)]
    words = InputSchema(shape=(2,), vocabulary=3)
    known = familiarity_of(sites(*([number, words] for number in numbers)))
    factors = known([torch.tensor([[1.5]]), torch.tensor([[0, 1]])])
    assert factors[0, 0].item() == pytest.approx(np.exp(-2))


def test_nothing_is_known_unless_all_sites_declare_the_same_inputs():
    assert familiarity_of([Site(STATE), *ranges((0, 1))]) is None
    other = InputSchema(shape=(3,), low=0, high=1)
    assert familiarity_of([*ranges((0, 1)), *sites(other)]) is None


def test_inputs_that_nobody_declared_tell_nothing():
    known = familiarity_of(sites(*(InputSchema(shape=(3, 1), low=0, high=h) for h in (1, 9))))
    assert known([torch.full((2, 5, 1), 8.0)]).tolist() == [[1, 1], [1, 1]]
    assert known([torch.zeros(1, 3, 1), torch.zeros(1, 4)]).tolist() == [[1], [1]]
    schemas = [
        InputSchema(shape=(2,), vocabulary=3, frequencies=counts) for counts in ([5, 1, 0], None)
    ]
    factors = familiarity_of(sites(*schemas))([torch.tensor([[0, 1, 2, 1], [0, 1, 7, 9]])])
    assert factors[0].tolist() == pytest.approx([np.exp(-1), 1])


def test_ranges_narrower_than_single_precision_are_not_told_apart():
    known = familiarity_of(ranges((1e8, 1e8 + 1e-6), (1e8 + 4, 1e8 + 4 + 1e-6)))
    assert (known([torch.full((1, 2), 1e8)]) > 0.7).all()
