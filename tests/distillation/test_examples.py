"""The example scripts, as a user starts them."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from tests.example_scripts import run_example


@pytest.mark.skipif(not find_spec("matplotlib"), reason="draws")
def test_a_small_student_of_a_table_of_ones_own(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": random.normal(40, 9, size=120), "plan": random.choice(["basic", "gold"], size=120)}
    )
    stays = (frame["plan"] == "gold") ^ (random.random(120) < 0.15)
    frame.assign(stays=np.where(stays, "yes", "no")).to_csv(tmp_path / "table.csv", index=False)
    done = run_example(
        "distillation/small_student.py", "--csv", "table.csv", "--target", "stays", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "distilled student" in done.stdout
    assert (tmp_path / "small_student.png").stat().st_size > 10_000


def test_what_is_missing_is_said(tmp_path):
    done = run_example("distillation/small_student.py", "--csv", "table.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "--csv and --target belong together" in done.stderr
    (tmp_path / "table.csv").write_text("age,stays\n41,yes\n")
    for path, target, what in (("none.csv", "stays", "read as CSV"), ("table.csv", "goes", "goes")):
        done = run_example(
            "distillation/small_student.py", "--csv", path, "--target", target, cwd=tmp_path
        )
        assert done.returncode == 1
        assert what in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(not find_spec("torch"), reason="distils torch networks")
def test_a_small_network(tmp_path):
    done = run_example("distillation/small_network.py", "--temperature", 4, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "distilled student" in done.stdout
