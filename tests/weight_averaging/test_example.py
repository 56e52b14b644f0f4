"""The example scripts, as a user starts them."""

import pytest

from tests.example_scripts import run_example

SCRIPT = "weight_averaging/last_checkpoints.py"


def test_a_table_a_summary_and_a_picture(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    result = run_example(SCRIPT, "--seeds", 2, "--epochs", 30, "--optimizer", "adam", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "mean of 2 runs (torch, adam" in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines() if line[:1].isdigit()] == [
        str(n) for n in range(1, 11)
    ]
    for name in ("equal", "linear", "exponential"):
        assert f"\n  {name}" in result.stdout
    assert (tmp_path / "last_checkpoints.png").read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_explained(tmp_path):
    pytest.importorskip("torch")
    result = run_example(SCRIPT, "--epochs", 9, cwd=tmp_path)
    assert result.returncode == 2
    assert "--epochs must be at least 10. Got 9." in result.stderr
    assert "Traceback" not in result.stderr


def test_soups_and_blends_side_by_side(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    script = "weight_averaging/soups.py"
    result = run_example(script, "--seeds", 1, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for row in ("best single network", "greedy soup", "learnt, per layer", "blend of all twelve"):
        assert f"\n{row} " in result.stdout
    assert (tmp_path / "soups.png").read_bytes().startswith(b"\x89PNG")
    mistaken = run_example(script, "--seeds", 0, cwd=tmp_path)
    assert "--seeds must be at least 1. Got 0." in mistaken.stderr
