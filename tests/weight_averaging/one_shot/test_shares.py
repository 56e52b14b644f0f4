"""How much sites count, by what they sent."""

import numpy as np
import pytest

from stackens.weight_averaging.one_shot import Site
from stackens.weight_averaging.one_shot._ensemble import Form
from stackens.weight_averaging.one_shot._shares import sent_by_all, site_shares

STATE = {"w": np.zeros(2)}
CLASSES, NUMBERS = Form("classification", n_classes=2), Form("regression")
PLAIN = [Site(STATE, name="a"), Site(STATE, name="b")]
SIZED = [Site(STATE, n_rows=10, name="a"), Site(STATE, n_rows=30, name="b")]
COUNTED = [
    Site(STATE, class_counts=[10, 0], name="a"),
    Site(STATE, class_counts=[10, 20], name="b"),
]


def test_without_counts_all_sites_count_the_same():
    for shares in site_shares("auto", PLAIN, CLASSES):
        assert shares.tolist() == [0.5, 0.5]


def test_sites_count_by_their_rows():
    for shares in site_shares("auto", SIZED, NUMBERS):
        assert shares.tolist() == [0.25, 0.75]


def test_sites_count_by_their_rows_of_each_class():
    average, ensemble = site_shares("auto", COUNTED, CLASSES)
    assert average.tolist() == [0.25, 0.75]
    assert ensemble.tolist() == [[0.5, 0.0], [0.5, 1.0]]


def test_a_class_that_no_site_has_seen_is_up_to_all():
    sites = [Site(STATE, class_counts=[5, 0]), Site(STATE, class_counts=[5, 0])]
    assert site_shares("auto", sites, CLASSES)[1].tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_equal_and_given_weights_go_before_what_sites_send():
    assert site_shares("equal", COUNTED, CLASSES)[1].tolist() == [0.5, 0.5]
    average, ensemble = site_shares([3, 1], COUNTED, CLASSES)
    assert average.tolist() == ensemble.tolist() == [0.75, 0.25]
    average, ensemble = site_shares([[3, 0], [1, 4]], PLAIN, CLASSES)
    assert average.tolist() == [0.375, 0.625]
    assert ensemble.tolist() == [[0.75, 0.0], [0.25, 1.0]]


@pytest.mark.parametrize(
    ("weights", "sites", "form", "message"),
    [
        (["a", "b"], PLAIN, CLASSES, "must be numbers of at least zero"),
        ([1, 2, 3], PLAIN, CLASSES, r"of shape \(2,\) or \(2, 2\)"),
        ([[1, 2], [3, 4]], PLAIN, NUMBERS, r"of shape \(2,\)\. Got"),
        ([1, -1], PLAIN, CLASSES, "at least zero"),
        ([1, np.nan], PLAIN, CLASSES, "at least zero"),
        ([0, 0], PLAIN, CLASSES, "above zero"),
        ("rows", PLAIN, CLASSES, "'auto', 'equal' or numbers"),
        ("auto", [PLAIN[0], SIZED[1]], CLASSES, r"'n_rows', or none. Got none from \['a'\]"),
        ("auto", [SIZED[0], COUNTED[1]], CLASSES, "'class_counts', or none"),
        ("auto", COUNTED, Form("classification", n_classes=3), "for each of 3 classes"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, sites, form, message):
    with pytest.raises(ValueError, match=message):
        site_shares(weights, sites, form)


def test_what_all_sites_sent():
    assert sent_by_all(SIZED, "n_rows") == [10, 30]
    assert sent_by_all(PLAIN, "n_rows") is None
