"""Scores, their errors, and when an average counts as worse."""

import numpy as np
import pytest

from stackens.exceptions import OtherBasinWarning
from stackens.weight_averaging._evaluation import Score, is_clear, score_of, warn_if_worse


def score(*values):
    return Score(np.array(values, dtype=float))


def test_a_number_or_a_number_for_each_row():
    assert score_of(lambda model: 0.5, None).mean == 0.5
    assert np.isnan(score_of(lambda model: 0.5, None).se)
    rows = score_of(lambda model: [True, False, True, True], None)
    assert rows.mean == 0.75
    assert rows.se == pytest.approx(np.std([1, 0, 1, 1], ddof=1) / 2)


@pytest.mark.parametrize("returned", [np.nan, [], [[1.0]], [np.inf, 1.0], None, "good"])
def test_other_scores_are_refused(returned):
    with pytest.raises(ValueError, match="finite number, or one for each row"):
        score_of(lambda model: returned, None)


def test_what_is_clear():
    assert is_clear(score(0.03), 0.9, greater_is_better=True)
    assert not is_clear(score(0.01), 0.9, greater_is_better=True)
    assert not is_clear(score(0.03), 0.9, greater_is_better=False)
    assert is_clear(score(0.2), 0.9, greater_is_better=False)
    assert not is_clear(score(0.005), -0.1, greater_is_better=True)
    noisy = score(*np.resize([1.0, -0.9], 20))
    assert noisy.mean > 0.02
    assert not is_clear(noisy, 0.9, greater_is_better=True)


def test_the_warning_says_what_to_do():
    ends, weights = [score(0.9), score(0.8)], np.array([0.5, 0.5])
    with pytest.warns(
        OtherBasinWarning, match=r"0.5 against 0.85(.|\n)*align(.|\n)*blend"
    ) as caught:
        warn_if_worse(score(0.5), ends, weights, greater_is_better=True, stacklevel=1)
    assert caught[0].filename == __file__
    with pytest.warns(OtherBasinWarning, match="^The soup is worse"):
        warn_if_worse(score(2.0), ends, weights, greater_is_better=False, what="The soup")


def test_no_warning_where_the_average_is_as_good():
    ends, weights = [score(0.9), score(0.1)], np.array([1.0, 0.0])
    warn_if_worse(score(0.89), ends, weights, greater_is_better=True)
    warn_if_worse(score(0.95), ends, weights, greater_is_better=True)
    warn_if_worse(score(0.1), ends, weights, greater_is_better=False)


def test_torch_tensors_are_scores():
    torch = pytest.importorskip("torch")
    loss = torch.ones(3, dtype=torch.bfloat16, requires_grad=True) * 0.5
    assert score_of(lambda model: loss, None).values.tolist() == [0.5] * 3
    assert score_of(lambda model: loss.mean(), None).mean == 0.5
