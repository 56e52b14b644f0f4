"""Tests that UBJSON is read as XGBoost writes it."""

import json

import numpy as np
import pytest

from stackens.exceptions import ExportError
from stackens.export.readers.trees._ubjson import parse_ubjson


def name(text):
    return b"L" + len(text).to_bytes(8, "big") + text.encode()


def test_values_of_every_type():
    data = b"".join(
        [
            b"{",
            name("text") + b"S" + name("Zürich".encode().decode()).replace(b"\x06Z", b"\x07Z"),
            name("small") + b"i\xff",
            name("byte") + b"U\xff",
            name("two") + b"I\xff\xfe",
            name("four") + b"l\x00\x01\x00\x00",
            name("eight") + b"L\xff\xff\xff\xff\xff\xff\xff\xfd",
            name("single") + b"d\x3f\xc0\x00\x00",
            name("double") + b"D\xc0\x04\x00\x00\x00\x00\x00\x00",
            name("yes") + b"T",
            name("no") + b"F",
            name("null") + b"Z",
            name("list") + b"[#i\x02i\x07S" + name("x"),
            name("open") + b"[i\x01[]]",
            name("empty") + b"{}",
            b"}",
        ]
    )
    assert parse_ubjson(data) == {
        "text": "Zürich",
        "small": -1,
        "byte": 255,
        "two": -2,
        "four": 65536,
        "eight": -3,
        "single": 1.5,
        "double": -2.5,
        "yes": True,
        "no": False,
        "null": None,
        "list": [7, "x"],
        "open": [1, []],
        "empty": {},
    }


def test_arrays_of_one_type_are_arrays():
    singles = parse_ubjson(b"[$d#L" + (2).to_bytes(8, "big") + b"\x3f\x80\x00\x00\xff\xc0\x00\x00")
    assert singles.dtype == np.float32
    np.testing.assert_array_equal(singles, [1, np.nan])
    whole = parse_ubjson(b"[$I#i\x02\x01\x00\xff\xff")
    assert (whole.dtype, whole.tolist()) == (np.int16, [256, -1])


@pytest.mark.parametrize("data", [b"C", b"[$S#i\x01", b"N"])
def test_other_types_are_refused(data):
    with pytest.raises(ExportError, match="Got '[CSN]'"):
        parse_ubjson(data)


def test_a_booster_says_the_same_as_in_json():
    xgboost = pytest.importorskip("xgboost")
    rows = np.random.default_rng(0).normal(size=(50, 2))
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(rows, rows[:, 0]), 3)
    expected = json.loads(bytes(booster.save_raw("json")))
    assert as_plain(parse_ubjson(bytes(booster.save_raw("ubj")))) == as_plain(expected)


def as_plain(value):
    if isinstance(value, dict):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, np.ndarray)):
        return [as_plain(item) for item in value]
    return value if isinstance(value, (str, bool)) else float(np.float32(value))
