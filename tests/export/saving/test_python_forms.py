"""Tests of the forms of plain values: each comes back as it was."""

import collections
import datetime as dt
import decimal
import enum
import fractions
import functools
import pathlib
import types
import zoneinfo

import numpy as np
import pytest
from scipy import sparse, special
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch

import stackens as se
from stackens import schedules
from stackens.export.saving._python_forms import READERS


class Holder(BaseEstimator):
    def __init__(self, value=None):
        self.value = value


class Colour(enum.Enum):
    RED = 1


class Size(enum.IntEnum):
    SMALL = 1


Pair = collections.namedtuple("Pair", "first second")
OWN = [Holder, Colour, Size, Pair]


def round_trip(value, folder):
    path = folder / "value.stackens"
    se.save(Holder(value), path)
    return se.load(path, trusted=OWN).value


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
VALUES = [
    None,
    10**40,
    float("nan"),
    -0.0,
    "é\ud800",
    b"ab\0",
    bytearray(b"x"),
    complex(1, -0.0),
    range(1, 9, 3),
    slice(None, 3, 2),
    (),
    [[], {}, set()],
    {1, "a"},
    frozenset({1}),
    [0.1, None, True] * 20,
    ("text",) * 40,
    {str(i): i for i in range(50)},
    {1: 2, "1": 3},
    {(1, 2): 3, None: 4, True: 5, np.float64(2.5): 6},
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.defaultdict(list, {1: [2]}),
    collections.Counter("aab"),
    Bunch(a=1, b=[2]),
    types.MappingProxyType({"a": [1]}),
    dt.date(2020, 1, 2),
    dt.datetime(2020, 10, 25, 2, 30, 1, 5, tzinfo=BERLIN, fold=1),
    dt.time(1, 2, 3, 4, tzinfo=dt.UTC),
    dt.timedelta(-1, 2, 3),
    dt.timezone(dt.timedelta(hours=2)),
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    pathlib.PurePath("/a/b"),
    Colour.RED,
    Size.SMALL,
    Pair(1, [2]),
    functools.partial(schedules.exponential, decay=5.0),
    np.log1p,
    special.expit,
    np.nan_to_num,
    f1_score,
    float,
    np.float32,
    LogisticRegression,
    np.float64(1.5),
    np.bool_(True),
    np.str_("a"),
    np.datetime64("2020-01-01", "D"),
    np.timedelta64("NaT", "h"),
    np.dtype([("a", "i4"), ("b", "M8[s]")]),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back(value, tmp_path):
    back = round_trip(value, tmp_path)
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def twister(seed):
    return np.random.Generator(np.random.MT19937(seed))


@pytest.mark.parametrize("make", [np.random.default_rng, twister, np.random.RandomState])
def test_random_numbers_go_on_where_they_were(make, tmp_path):
    draws = make(3)
    draws.uniform(size=5)
    back = round_trip(draws, tmp_path)
    assert back.uniform(size=4).tolist() == draws.uniform(size=4).tolist()


ARRAYS = [
    np.zeros((2, 0)),
    np.array(3.5),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(20.0)[::2],
    np.array(["a", "bc"]),
    np.array(["2020", "NaT"], dtype="M8[s]"),
    np.array([1, "a", None, [1, 2]], dtype=object),
    np.array([[1, "a"], [None, (2,)]], dtype=object),
    np.array(None, dtype=object),
    np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    np.arange(20_000.0),  # from here on large ones, which are parts of their own
    np.asfortranarray(np.ones((200, 100))),
    np.arange(100_000, dtype=">i4"),
    np.zeros(30_000, dtype="M8[ns]"),
    np.array(["abc"] * 30_000),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}-{array.shape}")
def test_arrays_come_back(array, tmp_path):
    back = round_trip(array, tmp_path)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert repr(back.tolist()) == repr(array.tolist())
    assert back.flags.fnc == array.flags.fnc  # in the order of Fortran
    assert back.flags.writeable


def test_a_large_array_in_two_places_is_one_array(tmp_path):
    array = np.arange(20_000.0)
    first, second = round_trip([array, array], tmp_path)
    assert first is second


@pytest.mark.parametrize("n", [3, 20_000])
def test_an_array_mapped_from_a_file_becomes_an_array(n, tmp_path):
    np.save(tmp_path / "mapped.npy", np.arange(n))
    mapped = np.load(tmp_path / "mapped.npy", mmap_mode="r")
    back = round_trip(mapped, tmp_path)
    assert type(back) is np.ndarray
    assert back.tolist() == list(range(n))


def test_masked_arrays_come_back(tmp_path):
    for array in (
        np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=7),
        np.ma.array([1, "a"], mask=[0, 1], dtype=object),
    ):
        back = round_trip(array, tmp_path)
        assert back.tolist() == array.tolist()
        assert back.fill_value == array.fill_value


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("holder", ["matrix", "array"])
def test_sparse_matrices_come_back(kind, holder, tmp_path):
    cls = getattr(sparse, f"{kind}_{holder}")
    matrix = cls(sparse.random(6, 4, 0.4, random_state=0))
    back = round_trip(matrix, tmp_path)
    assert type(back) is type(matrix)
    assert (back.toarray() == matrix.toarray()).all()


def test_what_is_one_object_stays_one_object(tmp_path):
    inner = {"a": [1]}
    first, second = round_trip([inner, {"again": inner}], tmp_path)
    assert second["again"] is first


# ---------------------------------------------------------------- trees that are none


def tree_form():
    tree = DecisionTreeClassifier(random_state=0).fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    _, arguments, state = tree.tree_.__reduce__()
    return arguments, {**state, "nodes": state["nodes"].copy()}


def test_a_tree_is_read():
    arguments, state = tree_form()
    assert READERS["tree"](*arguments, state).node_count == state["node_count"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", 0), ("right_child", 10**6), ("left_child", -1), ("feature", 9)],
)
def test_a_tree_that_leads_out_of_its_nodes_is_refused(field, value):
    arguments, state = tree_form()
    state["nodes"][field][0] = value
    with pytest.raises(ValueError, match="tree"):
        READERS["tree"](*arguments, state)


def test_a_boosted_tree_that_never_ends_is_refused():
    X = np.arange(40.0)[:, None]
    model = HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=2).fit(X, X[:, 0] > 9)
    state = dict(vars(model._predictors[0][0]))
    assert READERS["tree_predictor"](state).nodes is state["nodes"]
    state["nodes"] = state["nodes"].copy()
    state["nodes"]["left"][0] = 0
    with pytest.raises(ValueError, match="do not form a tree"):
        READERS["tree_predictor"](state)


def test_a_sparse_matrix_that_points_outside_is_refused():
    numbers = [np.ones(1), np.array([9]), np.array([0, 1])]
    with pytest.raises(ValueError, match="indices must be"):
        READERS["sparse"]("csr", False, [1, 3], numbers)


def test_a_path_can_touch_files_only_if_paths_are_trusted(tmp_path):
    path = pathlib.Path("/a/b")
    assert type(round_trip(path, tmp_path)) is type(pathlib.PurePath())
    assert round_trip(path, tmp_path) == path
    se.save({"path": path}, tmp_path / "file")
    for trusted in (["pathlib.Path"], [pathlib.Path]):
        assert type(se.load(tmp_path / "file", trusted=trusted)["path"]) is type(path)
    se.save(path, tmp_path / "file")  # what it was saved from is itself trusted
    assert se.load(tmp_path / "file") == path
