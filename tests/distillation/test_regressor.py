"""DistilledRegressor: one target, several, and quantiles."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import QuantileRegressor, Ridge
from sklearn.metrics import mean_pinball_loss
from sklearn.tree import DecisionTreeRegressor

import stackens as se

X, Y = load_diabetes(return_X_y=True)
FOREST = RandomForestRegressor(50, min_samples_leaf=3, random_state=0)


def distilled(teacher=FOREST, **changes):
    given = {
        "student": "tree",
        "soft_weight": 1.0,
        "augmentation": None,
        "outer": 0.3,
        "guard": False,
        "random_state": 0,
    }
    return se.DistilledRegressor(teacher, **{**given, **changes})


def test_a_tree_keeps_much_of_a_forest():
    student = distilled(outer=5).fit(X, Y)
    assert student.report_.pays
    assert 0.4 < student.report_.retention < 1.2
    assert student.predict(X).shape == (len(X),)
    assert np.isnan(student.report_.frame()["kl"]).all()


@pytest.mark.parametrize(
    "student", ["lightgbm", "tree", "linear", DecisionTreeRegressor(max_depth=3)]
)
def test_several_targets(student):
    features, targets = load_linnerud(return_X_y=True)
    features = np.tile(features, (5, 1)) + np.random.default_rng(0).normal(size=(100, 3))
    targets = np.tile(targets, (5, 1))
    found = distilled(Ridge(), student=student).fit(features, targets)
    assert found.predict(features).shape == (100, 3)
    assert found.score(features, targets) > -1.0


@pytest.mark.parametrize("student", ["lightgbm", "tree", "linear"])
def test_a_quantile(student):
    teacher = GradientBoostingRegressor(loss="quantile", alpha=0.9, n_estimators=50, random_state=0)
    found = distilled(teacher, student=student, quantiles=0.9).fit(X, Y)
    assert found.predict(X).shape == (len(X),)
    assert (found.predict(X) > Y).mean() == pytest.approx(0.9, abs=0.08)
    assert "pinball" in str(found.report_)


@pytest.mark.parametrize("student", ["lightgbm", "tree", "linear"])
def test_several_quantiles_of_a_function(student):
    levels = (0.1, 0.5, 0.9)
    models = [QuantileRegressor(quantile=q, alpha=0.0).fit(X[::2], Y[::2]) for q in levels]

    def teacher(rows):
        return np.column_stack([model.predict(rows) for model in models])

    seen = np.arange(len(X)) % 2 == 0
    found = distilled(teacher, student=student, quantiles=levels).fit(X, Y, seen_by_teacher=seen)
    values = found.predict(X)
    assert values.shape == (len(X), 3)
    assert (np.diff(values.mean(axis=0)) > 10).all()
    losses = [mean_pinball_loss(Y, values[:, i], alpha=q) for i, q in enumerate(levels)]
    assert found.score(X, Y) == pytest.approx(-np.mean(losses))
    again = pickle.loads(pickle.dumps(found.report_))
    assert again.summary() == found.report_.summary()


def test_bad_quantiles():
    for bad in (1.5, (0.1, 1.0), [], [0.1, "a"], [[0.1, 0.9]]):
        with pytest.raises(ValueError, match="'quantiles' parameter"):
            distilled(quantiles=bad).fit(X, Y)
    with pytest.raises(ValueError, match="one target"):
        distilled(Ridge(), quantiles=0.5).fit(X, np.column_stack([Y, Y]))


def test_classifiers_are_refused():
    with pytest.raises((ValueError, TypeError), match="values"):
        distilled(se.StackedClassifier([("ridge", Ridge())])).fit(X, Y)


def test_a_student_of_quantiles_can_be_saved(tmp_path):
    teacher = [
        GradientBoostingRegressor(loss="quantile", alpha=q, n_estimators=9, random_state=0)
        for q in (0.2, 0.8)
    ]
    found = distilled(teacher, quantiles=(0.2, 0.8), student="tree").fit(X, Y)
    se.save(found, tmp_path / "student.zip")
    np.testing.assert_array_equal(se.load(tmp_path / "student.zip").predict(X), found.predict(X))
