"""What becomes of which tensor: compared, weighted, tied, cast."""

from pathlib import Path

import numpy as np
import pytest

from stackens.weight_averaging.files._checkpoint import Checkpoint
from stackens.weight_averaging.files._dtypes import DTYPES, by_name
from stackens.weight_averaging.files._jobs import jobs_for, slots_for
from stackens.weight_averaging.files._sources import InMemory, Tensor
from stackens.weight_averaging.rules import Slerp, TaskArithmetic, WeightedMean


def checkpoint(name, prefix="", **arrays):
    """Make a checkpoint of arrays in memory; equal arrays of it are tied."""
    tensors = {
        key: Tensor(by_name(array.dtype.name), array.shape, InMemory(array, (name, id(array))))
        for key, array in arrays.items()
    }
    own = {key: prefix + key for key in tensors}
    return Checkpoint(Path(name), tensors, own, (Path(name),), "torch")


def jobs(checkpoints, weights=(0.5, 0.5), **options):
    names = checkpoints[0].tensors
    given = {"rule": WeightedMean(), "base": None, "newest": "last", "buffer": "newest"}
    shares = dict.fromkeys(names, np.asarray(weights, float))
    return jobs_for(checkpoints, weights=shares, **{**given, "dtype": None, **options})


@pytest.fixture
def two():
    return [
        checkpoint("one.pt", w=np.ones(2, np.float32), n=np.array(1), c=np.ones(1, np.complex64)),
        checkpoint("two.pt", w=np.zeros(2, np.float32), n=np.array(2), c=np.ones(1, np.complex64)),
    ]


def test_all_differences_are_in_one_error(two):
    other = checkpoint("three.pt", w=np.ones(3), extra=np.ones(1), n=np.array(1))
    with pytest.raises(ValueError, match=r"4 differences") as caught:
        jobs([*two, other], (0.4, 0.3, 0.3))
    for part in ("'w': shape", "'w': dtype", "'c': missing in three.pt", "'extra': missing in one"):
        assert part in str(caught.value)


def test_integers_have_no_rule(two):
    made = jobs(two)
    assert isinstance(made["w"].rule, WeightedMean)
    assert made["n"].rule is None
    assert not made["n"].majority
    assert jobs(two, buffer="majority")["n"].majority


def test_integers_alone_are_refused():
    with pytest.raises(ValueError, match=r"only integers and bools in one.pt"):
        jobs([checkpoint("one.pt", w=np.ones(2, np.int8)), checkpoint("two.pt", w=np.int8([1, 2]))])


def test_what_does_not_count_is_not_read(two):
    made = jobs(two, (0.0, 1.0))
    assert made["w"].labels == ("two.pt",)
    assert made["w"].weights.tolist() == [1]
    assert len(made["n"].sources) == 2
    other = jobs(two, (0.0, 1.0), rule=Slerp())
    assert other["w"].labels == ("one.pt", "two.pt")


def test_floating_tensors_are_cast(two):
    made = jobs(two, dtype=DTYPES["BF16"])
    assert {name: job.out_dtype.code for name, job in made.items()} == {
        "w": "BF16",
        "n": "I64",
        "c": "C64",
    }


def test_the_base_is_compared_too(two):
    base = checkpoint("base.pt", w=np.ones(5, np.float32))
    with pytest.raises(ValueError, match=r"shape \(2,\) in one.pt, two.pt; \(5,\) in base.pt"):
        jobs(two, rule=TaskArithmetic(), base=base)
    made = jobs(two, rule=TaskArithmetic(), base=two[0])
    assert made["w"].base == two[0].tensors["w"].source
    assert made["n"].base is None


def test_names_are_those_of_the_newest(two):
    newest = checkpoint("two.pt", "module.", w=np.zeros(2, np.float32))
    pair = [checkpoint("one.pt", w=np.ones(2, np.float32)), newest]
    assert slots_for(jobs(pair), pair, newest, tie=True)["w"].name == "module.w"


def test_weights_that_all_tie_are_written_once():
    def tied(name, also):
        shared, empty = np.ones(2, np.float32), np.zeros(0, np.float32)
        last = shared if also else np.ones(2, np.float32)
        return checkpoint(name, a=shared, b=shared, c=last, d=empty, e=empty)

    pair = [tied("one.pt", True), tied("two.pt", False)]
    made = jobs(pair)
    slots = slots_for(made, pair, pair[1], tie=True)
    assert {name: slot.aliases for name, slot in slots.items()} == {
        "a": ("b",),
        "c": (),
        "d": (),
        "e": (),
    }
    assert list(slots_for(made, pair, pair[1], tie=False)) == ["a", "b", "c", "d", "e"]
    uneven = {name: np.array([0.5, 0.5]) for name in made} | {"b": np.array([0.1, 0.9])}
    made = jobs_for(
        pair,
        rule=WeightedMean(),
        base=None,
        weights=uneven,
        newest="last",
        buffer="newest",
        dtype=None,
    )
    with pytest.raises(ValueError, match=r"Tied tensors must have the same weights.*'a'.*'b'"):
        slots_for(made, pair, pair[1], tie=True)
