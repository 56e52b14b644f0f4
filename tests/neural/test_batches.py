"""Tests of batches in many forms, and of what reaches the module's forward."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stackens.neural._batches import call_with_batch, repeatable_batches  # noqa: E402

X, Y = torch.arange(6.0).reshape(3, 2), torch.zeros(3)


class OneInput(torch.nn.Linear):
    def __init__(self):
        super().__init__(2, 1)

    def forward(self, x):
        assert isinstance(x, torch.Tensor)
        return x


class TwoInputs(torch.nn.Module):
    def forward(self, x, offset, scale=2.0):
        return (x + offset) * scale


class TakesADict(torch.nn.Module):
    def forward(self, batch):
        return batch["x"]


class TakesAnything(torch.nn.Module):
    def forward(self, **parts):
        return sorted(parts)


@pytest.mark.parametrize("batch", [X, X.numpy(), (X, Y), [X, Y], {"x": X, "y": Y}, (X,)])
def test_forms_of_a_batch_for_one_input(batch):
    assert torch.equal(call_with_batch(OneInput(), batch), X)


def test_several_inputs_dicts_and_keywords():
    offset = torch.ones(3, 2)
    expected = (X + 1) * 2
    assert torch.equal(call_with_batch(TwoInputs(), (X, offset, Y)), expected)
    assert torch.equal(call_with_batch(TwoInputs(), {"x": X, "offset": offset, "y": Y}), expected)
    assert torch.equal(call_with_batch(TakesADict(), {"x": X, "y": Y}), X)
    assert call_with_batch(TakesAnything(), {"x": X, "y": Y}) == ["x", "y"]
    assert torch.equal(call_with_batch(torch.compile(OneInput(), backend="eager"), (X, Y)), X)


def test_arrays_get_the_precision_of_the_module_and_integers_stay():
    assert call_with_batch(OneInput(), np.ones((2, 2))).dtype == torch.float32
    assert call_with_batch(OneInput().double(), np.ones((2, 2), "float32")).dtype == torch.float64
    assert call_with_batch(OneInput(), np.ones((2, 2), dtype=int)).dtype == torch.int64


def test_what_is_one_batch_and_what_is_many():
    for one in (X, X.numpy(), (X, Y), {"x": X}):
        assert repeatable_batches(one)[0] is one
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=2)
    assert repeatable_batches(loader) is loader
    batches = [X, X]
    assert repeatable_batches(batches) is batches
    generated = repeatable_batches(x for x in batches)
    assert len(list(generated)) == len(list(generated)) == 2
    with pytest.raises(TypeError, match="iterable of batches"):
        repeatable_batches(3)


def test_tables_are_no_batches():
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"Got DataFrame.*the array of a table"):
        repeatable_batches(pd.DataFrame(X.numpy()))


@pytest.mark.parametrize("data", ["rows.npz", None, 3])
def test_what_is_no_batch_is_refused(data):
    with pytest.raises(TypeError, match="must be a batch"):
        repeatable_batches(data)
