"""Tests that XGBoost's models are read to the precision of their sums."""

import numpy as np
import pytest

from stackens.exceptions import ExportError
from tests.export.readers.programs import program_of
from tests.export.readers.trees.awkward_rows import answers, awkward_rows

xgb = pytest.importorskip("xgboost")

RNG = np.random.default_rng(0)
N = 500
X = np.column_stack(
    [
        RNG.normal(size=N),
        RNG.integers(0, 12, N),
        1.7e9 + RNG.integers(0, 10**6, N),
        RNG.normal(size=N) ** 3 * 1e5,
    ]
)
X[RNG.random(X.shape) < 0.2] = np.nan
Y = np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1]) % 3 + RNG.normal(size=N) / 10
CLASS = np.digitize(Y, [1, 2])
CATEGORICAL = {"feature_types": ["float", "c", "float", "float"], "enable_categorical": True}
SETTINGS = [
    {},
    CATEGORICAL,
    {**CATEGORICAL, "max_cat_to_onehot": 100},
    {"missing": 3.0},
    {"booster": "dart", "rate_drop": 0.5},
    {"num_parallel_tree": 3, "subsample": 0.5},
]


def close(got, expected):
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(got, expected.reshape(got.shape), atol=1e-6 * scale, rtol=0)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("y", [CLASS > 1, CLASS], ids=["two", "three"])
def test_classifiers(y, settings):
    model = xgb.XGBClassifier(n_estimators=10, n_jobs=1, **settings).fit(X, y.astype(int))
    program = program_of(model, 4)
    rows = awkward_rows(program, X, RNG)
    rows[:50, [0, 2]] = [np.inf, -np.inf]  # that predict_proba takes
    close(answers(program, rows), model.predict_proba(rows))
    margins = answers(program_of(model, 4, "decision_function"), rows)
    close(margins, model.predict(rows, output_margin=True))
    label = answers(program_of(model, 4, "predict"), rows)[:, 0]
    ordered = np.sort(model.predict_proba(rows), axis=1)
    sure = ordered[:, -1] - ordered[:, -2] > 1e-5
    np.testing.assert_array_equal(label[sure], model.predict(rows)[sure])


@pytest.mark.parametrize(
    "objective",
    [
        *("reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:logistic"),
        *("reg:pseudohubererror", "count:poisson", "reg:gamma", "reg:tweedie", "binary:hinge"),
    ],
)
def test_regressors_of_every_objective(objective):
    y = Y - Y.min() + 0.1
    y = y / y.max() if "logistic" in objective else y
    y = (CLASS > 1).astype(int) if "hinge" in objective else y
    model = xgb.XGBRegressor(n_estimators=10, objective=objective, base_score=0.5, n_jobs=1)
    program = program_of(model.fit(X, y), 4, "predict")
    rows = awkward_rows(program, X, RNG)
    close(answers(program, rows), model.predict(rows))


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_targets(strategy):
    y = np.column_stack([Y, -Y, Y**2])
    model = xgb.XGBRegressor(n_estimators=10, multi_strategy=strategy, n_jobs=1).fit(X, y)
    program = program_of(model, 4, "predict")
    rows = awkward_rows(program, X, RNG)
    close(answers(program, rows), model.predict(rows))


def test_several_quantiles():
    model = xgb.XGBRegressor(
        n_estimators=10, objective="reg:quantileerror", quantile_alpha=[0.1, 0.9], n_jobs=1
    ).fit(X, Y)
    close(answers(program_of(model, 4, "predict"), X), model.predict(X))


def test_random_forests_and_rankers():
    forest = xgb.XGBRFClassifier(n_estimators=10, n_jobs=1).fit(X, CLASS)
    close(answers(program_of(forest, 4), X), forest.predict_proba(X))
    ranker = xgb.XGBRanker(n_estimators=5, n_jobs=1).fit(X, CLASS, group=[50] * 10)
    close(answers(program_of(ranker, 4, "predict"), X), ranker.predict(X))


def test_early_stopping_keeps_the_best_iterations():
    model = xgb.XGBRegressor(n_estimators=300, early_stopping_rounds=5, n_jobs=1)
    model.fit(X, Y + 3 * RNG.normal(size=N), eval_set=[(X, Y)], verbose=False)
    program = program_of(model, 4, "predict")
    assert program.trees()[0].n_trees == model.best_iteration + 1
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    close(answers(program, X), model.predict(X))


def test_a_bare_booster_answers_as_its_predict_and_takes_no_infinite_numbers():
    data = xgb.DMatrix(X, CLASS > 1)
    booster = xgb.train({"objective": "binary:logistic", "nthread": 1}, data, 8)
    second = booster.predict(data)
    close(answers(program_of(booster, 4, "predict"), X), second)
    close(answers(program_of(booster, 4), X), np.column_stack([1 - second, second]))
    rows = X[:2].copy()
    rows[0, 3] = 1e39
    with pytest.raises(xgb.core.XGBoostError, match="inf"):
        booster.predict(xgb.DMatrix(rows))
    assert np.isnan(answers(program_of(booster, 4, "predict"), rows)[:, 0]).tolist() == [
        True,
        False,
    ]


def test_numbers_are_compared_in_single_precision():
    x = np.array([[16_777_216.0], [16_777_220.0]] * 20)
    model = xgb.XGBRegressor(n_estimators=1, n_jobs=1).fit(x, [0.0, 1.0] * 20)
    program = program_of(model, 1, "predict")
    rows = np.array([[16_777_216.5 + i / 4] for i in range(20)])
    got = answers(program, rows)[:, 0]
    close(got, model.predict(rows))
    assert len(np.unique(got)) == 2


def test_a_model_without_splits():
    model = xgb.XGBRegressor(n_estimators=2, n_jobs=1).fit(np.zeros((20, 4)), np.arange(20.0))
    close(answers(program_of(model, 4, "predict"), X), model.predict(X))


def test_what_is_not_probability_is_refused():
    raw = xgb.XGBClassifier(n_estimators=2, objective="binary:logitraw", n_jobs=1)
    with pytest.raises(ExportError, match="'binary:logitraw'"):
        program_of(raw.fit(X, (CLASS > 1).astype(int)), 4)
    values = xgb.train({"nthread": 1}, xgb.DMatrix(X, Y), 2)
    with pytest.raises(ExportError, match="'reg:squarederror', is not one of classes"):
        program_of(values, 4)
    with pytest.raises(ExportError, match="Got a XGBRegressor"):
        program_of(xgb.XGBRegressor(n_estimators=2).fit(X, Y), 4)
