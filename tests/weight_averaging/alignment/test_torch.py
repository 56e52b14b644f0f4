"""Whole networks of torch: what may change in them, proven on the networks themselves."""

import pytest

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

from stackens.neural._modules import tensors_of  # noqa: E402
from stackens.weight_averaging.alignment._torch import torch_symmetry  # noqa: E402


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def sizes(symmetry):
    return {name: units.size for name, units in symmetry.units.items()}


# ---------------------------------------------------------------- perceptrons


@pytest.mark.parametrize(
    ("activation", "free"), [(nn.GELU(), ""), (nn.Tanh(), "sign"), (nn.ReLU(inplace=True), "scale")]
)
def test_perceptrons(activation, free, torch_preserved):
    net = nn.Sequential(
        nn.Linear(3, 6), activation, nn.Linear(6, 5), activation, nn.Dropout(), nn.Linear(5, 2)
    )
    symmetry = torch_preserved(net, noise(4, 3))
    assert sizes(symmetry) == {"0.weight": 6, "2.weight": 5}
    expected = {f"{name} {free}": name for name in symmetry.units}
    assert symmetry.signs == (expected if free == "sign" else {})
    assert symmetry.scales == (expected if free == "scale" else {})
    assert symmetry.notes == ()


class Skips(nn.Module):
    """Layers that see all earlier ones, put side by side."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 4), nn.Linear(4, 6), nn.Linear(10, 5)
        self.d = nn.Linear(18, 2)

    def forward(self, x):
        a = torch.relu(self.a(x))
        b = torch.tanh(self.b(a))
        c = torch.sigmoid(self.c(torch.cat([a, b], -1)))
        return {"scores": self.d(torch.cat([c, a, x, b], 1)), "inner": [b.abs().sum()]}


def test_connections_side_by_side_and_outputs_of_any_form(torch_preserved):
    symmetry = torch_preserved(Skips(), noise(4, 3))
    assert sizes(symmetry) == {"a.weight": 4, "b.weight": 6, "c.weight": 5}
    assert symmetry.signs == {"b.weight sign": "b.weight"}
    assert symmetry.scales == {"a.weight scale": "a.weight"}
    columns = [part.units for part in symmetry.layout["d.weight"][1]]
    assert columns == ["c.weight", "a.weight", None, "b.weight"]


@pytest.mark.parametrize(
    ("function", "noted"),
    [
        (lambda x: torch.fft.fft(x).real, "fft_fft in Odd: not known"),
        (lambda x: x.logcumsumexp(-1), "logcumsumexp in Odd: not known"),
        (lambda x: x.cumsum(-1), "cumsum in Odd: some units"),
        (lambda x: x.sort(-1).values, "sort in Odd: some units"),
    ],
)
def test_units_before_an_operator_that_is_not_understood_stay(function, noted, torch_preserved):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(3, 5), nn.Linear(5, 5), nn.Linear(5, 4)])
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            x = function(self.layers[1](self.layers[0](x).tanh()))
            return self.head(self.layers[2](x).tanh())

    symmetry = torch_preserved(Odd(), noise(4, 3))
    assert sizes(symmetry) == {"layers.0.weight": 5, "layers.2.weight": 4}
    assert [note[: len(noted)] for note in symmetry.notes] == [noted]


# ---------------------------------------------------------------- images


class Block(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(n_out), nn.BatchNorm2d(n_out)
        self.short = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        y += self.short(x)
        return F.relu(y)


def test_a_residual_network_has_one_order_of_units_per_stage(torch_preserved):
    stem = [nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)]
    blocks = [Block(4, 4), Block(4, 6), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)]
    symmetry = torch_preserved(nn.Sequential(*stem, *blocks), noise(2, 3, 10, 10))
    stage = ["4.conv1.weight", "5.conv1.weight", "5.conv2.weight"]
    assert list(symmetry.units) == ["0.weight", *stage]
    assert symmetry.layout["5.short.weight"][0][0].units == "5.conv2.weight"
    assert symmetry.layout["9.weight" if "9.weight" in symmetry.layout else "8.weight"]
    # A sign before each batch normalisation, which nothing behind it sees.
    convs = {"0.weight", "4.conv1.weight", "4.conv2.weight", "5.conv1.weight", "5.conv2.weight"}
    assert set(symmetry.signs) == {f"{name} sign" for name in convs}
    assert symmetry.signs["4.conv2.weight sign"] == "0.weight"


def test_flattened_channels_move_in_blocks(torch_preserved):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 5), nn.ELU())
    net.append(nn.Linear(5, 2))
    symmetry = torch_preserved(net, noise(2, 1, 5, 5))
    (part,) = symmetry.layout["3.weight"][1]
    assert (part.size, part.inner, part.units) == (4, 9, "0.weight")


def test_a_decoder_for_images(torch_preserved):
    net = nn.Sequential(
        nn.Linear(3, 36), nn.ReLU(), nn.Unflatten(1, (4, 3, 3)), nn.ConvTranspose2d(4, 6, 3, 2)
    )
    net.extend([nn.BatchNorm2d(6), nn.GELU(), nn.ConvTranspose2d(6, 2, 2)])
    symmetry = torch_preserved(net, noise(2, 3))
    assert sizes(symmetry) == {"0.weight": 4, "3.weight": 6}
    assert symmetry.layout["0.weight"][0][0].inner == 9


# ---------------------------------------------------------------- sequences


def test_tied_tables_change_alike(torch_preserved):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.lstm = nn.Embedding(7, 4), nn.LSTM(4, 6, batch_first=True)
            self.narrow, self.head = nn.Linear(6, 4), nn.Linear(4, 7, bias=False)
            self.head.weight = self.table.weight

        def forward(self, words):
            return self.head(self.narrow(self.lstm(self.table(words))[0]))

    symmetry = torch_preserved(Words(), torch.randint(7, (2, 5)))
    assert symmetry.layout["table.weight"] == symmetry.layout["head.weight"]
    assert sizes(symmetry) == {"lstm.l0": 6}
    assert [(m.size, m.kind) for m in symmetry.matrices.values()] == [(4, "general")]


@pytest.mark.parametrize("need_weights", [True, False])
def test_multi_head_attention(need_weights, torch_preserved):
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 2)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            x = self.first(x).sin()
            x = x + self.attention(x, x, x, need_weights=need_weights)[0]
            return self.last(x)

    symmetry = torch_preserved(Attention(), noise(2, 5, 3))
    heads = "attention.in_proj_weight"
    assert sizes(symmetry) == {"first.weight": 8, heads: 2}
    assert {(m.units, m.count, m.size) for m in symmetry.matrices.values()} == {(heads, 2, 4)}
    assert symmetry.layout[heads][0][0].matrix[0] == symmetry.layout[heads][0][1].matrix[0]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_a_transformer_encoder(norm_first, frozen, torch_preserved):
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=norm_first)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    net = nn.Sequential(nn.Linear(3, 8), encoder, nn.Linear(8, 2))
    net.requires_grad_(not frozen)
    with torch.set_grad_enabled(not frozen):
        symmetry = torch_preserved(net, noise(2, 5, 3))
    expected = {"0.weight": 8}
    for k in range(2):
        expected[f"1.layers.{k}.self_attn.in_proj_weight"] = 2
        expected[f"1.layers.{k}.linear1.weight"] = 12
    assert sizes(symmetry) == expected
    assert len(symmetry.matrices) == 4
    assert "0.weight sign" not in symmetry.signs
    assert symmetry.notes == ()


@pytest.mark.parametrize("style", ["chunk", "unbind"])
def test_a_vision_transformer(style, torch_preserved):
    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.norm = nn.Conv2d(1, 6, 2, 2), nn.LayerNorm(6)
            self.token = nn.Parameter(torch.ones(1, 1, 6))
            self.places = nn.Parameter(torch.ones(1, 5, 6))
            self.qkv, self.out, self.head = nn.Linear(6, 24), nn.Linear(8, 6), nn.Linear(6, 2)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
            y = self.qkv(self.norm(x))
            if style == "chunk":
                q, k, v = (p.view(len(x), 5, 2, 4).transpose(1, 2) for p in y.chunk(3, -1))
            else:
                q, k, v = y.reshape(len(x), 5, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
            y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(len(x), 5, 8)
            return self.head((x + self.out(y))[:, 0])

    symmetry = torch_preserved(Patches(), noise(2, 1, 4, 4))
    assert sizes(symmetry) == {"patches.weight": 6, "qkv.weight": 2}
    assert set(symmetry.matrices) == {"qkv.weight matrix", "qkv.weight[16:24] matrix"}
    assert symmetry.layout["places"][2][0].units == "patches.weight"


def test_tokens_and_channels_are_both_mixed(torch_preserved):
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.head = nn.Linear(3, 8), nn.LayerNorm(8), nn.Linear(8, 2)
            self.tokens = nn.Sequential(nn.Linear(5, 6), nn.GELU(), nn.Linear(6, 5))
            self.channels = nn.Sequential(nn.Linear(8, 12), nn.GELU(), nn.Linear(12, 8))

        def forward(self, x):
            x = self.first(x)
            x = x + self.tokens(self.norm(x).mT).mT
            return self.head((x + self.channels(self.norm(x))).mean(1))

    symmetry = torch_preserved(Mixer(), noise(2, 5, 3))
    assert sizes(symmetry) == {"first.weight": 8, "tokens.0.weight": 6, "channels.0.weight": 12}


def test_rotated_queries_leave_heads_to_move(torch_preserved):
    class Rotary(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(3, 12) for _ in range(3))
            self.out = nn.Linear(12, 2)

        def forward(self, x):
            angles = torch.arange(5.0, dtype=x.dtype)[:, None] * torch.tensor([1.0, 0.1])
            cos, sin = (torch.cat([f(angles)] * 2, -1) for f in (torch.cos, torch.sin))

            def turned(y):
                return y * cos + torch.cat([-y[..., 2:], y[..., :2]], -1) * sin

            q, k, v = (f(x).view(2, 5, 3, 4).transpose(1, 2) for f in (self.q, self.k, self.v))
            y = (turned(q) @ turned(k).mT).softmax(-1) @ v
            return self.out(y.transpose(1, 2).flatten(2))

    symmetry = torch_preserved(Rotary(), noise(2, 5, 3))
    assert sizes(symmetry) == {"q.weight": 3}
    assert list(symmetry.matrices) == ["v.weight matrix"]


# ---------------------------------------------------------------- the call itself


def test_examples_by_place_and_by_name():
    bilinear = Skips()
    assert sizes(torch_symmetry(bilinear, (noise(4, 3),))) == {
        "a.weight": 4,
        "b.weight": 6,
        "c.weight": 5,
    }
    assert torch_symmetry(bilinear, {"x": noise(4, 3)}) == torch_symmetry(bilinear, noise(4, 3))


def test_names_are_those_of_the_bare_module():
    inner = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    wrapped = nn.DataParallel(inner)
    symmetry = torch_symmetry(wrapped, noise(4, 3))
    assert symmetry == torch_symmetry(inner, noise(4, 3))
    assert set(symmetry.layout) == {"0.weight", "0.bias", "2.weight"} <= set(tensors_of(wrapped))
