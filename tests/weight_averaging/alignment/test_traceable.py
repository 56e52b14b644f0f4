"""Networks whose operators depend on the numbers in their inputs, followed all the same."""

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn

from stackens.weight_averaging import align  # noqa: E402
from stackens.weight_averaging.alignment._torch import torch_symmetry  # noqa: E402

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn((4, 5, 3), generator=GENERATOR)
LENGTHS = torch.tensor([5, 2, 4, 3])


class Packed(nn.Module):
    """Reads rows of different lengths with two layers, one behind the other."""

    def __init__(self, kind, batch_first):
        super().__init__()
        self.first = kind(3, 4, 2, batch_first=batch_first, bidirectional=True)
        self.second = kind(8, 6, batch_first=batch_first)
        self.head, self.last = nn.Linear(6, 2), nn.Linear(6, 2)
        self.batch_first = batch_first

    def forward(self, x, lengths):
        x = x if self.batch_first else x.transpose(0, 1)
        packed = nn.utils.rnn.pack_padded_sequence(
            x, lengths, batch_first=self.batch_first, enforce_sorted=False
        )
        packed, _ = self.first(packed)
        packed, state = self.second(input=packed)
        state = state[0] if isinstance(state, tuple) else state
        outputs, lengths = nn.utils.rnn.pad_packed_sequence(packed, batch_first=self.batch_first)
        mean = outputs.sum(1 if self.batch_first else 0) / lengths[:, None].to(outputs.dtype)
        return self.head(mean) + self.last(state[-1])


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_packed_sequences(kind, batch_first, torch_preserved):
    symmetry = torch_preserved(Packed(kind, batch_first), X, LENGTHS)
    cells = ["first.l0", "first.l0_reverse", "first.l1", "first.l1_reverse", "second.l0"]
    assert list(symmetry.units) == cells
    assert set(symmetry.signs.values()) == set(cells)
    assert symmetry.notes == ()


def test_lengths_may_be_a_list():
    models = [Packed(nn.LSTM, True), Packed(nn.LSTM, True)]
    aligned = align(models, example=(X, LENGTHS.tolist()))
    assert aligned.report.deviation < 1e-12
    assert len(aligned.report.symmetry.units) == 5


def test_sorted_rows_and_rows_shorter_than_their_padding(torch_preserved):
    class Sorted(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 2)

        def forward(self, x, lengths):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            return self.head(self.layer(packed)[1][-1])

    symmetry = torch_preserved(Sorted(), X, torch.tensor([4, 3, 3, 1]))
    assert list(symmetry.units) == ["layer.l0"]


CAUSAL = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)


class Encoder(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 2)
        self.layers = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 1
        )
        self.call = call

    def forward(self, x, mask=None):
        return self.last(self.call(self.layers, self.first(x), mask))


CALLS = {
    "keyword": lambda layers, x, mask: layers(x, mask=CAUSAL),
    "position": lambda layers, x, mask: layers(x, CAUSAL),
    "unsaid": lambda layers, x, mask: layers(x, CAUSAL, None, None),
    "said": lambda layers, x, mask: layers(x, CAUSAL, is_causal=True),
}


@pytest.mark.parametrize("call", CALLS)
def test_transformers_do_not_look_at_their_masks(call, torch_preserved):
    symmetry = torch_preserved(Encoder(CALLS[call]), X)
    units = ["first.weight", "layers.layers.0.self_attn.in_proj_weight"]
    assert list(symmetry.units)[:2] == units


def test_masks_may_be_inputs(torch_preserved):
    network = Encoder(lambda layers, x, mask: layers(x, mask=mask))
    assert len(torch_preserved(network, X, CAUSAL).units) == 3


def test_decoders_do_not_look_at_their_masks(torch_preserved):
    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 2)
            layer = nn.TransformerDecoderLayer(8, 2, 12, batch_first=True)
            self.layers = nn.TransformerDecoder(layer, 1)

        def forward(self, x):
            x = self.first(x)
            return self.last(self.layers(x, x, tgt_mask=CAUSAL))

    assert len(torch_preserved(Decoder(), X).units) == 4


def test_nothing_stays_behind():
    network = Packed(nn.LSTM, True)
    torch_symmetry(network, (X, LENGTHS))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())
    packed = nn.utils.rnn.pack_padded_sequence(X, LENGTHS, True, enforce_sorted=False)
    assert packed.data.shape == (14, 3)
