"""Rows of any container become one whose parts can be taken."""

import numpy as np
import pandas as pd
import pytest

from stackens.distillation._given_rows import given_array, given_rows

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


def test_tensors_that_need_gradients_are_arrays_too():
    assert given_array(torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]
    assert given_array([1, 2]).tolist() == [1, 2]
