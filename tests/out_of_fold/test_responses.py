"""Tests of the responses: every answer of a base model in one layout."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from stackens._core._task import Task, infer_task
from stackens.out_of_fold import choose_response, respond
from stackens.out_of_fold._responses import estimator_type, final_lightgbm
from stackens.preprocessing import TabularEncoder
from tests.base_models import PlainObject

X, Y3 = make_classification(90, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
Y2 = (Y3 > 0).astype(int)
XL, YL = make_multilabel_classification(90, 6, n_classes=3, random_state=0)
THREE, TWO = infer_task(Y3)[0], infer_task(Y2)[0]
MULTILABEL = infer_task(YL)[0]
NUMBERS = Task("regression", 1)


@pytest.mark.parametrize(
    ("model", "method", "task", "expected"),
    [
        (GaussianNB(), "auto", TWO, "predict_proba"),
        (LinearSVC(), "auto", TWO, "decision_function"),
        (PlainObject(), "auto", TWO, "predict"),
        (Ridge(), "auto", TWO, "value"),
        (GaussianNB(), "predict", TWO, "predict"),
        (LogisticRegression(), "decision_function", TWO, "decision_function"),
        (Ridge(), "auto", NUMBERS, "predict"),
        (PlainObject(), "predict_proba", NUMBERS, "predict"),
    ],
)
def test_choose_response(model, method, task, expected):
    assert choose_response("m", model, method, task) == expected


@pytest.mark.parametrize(
    ("model", "method", "task"),
    [
        (LinearSVC(), "predict_proba", TWO),
        (StandardScaler(), "auto", TWO),
        (StandardScaler(), "auto", NUMBERS),
    ],
)
def test_a_method_that_is_not_there(model, method, task):
    with pytest.raises(ValueError, match="m does not implement the method.*Got a .*Choose another"):
        choose_response("m", model, method, task)


def test_texts_are_not_for_regressors():
    task = Task("binary", 2, np.array(["no", "yes"]))
    message = r"numbers. Got 'm' \(Ridge\) and the classes \['no', 'yes'\]. Leave it out"
    with pytest.raises(ValueError, match=message):
        choose_response("m", Ridge(), "auto", task)


def test_clusters_are_no_classes():
    for model in (KMeans(2), make_pipeline(StandardScaler(), KMeans(2))):
        with pytest.raises(ValueError, match=r"learn the target\. Got 'k' \(.*numbers that mean"):
            choose_response("k", model, "auto", TWO)


def test_numbers_are_not_for_classifiers():
    message = "needs regressors: the estimator m should be a regressor. Got a Pipeline.*Use the reg"
    with pytest.raises(ValueError, match=message):
        choose_response("m", make_pipeline(StandardScaler(), GaussianNB()), "auto", NUMBERS)


class Answering:
    """Gives one answer, whatever it is asked."""

    def __init__(self, answer):
        self.answer = answer
        self.classes_ = [np.array([0, 1])] * 3

    def predict(self, X):
        return self.answer

    predict_proba = decision_function = predict


@pytest.mark.parametrize("response", ["predict_proba", "decision_function", "predict", "value"])
@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (np.zeros((89, 2)), "89 answers"),
        (np.zeros(180), "180 answers"),
        ([0] * 89, "89 answers"),
        (None, "None"),
    ],
)
def test_an_answer_for_each_row(response, answer, got):
    message = f"one answer for each row. Got {got} for 90 rows from Answering. Correct"
    for task in (TWO, NUMBERS, MULTILABEL):
        with pytest.raises(ValueError, match=message):
            respond(Answering(answer), X, response, task)


def test_an_answer_for_each_row_and_label():
    right, short = np.full((90, 2), 0.5), np.full((89, 2), 0.5)
    found = respond(Answering([right] * 3), XL, "predict_proba", MULTILABEL)
    np.testing.assert_array_equal(found, np.full((90, 3), 0.5))
    with pytest.raises(ValueError, match="Got 89 answers for 90 rows"):
        respond(Answering([right, right, short]), XL, "predict_proba", MULTILABEL)


def test_one_row_may_be_answered_by_one_number():
    assert respond(Answering(np.float64(2.5)), X[:1], "predict", NUMBERS).tolist() == [[2.5]]


def test_estimator_type():
    assert estimator_type(GaussianNB()) == "classifier"
    assert estimator_type(Ridge()) == "regressor"
    assert estimator_type(PlainObject()) is None


def test_probabilities_are_the_model_s_own():
    model = GaussianNB().fit(X, Y3)
    np.testing.assert_array_equal(respond(model, X, "predict_proba", THREE), model.predict_proba(X))


def test_a_missing_class_gets_the_floor_of_laplace_s_rule():
    seen = Y3 != 1
    model = GaussianNB().fit(X[seen], Y3[seen])
    answer = respond(model, X, "predict_proba", THREE, n_train=seen.sum())
    floor = 1 / (seen.sum() + 3)
    np.testing.assert_allclose(answer[:, 1], floor)
    np.testing.assert_allclose(answer.sum(axis=1), 1)
    np.testing.assert_allclose(answer[:, [0, 2]], model.predict_proba(X) * (1 - floor))
    np.testing.assert_array_equal(respond(model, X, "predict_proba", THREE)[:, 1], 0)


@pytest.mark.parametrize("model", [DummyClassifier(), LGBMClassifier(n_estimators=2, verbose=-1)])
def test_a_model_of_one_class(model):
    model.fit(X[Y3 == 2], Y3[Y3 == 2])
    answer = respond(model, X, "predict_proba", THREE, n_train=10)
    np.testing.assert_allclose(answer[0], [1 / 13, 1 / 13, 11 / 13])


@pytest.mark.parametrize("model", [LinearSVC(), SVC(kernel="linear"), RidgeClassifier()])
def test_margins(model):
    model.fit(X, Y2)
    margin = model.decision_function(X)
    answer = respond(model, X, "decision_function", TWO)
    np.testing.assert_array_equal(answer, np.column_stack([-margin, margin]))
    model.fit(X, Y3)
    answer = respond(model, X, "decision_function", THREE)
    np.testing.assert_array_equal(answer, model.decision_function(X))


@pytest.mark.parametrize("n_seen", [2, 3])
def test_margins_of_a_missing_class_are_lowest_and_finite(n_seen):
    four = Task("multiclass", 4, np.arange(4))
    y = Y3 if n_seen == 3 else np.where(Y3 == 1, 2, Y3)
    answer = respond(LinearSVC().fit(X, y), X, "decision_function", four)
    assert np.isfinite(answer).all()
    missing = [3] if n_seen == 3 else [1, 3]
    seen = [k for k in range(4) if k not in missing]
    assert (answer[:, missing].max(axis=1) < answer[:, seen].min(axis=1)).all()
    assert np.abs(answer).max() < 1e3


def test_pairwise_margins_are_refused():
    X4, y4 = np.tile(X, (2, 1)), np.r_[Y3, Y3 + 3]
    model = SVC(decision_function_shape="ovo").fit(X4, y4)
    with pytest.raises(ValueError, match="Got 15 columns for 6 classes.*decision_function_shape"):
        respond(model, X4, "decision_function", infer_task(y4)[0])


def test_votes():
    labels = np.array(["no", "yes"])[Y2]
    model = DecisionTreeClassifier().fit(X, labels)
    answer = respond(model, X, "predict", infer_task(labels)[0])
    np.testing.assert_array_equal(answer, np.eye(2)[Y2])


@pytest.mark.parametrize("response", ["predict", "predict_proba"])
def test_labels_that_are_not_among_the_classes(response):
    model = GaussianNB().fit(X, Y3)
    with pytest.raises(ValueError, match="predicts np.int64.2.*not among the classes of y"):
        respond(model, X, response, TWO)


def test_a_regressor_among_classifiers_counts_once():
    model = LinearRegression().fit(X, Y2)
    answer = respond(model, X, "value", TWO)
    np.testing.assert_array_equal(answer, np.repeat(model.predict(X)[:, None], 2, axis=1))


def test_a_regressor_among_classifiers_of_labels_answers_for_each():
    model = LinearRegression().fit(XL, YL)
    np.testing.assert_array_equal(respond(model, XL, "value", MULTILABEL), model.predict(XL))


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(),
        DecisionTreeClassifier(max_depth=3, random_state=0),
        MultiOutputClassifier(GaussianNB()),
        OneVsRestClassifier(GaussianNB()),
    ],
)
def test_multilabel_probabilities_are_of_the_label(model):
    answer = respond(model.fit(XL, YL), XL, "predict_proba", MULTILABEL)
    assert answer.shape == YL.shape
    for label in range(3):
        assert answer[YL[:, label] == 1, label].mean() > answer[YL[:, label] == 0, label].mean()


@pytest.mark.parametrize("present", [0, 1])
def test_a_label_that_never_varies(present):
    Y = YL.copy()
    Y[:, 1] = present
    model = DecisionTreeClassifier().fit(XL, Y)
    answer = respond(model, XL, "predict_proba", MULTILABEL, n_train=8)
    np.testing.assert_allclose(answer[:, 1], 0.9 if present else 0.1)
    assert set(respond(model, XL, "predict_proba", MULTILABEL)[:, 1]) == {float(present)}


def test_multilabel_margins_and_votes():
    model = OneVsRestClassifier(LinearSVC()).fit(XL, YL)
    margins = respond(model, XL, "decision_function", MULTILABEL)
    np.testing.assert_array_equal(margins, model.decision_function(XL))
    np.testing.assert_array_equal(respond(model, XL, "predict", MULTILABEL), model.predict(XL))
    model.fit(XL, sparse.csr_matrix(YL))
    assert sparse.issparse(model.predict(XL))
    np.testing.assert_array_equal(respond(model, XL, "predict", MULTILABEL) > 0, margins > 0)


def test_regression_targets():
    Y = np.column_stack([X[:, 0], X[:, 1] * 2])
    two = Task("regression", 2, y_ndim=2)
    model = MultiOutputRegressor(Ridge()).fit(X, Y)
    np.testing.assert_array_equal(respond(model, X, "predict", two), model.predict(X))
    with pytest.raises(ValueError, match="must predict 2 outputs.*Got 1.*MultiOutputRegressor"):
        respond(Ridge().fit(X, Y[:, 0]), X, "predict", two)


FRAME = pd.DataFrame(X, columns=list("abcde")).assign(
    f=pd.Categorical(np.where(X[:, 0] > 0, "p", "q"))
)


def fitted_booster(kind, X, y, **settings):
    lightgbm = pytest.importorskip("lightgbm")
    settings = {"n_estimators": 7, "verbose": -1, "n_jobs": 1, "random_state": 0} | settings
    return getattr(lightgbm, kind)(**settings).fit(X, y)


@pytest.mark.parametrize(
    ("kind", "X", "y", "task"),
    [
        ("LGBMClassifier", X, Y2, TWO),
        ("LGBMClassifier", X, Y3, THREE),
        ("LGBMClassifier", X.astype(np.float32), Y3, THREE),
        ("LGBMClassifier", (X * 10).astype(int), Y3, THREE),
        ("LGBMClassifier", FRAME, Y3, THREE),
        ("LGBMClassifier", sparse.csr_matrix(X), Y2, TWO),
        ("LGBMRegressor", X, X[:, 1] * 3, NUMBERS),
        ("LGBMRegressor", FRAME, X[:, 1] * 3, NUMBERS),
    ],
)
def test_boosters_are_asked_directly_with_the_same_answer(kind, X, y, task, monkeypatch):
    model = fitted_booster(kind, X, y)
    method = "predict_proba" if task.is_classification else "predict"
    expected = getattr(model, method)(X).reshape(X.shape[0], -1)
    monkeypatch.setattr(type(model), method, None)  # the wrapper is not called
    for threads in (None, 1, 2):
        answer = respond(model, X, method, task, threads=threads)
        np.testing.assert_array_equal(answer, expected)


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")  # new in LightGBM 4.7
def test_boosters_that_stopped_early():
    lightgbm = pytest.importorskip("lightgbm")
    stop = lightgbm.early_stopping(2, verbose=False)
    model = lightgbm.LGBMClassifier(n_estimators=60, verbose=-1, n_jobs=1)
    model.fit(X[:60], Y2[:60], eval_set=[(X[60:], 1 - Y2[60:])], callbacks=[stop])
    assert model.best_iteration_ < 60
    np.testing.assert_array_equal(respond(model, X, "predict_proba", TWO), model.predict_proba(X))


@pytest.mark.parametrize(
    "settings",
    [{"pred_early_stop": True, "pred_early_stop_freq": 1}, {"start_iteration_predict": 3}],
)
def test_settings_for_prediction_go_through_the_wrapper(settings):
    model = fitted_booster("LGBMClassifier", X, Y2, **settings)
    np.testing.assert_array_equal(respond(model, X, "predict_proba", TWO), model.predict_proba(X))


def test_a_custom_objective_goes_through_the_wrapper():
    def objective(y, raw):
        p = 1 / (1 + np.exp(-raw))
        return p - y, p * (1 - p)

    model = fitted_booster("LGBMClassifier", X, Y2, objective=objective)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = model.predict_proba(X)
        answer = respond(model, X, "predict_proba", TWO)
    np.testing.assert_array_equal(answer[:, 1], expected)


def test_numbers_kept_as_objects_and_votes_go_through_the_wrapper():
    model = fitted_booster("LGBMClassifier", X, Y2)
    precise = (X + 1e-9).astype(object)
    np.testing.assert_array_equal(
        respond(model, precise, "predict_proba", TWO), model.predict_proba(precise)
    )
    np.testing.assert_array_equal(respond(model, X, "predict", TWO)[:, 1], model.predict(X))


def test_polars_frames_reach_boosters():
    frame = pl.DataFrame(X, schema=list("abcde"))
    model = fitted_booster("LGBMClassifier", X, Y2)
    np.testing.assert_array_equal(
        respond(model, frame, "predict_proba", TWO), model.predict_proba(frame)
    )


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_boosters_at_the_end_of_a_pipeline_are_asked_directly(output, monkeypatch):
    booster = fitted_booster("LGBMClassifier", X, Y2)
    encoder = TabularEncoder(scale=True).set_output(transform=output)
    model = make_pipeline(encoder, "passthrough", booster).fit(FRAME, Y2)
    expected = model.predict_proba(FRAME)
    monkeypatch.setattr(type(model), "predict_proba", None)
    monkeypatch.setattr(type(booster), "predict_proba", None)
    np.testing.assert_array_equal(respond(model, FRAME, "predict_proba", TWO), expected)
    steps, final = final_lightgbm(model, "predict_proba")
    assert (steps, final) == ([model[0]], model[-1])


def test_other_pipelines_are_asked_themselves():
    assert final_lightgbm(make_pipeline(GaussianNB()), "predict_proba") is None
    assert final_lightgbm(make_pipeline("passthrough"), "predict_proba") is None
    model = make_pipeline(StandardScaler(), fitted_booster("LGBMRegressor", X, X[:, 0]))
    assert final_lightgbm(model, "value") is None


@pytest.mark.parametrize("steps", [0, 1])
def test_a_stack_of_scikit_learn_has_the_methods_of_the_default_that_it_makes_in_fit(steps):
    pairs = [("nb", GaussianNB())]
    stack = make_pipeline(*[StandardScaler()] * steps, StackingClassifier(pairs))
    X, y = np.arange(40.0)[:, None], np.arange(40) % 2
    task, _ = infer_task(y)
    response = choose_response("stack", stack, "auto", task)
    assert response == "predict_proba"
    assert respond(stack.fit(X, y), X, response, task).shape == (40, 2)
