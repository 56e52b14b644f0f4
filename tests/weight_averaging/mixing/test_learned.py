"""Tests of what learning to mix gives."""

import numpy as np
import pytest

from stackens.weight_averaging.mixing import LearnedMixing


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
    )


def test_the_frame_has_a_row_for_each_group():
    frame = learned().frame()
    assert frame.loc["body"].to_dict() == {"a": 0.25, "b": 0.75}
    assert list(frame.index) == ["body", "head"]
    assert learned((0.0, 0.5)).frame()["bias"].tolist() == [0.0, 0.5]


def test_the_picture_shows_a_bar_for_each_group():
    pytest.importorskip("matplotlib")
    import matplotlib.pyplot as plt

    ax = learned().plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["body", "head"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    _, own = plt.subplots()
    assert learned().plot(ax=own) is own
    plt.close("all")
