"""Rows of any container become one whose parts can be taken."""

import numpy as np
import pandas as pd
import pytest

from stackens.distillation import _given_rows
from stackens.distillation._given_rows import given_rows, given_unlabeled

torch = pytest.importorskip("torch")


def test_tensors_and_sets_of_tensors_become_arrays():
    images = torch.arange(24.0).reshape(3, 2, 2, 2)
    for rows in (
        images,
        torch.utils.data.TensorDataset(images, torch.zeros(3)),
        [images[0], images[1], images[2]],
    ):
        found = given_rows(rows)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, images.numpy())
    frame = pd.DataFrame({"a": [1, 2]})
    assert given_rows(frame) is frame


class Images(torch.utils.data.Dataset):
    """Rows of numpy arrays with labels, and no end when iterated over."""

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return np.full((2, 2), i % 3, dtype=np.float32), i % 2


def test_datasets_of_arrays_with_labels_give_their_arrays():
    np.testing.assert_array_equal(given_rows(Images())[:, 0, 0], [0, 1, 2])


def test_datasets_without_labels_are_read_chunk_by_chunk(monkeypatch):
    monkeypatch.setattr(_given_rows, "_CHUNK", 2)
    like = np.full((1, 2, 2), 1, dtype=np.float32)
    for source in (Images(), torch.utils.data.DataLoader(given_rows(Images()), batch_size=2)):
        found = given_unlabeled(source, like, 10, 0, 0)
        np.testing.assert_array_equal(found[:, 0, 0], [0, 2])


def test_loaders_are_refused_as_they_may_shuffle():
    loader = torch.utils.data.DataLoader(Images(), batch_size=2, shuffle=True)
    with pytest.raises(TypeError, match=r"in the order of y. Got a DataLoader.*loader.dataset"):
        given_rows(loader)


def test_half_precisions_that_numpy_lacks():
    rows = torch.tensor([[1.5, 2.0]], dtype=torch.bfloat16)
    assert given_rows(rows).tolist() == [[1.5, 2.0]]
    assert given_unlabeled(rows, np.zeros((1, 2)), 10, 0, 0).tolist() == [[1.5, 2.0]]


def test_arrow_tables_become_frames():
    arrow = pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1.0, 2.0], "day": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    found = given_rows(arrow.Table.from_pandas(frame))
    assert list(found.columns) == ["a", "day"]
    assert len(found) == 2


def test_dicts_are_no_rows():
    with pytest.raises(ValueError, match="2D array"):
        given_rows({"a": [1, 2]})
