"""Numbers in words."""

import math

import pytest

from stackens.evaluation import as_bytes, as_number, as_seconds, capitalised, decimals

NAN = math.nan


@pytest.mark.parametrize(
    ("spread", "value", "digits"),
    [
        (0.012, 0.4, 3),
        (1.2, 400.0, 1),
        (12.0, 400.0, 0),
        (NAN, 0.4, 4),
        (0.0, 1_234.5, 0),
        (1e-13, 1_234.5, 0),  # only rounding
        (NAN, NAN, 3),
        (0.0, 0.0, 3),
    ],
)
def test_decimals(spread, value, digits):
    assert decimals(spread, value) == digits


def test_numbers():
    assert as_number(1_234.567, 1) == "1,234.6"
    assert as_number(NAN, 1) == as_number(math.inf, 1) == "-"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (4_321.0, "4,321 s"),
        (12.5, "12.5 s"),
        (0.99999, "1 s"),
        (0.00432, "4.32 ms"),
        (999.9e-6, "1 ms"),
        (3.2e-6, "3.2 µs"),
        (2e-9, "0.002 µs"),
        (NAN, "-"),
    ],
)
def test_seconds(seconds, words):
    assert as_seconds(seconds) == words


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (999, "999 B"),
        (1_000, "1 kB"),
        (999_900, "1 MB"),
        (1_234_567, "1.23 MB"),
        (2e9, "2 GB"),
        (NAN, "-"),
    ],
)
def test_bytes(n_bytes, words):
    assert as_bytes(n_bytes) == words


def test_zero_has_no_sign():
    assert as_number(-0.0, 2) == as_number(-0.0001, 2) == "0.00"


def test_capital_letters():
    assert capitalised("log loss") == "Log loss"
    assert capitalised("ROC AUC") == "ROC AUC"
    assert capitalised("") == ""
