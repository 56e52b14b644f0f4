"""Every output lands in its own column, and big tables give what small ones give."""

import numpy as np
import pandas as pd
import pytest

from stackens.preprocessing import TabularEncoder
from stackens.preprocessing._columns import LARGEST
from stackens.preprocessing._layout import CHUNK_ROWS, encode, layout_of


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "text": ["b", None, "a", "b"],
            "number": [1.0, np.nan, 3.0, 5.0],
            "when": pd.to_datetime(["2020-01-01", "2021-01-01", None, "2020-01-01"]),
            "flag": [True, False, True, True],
            "took": pd.to_timedelta([1, 2, 3, None], unit="s"),
            "whole": [4, 5, 6, 7],
        }
    )


def test_outputs_follow_the_order_of_the_columns(frame):
    encoder = TabularEncoder(encoding="one-hot", add_indicator=True).fit(frame)
    out = pd.DataFrame(encode(frame, layout_of(encoder.columns_)))
    out.columns = encoder.get_feature_names_out()
    assert out.to_dict("list") == {
        "text_a": [0, 0, 1, 0],
        "text_b": [1, 0, 0, 1],
        "text_missing": [0, 1, 0, 0],
        "number": [1, 3, 3, 5],
        "number_missing": [0, 1, 0, 0],
        "when_days": [18262, 18628, 18262, 18262],
        "when_year": [2020, 2021, 2020, 2020],
        "when_weekday": [2, 4, 2, 2],
        "when_missing": [0, 0, 1, 0],
        "flag": [1, 0, 1, 1],
        "took_seconds": [1, 2, 3, 2],
        "took_missing": [0, 0, 0, 1],
        "whole": [4, 5, 6, 7],
    }


def test_rows_do_not_depend_on_how_many_come_together(frame):
    encoder = TabularEncoder(encoding="one-hot", add_indicator=True, scale=True).fit(frame)
    layout = layout_of(encoder.columns_)
    together = encode(frame, layout)
    single = np.vstack([encode(frame.iloc[[i]], layout) for i in range(len(frame))])
    np.testing.assert_array_equal(single, together)
    repeats = CHUNK_ROWS // len(frame) + 2  # more than a chunk, and not a multiple of it
    many = encode(pd.concat([frame] * repeats, ignore_index=True), layout)
    np.testing.assert_array_equal(many, np.tile(together, (repeats, 1)))


def test_only_categorical_columns_and_only_numbers():
    text = pd.DataFrame({"a": ["x", "y"]})
    assert TabularEncoder().fit_transform(text).tolist() == [[0], [1]]
    numbers = np.array([[1.0, 2.0], [3.0, 5.0]])
    out = TabularEncoder().fit_transform(numbers)
    np.testing.assert_array_equal(out, numbers)
    assert not np.shares_memory(out, numbers)


def test_values_that_single_precision_calls_infinite_stay_within_the_range_of_fit():
    X = np.array([[-2.0], [3.0]])
    encoder = TabularEncoder().fit(X)
    new = np.array([[np.inf], [-np.inf], [1e39], [-1e300], [LARGEST], [100.0], [np.nan]])
    assert encoder.transform(new)[:, 0].tolist() == [3.0, -2.0, 3.0, -2.0, LARGEST, 100.0, 0.5]
