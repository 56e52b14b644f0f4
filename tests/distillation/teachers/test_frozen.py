"""Tests of teachers that are never fitted here: warnings, masks, classes, and the cache."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from stackens._core._task import Task, infer_task
from stackens.distillation.teachers import TeacherRows, TeachingOptions, resolve_teacher
from stackens.exceptions import BaseModelError, LeakageWarning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3))
P = expit(2 * X[:, 0])
Y = (RNG.random(400) < P).astype(int)
TASK, _ = infer_task(Y)
SEEN = np.arange(400) < 150
ACCEPTED = TeachingOptions(soft_targets="in_sample")


def learn(teacher, options=ACCEPTED, *, rows=None, output="auto", **parts):
    rows = TeacherRows(X, Y, TASK, **parts) if rows is None else rows
    kind = resolve_teacher(teacher, classification=rows.task.is_classification, output=output)
    return kind.learn(rows, options)


def second(X):
    """The true probability of the second class."""
    return expit(2 * np.asarray(X)[:, 0])


def test_a_function_that_may_have_seen_the_rows_warns_and_says_what_to_do():
    with pytest.warns(LeakageWarning, match=r"seen_by_teacher=.*soft_targets='in_sample'"):
        fitted = learn(second, TeachingOptions())
    np.testing.assert_allclose(fitted.soft, np.column_stack([1 - P, P]))
    assert fitted.source == "of the teacher as it is"
    assert fitted.temperature_ is None
    assert (fitted.n_calls, fitted.rows_labelled) == (1, 400)
    fitted.outputs(X[:5])
    assert (fitted.n_calls, fitted.rows_labelled) == (2, 405)


def test_in_sample_labels_can_be_accepted_by_name():
    assert "accepted by name" in learn(second).source


def test_a_mask_leaves_the_rows_it_saw_without_soft_targets_and_calibrates_by_the_others():
    asked = []

    def too_sure(X):
        asked.append(len(X))
        return expit(6 * np.asarray(X)[:, 0])

    fitted = learn(too_sure, TeachingOptions(), seen=SEEN)
    assert asked == [250]
    assert np.isnan(fitted.soft[SEEN]).all()
    assert np.isfinite(fitted.soft[~SEEN]).all()
    assert 2.0 < fitted.temperature_ < 4.5
    np.testing.assert_allclose(fitted.outputs(X[~SEEN]), fitted.soft[~SEEN])
    assert "250 rows it has not seen" in fitted.source
    plain = learn(too_sure, TeachingOptions(calibrate=False), seen=SEEN)
    assert plain.temperature_ is None


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (np.ones(400, dtype=bool), "all 400 rows"),
        (np.ones(3, dtype=bool), "for 400 rows"),
        (np.arange(400), "must be a mask"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(seen, message):
    with pytest.raises(ValueError, match=message):
        learn(second, TeachingOptions(), seen=seen)


def test_logits_of_one_or_more_columns_become_probabilities():
    one = learn(lambda X: 2 * np.asarray(X)[:, 0], output="logits").soft
    two = learn(lambda X: 2 * np.column_stack([0 * X[:, 0], X[:, 0]]), output="logits").soft
    np.testing.assert_allclose(one, np.column_stack([1 - P, P]))
    np.testing.assert_allclose(two, one)
    with pytest.raises(ValueError, match="teacher_output='logits'"):
        learn(lambda X: 2 * np.asarray(X)[:, 0])


def test_probabilities_are_not_taken_for_logits():
    with pytest.raises(ValueError, match=r"whose sum is 1. Say teacher_output='probabilities'"):
        learn(lambda X: np.column_stack([1 - second(X), second(X)]), output="logits")


def test_a_teacher_that_fails_is_named_with_the_rows_it_got():
    def reads_images(rows):
        return rows[:, :, 0]

    with pytest.raises(BaseModelError, match=r"teacher reads_images failed on rows of shape \(400"):
        learn(reads_images)
    with pytest.raises(BaseModelError, match="teacher reads_images failed on rows in a list"):
        learn(reads_images, rows=TeacherRows(X.tolist(), Y, TASK))


def test_fitted_objects_answer_by_their_best_method_in_the_order_of_the_classes():
    y = np.where(Y == 1, "a", "b")
    rows = TeacherRows(X, y, infer_task(y)[0])
    model = GaussianNB().fit(X, y)
    fitted = learn(FrozenEstimator(model), rows=rows)
    np.testing.assert_allclose(fitted.soft, model.predict_proba(X))

    margins = learn(FrozenEstimator(RidgeClassifier().fit(X, Y)))
    assert margins.temperature_ is None
    assert "margins turned into probabilities" in margins.source
    np.testing.assert_allclose(margins.soft.sum(axis=1), 1.0)
    assert np.mean(margins.soft.argmax(axis=1) == Y) > 0.7

    class OnlyLabels:
        classes_ = np.array([0, 1])

        def predict(self, X):
            return np.asarray(X)[:, 0].astype(float) > 0

    votes = learn(OnlyLabels())
    assert "votes turned into probabilities" in votes.source
    np.testing.assert_array_equal(votes.soft.argmax(axis=1), X[:, 0] > 0)
    assert votes.soft.max() < 1.0


def test_a_booster_answers_with_probabilities_where_that_is_said():
    data = lightgbm.Dataset(X, Y)
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "seed": 0}
    booster = lightgbm.train(settings, data, num_boost_round=5)
    fitted = learn(booster, output="probabilities")
    np.testing.assert_allclose(fitted.soft[:, 1], booster.predict(X))
    raw = learn(lambda X: booster.predict(X, raw_score=True), output="logits")
    np.testing.assert_allclose(raw.soft, fitted.soft)


def test_images_in_tensors_are_cut_by_the_mask():
    torch = pytest.importorskip("torch")
    images = torch.tensor(X).reshape(400, 1, 3, 1)
    rows = TeacherRows(images, Y, TASK, seen=SEEN)
    fitted = learn(lambda X: torch.sigmoid(2 * X[:, 0, 0, 0]), TeachingOptions(), rows=rows)
    assert np.isnan(fitted.soft[SEEN]).all()
    assert np.isfinite(fitted.soft[~SEEN]).all()


def test_frames_reach_it_untouched():
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(text="x")
    rows = TeacherRows(frame, Y, TASK)

    def by_name(rows):
        assert list(rows["text"].unique()) == ["x"]
        return second(rows[["a"]].to_numpy())

    np.testing.assert_allclose(learn(by_name, rows=rows).soft[:, 1], P)


@pytest.mark.parametrize("labels", [["no", "yes"], [0, 2]])
def test_other_classes_than_those_of_y_are_named(labels):
    other = GaussianNB().fit(X, np.array(labels)[Y])
    with pytest.raises(ValueError, match=f"{labels[1]!r}.* of the teacher that y does not have"):
        learn(FrozenEstimator(other))


def test_a_class_that_it_does_not_know_is_named():
    y = np.append(Y[:-1], 2)
    rows = TeacherRows(X, y, infer_task(y)[0])
    with pytest.raises(ValueError, match=r"classes \[2\] of y that it does not know"):
        learn(FrozenEstimator(GaussianNB().fit(X, Y)), rows=rows)


def test_values_and_quantiles_of_a_regression():
    y = X @ [1.0, 2.0, 3.0]
    task = Task("regression", 1)
    model = LinearRegression().fit(X, y)
    fitted = learn(FrozenEstimator(model), rows=TeacherRows(X, y, task))
    np.testing.assert_allclose(fitted.soft[:, 0], y)
    rows = TeacherRows(X, y, task, n_outputs=3)
    spread = learn(lambda X: model.predict(X)[:, None] + [-1.0, 0.0, 1.0], rows=rows)
    np.testing.assert_allclose(spread.soft, y[:, None] + [-1.0, 0.0, 1.0])
    with pytest.raises(ValueError, match=r"3 column\(s\)"):
        learn(FrozenEstimator(model), rows=rows)


def test_labels_are_read_from_the_cache_and_calibration_is_kept_apart(tmp_path):
    calls = []

    def sure(X):
        calls.append(len(X))
        return expit(4 * np.asarray(X)[:, 0])

    options = TeachingOptions(cache=tmp_path, cache_key="sure")
    first = learn(sure, options, seen=SEEN)
    labels = first.outputs(X[:100])
    assert calls == [250, 100]
    again = learn(sure, options, seen=SEEN)
    np.testing.assert_array_equal(again.soft, first.soft)
    np.testing.assert_array_equal(again.outputs(X[:100]), labels)
    assert calls == [250, 100]
    assert again.n_calls == 0
    without = learn(sure, TeachingOptions(), seen=SEEN)
    np.testing.assert_array_equal(without.soft, first.soft)
    raw = learn(sure, TeachingOptions(cache=tmp_path, cache_key="sure", calibrate=False), seen=SEEN)
    np.testing.assert_allclose(raw.outputs(X[:100])[:, 1], expit(4 * X[:100, 0]))


def test_a_fitted_object_is_its_own_key_in_the_cache(tmp_path):
    options = TeachingOptions(cache=tmp_path, soft_targets="in_sample")
    trees = [DecisionTreeClassifier(max_depth=d, random_state=0).fit(X, Y) for d in (2, 3)]
    one, other = (learn(FrozenEstimator(tree), options) for tree in trees)
    assert learn(FrozenEstimator(trees[0]), options).n_calls == 0
    assert other.n_calls == 1
    assert not np.array_equal(one.soft, other.soft)
