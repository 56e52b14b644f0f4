"""Dicts and lists of tensors: names, ties, attributes, and what is refused."""

from collections import OrderedDict
from types import MappingProxyType

import numpy as np
import pytest

from stackens.weight_averaging.adapters._containers import (
    ListAdapter,
    MappingAdapter,
    canonical_names,
)

DICTS, LISTS = MappingAdapter(), ListAdapter()


def doubled(adapter, model):
    """The model with twice its floating numbers, through the adapter."""
    tensors = adapter.tensors(model, model)
    return adapter.write(
        adapter.copy(model), ((name, 2.0 * np.asarray(tensor)) for name, tensor in tensors.items())
    )


@pytest.mark.parametrize(
    ("names", "plain"),
    [
        (["a.weight", "b"], ["a.weight", "b"]),
        (["_orig_mod.a.weight"], ["a.weight"]),
        (["module.a", "module.b"], ["a", "b"]),
        (["module.a", "b"], ["module.a", "b"]),
        (["_orig_mod.module.a", "_orig_mod.module._orig_mod.b"], ["a", "b"]),
        (["module.module.a"], ["a"]),
        ([], []),
    ],
)
def test_wrappers_leave_no_trace_in_names(names, plain):
    assert canonical_names(names) == dict(zip(plain, names, strict=True))


def test_a_dict_of_arrays():
    model = {"w": np.ones((2, 2), np.float32), "b": np.zeros(2)}
    new = doubled(DICTS, model)
    assert DICTS.accepts(model)
    assert type(new) is dict
    np.testing.assert_array_equal(new["w"], np.full((2, 2), 2.0))
    assert new["w"].dtype == np.float32
    assert (model["w"] == 1).all()
    assert isinstance(doubled(DICTS, MappingProxyType(model)), dict)


def test_a_state_dict_keeps_its_class_its_attributes_and_extra_state():
    torch = pytest.importorskip("torch")
    state = torch.nn.Linear(2, 2).state_dict()
    state["_extra_state"] = {"anything": 1}
    before = {name: value.clone() for name, value in state.items() if name != "_extra_state"}
    del state["_extra_state"]
    state["layer._extra_state"] = "text"
    new = doubled(DICTS, state)
    assert isinstance(new, OrderedDict)
    assert new._metadata == state._metadata
    assert new["layer._extra_state"] == "text"
    for name, value in before.items():
        assert torch.equal(state[name], value)
        assert torch.equal(new[name], 2 * value)


def test_names_of_wrapped_modules_are_kept_in_the_result():
    model = {"module.w": np.ones(2), "module.b": np.ones(1)}
    assert list(DICTS.tensors(model, model)) == ["w", "b"]
    assert list(doubled(DICTS, model)) == ["module.w", "module.b"]


def test_names_that_share_a_tensor_go_on_sharing_one():
    torch = pytest.importorskip("torch")
    for shared in (np.ones(3), torch.ones(3)):
        new = doubled(DICTS, {"embedding": shared, "other": shared + 0, "head": shared})
        assert new["embedding"] is new["head"]
        assert new["embedding"] is not new["other"]
        arrays = [("embedding", np.ones(3)), ("head", np.zeros(3))]
        with pytest.raises(ValueError, match="'embedding' and 'head' share one tensor"):
            DICTS.write(DICTS.copy({"embedding": shared, "head": shared}), arrays)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"state_dict": {"w": np.ones(1)}, "epoch": 3}, r"checkpoint\['state_dict'\]"),
        ({"w": np.ones(1), "epoch": 3, "note": "x"}, r"'epoch' \(int\), 'note' \(str\)"),
        ({}, "no tensors at all"),
        ({1: np.ones(1)}, "must be text"),
    ],
)
def test_what_is_not_a_dict_of_tensors_is_refused(model, message):
    with pytest.raises(TypeError, match=message):
        DICTS.tensors(model, model)


def test_lists_and_tuples_of_arrays():
    model = [np.ones((2, 2), np.float32), np.array(3.0), np.arange(2)]
    assert LISTS.accepts(model)
    assert not LISTS.accepts([])
    assert not LISTS.accepts([[1.0]])
    assert list(LISTS.tensors(model, model)) == ["0", "1", "2"]
    new = doubled(LISTS, model)
    assert isinstance(new, list)
    np.testing.assert_array_equal(new[0], np.full((2, 2), 2.0))
    assert [array.dtype for array in new] == [array.dtype for array in model]
    assert (model[0] == 1).all()
    assert isinstance(doubled(LISTS, tuple(model)), tuple)


def test_a_list_without_its_last_arrays_written_keeps_them():
    model = [np.ones(1), np.zeros(1)]
    new = LISTS.write(LISTS.copy(model), [("0", np.array([5.0]))])
    assert new[0] == 5
    assert new[1] is model[1]
    assert model[0] == 1
