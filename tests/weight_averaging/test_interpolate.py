"""The line between two models: barrier, verdict, frame, picture."""

import numpy as np
import pandas as pd
import pytest

from stackens import weight_averaging as wa
from stackens.weight_averaging._evaluation import Score

A, B = {"w": np.array([-1.0])}, {"w": np.array([1.0])}


def loss(model):
    return ((model["w"] ** 2 - 1) ** 2).item() + 0.1


def line(values, greater_is_better=False):
    t = np.linspace(0, 1, len(values))
    scores = [Score(np.atleast_1d(np.asarray(value, dtype=float))) for value in values]
    return wa.Interpolation(scores, t, greater_is_better)


def test_the_barrier_of_a_loss_and_of_a_score():
    path = wa.interpolate(A, B, loss=loss)
    assert path.barrier == pytest.approx(1.0)
    scored = wa.interpolate(A, B, lambda model: 1 - loss(model))
    assert scored.barrier == pytest.approx(1.0)
    assert not path.one_basin
    assert not scored.one_basin


def test_the_barrier_is_above_the_chord_not_above_the_ends():
    assert line([0.0, 1.5, 1.0]).barrier == pytest.approx(1.0)
    assert line([0.0, 0.5, 1.0]).barrier == pytest.approx(0.0)
    assert line([1.0, 0.2, 1.0]).barrier == pytest.approx(0.0)


def test_the_verdict():
    assert line([1.0, 1.05, 1.0]).one_basin
    assert not line([1.0, 1.2, 1.0]).one_basin
    assert line([0.90, 0.89, 0.90], True).one_basin
    assert not line([0.90, 0.85, 0.90], True).one_basin
    assert line([1.0, 1.05, 1.0]).summary().startswith("One basin (from 1 to 1 at the ends")
    assert "barrier is 0.2, at t = 0.5): do not average" in line([1.0, 1.2, 1.0]).summary()


def test_a_score_and_a_loss_at_once():
    seen = []
    path = wa.interpolate(A, B, lambda model: seen.append(model) or 1.0, loss=loss, n_points=3)
    assert len(seen) == 3
    assert path.barrier == 0
    assert path.loss.barrier == pytest.approx(1.0)
    assert not path.one_basin
    assert path.frame()["loss"].tolist() == pytest.approx([0.1, 1.1, 0.1])
    assert wa.interpolate(A, B, loss=loss).loss is None
    with pytest.raises(ValueError, match="neither 'evaluate' nor 'loss'"):
        wa.interpolate(A, B)


def test_rows_give_errors_and_spare_noise():
    noisy = np.resize([0.0, 1.0], 20)
    path = line([noisy, 1 - np.roll(noisy, 1) * np.arange(20) / 30, noisy], True)
    assert not path.frame()["se"].isna().any()
    worse = line([noisy, noisy - 0.1, noisy], True)
    assert not worse.one_basin
    assert line([noisy, noisy[::-1] - 0.02, noisy], True).one_basin


def test_frame():
    frame = wa.interpolate(A, B, loss, n_points=5, greater_is_better=False).frame()
    expected = pd.DataFrame(
        {
            "t": [0, 0.25, 0.5, 0.75, 1],
            "score": [0.1, 0.6625, 1.1, 0.6625, 0.1],
            "se": np.nan,
            "chord": [0.1] * 5,
        }
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_beyond_the_models():
    path = wa.interpolate(A, B, loss, n_points=[-0.5, 0.5, 1.5], greater_is_better=False)
    assert path.t.tolist() == [-0.5, 0, 0.5, 1, 1.5]
    assert path.frame()["score"].iloc[0] == pytest.approx((4 - 1) ** 2 + 0.1)
    assert path.barrier == pytest.approx(1.0)


def test_modules_and_networks():
    torch = pytest.importorskip("torch")
    a, b = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    x = torch.randn(8, 2)

    def evaluate(model):
        return model(x).detach().numpy()[:, 0]

    path = wa.interpolate(a, b, evaluate, n_points=3)
    middle = (evaluate(a) + evaluate(b)) / 2
    np.testing.assert_allclose(path.scores[1].values, middle, atol=1e-6)
    by_state = wa.interpolate(a.state_dict(), b.state_dict(), evaluate, n_points=3, network=a)
    pd.testing.assert_frame_equal(by_state.frame(), path.frame())


def test_picture():
    pytest.importorskip("matplotlib")
    display = wa.interpolate(A, B, loss, greater_is_better=False).plot()
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["mean of the two", "along the line"]
    assert display.ax_.get_title(loc="left").startswith("Two basins")


@pytest.mark.parametrize("n_points", [2, 0, [np.nan, 1.0, 2.0], []])
def test_too_few_points(n_points):
    with pytest.raises(ValueError, match="n_points"):
        wa.interpolate(A, B, loss, n_points=n_points)


def test_models_that_differ():
    with pytest.raises(ValueError, match=r"in the first model; \(2,\) in the second model"):
        wa.interpolate(A, {"w": np.zeros(2)}, loss)


def test_the_repr_tells_the_result():
    a, b = {"w": np.array([-1.0])}, {"w": np.array([1.0])}
    path = wa.interpolate(a, b, loss=lambda model: (model["w"].item() ** 2 - 1) ** 2)
    assert repr(path) == "Interpolation(one_basin=False, barrier=1, n_points=11)"


def test_a_notebook_shows_the_verdict_and_the_scores():
    path = wa.interpolate(A, B, loss=loss)
    assert path._repr_html_().startswith(f"<p>{path.summary()}</p>")
