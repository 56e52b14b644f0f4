"""Soups: greedy ones and the best n, with what was tried."""

import numpy as np
import pytest

from stackens import weight_averaging as wa
from stackens.exceptions import OtherBasinWarning

RANDOM = np.random.default_rng(0)


def one(value, **more):
    return {"w": np.array([float(value)]), **more}


def loss(model):
    return abs(model["w"].item() - 1)


def greedy(models, **options):
    return wa.greedy_soup(models, loss, greater_is_better=False, **options)


# ---------------------------------------------------------------- greedy


def reference(values):
    """Recipe 1 of the paper, on numbers."""
    order = sorted(range(len(values)), key=lambda k: abs(values[k] - 1))
    soup = []
    for k in order:
        if not soup or abs(np.mean([*soup, values[k]]) - 1) <= abs(np.mean(soup) - 1):
            soup.append(values[k])
    return np.mean(soup)


def test_greedy_is_the_recipe_of_the_paper():
    for _ in range(20):
        values = RANDOM.normal(1, 1, size=8)
        soup = greedy([one(value) for value in values])
        assert soup.model["w"].item() == pytest.approx(reference(values))
        assert soup.score == pytest.approx(loss(soup.model))
        assert soup.score <= min(abs(values - 1)) + 1e-12
        assert soup.weights @ values == pytest.approx(soup.model["w"].item())


def test_frame_says_what_was_tried():
    frame = greedy({"a": one(0), "b": one(0.8), "c": one(1.3)}).frame()
    assert frame["order"].tolist() == [1, 2, 3]
    assert frame["model"].tolist() == ["b", "c", "a"]
    np.testing.assert_allclose(frame["score"], [0.2, 0.3, 1.0])
    np.testing.assert_allclose(frame["soup_score"], [0.2, 0.05, 0.3])
    assert frame["taken"].tolist() == [True, True, False]
    assert frame["weight"].tolist() == [0.5, 0.5, 0]


@pytest.mark.parametrize("make", [wa.greedy_soup, wa.average_best_n])
def test_errors_are_those_over_rows(make):
    rows = RANDOM.normal(1, 1, size=50)

    def losses(model):
        return (rows - model["w"].item()) ** 2

    soup = make([one(0.8), one(1.2), one(9)], losses, greater_is_better=False)
    frame = soup.frame().set_index("model")
    alone = losses(one(0.8))
    assert frame.loc["model 0", "se"] == pytest.approx(alone.std(ddof=1) / np.sqrt(50))
    both = losses(soup.model)
    tried = frame.loc[frame["taken"], "soup_se"].iloc[-1]
    assert tried == pytest.approx(both.std(ddof=1) / np.sqrt(50))
    assert greedy([one(0), one(1)]).frame()[["se", "soup_se"]].isna().all(axis=None)
    pytest.importorskip("matplotlib")
    assert "two standard errors" in soup.plot().ax_.get_ylabel()


def test_models_that_change_nothing_are_taken():
    soup = greedy([one(1), one(1), one(1)])
    np.testing.assert_allclose(soup.weights, [1 / 3] * 3)


def test_models_can_be_taken_again():
    models = [one(0.9), one(1.4)]
    assert greedy(models).score == pytest.approx(0.1)
    again = greedy(models, rounds=10)
    assert again.score < 0.01
    np.testing.assert_allclose(again.weights, [0.8, 0.2])
    assert len(again.frame()) < 20  # it stopped when a round added nothing


def test_many_models_add_no_rounding():
    values = (1 + RANDOM.normal(size=(50, 30))).astype(np.float32)
    soup = wa.greedy_soup([{"w": row} for row in values], lambda model: 0.0)
    exact = values.astype(float).mean(axis=0).astype(np.float32)
    np.testing.assert_array_equal(soup.model["w"], exact)


def test_integers_are_the_best_models():
    models = [one(3, steps=np.array(1)), one(1, steps=np.array(7)), one(1, steps=np.array(9))]
    assert greedy(models).model["steps"] == 7


def test_models_in_other_basins_are_warned_about():
    def score(model):
        return 1 - abs(abs(model["w"].item()) - 1)

    with pytest.warns(OtherBasinWarning, match="Even the best average with another") as caught:
        soup = wa.greedy_soup([one(1), one(-0.9)], score)
    assert caught[0].filename == __file__
    assert soup.weights.tolist() == [1, 0]


def test_files_and_networks(tmp_path):
    torch = pytest.importorskip("torch")
    paths = []
    for value in (0.8, 1.3, 0.0):
        paths.append(tmp_path / f"{value}.pt")
        torch.save({"weight": torch.full((1, 1), value), "bias": torch.zeros(1)}, paths[-1])

    def evaluate(model):
        return abs(model(torch.ones(1, 1)).item() - 1)

    soup = wa.greedy_soup(paths, evaluate, network=torch.nn.Linear(1, 1), greater_is_better=False)
    assert isinstance(soup.model, torch.nn.Linear)
    assert soup.model.weight.item() == pytest.approx(1.05)
    assert soup.weights.tolist() == [0.5, 0.5, 0]


def test_rounds_must_be_positive():
    with pytest.raises(ValueError, match="rounds"):
        greedy([one(1)], rounds=0)
    with pytest.raises(ValueError, match="rounds"):
        greedy([one(1)], rounds=1.5)


# ---------------------------------------------------------------- the best n


def test_the_best_n():
    models = [one(0), one(0.8), one(1.3)]
    soup = wa.average_best_n(models, loss, 2, greater_is_better=False)
    assert soup.model["w"].item() == pytest.approx(1.05)
    assert soup.weights.tolist() == [0, 0.5, 0.5]
    assert soup.score == pytest.approx(0.05)
    frame = soup.frame()
    assert frame["model"].tolist() == ["model 1", "model 2", "model 0"]
    assert frame["taken"].tolist() == [True, True, False]
    assert frame["soup_score"].notna().tolist() == [False, True, False]


def test_n_can_be_chosen():
    values = RANDOM.normal(1, 1, size=12)
    soup = wa.average_best_n([one(value) for value in values], loss, greater_is_better=False)
    best_first = sorted(values, key=lambda value: abs(value - 1))
    losses = [abs(np.mean(best_first[:n]) - 1) for n in range(1, 13)]
    assert soup.score == pytest.approx(min(losses))
    assert (soup.weights > 0).sum() == 1 + int(np.argmin(losses))
    np.testing.assert_allclose(soup.frame()["soup_score"], losses, atol=1e-9)


def test_scores_that_are_known_and_other_weights():
    models = [one(1), one(2), one(4)]
    soup = wa.average_best_n(models, [0.1, 0.9, 0.5], 2, weights="linear")
    assert soup.model["w"].item() == pytest.approx(2 / 3 * 2 + 1 / 3 * 4)
    np.testing.assert_allclose(soup.weights, [0, 2 / 3, 1 / 3])
    assert np.isnan(soup.score)
    losses = wa.average_best_n(models, [0.1, 0.9, 0.5], 1, greater_is_better=False)
    assert losses.model["w"] == 1


@pytest.mark.parametrize(
    ("evaluate", "n", "message"),
    [
        ([1.0, 2.0], None, "Say how many"),
        (loss, 0, "between 1 and"),
        (loss, 3, "between 1 and"),
        (loss, 1.5, "between 1 and"),
        ([1.0], 1, "one finite number for each of 2"),
        ([1.0, np.nan], 1, "one finite number"),
    ],
)
def test_mistakes(evaluate, n, message):
    with pytest.raises(ValueError, match=message):
        wa.average_best_n([one(1), one(2)], evaluate, n)


def test_a_bad_average_is_warned_about():
    with pytest.warns(OtherBasinWarning, match="^The average is worse"):
        wa.average_best_n([one(1), one(-1)], lambda model: abs(model["w"].item()), 2)


def test_picture():
    pytest.importorskip("matplotlib")
    display = greedy([one(0), one(0.8), one(1.3)]).plot()
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert set(names) == {"model alone", "average with it", "soup"}
    assert "lower is better" in display.ax_.get_ylabel()


def test_it_is_said_what_the_soup_gains():
    soup = greedy([one(0), one(0.8), one(1.3)])
    assert soup.summary() == "The average of 2 of 3 models scores 0.05, the best model alone 0.2."
    assert soup._repr_html_().startswith("<p>The average of 2 of 3 models scores 0.05")
    known = wa.average_best_n([one(0.8), one(1.3)], [0.9, 0.8], n=2)
    assert known.summary() == (
        "The average of 2 of 2 models was not scored, the best model alone scores 0.9."
    )
