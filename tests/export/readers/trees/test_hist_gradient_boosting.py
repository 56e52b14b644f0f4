"""Tests that scikit-learn's histogram gradient boosting is read, with categories and gaps."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from stackens.exceptions import ExportError
from stackens.export.program import evaluate
from tests.export.readers.programs import program_of
from tests.export.readers.trees.awkward_rows import answers, assert_classifies, awkward_rows

RNG = np.random.default_rng(0)
N = 500
X = np.column_stack(
    [
        RNG.normal(size=N),
        RNG.integers(0, 12, N),
        1.7e9 + RNG.integers(0, 10**6, N),
        RNG.normal(size=N),
    ]
)
X[RNG.random(X.shape) < 0.2] = np.nan
Y = np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1]) % 3 + np.isnan(X[:, 3])
TWO = np.where(Y > 1, "yes", "no")
THREE = np.array(["a", "b", "c"])[np.digitize(Y, [0.5, 1.5])]


@pytest.mark.parametrize("categories", [None, [1]])
@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "poisson", "gamma", "quantile"]
)
def test_regressors(loss, categories):
    model = HistGradientBoostingRegressor(
        loss=loss, quantile=0.3, max_iter=20, categorical_features=categories
    ).fit(X, Y - Y.min() + 0.1)
    program = program_of(model, 4, "predict")
    rows = awkward_rows(program, X, RNG)
    rows[:50, [0, 2]] = [np.inf, -np.inf]
    expected = model.predict(rows)
    if loss in ("poisson", "gamma"):
        np.testing.assert_allclose(answers(program, rows)[:, 0], expected, rtol=1e-15)
    else:
        np.testing.assert_array_equal(answers(program, rows)[:, 0], expected)


@pytest.mark.parametrize("categories", [None, [1]])
@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two", "three"])
def test_classifiers(labels, categories):
    model = HistGradientBoostingClassifier(max_iter=10, categorical_features=categories)
    model.fit(X, labels)
    assert_classifies(model, awkward_rows(program_of(model, 4), X, RNG))


@pytest.mark.parametrize("seed", range(6))
def test_unknown_categories_go_where_missing_ones_go(seed):
    rng = np.random.default_rng(seed)
    codes = rng.choice([2.0, 3, 5, 8, 13, 21, np.nan], N)
    y = np.nan_to_num(codes, nan=rng.choice([-20, 40])) % 7 + rng.normal(size=N) / 10
    model = HistGradientBoostingRegressor(max_iter=5, categorical_features=[0])
    model.fit(codes[:, None], y)
    program = program_of(model, 1, "predict")
    assert len(program.trees()[0].sets) > 0
    rows = np.array([2, 3, 5, 8, 13, 21, np.nan, 4, -1, 2.5, 255, 256, 258, 1e300])
    got = answers(program, rows[:, None])[:, 0]
    np.testing.assert_array_equal(got, model.predict(rows[:, None]))


def test_an_infinite_category_is_refused_as_its_encoder_refuses_it():
    codes = np.arange(N) % 4.0
    model = HistGradientBoostingRegressor(max_iter=2, categorical_features=[0])
    model.fit(codes[:, None], codes % 2)
    rows = np.array([[np.inf], [-np.inf], [1.0]])
    with pytest.raises(ValueError, match="infinity"):
        model.predict(rows[:1])
    refused = np.isnan(answers(program_of(model, 1, "predict"), rows)[:, 0])
    assert refused.tolist() == [True, True, False]


def test_categories_of_early_stopping_rows_alone_are_missing_to_the_trees():
    codes = np.r_[np.repeat(np.arange(6.0), 40), 77.0]
    y = np.r_[codes[:-1] % 3, 5]
    model = HistGradientBoostingRegressor(
        max_iter=5, categorical_features=[0], early_stopping=True, random_state=1
    )
    model.fit(codes[:, None], y, X_val=codes[:, None], y_val=y)
    known = model._bin_mapper.bin_thresholds_[0]
    model._bin_mapper.bin_thresholds_[0] = known[:-1]  # as if 77 stood in X_val alone
    rows = np.unique(codes)[:, None]
    got = answers(program_of(model, 1, "predict"), rows)[:, 0]
    np.testing.assert_array_equal(got, model.predict(rows))


def test_columns_of_a_frame_are_reordered_and_encoded():
    n = 300
    frame = pd.DataFrame(
        {
            "size": RNG.normal(size=n),
            "town": pd.Categorical(RNG.choice(["Rome", "Oslo", "Bonn"], n)),
            "age": RNG.normal(size=n),
            "grade": pd.Categorical(RNG.choice(["low", "mid", "top"], n)),
        }
    )
    frame.loc[::9, "town"] = None
    y = (frame.town == "Oslo") * 2.0 + (frame.grade == "mid") + frame["size"] + frame.age * 2
    model = HistGradientBoostingRegressor(max_iter=10).fit(frame, y)
    program = program_of(model, list(frame.columns), "predict")
    assert [c.kind for c in program.columns] == ["number", "category", "number", "category"]
    frame = frame.astype({"town": object, "grade": object})
    frame.loc[1:9, "town"] = "Paris"
    frame.loc[5:15, "grade"] = "none"
    frame = frame.astype({"town": "category", "grade": "category"})
    columns = [frame[c].to_numpy(dtype=object if i % 2 else float) for i, c in enumerate(frame)]
    columns[1] = np.array([None if v != v else v for v in columns[1]], dtype=object)
    np.testing.assert_array_equal(evaluate(program, columns)[0][:, 0], model.predict(frame))


def test_a_regressor_has_no_probabilities():
    model = HistGradientBoostingRegressor(max_iter=2).fit(X, Y)
    with pytest.raises(ExportError, match="it predicts values"):
        program_of(model, 4, "predict_proba")
