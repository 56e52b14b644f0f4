"""Tests that LightGBM's models are read bit for bit, with all objectives and ways of missing."""

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from stackens.distillation.students._graft import grafted
from stackens.exceptions import ExportError
from stackens.export.program import evaluate
from tests.export.readers.programs import program_of
from tests.export.readers.trees.awkward_rows import answers, awkward_rows

RNG = np.random.default_rng(0)
N = 700
X = np.column_stack(
    [
        RNG.normal(size=N),
        RNG.integers(0, 40, N),
        1.7e9 + RNG.integers(0, 10**6, N),
        2.0**53 - RNG.integers(0, 10**6, N),
        np.where(RNG.random(N) < 0.4, 0, RNG.normal(size=N)),
        np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(size=N)),
    ]
)
SCORE = X[:, 0] + X[:, 1] % 3 + (X[:, 2] - 1.7e9) / 1e6 + (X[:, 4] == 0) + np.isnan(X[:, 5])
QUIET = {"verbose": -1, "num_leaves": 8, "min_data_in_leaf": 5, "num_threads": 1}


def trained(y=SCORE, X=X, n=20, categorical=(1,), group=None, **parameters):
    data = lgb.Dataset(X, y, group=group, categorical_feature=list(categorical))
    return lgb.train({**QUIET, "objective": "regression", **parameters}, data, n)


def worst(booster, rows=None, **options):
    """Largest difference between a booster's answers and those of its copy."""
    program = program_of(booster, 6, options.pop("method", "predict"))
    rows = awkward_rows(program, X, RNG) if rows is None else rows
    expected = booster.predict(rows, **options)
    return np.abs(answers(program, rows) - expected.reshape(len(rows), -1)).max()


# ---------------------------------------------------------------- routing


@pytest.mark.parametrize(
    "parameters",
    [{}, {"zero_as_missing": True}, {"use_missing": False}, {"boosting": "dart"}],
    ids=["nan missing", "zero missing", "none missing", "dart"],
)
def test_ten_thousand_awkward_rows_give_the_same_bits(parameters):
    booster = trained(n=50, **parameters)
    rows = awkward_rows(program_of(booster, 6, "predict"), X, RNG, n=10_000)
    rows[RNG.random(rows.shape) < 0.02] = np.inf
    rows[RNG.random(rows.shape) < 0.02] = -np.inf
    assert len(rows) > 10_000
    assert worst(booster, rows) == 0.0


def test_categories_are_cut_to_whole_numbers_and_others_go_right():
    booster = trained()
    codes = [0, 5, 5.5, 5.999, -0.5, -1, 39, 40, 2.0**31, 2.0**32 + 1, 1e300, np.inf, np.nan]
    rows = np.tile(X[0], (len(codes), 1))
    rows[:, 1] = codes
    assert worst(booster, rows) == 0.0
    raw = booster.predict(rows)
    assert raw[1] == raw[2] == raw[3]


@pytest.mark.parametrize("decision", [1, 5, 9])
def test_a_missing_category_goes_right_even_where_zero_goes_left(decision):
    text = one_split("0", decision, "cat_boundaries=0 1\ncat_threshold=1\n").replace(
        "num_cat=0", "num_cat=1"
    )
    booster = lgb.Booster(model_str=text)
    rows = np.array([[0.0], [np.nan], [1.0], [-0.9], [64.0]])
    got = answers(program_of(booster, 1, "predict"), rows)[:, 0]
    np.testing.assert_array_equal(got, booster.predict(rows))
    np.testing.assert_array_equal(got, [1, 2, 2, 1, 2])


@pytest.mark.parametrize("decision", [0, 2, 4, 6, 8, 10])
@pytest.mark.parametrize("threshold", ["0", "-0", "1e-35", "-1e-35", "5e-36", "1e300", "-1e300"])
def test_what_is_almost_zero_counts_as_zero(threshold, decision):
    tiny = float(np.float32(1e-35))
    number = float(threshold)
    if abs(number) == 1e-35:
        number = np.copysign(tiny, number)
    booster = lgb.Booster(model_str=one_split(repr(float(number)), decision))
    program = program_of(booster, 1, "predict")
    inside = np.array([tiny, -tiny, tiny / 2, -tiny / 2, 0, -0.0, 5e-324, np.nan])
    beyond = [np.nextafter(tiny, 1), np.nextafter(-tiny, -1), np.inf, -np.inf, 1e300, -1.7e308]
    rows = np.concatenate([inside, beyond, np.nextafter(1e300, [0, np.inf])])[:, None]
    np.testing.assert_array_equal(answers(program, rows)[:, 0], booster.predict(rows))


def one_split(threshold, decision, more=""):
    return (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
        "max_feature_idx=0\nfeature_names=a\nfeature_infos=[0:1]\n\nTree=0\nnum_leaves=2\n"
        f"num_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold={threshold}\n"
        f"decision_type={decision}\nleft_child=-1\nright_child=-2\nleaf_value=1 2\n"
        f"leaf_weight=1 1\nleaf_count=1 1\ninternal_value=0\ninternal_weight=1\n"
        f"internal_count=2\n{more}is_linear=0\nshrinkage=1\n\n\nend of trees\n\n"
        "parameters:\nend of parameters\n"
    )


def test_a_model_without_splits_is_its_mean():
    booster = trained(X=np.zeros((N, 6)), categorical=())
    assert booster.num_trees() == 1
    assert worst(booster, X) == 0.0
    assert program_of(booster, 6, "predict").trees() == []


def test_linear_trees_are_refused():
    booster = trained(X=np.nan_to_num(X), linear_tree=True, categorical=())
    with pytest.raises(ExportError, match="linear_tree=False"):
        program_of(booster, 6, "predict")


# ---------------------------------------------------------------- objectives

POSITIVE = SCORE - SCORE.min() + 0.1
SHARE = POSITIVE / POSITIVE.max()
CLASS = np.digitize(SCORE, [1, 2])


@pytest.mark.parametrize(
    ("objective", "y", "parameters"),
    [
        ("regression", SCORE, {}),
        ("regression", SCORE, {"reg_sqrt": True}),
        ("regression_l1", SCORE, {"reg_sqrt": True}),
        ("regression", SCORE, {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}),
        ("huber", SCORE, {}),
        ("fair", SCORE, {}),
        ("quantile", SCORE, {"alpha": 0.3}),
        ("mape", POSITIVE, {}),  # codespell:ignore mape
        ("poisson", POSITIVE, {}),
        ("gamma", POSITIVE, {}),
        ("tweedie", POSITIVE, {}),
        ("binary", CLASS > 1, {"sigmoid": 2.5}),
        ("binary", CLASS > 1, {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}),
        ("cross_entropy", SHARE, {}),
        ("cross_entropy_lambda", SHARE, {}),
        ("multiclass", CLASS, {"num_class": 3}),
        ("multiclassova", CLASS, {"num_class": 3, "sigmoid": 0.7}),
        ("lambdarank", CLASS, {}),
        ("rank_xendcg", CLASS, {}),
    ],
)
def test_every_objective_answers_as_predict_does(objective, y, parameters):
    group = [70] * 10 if "rank" in objective else None
    booster = trained(y, group=group, objective=objective, **parameters)
    assert worst(booster, method="decision_function", raw_score=True) == 0.0
    scale = np.abs(booster.predict(X)).max()
    assert worst(booster) <= 1e-15 * max(1, scale)


def test_a_function_as_objective_gives_raw_scores():
    def squared(predicted, data):
        return predicted - data.get_label(), np.ones(len(predicted))

    booster = trained(objective=squared)
    assert worst(booster) == 0.0
    with pytest.raises(ExportError, match="not one of classes"):
        program_of(booster, 6, "predict_proba")


def test_soft_classes_grafted_into_multiclass_are_probabilities():
    goal = np.eye(3)[CLASS] * 0.8 + 0.2 / 3

    def soft(scores, _):
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p - goal, 1.5 * p * (1 - p)

    raw = trained(CLASS, objective=soft, num_class=3)
    start = np.log([0.2, 0.3, 0.5])
    booster = grafted(raw, "multiclass", start=start)
    assert worst(booster, method="predict_proba") <= 5e-16
    scores = answers(program_of(booster, 6, "decision_function"), X)
    np.testing.assert_allclose(scores, raw.predict(X) + start, atol=1e-12)


def test_cross_entropy_grafted_into_binary_is_unchanged():
    booster = grafted(trained(SHARE, objective="cross_entropy"), "binary")
    assert worst(booster) <= 2e-16


def test_a_bare_booster_of_two_classes_has_both_probabilities():
    booster = trained(CLASS > 1, objective="binary")
    both = answers(program_of(booster, 6), X)
    second = booster.predict(X)
    np.testing.assert_allclose(both, np.column_stack([1 - second, second]), atol=2e-16)


# ---------------------------------------------------------------- the classes around boosters


@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "c"]])
def test_a_classifier_of_text_labels(labels):
    y = np.array(labels)[np.minimum(CLASS, len(labels) - 1)]
    model = lgb.LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1).fit(X, y)
    program = program_of(model, 6)
    rows = awkward_rows(program, X, RNG)
    np.testing.assert_allclose(answers(program, rows), model.predict_proba(rows), atol=5e-16)
    position = answers(program_of(model, 6, "predict"), rows)[:, 0].astype(int)
    np.testing.assert_array_equal(model.classes_[position], model.predict(rows))


def test_a_booster_stops_at_its_best_iteration():
    data = lgb.Dataset(X, SCORE + 3 * RNG.normal(size=N))
    booster = lgb.train(
        {**QUIET, "objective": "regression", "learning_rate": 0.9},
        data,
        200,
        valid_sets=[lgb.Dataset(X, SCORE, reference=data)],
        keep_training_booster=True,  # with the trees after the best iteration
        callbacks=[lgb.early_stopping(5, verbose=False)],
    )
    assert 0 < booster.best_iteration < booster.num_trees()
    program = program_of(booster, 6, "predict")
    assert program.trees()[0].n_trees == booster.best_iteration
    assert worst(booster) == 0.0


def test_a_regressor_stops_at_its_best_iteration():
    model = lgb.LGBMRegressor(n_estimators=20, verbose=-1, n_jobs=1).fit(X, SCORE)
    model.booster_.best_iteration = 7  # as early stopping sets it
    program = program_of(model, 6, "predict")
    assert program.trees()[0].n_trees == 7
    np.testing.assert_array_equal(answers(program, X)[:, 0], model.predict(X))


def test_a_ranker_gives_scores():
    model = lgb.LGBMRanker(n_estimators=5, verbose=-1, n_jobs=1).fit(X, CLASS, group=[70] * 10)
    np.testing.assert_array_equal(
        answers(program_of(model, 6, "predict"), X)[:, 0], model.predict(X)
    )
    with pytest.raises(ExportError, match="Got a LGBMRanker"):
        program_of(model, 6)


def test_what_a_classifier_cannot_answer_is_refused():
    def logistic(y, scores):
        p = 1 / (1 + np.exp(-scores))
        return p - y, p * (1 - p)

    own = lgb.LGBMClassifier(n_estimators=3, objective=logistic, verbose=-1).fit(X, CLASS > 1)
    with pytest.raises(ExportError, match="raw scores only"):
        program_of(own, 6)
    np.testing.assert_array_equal(
        answers(program_of(own, 6, "decision_function"), X)[:, 0],
        own.booster_.predict(X, raw_score=True),
    )
    early = lgb.LGBMClassifier(n_estimators=3, pred_early_stop=True, verbose=-1).fit(X, CLASS)
    with pytest.raises(ExportError, match="pred_early_stop=False"):
        program_of(early, 6)


def test_columns_of_a_frame_hold_text_numbers_and_gaps():
    n = 400
    frame = pd.DataFrame(
        {
            "size": RNG.normal(size=n),
            "town": pd.Categorical(RNG.choice(["Rome", "Oslo", "Bonn"], n)),
            "code": pd.Categorical(RNG.choice([10, 20, 31], n)),
            "grade": pd.Categorical(RNG.choice(["low", "mid", "top"], n), ordered=True),
        }
    )
    frame.loc[::9, "town"] = None
    y = (frame.town == "Oslo") * 2.0 + (frame.code == 31) * 1.5 + (frame.grade == "mid")
    model = lgb.LGBMRegressor(n_estimators=20, verbose=-1, n_jobs=1).fit(frame, y + frame["size"])
    program = program_of(model, list(frame.columns), "predict")
    assert [c.kind for c in program.columns] == ["number", "category", "number", "category"]
    other = frame.head(200).astype({"town": object, "code": float, "grade": object})
    other.loc[1, ["town", "grade"]] = "Paris"
    other.loc[2, ["code"]] = 32
    columns = [other[c].to_numpy() for c in other]
    columns[1] = np.array([None if v != v else v for v in columns[1]], dtype=object)
    expected = model.predict(
        other.astype({"town": "category", "code": "category", "grade": "category"})
    )
    np.testing.assert_array_equal(evaluate(program, columns)[0][:, 0], expected)
