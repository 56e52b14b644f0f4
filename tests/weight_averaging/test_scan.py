"""scan_last_n: the right averages, one reading, error bars, and a warning where it belongs."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from stackens import schedules
from stackens import weight_averaging as wa
from stackens.exceptions import OtherBasinWarning, StackensWarning

RANDOM = np.random.default_rng(0)


def run(n=6):
    return [{"w": RANDOM.normal(1, 0.2, size=4), "steps": np.array(i)} for i in range(n)]


def score(model):
    return 5 - np.abs(model["w"] - 1).mean()


@pytest.mark.parametrize("newest", ["last", "first"])
def test_every_average_is_the_one_that_average_makes(newest):
    checkpoints = run()
    ema = partial(schedules.ema, decay=0.7)
    scan = wa.scan_last_n(
        checkpoints, score, ["equal", "linear", "exponential", ema], newest=newest
    )
    frame = scan.frame().set_index(["n", "schedule"])["score"]
    for n in range(1, 7):
        last = checkpoints[-n:] if newest == "last" else checkpoints[:n]
        single = last[0] if newest == "last" else last[-1]
        assert frame[n, "single"] == pytest.approx(score(single))
        for name in ("equal", "linear", "exponential"):
            merged = wa.average(last, name, newest=newest)
            assert frame[n, name] == pytest.approx(score(merged), abs=1e-10)
        merged = wa.average(last, ema, newest=newest)
        assert frame[n, "ema(decay=0.7)"] == pytest.approx(score(merged), abs=1e-10)
    assert len(frame) == 6 * 5


def test_checkpoints_are_read_once_each_from_the_newest_back(tmp_path, monkeypatch):
    from stackens.weight_averaging import _checkpoints

    paths = []
    for i, checkpoint in enumerate(run()):
        paths.append(tmp_path / f"{i}.npz")
        np.savez(paths[-1], **checkpoint)
    opened = []
    original = _checkpoints.open_checkpoint
    monkeypatch.setattr(
        _checkpoints, "open_checkpoint", lambda path, **_: opened.append(path) or original(path)
    )
    frame = wa.scan_last_n(paths, score).frame()
    assert opened == paths[::-1]
    in_memory = wa.scan_last_n([dict(np.load(path)) for path in paths], score).frame()
    pd.testing.assert_frame_equal(frame, in_memory)


def test_integers_are_the_newest_ones():
    seen = []

    def evaluate(model):
        seen.append(int(model["steps"]))
        return score(model)

    wa.scan_last_n(run(3), evaluate, "equal")
    assert seen == [2, 1, 2, 0, 2]  # alone, alone, averaged, alone, averaged


def test_frame_of_one_run():
    frame = wa.scan_last_n(run(), score, "linear", n_max=3).frame()
    assert frame.columns.tolist() == ["n", "schedule", "kind", "score", "se"]
    assert frame["schedule"].tolist() == ["single", "linear"] * 3
    assert frame["kind"].tolist() == ["single", "average"] * 3
    assert frame["n"].tolist() == [1, 1, 2, 2, 3, 3]
    assert frame["se"].isna().all()


def test_rows_give_standard_errors():
    checkpoints = run()
    frame = wa.scan_last_n(checkpoints, lambda model: 9 - model["w"], "equal").frame()
    assert frame["se"].iloc[0] == pytest.approx(np.std(checkpoints[-1]["w"], ddof=1) / 2)
    assert not frame["se"].isna().any()


@pytest.mark.parametrize("wrap", [list, iter], ids=["list", "generator"])
def test_several_runs_give_standard_errors(wrap):
    runs = [run(3), run(3), run(3)]
    scan = wa.scan_last_n(wrap(runs), score, "equal")
    by_run = scan.frame(by_run=True)
    assert by_run["run"].tolist() == [0] * 6 + [1] * 6 + [2] * 6
    alone = [wa.scan_last_n(one, score, "equal").frame()["score"] for one in runs]
    frame = scan.frame()
    np.testing.assert_allclose(frame["score"], np.mean(alone, axis=0))
    np.testing.assert_allclose(frame["se"], np.std(alone, axis=0, ddof=1) / np.sqrt(3))


def test_lists_of_arrays_are_checkpoints_not_runs():
    lists = [list(checkpoint.values()) for checkpoint in run(3)]
    frame = wa.scan_last_n(lists, lambda model: score({"w": model[0]}), "equal").frame()
    assert frame["n"].max() == 3
    several = wa.scan_last_n([lists, lists], lambda model: score({"w": model[0]}), "equal")
    assert several.frame(by_run=True)["run"].nunique() == 2


def test_best():
    frame = pd.DataFrame(
        {
            "run": 0,
            "n": [1, 1, 2, 2],
            "schedule": ["single", "equal"] * 2,
            "kind": ["single", "average"] * 2,
            "score": [0.9, 0.7, 0.6, 0.8],
            "se": np.nan,
        }
    )
    assert wa.LastNScan(frame).best[["n", "schedule", "score"]].tolist() == [2, "equal", 0.8]
    assert wa.LastNScan(frame, greater_is_better=False).best["n"] == 1


def test_state_dicts_are_put_into_the_network():
    torch = pytest.importorskip("torch")
    networks = [torch.nn.Linear(2, 1) for _ in range(3)]
    x = torch.ones(1, 2)

    def evaluate(model):
        assert isinstance(model, torch.nn.Linear)
        return 100 + model(x).item()

    frame = wa.scan_last_n(networks, evaluate).frame()
    states = [network.state_dict() for network in networks]
    by_state = wa.scan_last_n(states, evaluate, network=networks[0]).frame()
    pd.testing.assert_frame_equal(by_state, frame)


def test_a_bad_average_is_warned_about():
    checkpoints = [{"w": np.array([value])} for value in (1.0, -1.0, 1.0)]
    with pytest.warns(OtherBasinWarning, match=r"last 3 checkpoints \(equal\)") as caught:
        wa.scan_last_n(checkpoints, lambda model: 1 - abs(abs(model["w"].item()) - 1), "equal")
    assert caught[0].filename == __file__


def test_nan_and_differences_are_named():
    checkpoints = run(3)
    checkpoints[1]["w"][0] = np.nan
    with pytest.raises(ValueError, match=r"'w' in model 1"):
        wa.scan_last_n(checkpoints, lambda model: 1.0)
    checkpoints[1]["w"] = np.ones(5)
    with pytest.raises(ValueError, match=r"\(4,\) in model 2; \(5,\) in model 1"):
        wa.scan_last_n(checkpoints, lambda model: 1.0)


@pytest.mark.parametrize("n_max", [0, 7])
def test_n_max_must_fit(n_max):
    with pytest.raises(ValueError, match="between 1 and the number of checkpoints"):
        wa.scan_last_n(run(), score, n_max=n_max)


def test_other_mistakes():
    with pytest.raises(ValueError, match="at least one model"):
        wa.scan_last_n([], score)
    with pytest.raises(ValueError, match="must be one of"):
        wa.scan_last_n(run(), score, "quadratic")
    with pytest.raises(ValueError, match="2 runs of different lengths"):
        wa.scan_last_n([run(3), run(4)], score)
    with pytest.raises(ValueError, match="Got 0 runs"):
        wa.scan_last_n(iter([]), score)


def test_where_the_newest_stands_is_checked():
    with pytest.raises(ValueError, match="'newest' parameter must be 'last' or 'first'"):
        wa.scan_last_n(run(), score, newest="front")
    with pytest.raises(ValueError, match="between 1 and the number of checkpoints. Got 2.5"):
        wa.scan_last_n(run(), score, n_max=2.5)


def test_schedules_are_told_apart():
    weights = [lambda n: np.ones(n), lambda n: np.arange(1.0, n + 1)]
    with pytest.raises(ValueError, match="names of their own.*<lambda>.*Give a dict"):
        wa.scan_last_n(run(), score, weights)
    with pytest.raises(ValueError, match="other than 'single'"):
        wa.scan_last_n(run(), score, {"single": "equal"})
    for wrong in ([0.5, 0.5], [], np.ones(3), 7):
        with pytest.raises(TypeError, match="must hold schedules"):
            wa.scan_last_n(run(), score, wrong)
    frame = wa.scan_last_n(run(), score, {"a": weights[0], "b": weights[1]}).frame()
    assert set(frame["schedule"]) == {"single", "a", "b"}


def test_picture():
    pytest.importorskip("matplotlib")
    display = wa.scan_last_n([run(4), run(4)], score).plot()
    names = {text.get_text() for text in display.ax_.get_legend().get_texts()}
    assert names == {"single", "equal", "linear", "exponential"}
    assert "two standard errors" in display.ax_.get_ylabel()


def test_the_repr_tells_the_result():
    checkpoints = [{"w": np.array([value])} for value in (9.0, 1.0, 3.0)]
    scan = wa.scan_last_n(checkpoints, lambda m: abs(m["w"].item() - 2.5), greater_is_better=False)
    assert repr(scan) == (
        "LastNScan(best=linear average of the last 2 of 3, score=0.1667, newest alone=0.5)"
    )


def test_paths_sorted_as_text_are_told(tmp_path):
    paths = [tmp_path / f"step-{step}.npz" for step in (1000, 900)]
    for path in paths:
        np.savez(path, w=np.ones(2))
    with pytest.warns(StackensWarning, match="'step-1000.npz' before 'step-900.npz'"):
        wa.scan_last_n(paths, lambda model: 1.0)


def test_it_is_said_which_average_is_the_best():
    checkpoints = [{"w": np.array([value])} for value in (3.0, 1.0)]
    scan = wa.scan_last_n(checkpoints, lambda model: -abs(model["w"].item() - 2), "equal")
    said = "The equal average of the last 2 of 2 checkpoints scores 0, the newest alone -1."
    assert scan.summary() == said
    assert scan._repr_html_().startswith(f"<p>{scan.summary()}</p>")
