"""Draws of tokens and what is counted for them."""

import numpy as np
import pytest

from stackens.weight_averaging.one_shot._tokens import count_transitions, draw_tokens


def test_tokens_start_and_follow_as_declared():
    transitions = np.array([[0, 1, 0], [0, 0, 2], [1, 0, 1], [3, 0, 0]])
    rows = draw_tokens((500, 4), np.ones(3), transitions, np.random.default_rng(0))
    assert rows[:, :3].tolist() == [[0, 1, 2]] * 500
    assert (rows[:, 3] == 0).mean() == pytest.approx(0.5, abs=0.08)


def test_frequencies_stand_in_for_rows_of_zeros():
    transitions = np.zeros((3, 2))
    transitions[1] = 0, 1
    rows = draw_tokens((2000, 2), np.array([3, 1]), transitions, np.random.default_rng(0))
    assert (rows[:, 0] == 0).mean() == pytest.approx(0.75, abs=0.04)
    assert (rows[rows[:, 0] == 1, 1] == 1).all()
    assert (rows[rows[:, 0] == 0, 1] == 0).mean() == pytest.approx(0.75, abs=0.04)


def test_chains_go_along_the_last_axis():
    rows = draw_tokens(
        (200, 2, 6), np.ones(2), np.array([[1, 0], [0, 1], [1, 1]]), np.random.default_rng(0)
    )
    assert (rows == rows[..., :1]).all()
    assert (rows[:, 0, 0] != rows[:, 1, 0]).mean() == pytest.approx(0.5, abs=0.1)


def test_rare_pairs_are_left_out():
    rows = np.array([[0, 1]] * 50 + [[0, 2]] * 2)
    found = count_transitions(rows, np.bincount(rows.reshape(-1), minlength=4))
    assert found[0, 1] > 0.95
    assert found[0, 2] < 0.01  # by the frequencies alone
    assert (found[[1, 2, 3]] == 0).all()
    assert found[4].argmax() == 0


@pytest.mark.parametrize(
    ("shape", "size"), [((9, 5), 1000), ((9, 1), 4), ((1, 3), 4)], ids=["vocabulary", "one", "few"]
)
def test_nothing_is_sent_of_large_vocabularies_single_tokens_and_few_rows(shape, size):
    rows = np.arange(np.prod(shape)).reshape(shape) % size
    assert count_transitions(rows, np.bincount(rows.reshape(-1), minlength=size)) is None
