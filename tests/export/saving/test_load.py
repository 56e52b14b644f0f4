"""Tests of load: 200 damaged files are refused, old formats stay readable, trust is by name."""

import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import stackens as se
from stackens.exceptions import (
    DamagedFileError,
    ExportMismatchError,
    OtherVersionWarning,
    UntrustedTypesError,
)
from tests.export.saving.crafted import edited, read_parts, write_parts

FIXTURES = Path(__file__).parent / "fixtures"


def small_models():
    """Models that fixtures are made of, and rows for them."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": np.where(rng.random(40) < 0.1, np.nan, rng.normal(size=40)),
            "text": rng.choice(["x", "y", "z"], 40),
            "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(40), unit="D"),
        }
    )
    y = np.where(rng.normal(size=40) + (frame["text"] == "x") > 0, "yes", "no")
    trees = LGBMClassifier(n_estimators=2, num_leaves=3, verbose=-1, n_jobs=1, random_state=0)
    encoded = [make_pipeline(se.TabularEncoder(), model) for model in (LogisticRegression(), trees)]
    encoded[0].set_params(logisticregression__max_iter=5000)
    forest = RandomForestClassifier(2, max_depth=2, random_state=0)
    network = se.TorchMLPClassifier((4,), n_bins=2, max_iter=2, random_state=0, n_jobs=1)
    yield "stack", se.StackedClassifier(encoded, LogisticRegression(), cv=2).fit(frame, y), frame
    frame = frame[["number", "text"]]
    yield "forest", make_pipeline(se.TabularEncoder(), forest).fit(frame, y), frame
    yield "network", network.fit(frame, y), frame


def write_fixtures(folder):
    """Write the files of the present format; those of older ones are never written again."""
    for name, model, rows in small_models():
        se.save(model, folder / f"{name}.stackens", rows)


FILES = sorted(FIXTURES.glob("format_*/*.stackens"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_files_of_every_format_are_loaded(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OtherVersionWarning)  # as they get old
        model = se.load(path)  # asks the rows that are kept with it again
    rows = next(rows for name, _, rows in small_models() if name == path.stem)
    assert set(model.predict(rows)) <= {"yes", "no"}


def test_there_are_fixtures_and_they_are_small():
    assert {path.stem for path in FILES} == {"stack", "forest", "network"}
    assert sum(path.stat().st_size for path in FILES) < 60_000


def test_the_fixtures_are_what_is_written_today(tmp_path):
    write_fixtures(tmp_path)
    for path in tmp_path.iterdir():
        old = read_parts(FIXTURES / "format_1" / path.name)[1]
        new = read_parts(path)[1]
        assert new.keys() == old.keys()
        assert {name.split("/")[0] for name in new["parts"]} == {
            name.split("/")[0] for name in old["parts"]
        }


# ---------------------------------------------------------------- damage


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A file with parts of several kinds, as a path."""
    path = tmp_path_factory.mktemp("damage") / "file"
    model = se.load(FIXTURES / "format_1" / "stack.stackens")
    model.others = se.load(FIXTURES / "format_1" / "network.stackens"), np.arange(10_000.0)
    se.save(model, path, next(small_models())[2])
    return path


@pytest.mark.parametrize("i", range(60))
def test_truncated_files_are_refused(i, saved, tmp_path):
    content = saved.read_bytes()
    n = int(np.random.default_rng(i).integers(len(content))) if i else len(content) - 1
    (tmp_path / "file").write_bytes(content[:n])
    with pytest.raises(DamagedFileError, match="must be a whole file"):
        se.load(tmp_path / "file")


@pytest.mark.parametrize("i", range(100))
def test_flipped_bits_are_refused_wherever_they_are(i, saved, tmp_path):
    content = bytearray(saved.read_bytes())
    rng = np.random.default_rng(1000 + i)
    # the list of parts and the seal are at the end: a third of the flips are there
    start = len(content) - 1500 if i % 3 == 0 else 0
    place = int(rng.integers(start, len(content)))
    content[place] ^= 1 << int(rng.integers(8))
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DamagedFileError, match="must be a whole file"):
        se.load(tmp_path / "file")


def names(path):
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if name != "manifest.json"]


def cut(parts, name, rng):
    # near the start: LightGBM does without what is behind its trees
    parts[name] = parts[name][: int(rng.integers(min(200, len(parts[name]))))]


def pickled(parts, name, rng):
    parts[name] = b"cos\nsystem\n(S'touch sign'\ntR." + parts[name][:10]


def missing(parts, name, rng):
    del parts[name]


def swapped(parts, name, rng):
    others = [other for other in parts if other.split("/")[0] != name.split("/")[0]]
    parts[name] = parts[others[int(rng.integers(len(others)))]]


@pytest.mark.parametrize("i", range(40))
def test_altered_parts_are_refused_even_where_all_hashes_fit(i, saved, tmp_path, monkeypatch):
    # what someone does who knows the format: change a part, then make the hashes fit
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2000 + i)
    every = names(saved)
    change = (cut, pickled, missing, swapped)[i % 4]
    name = every[i // 4 % len(every)]
    path = edited(saved, tmp_path / "file", lambda parts, _: change(parts, name, rng))
    with pytest.raises((DamagedFileError, UntrustedTypesError)):
        se.load(path)
    assert not (tmp_path / "sign").exists()


def test_another_booster_in_the_place_of_one_is_told_by_the_rows_kept(saved, tmp_path):
    def swap(parts, manifest):
        first, second = (name for name in parts if name.startswith("lightgbm/"))
        other = parts[first].replace(b"leaf_value=", b"leaf_value=9")
        parts[first], parts[second] = parts[second], other

    with pytest.raises(ExportMismatchError, match="the worst of"):
        se.load(edited(saved, tmp_path / "file", swap))


def test_appended_and_prepended_bytes_are_refused(saved, tmp_path):
    content = saved.read_bytes()
    for other in (content + b"\0", b"\0" + content, content + content):
        (tmp_path / "file").write_bytes(other)
        with pytest.raises(DamagedFileError):
            se.load(tmp_path / "file")


def test_an_unaltered_copy_is_loaded(saved, tmp_path):
    # so that the tests above can fail
    parts, manifest = read_parts(saved)
    path = write_parts(tmp_path / "file", list(parts.items()), manifest)
    assert len(se.load(path).others) == 2


# ---------------------------------------------------------------- use


def test_a_fresh_process_gives_the_same_predictions(tmp_path):
    name, model, rows = next(small_models())
    se.save(model, tmp_path / "file")
    rows.to_pickle(tmp_path / "rows.pkl")
    code = (
        "import pandas as pd, stackens as se\n"
        "print(se.load('file').predict_proba(pd.read_pickle('rows.pkl')).tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == str(model.predict_proba(rows).tolist())
    assert name == "stack"


@pytest.mark.parametrize("trusted", [True, "name", 3])
def test_trust_is_a_list_of_names(trusted, saved):
    with pytest.raises(TypeError, match="list of names"):
        se.load(saved, trusted=trusted)


@pytest.mark.parametrize("trusted", [[5], [None], ["a.B", b"a.B"]], ids=repr)
def test_each_that_is_trusted_is_a_name_a_class_or_a_function(trusted, saved):
    with pytest.raises(TypeError, match=r"Each of 'trusted' .* Got .*\. Name it"):
        se.load(saved, trusted=trusted)


def test_a_path_without_a_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="not there"):
        se.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="a folder"):
        se.load(tmp_path)
