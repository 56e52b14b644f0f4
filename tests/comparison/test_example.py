"""The example script, as a user starts it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "comparison" / "compare_strategies.py"


def start(*arguments, cwd):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


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


def test_a_table_of_the_user(table):
    result = start("--csv", table, "--target", "stays", "--jobs", 1, cwd=table.parent)
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
    ],
)
def test_mistakes_are_explained(arguments, message, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "few.csv").write_text("x,y\n1,a\n2,b\n")
    result = start(*arguments, cwd=tmp_path)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stderr
