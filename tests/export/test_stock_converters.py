"""What the usual converters get wrong without a word: here it is exact, or refused.

A comment says where each case was seen. Rows are such that the usual error shows.
"""

import warnings
from functools import cache

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer
from sklearn.tree import DecisionTreeClassifier

import stackens as se
from stackens.exceptions import ExportError
from stackens.export.c._compile import find_compiler

pytest.importorskip("onnxruntime")

TARGETS = [
    "onnx",
    "numpy",
    pytest.param("c", marks=pytest.mark.skipif(find_compiler() is None, reason="no C compiler")),
]
SIGMOID = 1e-15  # what a sigmoid, a softmax or a product may round otherwise
N = 400


def numbers(seed=0):
    """Rows of numbers with zeros and missing values, and a target that both matter for."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 4))
    X[rng.random((N, 4)) < 0.3] = 0.0
    X[rng.random((N, 4)) < 0.15] = np.nan
    value = np.nan_to_num(X[:, 0], nan=2.0) + (X[:, 1] == 0) + rng.normal(scale=0.3, size=N)
    X[:6, 0] = [0.0, -0.0, 1e-36, -1e-36, np.nan, 1e-30]
    return X, value


def boosted(kind="Classifier", **options):
    made = getattr(lightgbm, f"LGBM{kind}")
    return made(**{"n_estimators": 20, "verbose": -1, "n_jobs": 1} | options)


# --- LightGBM -------------------------------------------------------------------------------------


def zero_as_missing():
    # onnxmltools and treelite take zeros for numbers: wrong on 1,924 of 2,000 rows
    X, value = numbers()
    return boosted(zero_as_missing=True).fit(X, value > 0.5), X


def categories_between_whole_numbers():
    # onnxmltools compares 5.5 with each category, LightGBM cuts it off to 5
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 12, N), rng.normal(size=N)])
    y = np.isin(X[:, 0], [1, 5, 7]) ^ (rng.random(N) < 0.1)
    model = boosted(min_data_per_group=5).fit(X, y, categorical_feature=[0])
    odd = [5.5, 4.999, -0.5, -1.0, -7.0, 12.0, 99.0, 1e9, 2.0**31, 1e300, np.nan, 7.0]
    return model, np.column_stack([odd, np.zeros(len(odd))])


def categories_of_text():
    # onnxmltools#309, m2cgen#530
    rng = np.random.default_rng(0)
    towns = np.array(["Oslo", "Rome", "Lima", "Bern"])
    town = pd.Categorical(rng.choice(towns, N), categories=towns)
    X = pd.DataFrame({"town": town, "age": rng.normal(size=N)})
    y = (X["town"].isin(["Rome", "Bern"])).to_numpy() ^ (rng.random(N) < 0.1)
    model = boosted(min_data_per_group=5).fit(X, y)
    X.loc[::9, "town"] = None
    return model, X


def soft_targets_of_two_classes():
    # onnxmltools refuses the objective "cross_entropy"
    X, value = numbers()
    soft = 1.0 / (1.0 + np.exp(-value))
    given = {"objective": "cross_entropy", "verbose": -1, "num_threads": 1}
    return lightgbm.train(given, lightgbm.Dataset(X, soft), 20), X


def soft_targets_of_several_classes():
    # a custom objective: converters know raw scores only, or refuse it
    X, value = numbers()
    y = np.digitize(value, [0.0, 1.0])
    X = pd.DataFrame(X, columns=list("abcd"))
    teacher = boosted(n_estimators=5)
    student = se.DistilledClassifier(
        teacher, student="lightgbm", guard=False, outer=None, cv=2, random_state=0
    )
    return student.fit(X, y), X


def huge_values_of_500_trees():
    # sums in single precision: off by 131, or by 17.7 in parts
    X, value = numbers()
    return boosted("Regressor", n_estimators=500).fit(X, 1e8 * (1.0 + value)), X


def thresholds_of_boosting():
    # single precision moves rows across thresholds (treelite#98, #115)
    X, value = numbers()
    model = boosted("Regressor").fit(X, value)
    return model, beside(model.booster_.trees_to_dataframe()["threshold"], 4)


# --- scikit-learn's trees -------------------------------------------------------------------------


def thresholds_of_a_tree():
    # it compares numbers in single precision with thresholds in double
    X, value = numbers()
    model = DecisionTreeClassifier(random_state=0).fit(X, value > 0.5)
    return model, beside(model.tree_.threshold[model.tree_.feature >= 0], 4)


def random_forest():
    # onnxruntime#4130, #28557: other answers from one release to the next, and by thread
    X, value = numbers()
    y = np.digitize(value, [0.0, 1.0])
    return RandomForestClassifier(100, max_depth=8, random_state=0).fit(X, y), X


def several_values():
    # catboost#1940: several targets come out wrong
    X, value = numbers()
    y = np.column_stack([value, 1e6 * value, -value])
    return RandomForestRegressor(20, random_state=0).fit(X, y), X


def histograms():
    # skl2onnx fails
    X, value = numbers()
    model = HistGradientBoostingClassifier(max_iter=15, random_state=0)
    return model.fit(X, np.digitize(value, [0.0, 1.0])), X


def histograms_of_categories():
    # sklearn-onnx#1051: other answers where there are categories
    rng = np.random.default_rng(0)
    towns = ["Oslo", "Rome", "Lima", "Bern"]
    X = pd.DataFrame(
        {
            "town": pd.Categorical(rng.choice(towns, N), categories=towns),
            "age": rng.normal(size=N),
        }
    )
    value = X["town"].isin(["Oslo", "Bern"]) * 2.0 + X["age"] + rng.normal(scale=0.2, size=N)
    X.loc[::9, "town"] = None
    X.loc[::7, "age"] = np.nan
    model = HistGradientBoostingRegressor(max_iter=15, random_state=0)
    return model.fit(X, value), X


def histograms_of_whole_numbers_as_categories():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 9, N).astype(float), rng.normal(size=N)])
    value = np.isin(X[:, 0], [0, 3, 8]) + 0.1 * X[:, 1]
    model = HistGradientBoostingRegressor(max_iter=15, categorical_features=[0], random_state=0)
    model.fit(X, value)
    return model, np.column_stack([[0, 3, 8, 4, 9, 77, np.nan], np.zeros(7)])


def ada_boost():
    # sklearn-onnx#1117: off by 0.09
    X, value = numbers()
    X = np.nan_to_num(X)
    model = AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=15, random_state=0)
    return model.fit(X, np.digitize(value, [0.0, 1.0])), X


# --- doubles: time stamps, and whole numbers up to 2^53 -------------------------------------------


def doubles(seed=0):
    rng = np.random.default_rng(seed)
    stamps = 1.7e9 + np.arange(N) / 16
    identifiers = 2.0**53 - np.arange(N)[::-1]
    X = np.column_stack([rng.permutation(stamps), rng.permutation(identifiers)])
    value = (X[:, 0] > 1.7e9 + 13.03) + 2.0 * (X[:, 1] % 200 < 90)
    X[::11, 0] = np.nan
    X[::13, 1] = np.nan
    return X, value + rng.normal(scale=0.1, size=N)


def doubles_into_boosting():
    # through single precision: off by 0.78
    X, value = doubles()
    model = make_pipeline(SimpleImputer(strategy="median"), boosted("Regressor"))
    return model.fit(X, value), np.vstack([X, X + np.spacing(X), X - np.spacing(X)])


def doubles_into_histograms():
    X, value = doubles()
    model = make_pipeline(SimpleImputer(), HistGradientBoostingRegressor(max_iter=15))
    return model.fit(X, value), np.vstack([X, X + np.spacing(X)])


def doubles_into_a_tree():
    # skl2onnx: "Could not find an implementation for Imputer(1)"
    X, value = doubles()
    model = make_pipeline(SimpleImputer(add_indicator=True), DecisionTreeClassifier(random_state=0))
    return model.fit(X, value > 1), np.vstack([X, X + np.spacing(X)])


# --- preprocessing and calibration ----------------------------------------------------------------


def text_and_missing(n=N):
    rng = np.random.default_rng(0)
    town = rng.choice(np.array(["Oslo", "Rome", None, "Lima"], dtype=object), n)
    X = pd.DataFrame({"town": town, "age": rng.normal(size=n)})
    y = (X["town"].isna() | (X["town"] == "Rome")).to_numpy() ^ (rng.random(n) < 0.1)
    return X, y


def one_hot_with_none():
    # skl2onnx: off by 0.0099 on 197 of 2,000 rows
    X, y = text_and_missing()
    encoder = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("town", encoder, ["town"])], remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(X, y)
    X.loc[::10, "town"] = "never seen"
    return model, X


def imputed_text():
    # skl2onnx has no imputer of text
    X, y = text_and_missing()
    X["town"] = X["town"].astype("str")  # missing values are NaN there
    common = SimpleImputer(strategy="most_frequent")
    encode = make_pipeline(common, OneHotEncoder(handle_unknown="ignore"))
    columns = ColumnTransformer([("town", encode, ["town"])], remainder="passthrough")
    return make_pipeline(columns, LogisticRegression()).fit(X, y), X


def quantiles():
    # skl2onnx: off by 0.00018
    X, value = numbers()
    X = np.nan_to_num(X)
    transformer = QuantileTransformer(n_quantiles=50, output_distribution="normal")
    model = make_pipeline(transformer, LogisticRegression()).fit(X, value > 0.5)
    return model, np.vstack([X, 10 * X])


def isotonic_calibration():
    # sklearn-onnx#1151: steps make visible jumps of differences in the last digit
    X, value = numbers()
    inner = HistGradientBoostingClassifier(max_iter=10, random_state=0)
    model = CalibratedClassifierCV(inner, method="isotonic", cv=3)
    return model.fit(X, np.digitize(value, [0.0, 1.0])), X


# --- what no converter may take -------------------------------------------------------------------


def linear_trees():
    # onnxmltools writes constant leaves: off by 0.78 on 1,969 of 2,000 rows
    X, value = numbers()
    return boosted(linear_tree=True).fit(np.nan_to_num(X), value > 0.5)


def objective_of_ones_own():
    # its wrapper answers with raw scores in place of probabilities
    def objective(y, scores):
        p = 1.0 / (1.0 + np.exp(-scores))
        return p - y, p * (1.0 - p)

    X, value = numbers()
    return boosted(objective=objective).fit(X, value > 0.5)


def weighted_median():
    # skl2onnx: the median of AdaBoost's regressors, in single precision
    X, value = numbers()
    return AdaBoostRegressor(n_estimators=5, random_state=0).fit(np.nan_to_num(X), value)


def beside(thresholds, n_columns):
    """Rows of each threshold and of its neighbours, in double and in single precision."""
    cuts = np.unique(np.asarray(thresholds, dtype=np.float64))
    cuts = cuts[np.isfinite(cuts)]
    single = cuts.astype(np.float32)
    around = [cuts, np.nextafter(cuts, -np.inf), np.nextafter(cuts, np.inf), single]
    around += [np.nextafter(single, np.float32(-np.inf)), np.nextafter(single, np.float32(np.inf))]
    return np.repeat(np.concatenate(around).astype(np.float64)[:, None], n_columns, axis=1)


# case -> the largest difference
EXACT = {
    zero_as_missing: SIGMOID,
    categories_between_whole_numbers: SIGMOID,
    categories_of_text: SIGMOID,
    soft_targets_of_two_classes: SIGMOID,
    soft_targets_of_several_classes: SIGMOID,
    huge_values_of_500_trees: 0.0,
    thresholds_of_boosting: 0.0,
    thresholds_of_a_tree: 0.0,
    random_forest: 0.0,
    several_values: 0.0,
    histograms: SIGMOID,
    histograms_of_categories: 0.0,
    histograms_of_whole_numbers_as_categories: 0.0,
    ada_boost: SIGMOID,
    doubles_into_boosting: 0.0,
    doubles_into_histograms: 0.0,
    doubles_into_a_tree: 0.0,
    one_hot_with_none: SIGMOID,
    imputed_text: SIGMOID,
    quantiles: 1e-14,
    isotonic_calibration: SIGMOID,
}
REFUSED = {
    linear_trees: "linear_tree=False",
    objective_of_ones_own: "a function as objective",
    weighted_median: "weighted median",
}
fitted = cache(lambda case: case())


def export(target, model, folder, X=None):
    write = {"onnx": se.export.to_onnx, "numpy": se.export.to_numpy, "c": se.export.to_c}[target]
    suffix = {"numpy": "py"}.get(target, target)
    options = {"compile": True} if target == "c" else {}
    return write(model, folder / f"model.{suffix}", X=X, **options)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("case", "tolerance"), EXACT.items(), ids=[case.__name__ for case in EXACT]
)
def test_exact(case, tolerance, target, tmp_path):
    model, X = fitted(case)
    artifact = export(target, model, tmp_path, X)
    is_classifier = hasattr(model, "predict_proba")
    ask = artifact.predict_proba if is_classifier else artifact.predict
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # LightGBM casts 1e300 to whole numbers
        expected = model.predict_proba(X) if is_classifier else model.predict(X)
        labels = model.predict(X)
    found = ask(X)
    difference = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    assert difference.max() <= tolerance
    assert len(np.unique(expected)) > 1, "rows that all get one answer show nothing"
    if is_classifier:
        np.testing.assert_array_equal(artifact.predict(X), labels)
    # alone, among few and in another order a row gets the same answer, to the last digit
    rows = X.iloc[::-1] if isinstance(X, pd.DataFrame) else X[::-1]
    np.testing.assert_array_equal(ask(rows), found[::-1])
    for i in range(0, len(X), 1 + len(X) // 5):
        row = X.iloc[i].to_dict() if isinstance(X, pd.DataFrame) else X[i]
        np.testing.assert_allclose(ask(row), found[i], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("case", "match"), REFUSED.items(), ids=[c.__name__ for c in REFUSED])
def test_refused(case, match, target, tmp_path):
    with pytest.raises(ExportError, match=match):
        export(target, fitted(case), tmp_path)
    assert list(tmp_path.iterdir()) == []
