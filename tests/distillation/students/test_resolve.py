"""What may be given as a student, and what becomes of it."""

import sys

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from stackens import TorchMLPClassifier, TorchMLPRegressor
from stackens._core._task import Task
from stackens.distillation.students import (
    FAMILIES,
    EstimatorStudent,
    LightGBMStudent,
    TreeStudent,
    resolve_student,
)
from stackens.exceptions import MissingExtraError

BINARY = Task("binary", 2, np.array([0, 1]))
VALUES = Task("regression", 1)


def resolve(student, task=BINARY, *, searching=False):
    return resolve_student(student, task, searching=searching, n_samples=1000)


def test_a_name_is_a_default_or_a_sweep():
    assert resolve("lightgbm") == [LightGBMStudent()]
    sweep = resolve("lightgbm", searching=True)
    assert sweep == LightGBMStudent.sweep(BINARY, 1000)
    assert len(sweep) > 3


@pytest.mark.parametrize("auto", ["auto", None])
def test_auto_is_every_family(auto):
    pytest.importorskip("torch")
    assert [recipe.family for recipe in resolve(auto)] == list(FAMILIES)
    searched = resolve(auto, searching=True)
    assert {recipe.family for recipe in searched} == set(FAMILIES)
    assert len({recipe.label for recipe in searched}) == len(searched)


def test_auto_leaves_out_what_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert [recipe.family for recipe in resolve("auto")] == [f for f in FAMILIES if f != "mlp"]
    with pytest.raises(MissingExtraError, match=r'student="mlp" needs .*stackens\[torch\]'):
        resolve("mlp")


def test_recipes_and_lists_keep_their_order():
    recipe = TreeStudent(max_depth=2)
    assert resolve(recipe, searching=True) == [recipe]
    assert resolve(["linear", recipe, "linear"]) == [FAMILIES["linear"](), recipe]
    assert [one.label for one in resolve((recipe, "mlp"))] == [recipe.label, "mlp 64-64"]


def test_estimators():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    assert resolve(pipeline) == [EstimatorStudent(pipeline)]
    tree = DecisionTreeRegressor()
    assert resolve(tree) == resolve(tree, VALUES) == [EstimatorStudent(tree)]


def test_the_networks_of_stackens_become_the_family_mlp():
    pytest.importorskip("torch")
    (recipe,) = resolve(TorchMLPClassifier(32, dropout=0.1, max_iter=7))
    assert (recipe.label, recipe.dropout, recipe.max_iter) == ("mlp 32 rate 0.003", 0.1, 7)
    (recipe,) = resolve(TorchMLPRegressor([8, 4], n_bins=0), VALUES)
    assert (recipe.hidden, recipe.n_bins) == ((8, 4), 0)


def test_modules():
    torch = pytest.importorskip("torch")
    first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    recipes = resolve([first, second, first])
    assert [recipe.family for recipe in recipes] == ["module", "module"]
    assert [recipe.label for recipe in recipes] == ["Linear", "Linear (2)"]
    assert recipes[1].module is second


def test_keras_models():
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)], name="small")
    (recipe,) = resolve(model)
    assert (recipe.family, recipe.label, recipe.model) == ("keras", "small", model)


def test_labels_are_told_apart():
    recipes = resolve([Ridge(), Ridge(), Ridge()])
    assert [recipe.label for recipe in recipes] == ["Ridge()", "Ridge() (2)", "Ridge() (3)"]
    clash = [LightGBMStudent(), LightGBMStudent(n_threads=2)]
    with pytest.raises(ValueError, match="labels of their own"):
        resolve(clash)


@pytest.mark.parametrize(
    ("student", "task", "error", "message"),
    [
        ("lightgmb", BINARY, ValueError, "one of .*'lightgbm'.* Got 'lightgmb' instead"),
        ([], BINARY, ValueError, "at least one student. Got an empty list"),
        (Ridge, BINARY, TypeError, r"Got the class Ridge\. Create it first: Ridge\("),
        (LightGBMStudent, BINARY, TypeError, "Got the class LightGBMStudent"),
        (LogisticRegression(), VALUES, TypeError, "must be a regressor. Got the classifier Log"),
        (TorchMLPClassifier(), VALUES, TypeError, "must be a regressor. Got the classifier Torch"),
        (KMeans(), BINARY, TypeError, "classifier or a regressor. Got the clusterer KMeans"),
        (StandardScaler(), BINARY, TypeError, r"A student must be .* Got StandardScaler\(\)"),
        (3, BINARY, TypeError, "A student must be .* Got 3"),
        ([["linear"]], BINARY, TypeError, "A student must be"),
    ],
)
def test_everything_else_is_refused(student, task, error, message):
    with pytest.raises(error, match=message):
        resolve(student, task)
