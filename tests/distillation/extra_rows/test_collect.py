"""Rows without labels: from tables and from chunks, a uniform sample in bounded memory."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from stackens.distillation.extra_rows import _collect, collect_unlabeled
from stackens.distillation.extra_rows._collect import _Reservoir

LIKE = pd.DataFrame({"a": [1.0, 2.0], "k": ["x", "y"]})


def chunks(size, n=1000):
    table = pd.DataFrame({"k": ["x"] * n, "a": np.arange(n, dtype=float)})
    return (table.iloc[start : start + size] for start in range(0, n, size))


def test_all_rows_of_a_table():
    X_extra = collect_unlabeled(LIKE.iloc[::-1], LIKE)
    pd.testing.assert_frame_equal(X_extra, LIKE.iloc[::-1].reset_index(drop=True))


def test_all_rows_of_chunks_in_order():
    X_extra = collect_unlabeled(chunks(300), LIKE)
    assert X_extra.columns.tolist() == ["a", "k"]
    assert X_extra["a"].tolist() == list(range(1000))


@pytest.mark.parametrize("most", [1, 7, 100, 999, 1000, 2000])
def test_at_most_so_many(most):
    kept = collect_unlabeled(chunks(64), LIKE, most, random_state=0)["a"]
    assert len(kept) == min(most, 1000)
    assert kept.is_unique
    assert kept.is_monotonic_increasing


def test_the_sample_depends_on_the_seed_and_not_on_the_chunks():
    first, *others = (
        collect_unlabeled(chunks(size), LIKE, 50, random_state=5) for size in (1, 33, 400, 1000)
    )
    for other in others:
        pd.testing.assert_frame_equal(first, other)
    assert not first.equals(collect_unlabeled(chunks(33), LIKE, 50, random_state=6))


def test_every_row_is_as_likely():
    n, most, repeats = 60, 6, 1500
    rng = np.random.default_rng(0)
    counts = np.zeros(n)
    for _ in range(repeats):
        parts = np.split(np.arange(float(n))[:, None], [1, 9, 30])
        counts[collect_unlabeled(parts, np.zeros((1, 1)), most, random_state=rng).astype(int)] += 1
    expected = repeats * most / n
    # a chi-square with 59 degrees of freedom exceeds 110 once in 20,000 runs
    assert ((counts - expected) ** 2 / (expected * (1 - most / n))).sum() < 110


def test_memory_is_bounded():
    reservoir = _Reservoir(100)
    rng = np.random.default_rng(0)
    largest = 0
    for _ in range(200):
        reservoir.offer(np.zeros((50, 1)), rng.random(50))
        largest = max(largest, reservoir.n)
        assert reservoir.n == sum(map(len, reservoir.parts)) == sum(map(len, reservoir.keys))
    assert largest <= 125
    assert len(reservoir.rows()) == 100


def test_the_source_is_read_once_and_not_changed():
    read = []

    def source():
        for start in range(3):
            read.append(start)
            yield np.full((2, 2), start)

    assert len(collect_unlabeled(source(), np.zeros((1, 2)), 3, random_state=0)) == 3
    assert read == [0, 1, 2]
    table = LIKE.copy()
    collect_unlabeled(table, LIKE, 1)
    pd.testing.assert_frame_equal(table, LIKE)


@pytest.mark.parametrize(
    ("source", "like"),
    [
        (np.ones((5, 2, 3)), np.zeros((1, 2, 3))),
        ([np.ones((2, 2, 3)), np.ones((3, 2, 3))], np.zeros((1, 2, 3))),
        ([np.ones((2, 3))] * 5, np.zeros((1, 2, 3))),
        ([[1.0, 2.0]] * 5, [[0, 0]]),
        (["a text"] * 5, ["another"]),
        ((batch for batch in [["a", "b"], ["c"] * 3]), ["another"]),
        (sparse.eye_array(5, 3, format="coo"), sparse.eye_array(3, format="csr")),
        ([sparse.eye_array(2, 3), np.ones((3, 3))], sparse.eye_array(3, format="csr")),
        (pl.DataFrame({"a": [1.0] * 5}), pl.DataFrame({"a": [2.0]})),
        ([pl.DataFrame({"a": [1.0]})] * 5, pl.DataFrame({"a": [2.0]})),
    ],
    ids=["images", "batches", "list of images", "rows", "texts", "batches of texts", "sparse",
         "sparse batches", "polars", "polars batches"],
)  # fmt: skip
def test_containers(source, like):
    X_extra = collect_unlabeled(source, like, 4, random_state=0)
    shape = X_extra.shape if hasattr(X_extra, "shape") else (len(X_extra),)
    assert shape == (4, *getattr(like, "shape", np.shape(like))[1:])
    assert type(X_extra) is (np.ndarray if isinstance(like[0], list) else type(like))


def test_tensors():
    torch = pytest.importorskip("torch")
    ones = torch.ones(4, 3, dtype=torch.bfloat16, requires_grad=True)
    kept = collect_unlabeled([ones, np.ones((4, 3))], np.zeros((1, 3)), 6, random_state=0)
    assert kept.tolist() == [[1.0, 1.0, 1.0]] * 6
    assert collect_unlabeled(ones, np.zeros((1, 3))).shape == (4, 3)


def test_arrow_batches():
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pandas(LIKE)
    for source in (table, table.to_batches(), iter(table.to_batches(max_chunksize=1))):
        pd.testing.assert_frame_equal(collect_unlabeled(source, LIKE), LIKE)


def test_files_in_chunks(tmp_path):
    path = tmp_path / "rows.csv"
    pd.concat([LIKE] * 10).to_csv(path, index=False)
    with pd.read_csv(path, chunksize=3) as reader:
        X_extra = collect_unlabeled(reader, LIKE, 9, random_state=0)
    assert X_extra.dtypes.tolist() == LIKE.dtypes.tolist()
    assert len(X_extra) == 9


def test_arrays_on_disk(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    monkeypatch.setattr(_collect, "SLICE_ROWS", 7)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["x"] = np.arange(40).reshape(20, 2)
        X_extra = collect_unlabeled(file["x"], np.zeros((1, 2)))
    assert np.array_equal(X_extra, np.arange(40.0).reshape(20, 2))


def test_long_tables_are_read_in_slices(monkeypatch):
    monkeypatch.setattr(_collect, "SLICE_ROWS", 7)
    table = pd.concat([LIKE] * 10)
    for source in (table, pl.from_pandas(table)):
        X_extra = collect_unlabeled(source, LIKE)
        pd.testing.assert_frame_equal(X_extra, table.reset_index(drop=True))
    diagonal = sparse.eye_array(20, format="coo")
    assert (collect_unlabeled(diagonal, diagonal) != diagonal).nnz == 0
    texts = [str(number) for number in range(20)]
    assert collect_unlabeled(texts, texts) == texts


def test_progress_is_shown_if_asked_for(capsys):
    collect_unlabeled(LIKE, LIKE, verbose=1)
    assert "unlabeled rows" in capsys.readouterr().err
    collect_unlabeled(LIKE, LIKE)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("source", [iter([]), [], LIKE.iloc[:0], [LIKE.iloc[:0]] * 2])
def test_no_rows_at_all(source):
    with pytest.raises(ValueError, match="at least one row"):
        collect_unlabeled(source, LIKE)


@pytest.mark.parametrize("source", [5, "rows.csv", {"a": [1]}])
def test_what_cannot_be_read(source):
    with pytest.raises(TypeError, match="iterable of such chunks"):
        collect_unlabeled(source, LIKE)


def test_lazy_frames_are_to_be_collected():
    with pytest.raises(TypeError, match=r"X_unlabeled.collect\(\)"):
        collect_unlabeled(pl.from_pandas(LIKE).lazy(), LIKE)


def test_data_sets_of_arrow(tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset")
    LIKE.to_parquet(tmp_path / "one.parquet")
    LIKE.to_parquet(tmp_path / "two.parquet")
    assert collect_unlabeled(dataset.dataset(tmp_path), LIKE)["k"].tolist() == list("xyxy")


def test_errors_name_the_chunk():
    with pytest.raises(ValueError, match=r"^chunk 1 of X_unlabeled must have the columns"):
        collect_unlabeled([LIKE, LIKE[["a"]]], LIKE)
    with pytest.raises(ValueError, match=r"^X_unlabeled must have the columns"):
        collect_unlabeled(LIKE[["a"]], LIKE)


def test_the_number_of_rows_is_checked():
    with pytest.raises(ValueError, match="at least 1"):
        collect_unlabeled(LIKE, LIKE, 0)
