"""Tests of what learning to mix gives."""

import numpy as np
import pytest

from stackens.weight_averaging._evaluation import Score
from stackens.weight_averaging.mixing import LearnedMixing
from stackens.weight_averaging.mixing._learned import scores_frame

ONE = np.array([0.1])


def learned(bias=(0.0, 0.0)):
    return LearnedMixing(
        model="mixture",
        weights=np.array([[0.25, 0.75], [0.5, 0.5]]),
        bias=np.array(bias),
        groups={"body": ["body.weight"], "head": ["head.weight", "head.bias"]},
        names=["a", "b"],
        loss=0.1,
        start_loss=0.2,
        history=[{"epoch": 0, "validation_loss": 0.2}],
        scores=scores_frame([("start", Score(-np.array([0.1, 0.3]))), ("learnt", Score(-ONE))]),
    )


def test_the_frame_has_a_row_for_each_group():
    frame = learned().frame()
    assert frame.loc["body"].to_dict() == {"a": 0.25, "b": 0.75}
    assert list(frame.index) == ["body", "head"]
    assert learned((0.0, 0.5)).frame()["bias"].tolist() == [0.0, 0.5]


def test_scores_are_losses_with_their_errors():
    scores = learned().scores
    assert scores["loss"].to_dict() == pytest.approx({"start": 0.2, "learnt": 0.1})
    assert scores["se"].to_dict() == pytest.approx({"start": 0.1, "learnt": np.nan}, nan_ok=True)


def test_it_says_what_learning_gained():
    assert repr(learned()) == "<LearnedMixing of a, b: 2 groups, loss 0.1, at the start 0.2>"
    assert learned().summary() == (
        "The learnt mixture of 2 models has a loss of 0.1 on the rows held out, the best start "
        "(start) 0.2."
    )
    assert learned()._repr_html_().startswith("<p>The learnt mixture of 2 models has")
    assert learned() != learned()  # as two objects: arrays do not compare to one answer


def test_the_picture_shows_a_bar_for_each_group():
    matplotlib = pytest.importorskip("matplotlib.figure")
    display = learned((0.0, 0.5)).plot()
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["body", "head"]
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["a", "b"]
    own = matplotlib.Figure().add_subplot()
    assert learned().plot(ax=own).ax_ is own
