"""What reduces an axis or works along it: order, signs and scales."""

import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional


UNITS, SIGNS, SCALES = {"units"}, {"units", "signs"}, {"units", "scales"}

ALONG_UNITS = {
    "softmax": (lambda x: x.softmax(-1), UNITS),
    "log softmax": (lambda x: x.log_softmax(-1), UNITS),
    "less the mean": (lambda x: x - x.mean(-1, keepdim=True), UNITS),
    "by the sum": (lambda x: x / x.sum(), UNITS),
    "by the largest": (lambda x: x / x.amax(-1, keepdim=True), UNITS),
    "largest": (lambda x: x - x.max(), UNITS),
    "of a unit length": (lambda x: F.normalize(x, dim=-1).cos(), UNITS),
    "length": (lambda x: torch.linalg.vector_norm(x, dim=-1, keepdim=True) * x.tanh(), SIGNS),
    "by the deviation": (lambda x: x / x.std(-1, keepdim=True), UNITS),
    "log sum": (lambda x: x - x.logsumexp(-1, keepdim=True), UNITS),
    "any": (lambda x: torch.where((x > 0).any(-1, keepdim=True), x, -x), UNITS),
}
IN_ORDER = {
    "cumulative": lambda x: x.cumsum(-1),
    "flipped": lambda x: x.flip(-1),
    "rolled": lambda x: x.roll(1, -1),
    "sorted": lambda x: x.sort(-1).values,
    "largest": lambda x: x.topk(6, -1).values,
    "place of the largest": lambda x: x + x.argmax(-1, keepdim=True),
    "largest and its place": lambda x: x + x.max(-1, keepdim=True).indices,
    "triangle": lambda x: x.tril(),
}


@pytest.mark.parametrize("name", ALONG_UNITS)
def test_what_does_not_depend_on_the_order_of_units(name, between):
    function, expected = ALONG_UNITS[name]
    assert between(function) == expected
    assert between.symmetry.notes == ()


@pytest.mark.parametrize("name", IN_ORDER)
def test_what_depends_on_the_order_of_units(name, between):
    assert between(IN_ORDER[name]) == set()
    if name != "triangle":
        assert "in Between: some units have to stay in their order" in between.symmetry.notes[0]


@pytest.mark.parametrize(
    ("reduce", "expected"),
    [
        (lambda x: x.mean(1), {"matrix"}),
        (lambda x: x.sum(1), {"matrix"}),
        (lambda x: x.amax(1), SCALES),
        (lambda x: x.max(1).values, UNITS),
        (lambda x: x.cumsum(1)[:, -1], {"matrix"}),
        (lambda x: x.prod(1), UNITS),
        (lambda x: x.softmax(1).var(1), UNITS),
    ],
)
def test_reducing_another_axis(reduce, expected, between):
    assert between(reduce, shape=(2, 4, 3)) == expected
