"""The example script, as a user starts it."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

import stackens as se
from tests.example_scripts import EXAMPLES, run_example

SCRIPT = "comparison/compare_strategies.py"


@pytest.fixture
def table(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": np.where(random.random(150) < 0.1, np.nan, random.normal(40, 9, size=150)),
            "plan": random.choice(["basic", "gold", None], size=150),
        }
    )
    stays = (frame["plan"] == "gold") ^ (random.random(150) < 0.15)
    frame["stays"] = np.where(stays, "yes", "no")
    frame.loc[:4, "stays"] = None
    path = tmp_path / "customers.csv.gz"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def script():
    found = importlib.util.spec_from_file_location("compare_strategies", EXAMPLES / SCRIPT)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_truth_values_and_dates_of_a_file(script, tmp_path):
    n = 60
    frame = pd.DataFrame(
        {
            "seen": pd.date_range("2026-01-01", periods=n).astype(str),
            "at": ["2026-01-31T10:00:00", None] * (n // 2),
            "code": ["2026-01", "12"] * (n // 2),
            "never": ["2026-02-30", "2026-01-01"] * (n // 2),
            "mixed": ["2026-01-01", "soon"] * (n // 2),
            "number": np.arange(n) % 7,
            "empty": np.nan,
            "stays": np.where(np.arange(n) % 3, "True", "False"),
        }
    )
    frame.loc[0, "stays"] = None
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    X, y = script.read_table(path, "stays")
    kinds = {name: dtype.kind for name, dtype in X.dtypes.items()}
    assert [name for name, kind in kinds.items() if kind == "M"] == ["seen", "at"]
    assert X["at"].isna().sum() == (n // 2)
    assert X["never"].tolist()[:2] == ["2026-01-01", "2026-02-30"]
    fitted = se.StackedClassifier(se.default_estimators(X, y)[-2:-1], "simplex").fit(X, y)
    assert fitted.classes_.tolist() == [False, True]


def test_a_table_of_the_user(table):
    result = run_example(SCRIPT, "--csv", table, "--target", "stays", "--jobs", 1, cwd=table.parent)
    assert result.returncode == 0, result.stderr
    assert "Left out 5 rows without a 'stays'." in result.stdout
    for name in ("lightgbm", "random_forest", "blend greedy", "stack auto"):
        assert name in result.stdout
    picture = table.parent / "compare_strategies.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert str(picture.resolve()) in result.stdout
    assert result.stdout.strip().splitlines()[-1].startswith("Use '")
    assert "cross-fit" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "nowhere.csv", "--target", "y"], "There is no file 'nowhere.csv'"),
        (["--csv", "empty.csv", "--target", "y"], "is empty"),
        (["--csv", "few.csv", "--target", "y"], "needs 50 rows"),
        (["--csv", "few.csv", "--target", "z"], "Its columns are: x, y"),
        (["--csv", "few.csv"], "belong together"),
        (["--csv", "targets.csv", "--target", "one"], "at least two classes. Got one class: ['a']"),
        (["--csv", "targets.csv", "--target", "id"], "60 classes of one row each, such as row 0"),
        (["--csv", "targets.csv", "--target", "day"], "60 classes of one row each, such as 2026-"),
        (["--csv", "targets.csv", "--target", "far"], "contains infinity. Drop those rows"),
    ],
)
def test_mistakes_are_explained(arguments, message, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "few.csv").write_text("x,y\n1,a\n2,b\n")
    numbers = np.arange(60)
    columns = {"x": numbers, "one": "a", "id": [f"row {i}" for i in numbers]}
    columns |= {
        "day": pd.date_range("2026-01-01", periods=60),
        "far": np.where(numbers, 0.5, np.inf),
    }
    pd.DataFrame(columns).to_csv(tmp_path / "targets.csv", index=False)
    result = run_example(SCRIPT, *arguments, cwd=tmp_path)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stderr
