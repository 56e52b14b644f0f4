"""Tests of asking in chunks: counted, the same bits with a store, and going on where it stopped."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from stackens.distillation.teachers import _labelling
from stackens.distillation.teachers._label_store import LabelStore
from stackens.distillation.teachers._labelling import Labelling
from stackens.exceptions import DamagedCacheWarning

X = np.random.default_rng(0).normal(size=(25, 3))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(_labelling, "_CHUNK_ROWS", 10)


class Model:
    """Says the first column; remembers the sizes it was asked for, and stops when told to."""

    def __init__(self, stop_at=None):
        self.sizes = []
        self.stop_at = stop_at

    def __call__(self, X):
        if len(self.sizes) == self.stop_at:
            raise KeyboardInterrupt
        values = X.toarray() if sparse.issparse(X) else np.asarray(X)
        self.sizes.append(len(values))
        return values[:, :1]


def test_calls_and_rows_are_counted():
    labelling, model = Labelling(), Model()
    np.testing.assert_array_equal(labelling.label(model, X, 1), X[:, :1])
    assert model.sizes == [10, 10, 5]
    assert (labelling.n_calls, labelling.n_rows) == (3, 25)
    assert labelling.label(model, X[:0], 1).shape == (0, 1)
    labelling.label(model, X[:4], 1)
    assert (labelling.n_calls, labelling.n_rows) == (4, 29)


@pytest.mark.parametrize(
    "make",
    [pd.DataFrame, pl.DataFrame, sparse.csr_matrix, np.ndarray.tolist],
    ids=["pandas", "polars", "sparse", "list"],
)
def test_every_container_is_cut_into_chunks(make):
    np.testing.assert_array_equal(Labelling().label(Model(), make(X), 1), X[:, :1])


def test_tensors_and_images_are_cut_by_their_bytes(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(_labelling, "_CHUNK_BYTES", 4 * 6 * 8)
    images = np.random.default_rng(0).normal(size=(9, 2, 3))
    model = Model()
    first = lambda X: model(np.asarray(X).reshape(len(X), -1))  # noqa: E731
    for rows in (images, torch.tensor(images)):
        np.testing.assert_array_equal(Labelling().label(first, rows, 1), images[:, 0, :1])
    assert model.sizes == [4, 4, 1] * 2


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    store = LabelStore(tmp_path)
    first = Labelling(store, "teacher")
    with pytest.raises(KeyboardInterrupt):
        first.label(Model(stop_at=2), X, 1)
    assert (first.n_calls, first.n_rows) == (2, 20)
    again, model = Labelling(store, "teacher"), Model()
    np.testing.assert_array_equal(again.label(model, X, 1), X[:, :1])
    assert model.sizes == [5]
    once_more = Labelling(store, "teacher")
    np.testing.assert_array_equal(once_more.label(Model(stop_at=0), X, 1), X[:, :1])
    assert (once_more.n_calls, once_more.n_rows) == (0, 0)


def test_another_teacher_or_other_rows_are_asked_for(tmp_path):
    store = LabelStore(tmp_path)
    Labelling(store, "teacher").label(Model(), X, 1)
    other = Labelling(store, "other teacher")
    other.label(Model(), X, 1)
    assert other.n_rows == 25
    rows = Labelling(store, "teacher")
    rows.label(Model(), np.vstack([X[:10], X[:5]]), 1)
    assert rows.n_rows == 5  # the first chunk is known


def test_a_damaged_chunk_is_made_again(tmp_path):
    store = LabelStore(tmp_path)
    Labelling(store, "teacher").label(Model(), X, 1)
    sorted(tmp_path.iterdir())[0].write_bytes(b"PK broken")
    again = Labelling(store, "teacher")
    with pytest.warns(DamagedCacheWarning):
        np.testing.assert_array_equal(again.label(Model(), X, 1), X[:, :1])
    assert again.n_calls == 1
    after = Labelling(store, "teacher")
    after.label(Model(stop_at=0), X, 1)
    assert after.n_calls == 0


def test_progress_shows_rows(capsys):
    Labelling(verbose=1).label(Model(), X, 1)
    assert "25/25" in capsys.readouterr().err
    Labelling().label(Model(), X, 1)
    assert capsys.readouterr().err == ""
