"""Tests that the exported TabularEncoder has every bit of the encoder."""

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackens import TabularEncoder
from stackens.exceptions import ExportError
from stackens.export.program import Graph, evaluate
from stackens.export.readers.preprocessing._tabular_encoder import _date_parts
from stackens.preprocessing._reading import PARTS, _datetime_parts
from tests.export.readers.preprocessing.comparison import largest_difference, program_of

LARGEST = float(np.finfo(np.float32).max)


def table(n=80, seed=0, extra=False):
    rng = np.random.default_rng(seed)
    start = np.datetime64("1890-01-01T00:00:00.000000")
    moments = start + rng.integers(0, 200 * 365 * 86_400_000_000, n).astype("m8[us]")
    more = ["unseen", "7"] if extra else []
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n) * 1e3,
            "holes": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
            "whole": rng.integers(-5, 5, n),
            "flag": rng.random(n) < 0.5,
            "constant": 4.25,
            "text": pd.Series(rng.choice(["a", "b", "NA", "3", "", *more], n), dtype=object),
            "rare": rng.choice(["x", "y", "z", "w", *more], n, p=_weights(4 + len(more))),
            "code": rng.choice([1.0, 2.0, 2.5, np.nan, *([99.0] if extra else [])], n),
            "when": moments,
            "day": (moments.astype("M8[D]")).astype("M8[us]"),
            "long": rng.integers(-(10**12), 10**12, n).astype("m8[us]"),
        }
    )
    for name in ("text", "when", "long"):
        frame.loc[rng.random(n) < 0.2, name] = None
    return frame


def _weights(n):
    weights = np.r_[np.full(n - 1, 0.05), 0.0]
    weights[-1] = 1 - weights.sum()
    return weights


def extreme(frame):
    rows = frame.iloc[[0] * 9].copy()
    values = [np.inf, -np.inf, LARGEST, -LARGEST, np.nextafter(LARGEST, np.inf), 1e308, -1e308]
    rows["number"] = [*values, -0.0, 5e-324]
    rows["holes"] = rows["number"].to_numpy()[::-1]
    return rows


TRAIN = table()


@pytest.mark.parametrize("encoding", ["ordinal", "one-hot"])
@pytest.mark.parametrize("categorical", ["auto", ["code", "whole", "flag"]])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"impute": None},
        {"impute": None, "scale": True},
        {"impute": "mean", "add_indicator": True},
        {"scale": True, "add_indicator": True, "min_frequency": 8},
        {"max_categories": 2, "scale": True},
    ],
    ids=str,
)
def test_every_option(encoding, categorical, options):
    encoder = TabularEncoder(encoding=encoding, categorical=categorical, **options).fit(TRAIN)
    rows = pd.concat([TRAIN, table(60, seed=1, extra=True), extreme(TRAIN)])
    assert largest_difference(encoder, rows) == 0.0


def test_columns_without_a_value_in_fit():
    train = pd.DataFrame({"a": [np.nan] * 4, "b": pd.Series([None] * 4, dtype=object)})
    rows = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})
    for encoding in ("ordinal", "one-hot"):
        encoder = TabularEncoder(encoding=encoding, add_indicator=True).fit(train)
        assert largest_difference(encoder, rows) == 0.0


def test_numbers_listed_as_categories_and_read_as_numbers():
    rows = pd.DataFrame({"a": [1, 2, 3, 7]})
    encoder = TabularEncoder(categorical=["a"]).fit(rows[:3])
    assert program_of(encoder, ["a"]).columns[0].kind == "category"
    assert largest_difference(encoder, rows) == 0.0


def test_behind_it_a_scaler():
    pipeline = make_pipeline(TabularEncoder(encoding="one-hot"), StandardScaler()).fit(TRAIN)
    assert largest_difference(pipeline, table(60, seed=1, extra=True)) == 0.0


def _parts_of(stamps):
    graph = Graph(["when"])
    parts = _date_parts(graph, [0])
    columns = [stamps.astype(np.int64).astype(float)]
    return np.hstack(
        [evaluate(graph.program(parts[name], "values"), columns)[0] for name in PARTS["datetime"]]
    )


def test_every_day_of_800_years_and_its_last_microsecond():
    days = np.arange("1700-01-01", "2250-01-01", dtype="M8[D]").astype("M8[us]")
    for stamps in (days, days - np.timedelta64(1, "us"), days + np.timedelta64(1, "us")):
        np.testing.assert_array_equal(_parts_of(stamps), _datetime_parts(stamps))


def test_far_years():
    years = np.arange("-4000", "20000", dtype="M8[Y]").astype("M8[D]")
    days = np.concatenate([years, years + 58, years + 59, years + 60, years + 364, years + 365])
    stamps = days.astype("M8[us]") + np.timedelta64(13, "h")
    np.testing.assert_array_equal(_parts_of(stamps), _datetime_parts(stamps))


def test_hours_to_the_microsecond():
    hours = np.arange("1969-12-30T00", "1970-01-03T00", dtype="M8[h]").astype("M8[us]")
    for gap in (-1, 0, 1):
        stamps = hours + np.timedelta64(gap, "us")
        np.testing.assert_array_equal(_parts_of(stamps), _datetime_parts(stamps))


def test_times_in_nanoseconds_with_zones_and_as_objects():
    moments = pd.date_range("1969-12-28", periods=30, freq="7h", tz="Europe/Rome")
    train = pd.DataFrame({"zone": moments, "py": [m.to_pydatetime() for m in moments]})
    encoder = TabularEncoder(scale=True).fit(train)
    program = program_of(encoder, list(train.columns))
    assert [column.kind for column in program.columns] == ["datetime", "datetime"]
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    stamps = np.array([(m - epoch) // datetime.timedelta(microseconds=1) for m in train["py"]])
    (ours,) = evaluate(program, [stamps.astype(float)] * 2)
    np.testing.assert_array_equal(ours, encoder.transform(train))


def test_a_date_that_an_earlier_step_made_is_refused():
    encoder = TabularEncoder().fit(TRAIN[["when"]])
    scaled = make_pipeline(StandardScaler(), encoder)
    scaled.steps[0][1].fit(TRAIN[["number"]])
    with pytest.raises(ExportError, match="datetime"):
        program_of(scaled, ["number"])


def test_one_step_for_all_numbers():
    encoder = TabularEncoder().fit(pd.DataFrame(np.eye(40), columns=[f"c{i}" for i in range(40)]))
    assert len(program_of(encoder, [f"c{i}" for i in range(40)]).nodes) < 15
