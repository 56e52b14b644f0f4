"""TabularEncoder as users meet it: scikit-learn's checks, real tables, every container."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from stackens.preprocessing import CategoricalColumn, TabularEncoder
from stackens.preprocessing._reading import PARTS, level_text, numbers

TABLES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dev"
CONFIGURATIONS = [
    TabularEncoder(),
    TabularEncoder(encoding="one-hot", scale=True, add_indicator=True),
    TabularEncoder(impute=None, min_frequency=0.02, max_categories=5),
    TabularEncoder(encoding="one-hot", impute="mean", min_frequency=30, max_categories=None),
]


@parametrize_with_checks(
    [*CONFIGURATIONS[:3], TabularEncoder(categorical=[0])], expected_failed_checks=None
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# scikit-learn's checks fit on a frame and transform an array, or the other way round
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_param_validation,
        estimator_checks.check_dataframe_column_names_consistency,
        estimator_checks.check_transformer_get_feature_names_out,
        estimator_checks.check_transformer_get_feature_names_out_pandas,
        estimator_checks.check_set_output_transform,
        estimator_checks.check_set_output_transform_pandas,
        estimator_checks.check_set_output_transform_polars,
        estimator_checks.check_global_output_transform_pandas,
        estimator_checks.check_global_set_output_transform_polars,
    ],
    ids=lambda check: check.__name__,
)
@pytest.mark.parametrize("encoder", CONFIGURATIONS[:2], ids=["ordinal", "one-hot"])
def test_further_scikit_learn_checks(check, encoder):
    check("TabularEncoder", clone(encoder))


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "age": [30.0, None, 50.0, 40.0],
            "city": ["Bern", "Rome", None, "Bern"],
            "member": [True, False, True, True],
            "since": pd.to_datetime(
                ["2020-01-01 00:00", "2021-06-01 12:00", None, "2020-01-01 00:00"]
            ),
            "visits": [1, 2, 3, 4],
        }
    )


# ------------------------------------------------------------------ real tables


def by_hand(encoder, X):
    """What the records say, one cell at a time: the formulas an export has to write."""
    rows = []
    columns = [X.iloc[:, i].astype(object).to_numpy() for i in range(X.shape[1])]
    for r in range(len(X)):
        row = []
        for record, values in zip(encoder.columns_, columns, strict=True):
            cell = values[r : r + 1]
            if isinstance(record, CategoricalColumn):
                text = level_text(cell[0], record.name)
                code = record.unknown_code
                if text is None:
                    code = record.missing_code
                elif text in record.levels:
                    code = record.levels.index(text)
                row += [code == i for i in range(record.width)] if record.one_hot else [code]
                continue
            (parts,) = numbers(cell, record.kind, record.name)
            for feature in record.features:
                x = parts[PARTS[record.kind].index(feature.part)]
                x = feature.fill if np.isnan(x) else x
                row.append((x - feature.mean) / feature.scale)
            row += [np.isnan(parts[0])] if record.indicator else []
        rows.append(row)
    return np.array(rows, dtype=float)


def real_table(name):
    path = TABLES / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip("the real tables are not here")
    dates = ["time"] if name == "beijing_air" else []
    return pd.read_csv(
        path, keep_default_na=False, na_values=[""], parse_dates=dates, nrows=30_000
    ).iloc[:, :-1]


@pytest.mark.parametrize(
    "name",
    [
        *("adult", "telco_churn", "german_credit", "hypothyroid", "soybean", "diamonds"),
        *("california_housing", "bike_hourly", "beijing_air"),
    ],
)
@pytest.mark.parametrize("encoder", CONFIGURATIONS, ids=["codes", "one-hot", "trees", "rare"])
def test_real_tables(name, encoder):
    X = real_table(name)
    half = len(X) // 2
    untouched = X.copy()
    encoder = clone(encoder).fit(X.iloc[:half])
    out = encoder.transform(X)
    assert out.shape == (len(X), len(encoder.get_feature_names_out()))
    assert np.isfinite(out).all() or encoder.impute is None
    sample = np.random.default_rng(0).choice(len(X), 150, replace=False)
    np.testing.assert_array_equal(out[sample], by_hand(encoder, X.iloc[sample]))
    np.testing.assert_array_equal(out[sample[:30]], encoder.transform(X.iloc[sample[:30]]))
    pd.testing.assert_frame_equal(X, untouched)


@pytest.mark.parametrize("name", ["adult", "hypothyroid", "beijing_air"])
@pytest.mark.parametrize("encoder", CONFIGURATIONS, ids=["codes", "one-hot", "trees", "rare"])
def test_every_container_gives_the_same_numbers(name, encoder):
    polars, _ = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    # without a value only its type can say what a column is, and lists have none
    X = real_table(name).iloc[:3000].dropna(axis=1, how="all")
    wanted = clone(encoder).fit_transform(X)
    text = X.select_dtypes(["object", "str"]).columns
    as_polars = polars.DataFrame({c: [None if pd.isna(v) else v for v in X[c]] for c in X})
    others = {
        "nullable": X.convert_dtypes(),
        "category": X.astype(dict.fromkeys(text, "category")),
        "object": X.astype(object),
        "polars": as_polars,
        "polars categorical": as_polars.with_columns(
            polars.col(polars.String).cast(polars.Categorical)
        ),
        "arrow": as_polars.to_arrow(),
        "list": X.astype(object).to_numpy().tolist(),
    }
    for container, other in others.items():
        got = clone(encoder).fit_transform(other)
        np.testing.assert_array_equal(got, wanted, err_msg=container)


@pytest.mark.parametrize("encoder", CONFIGURATIONS, ids=["codes", "one-hot", "trees", "rare"])
def test_order_of_rows_does_not_change_the_codes(encoder):
    X = real_table("soybean")
    a = clone(encoder).fit(X)
    b = clone(encoder).fit(X.sample(frac=1.0, random_state=0))
    assert a.columns_ == b.columns_


# ------------------------------------------------------------------ parameters


def test_listed_columns_are_categorical(frame):
    encoder = TabularEncoder(categorical=["visits", 2]).fit(frame)
    kinds = {record.name: record.kind for record in encoder.columns_}
    assert kinds == {
        "age": "numeric",
        "city": "categorical",
        "member": "categorical",
        "since": "datetime",
        "visits": "categorical",
    }
    assert encoder.columns_[2].levels == ("False", "True")


def test_listed_columns_may_be_an_array_and_may_come_as_numbers_or_text():
    X = pd.DataFrame({"a": [1, 2, 10]})
    encoder = TabularEncoder(categorical=np.array([0])).fit(X)
    for same in (X, X.astype(float), X.astype(str), X.astype("category"), X.to_numpy().tolist()):
        if isinstance(same, list):
            with pytest.warns(UserWarning, match="valid feature names"):
                assert encoder.transform(same)[:, 0].tolist() == [0, 1, 2]
        else:
            assert encoder.transform(same)[:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("item", ["height", 5, -1, True, 1.5])
def test_listing_a_column_that_is_not_there(frame, item):
    with pytest.raises(
        ValueError, match=r"'categorical'.*Got .* in it. Use a position from 0 to 4"
    ):
        TabularEncoder(categorical=[item]).fit(frame)


@pytest.mark.parametrize(
    "bad",
    [
        {"encoding": "target"},
        {"categorical": "all"},
        {"impute": "keep"},
        {"min_frequency": 0},
        {"min_frequency": 1.5},
        {"min_frequency": np.inf},
        {"max_categories": 0},
        {"max_categories": 2.5},
    ],
)
def test_bad_parameters(frame, bad):
    (name,) = bad
    with pytest.raises(ValueError, match=f"The '{name}' parameter of TabularEncoder must be .*Got"):
        TabularEncoder(**bad).fit(frame)


# ------------------------------------------------------------------ names


def test_output_names(frame):
    encoder = TabularEncoder(encoding="one-hot", add_indicator=True).fit(frame)
    assert encoder.get_feature_names_out().tolist() == [
        *("age", "age_missing", "city_Bern", "city_Rome", "city_missing", "member"),
        *("since_days", "since_year", "since_month", "since_weekday", "since_hour"),
        *("since_missing", "visits"),
    ]


def test_output_names_are_all_different():
    X = pd.DataFrame({"a_b": [1, 2, 3], "a_b_2": [1, 2, 3], "a": ["missing", None, "b"]})
    names = TabularEncoder(encoding="one-hot").fit(X).get_feature_names_out().tolist()
    assert names == ["a_b", "a_b_2", "a_b_3", "a_missing", "a_missing_2"]


def test_output_names_without_input_names():
    encoder = TabularEncoder().fit([[1, "a"], [2, "b"]])
    assert [record.kind for record in encoder.columns_] == ["numeric", "categorical"]
    assert encoder.get_feature_names_out().tolist() == ["x0", "x1"]
    assert encoder.get_feature_names_out(["u", "v"]).tolist() == ["u", "v"]


def test_set_output(frame):
    encoder = TabularEncoder().set_output(transform="pandas")
    out = encoder.fit_transform(frame)
    assert list(out.columns) == encoder.get_feature_names_out().tolist()
    assert list(out.index) == list(frame.index)


# ------------------------------------------------------------------ weights


@pytest.mark.parametrize("encoding", ["ordinal", "one-hot"])
@pytest.mark.parametrize("impute", ["median", "mean"])
@pytest.mark.parametrize("min_frequency", [None, 4, 0.2])
@pytest.mark.parametrize("seed", range(4))
def test_whole_weights_are_repeated_rows(encoding, impute, min_frequency, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 30))
    table = pd.DataFrame(
        {
            "number": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n).round(1)),
            "text": rng.choice(list("xyzuv"), n),
            "day": pd.to_datetime(rng.integers(0, 10**9, n), unit="s"),
            "order": pd.Categorical(rng.choice(["lo", "hi"], n), ["lo", "hi"], ordered=True),
        }
    )
    weights = rng.integers(0, 4, n)
    weights[0] = 1
    encoder = TabularEncoder(
        encoding=encoding,
        impute=impute,
        scale="robust" if seed % 2 else True,
        add_indicator=True,
        min_frequency=min_frequency,
        max_categories=4,
    )
    repeated = clone(encoder).fit(table.loc[np.repeat(np.arange(n), weights)])
    weighted = clone(encoder).fit(table, sample_weight=weights)
    names = repeated.get_feature_names_out().tolist()
    assert weighted.get_feature_names_out().tolist() == names
    np.testing.assert_allclose(weighted.transform(table), repeated.transform(table), atol=1e-9)


def test_weights_beside_a_polars_frame():
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({"number": [1.0, 2.0, 9.0], "text": ["x", "y", "z"]})
    encoder = TabularEncoder(scale=True).fit(X, sample_weight=[1, 0, 3])
    assert encoder.columns_[0].features[0].mean == 7.0
    assert encoder.columns_[1].levels == ("x", "z")


def test_equal_weights_change_nothing(frame):
    encoder = TabularEncoder(scale=True, impute="mean", min_frequency=0.3)
    plain = encoder.fit_transform(frame)
    np.testing.assert_allclose(
        encoder.fit_transform(frame, sample_weight=[0.5] * len(frame)), plain
    )


@pytest.mark.parametrize("size", [1e300, 1e-300])
@pytest.mark.parametrize("scale", [True, "robust"])
def test_only_the_proportions_of_weights_count(frame, size, scale):
    found = TabularEncoder(scale=scale).fit_transform(frame, sample_weight=[size] * len(frame))
    np.testing.assert_allclose(found, TabularEncoder(scale=scale).fit_transform(frame))


@pytest.mark.parametrize(
    ("weights", "words"),
    [([1.0, 1.0], r"expected \(4,\)"), ([-1.0, 1, 1, 1], "Negative"), (["a"] * 4, "string")],
)
def test_bad_weights(frame, weights, words):
    with pytest.raises(ValueError, match=words):
        TabularEncoder().fit(frame, sample_weight=weights)


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (pd.DataFrame({"a": []}), ValueError, r"0 sample\(s\)"),
        (pd.DataFrame(index=[0, 1]), ValueError, r"0 feature\(s\)"),
        (np.empty((0, 2)), ValueError, r"0 sample\(s\)"),
        (np.empty((2, 0)), ValueError, r"0 feature\(s\)"),
        (pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]), ValueError, r"\['a'\] more than once"),
        (pd.DataFrame({"a": [1j]}), ValueError, "Complex data not supported: column 'a'"),
        (sparse.csr_array(np.eye(2)), TypeError, "toarray"),
        (pd.DataFrame({"a": [[1], [2]]}), TypeError, "Column 'a' must hold single values"),
        (pd.Series([1, 2]), ValueError, "2-dimensional|2D"),
    ],
)
def test_bad_tables(X, error, words):
    with pytest.raises(error, match=words):
        TabularEncoder().fit(X)


@pytest.mark.parametrize("rows", [1, 100])
def test_numbers_that_come_as_text_are_an_error(frame, rows):
    encoder = TabularEncoder().fit(frame)
    new = pd.concat([frame.iloc[:1].astype({"age": str})] * rows)
    with pytest.raises(ValueError, match=r"Column 'age' must be numeric.*'30.0' of type str"):
        encoder.transform(new)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X: X.drop(columns="city"), "now missing:\n- city"),
        (lambda X: X.assign(height=1), "unseen at fit time:\n- height"),
        (lambda X: X[X.columns[::-1]], "same order"),
    ],
)
def test_other_columns_than_in_fit(frame, change, words):
    encoder = TabularEncoder().fit(frame)
    with pytest.raises(ValueError, match=words):
        encoder.transform(change(frame))


# ------------------------------------------------------------------ drift that is fine


def test_types_that_mean_the_same(frame):
    encoder = TabularEncoder().fit(frame)
    wanted = encoder.transform(frame)
    same = frame.astype({"visits": float, "city": "category", "member": int, "since": object})
    np.testing.assert_array_equal(encoder.transform(same), wanted)
    assert encoder.transform(pd.concat([same] * 20)).tolist() == wanted.tolist() * 20


def test_a_row_with_nothing_in_it(frame):
    encoder = TabularEncoder().fit(frame)
    empty = pd.DataFrame({name: [None] for name in frame})
    out = encoder.transform(empty)
    assert out[0, :3].tolist() == [40.0, -1.0, 1.0]
    np.testing.assert_array_equal(encoder.transform(pd.concat([empty] * 50)), np.repeat(out, 50, 0))


def test_read_only_data_and_slices(frame):
    X = np.arange(12.0).reshape(4, 3)
    X.setflags(write=False)
    np.testing.assert_array_equal(TabularEncoder().fit_transform(X[::2]), X[::2])
    part = TabularEncoder().fit(frame.iloc[1:3])
    assert part.transform(frame.iloc[[0]]).shape == (1, len(part.get_feature_names_out()))


def test_pickle_clone_and_pipeline(frame):
    y = [0, 1, 0, 1]
    encoder = TabularEncoder(encoding="one-hot", scale=True, add_indicator=True)
    pipeline = make_pipeline(encoder, LogisticRegression()).fit(frame, y)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict_proba(frame), pipeline.predict_proba(frame))
    assert not hasattr(clone(pipeline[0]), "columns_")
