"""Tests of what the kernels ask of a module: names, modes, differences, in-place loading."""

import pytest

torch = pytest.importorskip("torch")

from stackens.neural._modules import (  # noqa: E402
    check_same_tensors,
    copied,
    device_of,
    evaluating,
    last_layer,
    load_tensors,
    tensors_of,
    unwrapped,
)


def test_wrappers_are_taken_off_in_any_order():
    net = torch.nn.Linear(1, 1)
    wrapped = torch.nn.DataParallel(torch.compile(torch.nn.DataParallel(net), backend="eager"))
    assert unwrapped(wrapped) is net
    assert unwrapped(net) is net
    assert list(tensors_of(wrapped)) == ["weight", "bias"]


def test_the_end_of_a_sequential_is_found_inside_others_and_wrappers():
    end = torch.nn.Softmax(1)
    nested = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Sequential(end))
    assert last_layer(torch.compile(nested, backend="eager")) is end
    assert last_layer(end) is end
    empty = torch.nn.Sequential()
    assert last_layer(torch.nn.Sequential(end, empty)) is empty


def test_tensors_share_memory_and_leave_out_what_is_no_tensor():
    class Extra(torch.nn.Linear):
        def get_extra_state(self):
            return {"version": 1}

        def set_extra_state(self, state):
            del state

    net = Extra(2, 1)
    tensors = tensors_of(net)
    assert list(tensors) == ["weight", "bias"]
    assert tensors["weight"].data_ptr() == net.weight.data_ptr()


def test_every_part_gets_its_own_mode_back():
    net = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))
    net.train()
    net[1].eval()

    def fail_inside():
        with evaluating(net):
            assert not any(part.training for part in net.modules())
            assert not torch.is_grad_enabled()
            net[1].train()
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert [part.training for part in net.modules()] == [True, True, False, True]
    assert torch.is_grad_enabled()


def test_all_differences_are_listed():
    expected = {"a": torch.zeros(2), "b": torch.zeros(3), "c": torch.zeros(1)}
    got = {"a": torch.zeros(2), "b": torch.zeros(1, 3), "d": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"3 difference\(s\)") as caught:
        check_same_tensors(expected, got, "The state")
    for part in ("'c' is missing", "'d' is unknown", "'b' has the shape (1, 3) instead of (3,)"):
        assert part in str(caught.value)
    check_same_tensors(expected, dict(expected), "The state")


def test_loading_keeps_the_parameters():
    net = torch.nn.Linear(2, 1)
    weight, address = net.weight, net.weight.data_ptr()
    load_tensors(net, {"weight": torch.ones(1, 2, dtype=torch.float64), "bias": torch.zeros(1)})
    assert net.weight is weight
    assert weight.data_ptr() == address
    assert weight.tolist() == [[1.0, 1.0]]


def test_the_device_of_a_module_without_tensors_is_the_cpu():
    assert device_of(torch.nn.ReLU()) == torch.device("cpu")
    assert device_of(torch.nn.Linear(1, 1, device="meta")) == torch.device("meta")


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")
def test_modules_with_computed_tensors_are_copied():
    net = torch.nn.Sequential(torch.nn.utils.weight_norm(torch.nn.Linear(2, 3)))
    x = torch.ones(1, 2)
    expected = net(x)
    twin = copied(net)
    with torch.no_grad():
        twin[0].weight_g.mul_(2)
    assert not torch.equal(twin(x), expected)
    assert torch.equal(net(x), expected)


def test_lazy_tensors_are_no_tensors_yet():
    lazy = torch.nn.LazyLinear(2)
    with pytest.raises(ValueError, match=r"lazy ones.*weight.*Run each module once"):
        check_same_tensors(tensors_of(torch.nn.Linear(3, 2)), tensors_of(lazy), "it")
