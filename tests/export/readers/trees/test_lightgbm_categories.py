"""Tests that columns of categories are found, and become the codes of training."""

from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from stackens.exceptions import ExportError
from stackens.export.program import Graph, evaluate
from stackens.export.readers import RawColumn, Table
from stackens.export.readers.trees._lightgbm_categories import (
    category_columns,
    encoded_categories,
)
from stackens.export.readers.trees._lightgbm_text import parse_model_text

RNG = np.random.default_rng(0)
N = 400
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(size=N),
        "town": pd.Categorical(RNG.choice(list("uvw"), N)),
        "grade": pd.Categorical(RNG.choice(list("pqr"), N), ordered=True),
        "same": pd.Categorical(["one"] * N),
        "count": RNG.integers(0, 4, N),
    }
)
Y = FRAME["size"] + (FRAME.town == "u") * 3 + (FRAME.grade == "q") * 3 + FRAME["count"]


def parsed(frame=FRAME, categorical="auto"):
    data = lgb.Dataset(frame, Y, categorical_feature=categorical)
    parameters = {"verbose": -1, "num_leaves": 6, "num_threads": 1}
    booster = lgb.train(parameters, data, 10)
    model = parse_model_text(booster.model_to_string())
    return model, booster.pandas_categorical, np.unique(model.trees.feature)


def test_ordered_categories_are_found_between_the_others():
    model, categories, used = parsed()
    assert category_columns(model, categories, used) == {1: 0, 2: 1}


def test_ordered_categories_that_a_column_of_numbers_may_be_are_refused():
    frame = FRAME[["town", "grade", "same"]].assign(level=RNG.integers(0, 3, N))
    model, categories, used = parsed(frame[["town", "grade", "level"]])
    with pytest.raises(ExportError, match=r"leave the columns \[1, 2\] open"):
        category_columns(model, categories, used)


def test_lists_that_fit_no_column_are_refused():
    model, categories, used = parsed(categorical=["town", "count"])
    with pytest.raises(ExportError, match="2 categorical features"):
        category_columns(model, categories, used)


def test_codes_of_known_missing_and_unknown_categories():
    model, categories, used = parsed()
    graph = Graph(list(FRAME.columns))
    table, encoded = encoded_categories(model, categories, used, graph, Table.of_raw_rows(graph))
    assert encoded == {1, 2}
    program = graph.program(table.select([1, 2]).numbers(graph), "values")
    town = np.array(["w", None, "x"], dtype=object)
    grade = np.array([None, "p", "q"], dtype=object)
    nothing = np.zeros(3)
    codes = evaluate(program, [nothing, town, grade, nothing, nothing])[0]
    np.testing.assert_array_equal(codes, [[2, np.nan], [np.nan, 0], [np.nan, 1]])


def test_a_category_in_place_of_missing_ones_has_its_code():
    model, categories, used = parsed()
    graph = Graph(list(FRAME.columns))
    table = Table.of_raw_rows(graph)
    columns = (table.columns[0], RawColumn(1, fill="v"), *table.columns[2:])
    table, _ = encoded_categories(model, categories, used, graph, replace(table, columns=columns))
    program = graph.program(table.select([1]).numbers(graph), "values")
    nothing = np.zeros(2)
    town = np.array(["u", None], dtype=object)
    codes = evaluate(program, [nothing, town, nothing, nothing, nothing])[0]
    np.testing.assert_array_equal(codes, [[0], [1]])


def test_categories_of_several_kinds_and_computed_ones_are_refused():
    model, _, used = parsed()
    graph = Graph(list(FRAME.columns))
    table = Table.of_raw_rows(graph)
    mixed = [["u", 2, "w"], list("pqr"), ["one"]]
    with pytest.raises(ExportError, match="in the column 'town'"):
        encoded_categories(model, mixed, used, graph, table)
    computed = Table.of_node(graph, graph.constant(np.zeros(5)), FRAME.columns)
    with pytest.raises(ExportError, match="an earlier step computed"):
        encoded_categories(model, [list("uvw"), list("pqr"), ["one"]], used, graph, computed)
