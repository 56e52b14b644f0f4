"""Tests of torch's values in files: tensors, whole networks, and what is refused."""

import sys

import pytest
import torch
from sklearn.preprocessing import FunctionTransformer
from torch import nn

import stackens as se
from stackens.exceptions import ExportError, MissingExtraError, UntrustedTypesError
from stackens.export.saving import _torch_forms


def round_trip(value, folder, **options):
    path = folder / "value.stackens"
    se.save(FunctionTransformer(kw_args={"value": value}), path)
    return se.load(path, **options).kw_args["value"]


class Net(nn.Module):
    """A module of a user's own."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.act = torch.relu
        self.register_buffer("scale", torch.tensor(2.0), persistent=False)

    def forward(self, rows):
        return self.act(self.layer(rows)) * self.scale


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(5),
        torch.randn(2, 3).t(),
        torch.randn(4, 4)[::2, 1:],
        torch.tensor(1.5, dtype=torch.bfloat16),
        torch.zeros(0, 3),
        torch.tensor([True, False]),
        torch.randn(2, requires_grad=True),
        nn.Parameter(torch.randn(2), requires_grad=False),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{tuple(tensor.shape)}",
)
def test_tensors_come_back(tensor, tmp_path):
    back = round_trip(tensor, tmp_path)
    assert type(back) is type(tensor)
    assert back.dtype == tensor.dtype
    assert back.requires_grad == tensor.requires_grad
    assert torch.equal(back, tensor)


def test_other_values_of_torch_come_back(tmp_path):
    generator = torch.Generator().manual_seed(4)
    values = [torch.float16, torch.device("cpu"), torch.Size([2, 3]), generator]
    back = round_trip(values, tmp_path)
    assert back[:3] == values[:3]
    assert [type(value) for value in back] == [type(value) for value in values]
    assert torch.equal(torch.rand(3, generator=back[3]), torch.rand(3, generator=generator))


def sequential():
    return nn.Sequential(
        nn.Linear(3, 8),
        nn.BatchNorm1d(8),
        nn.GELU(approximate="tanh"),
        nn.Dropout(0.3),
        nn.Linear(8, 2),
    )


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (sequential, (5, 3)),
        (lambda: nn.LSTM(3, 4, batch_first=True), (5, 2, 3)),
        (lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Flatten()), (5, 2, 7)),
        (lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (5, 2, 4)),
        (lambda: nn.Sequential(nn.LayerNorm(3), nn.PReLU(), nn.Softmax(dim=1)), (5, 3)),
    ],
    ids=["sequential", "lstm", "conv", "transformer", "norms"],
)
def test_networks_of_torchs_layers_need_no_trust(make, shape, tmp_path):
    torch.manual_seed(0)
    network = make().eval()
    back = round_trip(network, tmp_path)
    assert repr(back) == repr(network)
    assert [part.training for part in back.modules()] == [False] * len(list(back.modules()))
    rows = torch.randn(*shape)
    with torch.no_grad():
        first, second = (net(rows) for net in (network, back))
    first, second = (out[0] if isinstance(out, tuple) else out for out in (first, second))
    assert torch.equal(first, second)


def test_tied_weights_stay_tied(tmp_path):
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    back = round_trip(network, tmp_path)
    assert back[1].weight is back[0].weight


def test_the_network_itself_is_not_changed(tmp_path):
    network = sequential()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weights = list(network.parameters())
    round_trip(network, tmp_path)
    assert network.training
    assert all(one is other for one, other in zip(network.parameters(), weights, strict=True))
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in before)


def test_a_users_module_needs_trust(tmp_path):
    network = Net()
    name = f"{Net.__module__}.Net"
    with pytest.raises(UntrustedTypesError, match="trusted=") as caught:
        round_trip(network, tmp_path)
    assert name in str(caught.value)
    rows = torch.randn(4, 3)
    for trusted in ([name], [Net]):
        back = round_trip(network, tmp_path, trusted=trusted)
        assert torch.equal(back(rows), network(rows))


def test_large_tensors_come_in_parts_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(_torch_forms, "_BATCH", 100)
    tensors = [torch.full((20,), float(i)) for i in range(5)]
    back = round_trip(tensors, tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(back, tensors, strict=True))


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.jit.script(nn.Linear(2, 1)),
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 1)),
        lambda: torch.eye(2).to_sparse(),
        lambda: nn.LazyLinear(2),
    ],
    ids=["script", "parametrised", "sparse", "lazy"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_what_has_no_plain_form_is_refused(make, tmp_path):
    with pytest.raises(ExportError, match="must be"):
        round_trip(make(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_torch_the_file_says_what_is_missing(tmp_path, monkeypatch):
    se.save(FunctionTransformer(kw_args={"value": torch.ones(2)}), tmp_path / "file")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"stackens\[torch\]"):
        se.load(tmp_path / "file")
