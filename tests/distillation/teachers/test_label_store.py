"""Tests of stored labels: whole or absent, found by content, never unpickled, made again."""

import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from stackens import FrozenNetwork
from stackens.distillation.teachers._label_store import LabelStore, hash_of_teacher
from stackens.exceptions import DamagedCacheWarning

LABELS = np.array([[0.25, 0.75], [1.0, 0.0]])


@pytest.fixture
def store(tmp_path):
    return LabelStore(tmp_path / "labels")


def test_what_was_put_is_found_bit_by_bit(store):
    assert store.get("key", labels=(2, 2)) is None
    store.put("key", labels=LABELS, source="out-of-fold")
    found = store.get("key", labels=(2, 2), source=())
    np.testing.assert_array_equal(found["labels"], LABELS)
    assert str(found["source"]) == "out-of-fold"
    assert [path.name for path in store.folder.iterdir()] == ["key.npz"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other shape", "pickled"])
def test_a_damaged_file_is_reported_and_not_used(store, damage):
    store.put("key", labels=LABELS)
    path = store.folder / "key.npz"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-30])
    elif damage == "flipped":
        place = content.find(LABELS.tobytes())
        content[place] ^= 1
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other shape":
        store.put("key", labels=LABELS[:1])
    else:
        store.put("key", labels=np.array([[1, 2], [3, 4]], dtype=object))
    with pytest.warns(DamagedCacheWarning, match="made again"):
        assert store.get("key", labels=(2, 2)) is None


def test_no_changed_byte_goes_unnoticed(store):
    store.put("key", labels=LABELS, source="out-of-fold")
    path = store.folder / "key.npz"
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        for change in (0x01, 0x80):
            broken = bytearray(content)
            broken[place] ^= change
            path.write_bytes(broken)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DamagedCacheWarning)
                found = store.get("key", labels=(2, 2), source=())
            if found is not None:  # a byte that nobody reads, such as that of a date
                np.testing.assert_array_equal(found["labels"], LABELS)
                assert str(found["source"]) == "out-of-fold"


def test_a_failed_write_leaves_nothing(store):
    class Bomb:
        def __array__(self, dtype=None, copy=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put("key", labels=Bomb())
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, pl.DataFrame], ids=lambda m: str(m))
def test_keys_follow_content_and_not_identity(store, make):
    rows = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    key = store.key("labels", X=make(rows))
    assert store.key("labels", X=make([list(row) for row in rows])) == key
    assert store.key("labels", X=make(rows[::-1])) != key
    assert store.key("taught", X=make(rows)) != key


def test_frames_with_text_have_keys_by_value(store):
    def frame(word):
        return pd.DataFrame({"a": ["".join(word), "y", None], "b": [1, 2, 3]})

    key = store.key("labels", X=frame("xx"))
    assert store.key("labels", X=frame(["x", "x"])) == key
    assert store.key("labels", X=frame("xz")) != key
    assert store.key("labels", X=frame("xx").rename(columns={"b": "c"})) != key


def test_tensors_have_keys_of_their_rows_alone(store):
    torch = pytest.importorskip("torch")
    rows = torch.arange(12.0).reshape(6, 2)
    assert store.key("labels", X=rows[2:4]) == store.key("labels", X=rows[2:4].clone())
    assert store.key("labels", X=rows[2:4]) != store.key("labels", X=rows[3:5])
    half = rows.to(torch.bfloat16)
    assert store.key("labels", X=half[:2]) == store.key("labels", X=half[:2].clone())


def test_what_cannot_be_hashed_is_named(store):
    splits = ((np.arange(2), np.arange(2, 4)) for _ in range(2))
    with pytest.raises(ValueError, match=r"(?s)hash of 'options'.*splits as a list"):
        store.key("taught", options=splits)


def test_teachers_are_told_apart_by_parameters_and_weights():
    same = hash_of_teacher(GaussianNB(), None)
    assert hash_of_teacher(GaussianNB(), None) == same
    assert hash_of_teacher(GaussianNB(var_smoothing=1e-3), None) != same
    X = np.arange(10.0)[:, None]
    trees = [DecisionTreeClassifier(random_state=0).fit(X, X[:, 0] > cut) for cut in (3, 3, 6)]
    first, again, other = (hash_of_teacher(tree, None) for tree in trees)
    assert first == again != other
    assert hash_of_teacher(pickle.loads(pickle.dumps(trees[0])), None) == first


def test_networks_are_told_apart_by_their_weights():
    torch = pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    layer = torch.nn.Linear(3, 2)
    copy = torch.nn.Linear(3, 2)
    copy.load_state_dict(layer.state_dict())
    assert hash_of_teacher(copy, None) == hash_of_teacher(layer, None)
    frozen = hash_of_teacher(FrozenNetwork(layer), None)
    assert hash_of_teacher(FrozenNetwork(copy), None) == frozen
    with torch.no_grad():
        copy.bias[0] += 1
    assert hash_of_teacher(copy, None) != hash_of_teacher(layer, None)
    assert hash_of_teacher(FrozenNetwork(copy), None) != frozen
    for dtype in ("float32", "bfloat16"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype=dtype)])
        before = hash_of_teacher(model, None)
        assert hash_of_teacher(model, None) == before
        model.layers[-1].bias.assign([1.0, 0.0])
        assert hash_of_teacher(model, None) != before


def test_a_function_needs_a_key_of_the_user():
    def function(X):
        return X

    with pytest.raises(ValueError, match=r"(?s)stands for the teacher.*cache_key="):
        hash_of_teacher(function, None)
    with pytest.raises(ValueError, match="cache_key="):
        hash_of_teacher(functools.partial(np.full, 3), None)
    with pytest.raises(ValueError, match="cache_key="):
        hash_of_teacher(FrozenNetwork(function), None)  # a function of this scope has no pickle
    assert hash_of_teacher(function, "v1") == hash_of_teacher(np.sum, "v1")
    assert hash_of_teacher(function, "v1") != hash_of_teacher(function, "v2")


def test_a_folder_that_cannot_be_written_to_is_told_before_there_are_labels(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match=r"can be written to. Got .*file.*cache=None"):
        LabelStore(file)
