"""Scores, their errors, and when an average counts as worse."""

import numpy as np
import pytest

from stackens import weight_averaging as wa
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


def test_a_score_that_is_none_is_named():
    with pytest.raises(ValueError, match="Got None. Return a mean score"):
        score_of(lambda model: None, None)


@pytest.mark.parametrize("evaluate", ["accuracy", ([[1.0]], [1])])
def test_a_measure_must_be_a_function(evaluate):
    with pytest.raises(TypeError, match=r"must be a function of it. Got .* Give one that returns"):
        wa.greedy_soup(MODELS, evaluate)


def test_an_error_about_arrays_says_how_to_get_a_network():
    with pytest.raises(TypeError, match="not callable") as caught:
        wa.scan_last_n(MODELS, lambda model: model([1.0]))
    assert "pass one as network=" in caught.value.__notes__[0]
    with pytest.raises(TypeError, match="not callable") as caught:
        score_of(lambda model: model([1.0]), object())
    assert not hasattr(caught.value, "__notes__")


MODELS = [{"w": np.array([value])} for value in (1.0, 1.1, 0.9, 1.2)]
LONG = {
    "scan": lambda evaluate, verbose: wa.scan_last_n(MODELS, evaluate, verbose=verbose),
    "greedy": lambda evaluate, verbose: wa.greedy_soup(MODELS, evaluate, verbose=verbose),
    "best": lambda evaluate, verbose: wa.average_best_n(MODELS, evaluate, verbose=verbose),
    "best of known": lambda evaluate, verbose: wa.average_best_n(
        MODELS, [1, 2, 3, 4], 2, verbose=verbose
    ),
    "interpolate": lambda evaluate, verbose: wa.interpolate(
        *MODELS[:2], evaluate, n_points=4, verbose=verbose
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_a_bar_shows_how_many_models_are_scored(name, capsys):
    calls = []

    def evaluate(model):
        calls.append(model)
        return 5.0 - abs(model["w"].item() - 1)

    LONG[name](evaluate, 0)
    assert capsys.readouterr().err == ""
    n = 4 if name == "interpolate" else len(calls)
    calls.clear()
    LONG[name](evaluate, 1)
    shown = capsys.readouterr().err
    assert f"{n}/{n} [" in shown if n else shown == ""


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
