"""What a model costs once it is exported."""

import os

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

import stackens as se
from stackens.export import exported_cost, exported_ensemble_cost, program_cost
from stackens.export._program_of import program_of

X = np.random.default_rng(0).normal(size=(700, 3))
MODEL = LinearRegression().fit(X, X @ [1.0, 2.0, 3.0])


def test_bytes_are_those_of_the_file_without_its_check(tmp_path):
    cost = exported_cost(MODEL, X)
    file = se.export.to_numpy(MODEL, tmp_path / "model.py").path
    # the rows that a file carries differ
    assert abs(cost.n_bytes - os.path.getsize(file)) < 1_000
    assert 0 < cost.one_row_us <= cost.one_row_p99_us
    assert cost.batch_us_per_row > 0


def test_rows_of_any_kind():
    frame = pd.DataFrame({"size": X[:, 0], "city": np.where(X[:, 1] > 0, "Bern", None)})
    model = make_pipeline(se.TabularEncoder(), LinearRegression()).fit(frame, X[:, 2])
    assert exported_cost(model, frame).n_bytes > exported_cost(MODEL, X).n_bytes
    assert exported_cost(MODEL, X[:1]).n_bytes > 0


def test_what_cannot_be_exported_has_no_such_cost():
    assert exported_cost(KNeighborsRegressor().fit(X, X[:, 0]), X) is None
    assert exported_cost(MODEL, sparse.csr_matrix(X)) is None


def test_a_program_by_itself():
    program = program_of(MODEL)
    cost = program_cost(program, list(X.T))
    assert cost.n_bytes > 0
    assert cost.one_row_us > 0


def test_a_whole_ensemble():
    blend = se.BlendedRegressor({"a": LinearRegression(), "b": MODEL}, weighting="uniform")
    blend.fit(X, X[:, 0])
    cost = exported_ensemble_cost(blend.cross_fit_, blend.combiner_, X)
    assert abs(cost.n_bytes - exported_cost(blend, X).n_bytes) < 1_000
    neighbours = se.BlendedRegressor([KNeighborsRegressor()], weighting="uniform").fit(X, X[:, 0])
    assert exported_ensemble_cost(neighbours.cross_fit_, neighbours.combiner_, X) is None


def test_rows_that_exports_do_not_read():
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0]})
    model = LinearRegression().fit(frame, frame["size"])
    assert exported_cost(model, frame) is not None
    assert exported_cost(model, frame.astype(str)) is None
