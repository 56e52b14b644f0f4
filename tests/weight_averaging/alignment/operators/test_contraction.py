"""Linear layers, matrix products, attention and lookup: what is summed over moves together."""

import pytest

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


LINEAR = {"matrix"}


class Weight(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.value = nn.Parameter(torch.ones(shape))


@pytest.mark.parametrize(
    ("product", "shape"),
    [
        (lambda x, w: x @ w.value, (6, 5)),
        (lambda x, w: torch.mm(x, w.value), (6, 5)),
        (lambda x, w: torch.addmm(torch.zeros(5, dtype=x.dtype), x, w.value), (6, 5)),
        (lambda x, w: torch.einsum("bi,oi->bo", x, w.value), (5, 6)),
        (lambda x, w: torch.einsum("...i,io", x, w.value), (6, 5)),
        (lambda x, w: torch.bmm(x[None], w.value[None])[0], (6, 5)),
        (
            lambda x, w: torch.baddbmm(torch.zeros(5, dtype=x.dtype), x[None], w.value[None])[0],
            (6, 5),
        ),
        (lambda x, w: F.linear(torch.stack([x, x]), w.value).sum(0), (5, 6)),
    ],
)
def test_all_ways_to_write_a_linear_layer(product, shape, between):
    def tanh_of_product(x, w):
        return torch.tanh(product(torch.tanh(x), w))

    assert between(tanh_of_product, out=5, w=Weight(*shape)) == {"units", "signs"}
    assert {units.size for units in between.symmetry.units.values()} == {5, 6}
    assert set(between.symmetry.signs.values()) == set(between.symmetry.units)


def test_a_vector_and_a_dot_product(between):
    def score(x, w):
        return torch.cat([(x @ w.value)[:, None], torch.mv(x, w.value)[:, None]], 1)

    assert between(score, out=2, w=Weight(6)) == LINEAR
    assert set(between.symmetry.layout) == {"first.weight", "first.bias", "parts.w.value"}


def test_a_diagonal_is_not_understood(between):
    assert between(lambda x, w: torch.einsum("bi,ii->bi", x, w.value), w=Weight(6, 6)) == set()
    assert "einsum in Between: not known" in between.symmetry.notes[0]


def test_a_product_with_itself_leaves_turns_only(between):
    def similarities(x):
        return x @ x.mT  # no unit is left

    assert between(similarities, out=4) == LINEAR
    assert [m.kind for m in between.symmetry.matrices.values()] == ["orthogonal"]


class Heads(nn.Module):
    """Attention over two tokens made of one row, written by hand."""

    def __init__(self, attention, n_keys=3):
        super().__init__()
        self.query, self.key = nn.Linear(6, 12), nn.Linear(6, 4 * n_keys)
        self.value = nn.Linear(6, 4 * n_keys)
        self.out = nn.Linear(12, 6)
        self.attention = attention

    def forward(self, x):
        x = torch.stack([x, x.tanh()], 1)
        q, k, v = (
            part(x).unflatten(-1, (-1, 4)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        return self.out(self.attention(q, k, v).transpose(1, 2).flatten(2)).mean(1)


def by_hand(q, k, v):
    return ((q @ k.mT) / 2).softmax(-1) @ v


def by_einsum(q, k, v):
    return torch.einsum("bhqk,bhkd->bhqd", torch.einsum("bhqd,bhkd->bhqk", q, k).softmax(-1), v)


def masked(q, k, v):
    mask = torch.ones(2, 2).tril() > 0
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def causal(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@pytest.mark.parametrize("attention", [by_hand, by_einsum, masked, causal])
def test_heads_move_and_matrices_work_inside(attention, between):
    between(lambda x, heads: heads(x), heads=Heads(attention))
    symmetry = between.symmetry
    assert symmetry.units["parts.heads.query.weight"].size == 3
    inside = {name: m for name, m in symmetry.matrices.items() if m.units}
    assert {(m.units, m.count, m.size) for m in inside.values()} == {
        ("parts.heads.query.weight", 3, 4)
    }
    query, key, value, out = (
        symmetry.layout[f"parts.heads.{name}.weight"][name == "out"][0]
        for name in ("query", "key", "value", "out")
    )
    assert query.matrix[0] == key.matrix[0] != value.matrix[0] == out.matrix[0]
    assert query.matrix[1] == -key.matrix[1]
    assert value.matrix[1] == -out.matrix[1]


def test_a_norm_of_queries_leaves_what_is_inside_heads(between):
    def attention(q, k, v):
        return by_hand(F.layer_norm(q, (4,)), k, v)

    between(lambda x, heads: heads(x), heads=Heads(attention))
    query = between.symmetry.layout["parts.heads.query.weight"][0][0]
    assert (query.units, query.matrix) == ("parts.heads.query.weight", None)
    assert between.symmetry.layout["parts.heads.value.weight"][0][0].matrix
    assert any("of which one factor can move" in note for note in between.symmetry.notes)


def test_heads_that_are_mixed_have_no_matrix_of_their_own(between):
    def talking(q, k, v):
        heads = by_hand(q, k, v)
        return heads + heads.sum(1, keepdim=True)

    between(lambda x, heads: heads(x), heads=Heads(talking))
    value = between.symmetry.layout["parts.heads.value.weight"][0][0]
    assert value.matrix is None
    assert value.units


@pytest.mark.parametrize("n_keys", [1, 3])
def test_heads_that_share_keys(n_keys, between):
    def grouped(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    between(lambda x, heads: heads(x), heads=Heads(grouped, n_keys))
    query = between.symmetry.layout["parts.heads.query.weight"][0][0]
    assert (query.size, query.inner) == (3, 4)


def test_looking_rows_up(torch_preserved):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.out = nn.Embedding(7, 5), nn.Linear(5, 2)

        def forward(self, words):
            return self.out(torch.tanh(self.table(words)))

    symmetry = torch_preserved(Words(), torch.tensor([[0, 3, 6]]))
    assert symmetry.units["table.weight"].size == 5
    assert symmetry.layout["table.weight"][0][0].units is None
    assert symmetry.signs == {"table.weight sign": "table.weight"}


def test_each_output_of_a_bilinear_layer_has_a_matrix(torch_preserved):
    class Bilinear(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Linear(3, 4), nn.Linear(3, 5)
            self.both, self.head = nn.Bilinear(4, 5, 6), nn.Linear(6, 2)

        def forward(self, x):
            return self.head(self.both(self.one(x).tanh(), self.other(x).relu()).sigmoid())

    x = torch.randn((7, 3), generator=torch.Generator().manual_seed(0))
    symmetry = torch_preserved(Bilinear(), x)
    assert sorted(units.size for units in symmetry.units.values()) == [4, 5, 6]
    assert len(symmetry.signs) == len(symmetry.scales) == 1


@pytest.mark.parametrize(("mode", "free"), [("sum", "matrices"), ("max", "scales")])
def test_bags_of_tokens(mode, free, torch_preserved):
    class Bags(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = nn.EmbeddingBag(9, 4, mode=mode), nn.Linear(4, 2)

        def forward(self, tokens):
            return self.head(self.table(tokens))

    symmetry = torch_preserved(Bags(), torch.tensor([[1, 2, 8], [3, 0, 5]]))
    assert len(getattr(symmetry, free)) == 1
