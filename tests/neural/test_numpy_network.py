"""The numpy pass of a tabular network gives what torch gives in double precision."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stackens.neural._fitting import outputs  # noqa: E402
from stackens.neural._network import (  # noqa: E402
    ACTIVATIONS,
    InputLayer,
    TabularNetwork,
    initialise,
)
from stackens.neural._numpy_network import NumpyNetwork  # noqa: E402

RNG = np.random.default_rng(0)
EDGES = [(0, np.array([-1.0, 0.0, 0.5, 2.0])), (2, np.array([-3.0, 3.0, 4.0]))]


def network(activation="relu", *, edges=EDGES, categories=((1, 5), (3, 4)), hidden=(8, 5)):
    made = TabularNetwork(InputLayer(4, edges, categories), hidden, 3, activation)
    initialise(made, np.array([0.1, -0.2, 0.3]), torch.Generator().manual_seed(0))
    with torch.no_grad():  # the last layer begins at zero
        made.layers[-1].weight.normal_(generator=torch.Generator().manual_seed(1))
    made.set_dropout(0.5)
    return made.eval()


def table(n=50):
    rows = RNG.normal(size=(n, 4)) * 3
    rows[:, 1] = RNG.integers(-2, 3, n)
    rows[:, 3] = RNG.integers(-2, 2, n)
    rows[:3, 0] = [1e30, -1e30, 0.0]
    return rows.astype(np.float32)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations(activation):
    made, rows = network(activation), table()
    wanted = outputs(made, rows, "cpu", None)
    found = NumpyNetwork(made)(rows.astype(np.float64))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "settings", [{"edges": ()}, {"categories": ()}, {"edges": (), "categories": ()}, {"hidden": ()}]
)
def test_inputs(settings):
    made, rows = network(**settings), table()
    wanted = outputs(made, rows, "cpu", None)
    answer = NumpyNetwork(made)
    np.testing.assert_allclose(answer(rows.astype(np.float64)), wanted, rtol=1e-12, atol=1e-12)
    one = answer(rows[7].astype(np.float64))
    assert one.shape == (3,)
    np.testing.assert_allclose(one, wanted[7], rtol=1e-12, atol=1e-12)


def test_it_keeps_its_own_weights():
    made, rows = network(), table().astype(np.float64)
    answer = NumpyNetwork(made)
    before = answer(rows)
    with torch.no_grad():
        for tensor in made.parameters():
            tensor.zero_()
    np.testing.assert_array_equal(answer(rows), before)
