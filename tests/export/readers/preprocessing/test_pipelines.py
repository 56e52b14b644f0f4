"""Tests that exported pipelines hand each step the columns that the source hands it."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn import config_context
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from stackens import TabularEncoder
from stackens.exceptions import ExportError
from stackens.export.program import Graph, evaluate
from stackens.export.readers import Table, read_response, read_transform
from tests.export.readers.preprocessing.comparison import (
    columns_of,
    largest_difference,
    number_rows,
    program_of,
    run,
)

NUMBERS = ["c0", "c1", "c2", "c3"]
TRAIN = number_rows(90, 4, missing=0.0, extremes=False, infinite=False, seed=1)
ROWS = number_rows(60, 4, extremes=False)
IGNORED = OneHotEncoder(handle_unknown="ignore")
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def mixed(n=90, seed=0, extra=False):
    rng = np.random.default_rng(seed)
    more = ["unseen"] if extra else []
    return pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.normal(40, 9, n)),
            "city": pd.Series(rng.choice(["Bern", "Rome", np.nan, *more], n), dtype=object).replace(
                "nan", np.nan
            ),
            "income": rng.exponential(2e4, n),
            "flag": rng.random(n) < 0.5,
            "grade": rng.choice(["a", "b", "c", *more], n),
            "rank": rng.integers(0, 5, n),
        }
    )


MIXED, UNSEEN = mixed(), mixed(50, seed=1, extra=True)


# --- Pipeline -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pipeline",
    [
        make_pipeline(StandardScaler(), MinMaxScaler()),
        make_pipeline("passthrough", StandardScaler(), None),
        make_pipeline(make_pipeline(StandardScaler()), make_pipeline("passthrough")),
        make_pipeline(FrozenEstimator(StandardScaler().fit(TRAIN)), MinMaxScaler()),
    ],
)
def test_steps_in_order(pipeline):
    assert largest_difference(pipeline.fit(TRAIN), ROWS) == 0.0


class Sum:
    """A model that only a graph can read: the sum of its columns."""

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return X.sum(axis=1)

    def _read_into(self, graph, table, method):
        assert method == "predict"
        return graph.reduce("sum", table.numbers(graph))


def test_the_last_step_is_the_model():
    pipeline = make_pipeline(StandardScaler(), make_pipeline("passthrough", Sum())).fit(TRAIN)
    graph = Graph(NUMBERS)
    program = graph.program(
        read_response(pipeline, graph, Table.of_raw_rows(graph), "predict"), "values"
    )
    rows = ROWS.dropna()[:40]
    ours, refused = run(program, rows)
    scaled = pipeline[0].transform(rows[~refused])
    np.testing.assert_array_equal(ours[~refused, 0], np.add.reduce(scaled.T))


def test_samplers_are_skipped():
    class Sampler:
        def fit_resample(self, X, y):
            return X, y

    steps = [("scale", StandardScaler().fit(TRAIN)), ("sample", Sampler())]
    pipeline = Pipeline(steps)
    program = program_of(pipeline, NUMBERS)
    ours, _ = run(program, TRAIN)
    np.testing.assert_array_equal(ours, steps[0][1].transform(TRAIN))


# --- ColumnTransformer ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "columns",
    [
        ["c2", "c0"],
        [2, 0],
        [-1, 1],
        slice(1, 3),
        slice("c1", "c2"),
        [True, False, False, True],
        np.array([False, True, True, False]),
        pd.Index(["c3"]),
        make_column_selector(pattern="c[13]"),
        lambda X: ["c1"],
    ],
    ids=lambda columns: getattr(columns, "__name__", str(columns).partition(" at 0x")[0]),
)
@pytest.mark.parametrize("remainder", ["drop", "passthrough", MinMaxScaler()], ids=str)
def test_columns_given_in_every_way(columns, remainder):
    transformer = ColumnTransformer([("scale", StandardScaler(), columns)], remainder=remainder)
    assert largest_difference(transformer.fit(TRAIN), ROWS) == 0.0


def test_positions_of_arrays():
    transformer = ColumnTransformer([("scale", StandardScaler(), [3, 1])], remainder="passthrough")
    assert largest_difference(transformer.fit(TRAIN.to_numpy()), ROWS, as_array=True) == 0.0


def test_weights_drops_and_empty_parts():
    transformer = ColumnTransformer(
        [
            ("a", StandardScaler(), ["c0", "c1"]),
            ("b", "drop", ["c2"]),
            ("c", "passthrough", ["c3", "c0"]),
            ("d", MinMaxScaler(), []),
        ],
        transformer_weights={"a": 0.3, "c": -2},
    )
    assert largest_difference(transformer.fit(TRAIN), ROWS) == 0.0


def test_columns_dropped_without_a_trace_are_refused():
    transformer = ColumnTransformer([("a", "drop", [0])]).fit(TRAIN)
    with pytest.raises(ExportError, match="at least one column"):
        program_of(transformer, NUMBERS)


def test_columns_that_are_not_there_are_refused():
    transformer = make_column_transformer((StandardScaler(), ["c0"])).fit(TRAIN)
    with pytest.raises(ExportError, match="none named"):
        program_of(transformer, ["other", "c1", "c2", "c3"])


def test_names_find_columns_in_another_order():
    transformer = make_column_transformer((StandardScaler(), ["c2"]), remainder="drop").fit(TRAIN)
    assert largest_difference(transformer, ROWS[["c2", "c3", "c1", "c0"]]) == 0.0


@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize("sparse_threshold", [0, 1])
def test_a_table_of_mixed_columns(output, sparse_threshold):
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    text = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(
            handle_unknown="infrequent_if_exist", min_frequency=3, sparse_output=output == "default"
        ),
    )
    transformer = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include=np.number)),
            ("text", text, ["city", "grade"]),
            ("codes", CODES, ["grade", "rank"]),
        ],
        remainder="passthrough",
        sparse_threshold=sparse_threshold,
    ).set_output(transform=output)
    assert largest_difference(transformer.fit(MIXED), UNSEEN) == 0.0


def test_names_that_inner_steps_give():
    inner = make_column_transformer(
        (StandardScaler(), ["income", "rank"]), (CODES, ["grade"]), remainder="passthrough"
    )
    outer = ColumnTransformer([("scale", MinMaxScaler(), ["standardscaler__income",
                               "remainder__age"])], remainder="passthrough")  # fmt: skip
    frame = MIXED.drop(columns=["city"])
    pipeline = make_pipeline(inner, outer).set_output(transform="pandas").fit(frame)
    assert largest_difference(pipeline, UNSEEN.drop(columns=["city"])) == 0.0
    graph = Graph(list(frame.columns))
    table = read_transform(pipeline, graph, Table.of_raw_rows(graph))
    assert table.names == tuple(pipeline.get_feature_names_out())


def test_names_that_the_configuration_asks_for():
    pipeline = make_pipeline(StandardScaler()).fit(TRAIN)
    for output, names in (("default", None), ("pandas", tuple(NUMBERS))):
        graph = Graph(NUMBERS)
        with config_context(transform_output=output):
            assert read_transform(pipeline, graph, Table.of_raw_rows(graph)).names == names


def test_numbers_behind_sparse_columns_are_multiplied():
    transformer = make_column_transformer(
        (IGNORED, ["grade", "flag"]), ("passthrough", ["income"]), sparse_threshold=1
    )
    pipeline = make_pipeline(transformer, StandardScaler(with_mean=False)).fit(MIXED)
    assert largest_difference(pipeline, UNSEEN) == 0.0


def test_one_column_as_category_and_as_number():
    transformer = ColumnTransformer(
        [("number", StandardScaler(), ["rank"]), ("category", IGNORED, ["rank"])]
    )
    for dtype in (int, float, object):
        train = MIXED.astype({"rank": dtype})
        rows = UNSEEN.assign(rank=range(50)).astype({"rank": dtype})
        assert largest_difference(transformer.fit(train), rows) == 0.0


def test_one_column_as_text_and_as_number():
    """TabularEncoder's levels are texts; beside a step that reads numbers they are numbers."""
    transformer = ColumnTransformer(
        [
            ("number", StandardScaler(), ["rank"]),
            ("text", TabularEncoder(categorical=[0]), ["rank"]),
        ]
    ).fit(MIXED)
    assert program_of(transformer, list(MIXED.columns)).columns[5].kind == "number"
    assert largest_difference(transformer, UNSEEN.assign(rank=range(50))) == 0.0


# --- FeatureUnion ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "union",
    [
        make_union(StandardScaler(), MinMaxScaler()),
        FeatureUnion(
            [("a", StandardScaler()), ("b", "passthrough"), ("c", "drop")],
            transformer_weights={"a": 10, "b": 0.1},
        ),
        FeatureUnion([("a", make_union(StandardScaler())), ("b", FunctionTransformer(np.abs))]),
    ],
)
def test_unions(union):
    assert largest_difference(union.fit(TRAIN), ROWS) == 0.0


def test_unions_of_projections_and_selections():
    union = make_union(PCA(2), SelectKBest(k=2)).fit(TRAIN, np.arange(90) % 2)
    assert largest_difference(union, ROWS, relative=True) <= 1e-9


# --- known silent failures of other exporters -----------------------------------------------


def test_timestamps_keep_their_doubles():
    """Single precision, in which 1.7e9 has steps of 128, moves such rows across splits."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"at": 1.7e9 + rng.integers(0, 4000, 500), "x": rng.normal(size=500)})
    y = (frame["at"] % 97 > 40).to_numpy().astype(int)
    model = LGBMClassifier(n_estimators=20, min_child_samples=2, n_jobs=1, verbose=-1)
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), model).fit(frame, y)
    graph = Graph(list(frame.columns))
    node = read_response(pipeline, graph, Table.of_raw_rows(graph), "predict_proba")
    program = graph.program(node, "probabilities", np.array([0, 1]))
    (ours,) = evaluate(program, columns_of(frame, program))
    np.testing.assert_allclose(ours, pipeline.predict_proba(frame), rtol=0, atol=1e-15)


def test_a_mixed_table_as_the_default_estimators_read_it():
    y = np.arange(90) % 2
    model = LGBMClassifier(n_estimators=20, min_child_samples=2, n_jobs=1, verbose=-1)
    for options in ({"impute": None}, {}, {"encoding": "one-hot", "scale": True,
                    "add_indicator": True, "min_frequency": 5, "max_categories": 50}):  # fmt: skip
        pipeline = make_pipeline(TabularEncoder(**options), model).fit(MIXED, y)
        graph = Graph(list(MIXED.columns))
        node = read_response(pipeline, graph, Table.of_raw_rows(graph), "predict_proba")
        program = graph.program(node, "probabilities", np.array([0, 1]))
        (ours,) = evaluate(program, columns_of(UNSEEN, program))
        np.testing.assert_allclose(ours, pipeline.predict_proba(UNSEEN), rtol=0, atol=1e-15)
