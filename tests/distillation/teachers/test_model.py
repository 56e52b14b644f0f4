"""Tests of what a teacher may say, and of the columns it is brought into."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB

import stackens as se
from stackens._core._task import Task, infer_task
from stackens.combiners import FixedWeights, UniformMean
from stackens.distillation.teachers._calibration import Calibration
from stackens.distillation.teachers._model import (
    AskedModel,
    CombinedModels,
    Model,
    checked_targets,
)

BINARY = Task("binary", 2, np.array([0, 1]))
THREE = Task("multiclass", 3, np.array(["a", "b", "c"]))
NUMBERS = Task("regression", 1)


def test_all_forms_of_an_answer_become_float64_columns():
    second = [0.25, 1.0]
    for answer in (second, np.array(second)[:, None], [[0.75, 0.25], [0.0, 1.0]]):
        targets = checked_targets(answer, 2, 2, BINARY)
        np.testing.assert_array_equal(targets, [[0.75, 0.25], [0.0, 1.0]])
        assert targets.dtype == np.float64
    np.testing.assert_array_equal(checked_targets([3, 4], 2, 1, NUMBERS), [[3.0], [4.0]])
    quantiles = checked_targets(np.eye(2) * 7, 2, 2, NUMBERS)
    np.testing.assert_array_equal(quantiles, np.eye(2) * 7)
    assert checked_targets(np.empty((0, 3)), 0, 3, THREE).shape == (0, 3)


def test_probabilities_a_little_off_are_normalised():
    targets = checked_targets(np.float32([[0.3333, 0.3333, 0.3333]]), 1, 3, THREE)
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=1e-15)


def test_a_tensor_is_an_answer():
    torch = pytest.importorskip("torch")
    answer = torch.tensor([[0.5, 0.5]], dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(checked_targets(answer, 1, 2, BINARY), [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([["x", "y", "z"]], "must answer with numbers"),
        (np.eye(3)[:2], r"Got the shape \(2, 3\) for 1 rows"),
        ([[0.5, 0.5]], r"class of y, \['a', 'b', 'c'\]"),
        ([[np.nan, 0.5, 0.5]], "NaN or infinity for 1 of 1 rows"),
        ([[np.inf, 0.0, 0.0]], "NaN or infinity"),
        ([[-0.2, 0.6, 0.6]], "from 0 to 1.*output='logits'"),
        ([[3.0, 1.0, -1.0]], "output='logits'"),
        ([[0.5, 0.3, 0.1]], "sum of 0.9 in row 0"),
    ],
)
def test_what_is_no_target_is_refused(answer, message):
    with pytest.raises(ValueError, match=message):
        checked_targets(answer, 1, 3, THREE)


def test_classes_that_a_model_never_saw_keep_their_columns():
    X = np.arange(20.0)[:, None]
    y = np.repeat(["a", "c"], 10)
    known, _ = infer_task(y)
    model = Model(
        AskedModel(GaussianNB().fit(X, y), "predict_proba", known),
        known,
        THREE,
        3,
        Calibration(),
        n_train=20,
    )
    answer = model(X)
    np.testing.assert_allclose(answer.sum(axis=1), 1.0)
    np.testing.assert_allclose(answer[:, 1], 1 / 23)
    assert answer[0, 0] > 0.9
    assert answer[-1, 2] > 0.9


def test_models_without_weight_are_not_asked():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    fitted = se.cross_fit({"nb": GaussianNB(), "lr": LogisticRegression()}, X, y)
    alone = FixedWeights([0.0, 1.0]).fit(fitted.out_of_fold)
    fitted.models["nb"].predict_proba = None  # asking it would fail
    answer = CombinedModels(fitted, alone)(X)
    np.testing.assert_allclose(answer, fitted.models["lr"].predict_proba(X))
    with pytest.raises(TypeError):
        CombinedModels(fitted, UniformMean().fit(fitted.out_of_fold))(X)


def test_models_without_a_combiner_stand_side_by_side():
    X = np.random.default_rng(0).normal(size=(30, 2))
    fitted = se.cross_fit({"a": LinearRegression(), "b": LinearRegression()}, X, X[:, 0])
    answer = CombinedModels(fitted, None)(X[:5])
    np.testing.assert_allclose(answer, X[:5, [0, 0]])
