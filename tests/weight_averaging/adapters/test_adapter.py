"""What every adapter must do, shown on the smallest one."""

import copy

import numpy as np

from stackens.weight_averaging.adapters._adapter import Adapter


class NumberAdapter(Adapter):
    kind = "numbers in a list"

    def accepts(self, model):
        return isinstance(model, list)

    def tensors(self, model, like):
        return {"number": np.asarray(model[0])}

    def write(self, model, arrays):
        model[0] = float(dict(arrays)["number"])
        return model


def test_an_adapter_needs_three_methods():
    adapter, model = NumberAdapter(), [1.0]
    assert adapter.facts(model, model) == {}
    copied = adapter.copy(model)
    assert adapter.write(copied, [("number", np.array(2.0))]) == [2.0]
    assert copied is not model
    assert model == [1.0]
    assert copy.deepcopy(adapter).kind == "numbers in a list"
