"""Tests of the jobs: one fit each, out-of-bag rows, bounded threads, failures by name."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from stackens._core._task import infer_task
from stackens.exceptions import BaseModelError, BaseModelTypeError
from stackens.out_of_fold._jobs import (
    Data,
    Member,
    fit_fold,
    fit_full,
    fit_out_of_bag,
    predict_frozen,
)
from tests.base_models import FailingClassifier, RecordingClassifier

X, Y = make_classification(80, 5, random_state=0)
TRAIN, TEST = np.arange(60), np.arange(60, 80)


def data_of(X=X, y=Y, classification=None):
    task, y = infer_task(y, classification=classification)
    return Data(X, y, task)


def member_of(model, policy="refit", response="predict_proba", **fit_params):
    return Member("m", model, response, policy, fit_params)


def one_fold(member, data, threads=None, on_error="raise"):
    return fit_fold(member, data, TRAIN, TEST, "fold 1 of 4", threads, on_error)


def test_a_fold_is_fitted_on_one_part_and_predicts_the_other():
    model = GaussianNB()
    fitted = one_fold(member_of(model), data_of())
    expected = GaussianNB().fit(X[TRAIN], Y[TRAIN]).predict_proba(X[TEST])
    np.testing.assert_array_equal(fitted.values, expected)
    assert fitted.model is None
    assert fitted.error is None
    assert fitted.seconds > 0
    assert not hasattr(model, "classes_")


def test_the_address_of_the_rows_does_not_change_the_fit():
    """Dask puts the arrays that it sends at any address."""
    oddly_placed = np.empty(X.nbytes + 1, dtype=np.uint8)[1:].view(X.dtype).reshape(X.shape)
    oddly_placed[:] = X
    assert not oddly_placed.flags.aligned
    here, there = (
        fit_full(member_of(LogisticRegression()), data_of(rows), None, "raise").model.coef_
        for rows in (X, oddly_placed)
    )
    np.testing.assert_array_equal(here, there)


def test_fold_models_are_kept_for_a_bag():
    assert one_fold(member_of(GaussianNB(), "bag"), data_of()).model.classes_.tolist() == [0, 1]


def test_what_a_model_gets_is_cut_by_row_and_nothing_else():
    frame = pd.DataFrame(X).assign(c=pd.Categorical(np.where(Y, "p", "q")))
    y = pd.Series(np.where(Y, "yes", "no"), index=np.arange(80) + 5)
    weights = np.arange(80.0)
    member = member_of(RecordingClassifier(), "bag", sample_weight=weights)
    model = one_fold(member, data_of(frame, y)).model
    pd.testing.assert_frame_equal(model.X_, frame.iloc[TRAIN])
    pd.testing.assert_series_equal(model.y_, y.iloc[TRAIN])
    np.testing.assert_array_equal(model.sample_weight_, weights[TRAIN])


def test_a_full_fit_gets_everything_as_it_is():
    data = data_of()
    fitted = fit_full(member_of(RecordingClassifier()), data, None, "raise")
    assert fitted.model.X_ is X
    assert fitted.model.y_ is Y
    assert fitted.values is None


@pytest.mark.parametrize("given", [-1, 8, 1, None])
def test_threads_of_a_model_are_bounded_while_it_works(given):
    model = RecordingClassifier(n_jobs=given)
    fitted = one_fold(member_of(model, "bag"), data_of(), threads=2).model
    assert fitted.n_jobs_in_fit_ == {-1: 2, 8: 2, 1: 1, None: None}[given]
    assert fitted.n_jobs == model.n_jobs == given
    assert one_fold(member_of(model, "bag"), data_of()).model.n_jobs_in_fit_ == given


def test_threads_are_bounded_inside_a_pipeline_and_while_predicting():
    class Watching(RecordingClassifier):
        def predict_proba(self, X):
            self.n_jobs_in_predict_ = self.n_jobs
            return super().predict_proba(X)

    pipe = make_pipeline(StandardScaler(), Watching(n_jobs=-1))
    fitted = one_fold(member_of(pipe, "bag"), data_of(), threads=3).model
    assert (fitted[-1].n_jobs_in_fit_, fitted[-1].n_jobs_in_predict_) == (3, 3)
    assert fitted[-1].n_jobs == -1


@pytest.mark.parametrize("package", ["lightgbm", "xgboost"])
def test_boosters_that_were_not_told_get_their_share_of_the_cores(package, monkeypatch):
    module = pytest.importorskip(package)
    kind = module.LGBMClassifier if package == "lightgbm" else module.XGBClassifier
    seen, fit = [], kind.fit

    def watching(self, *args, **kwargs):
        seen.append(self.n_jobs)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(kind, "fit", watching)
    quiet = {"verbose": -1} if package == "lightgbm" else {"verbosity": 0}
    model = one_fold(member_of(kind(n_estimators=2, **quiet), "bag"), data_of(), threads=2).model
    assert seen == [2]
    assert model.n_jobs is None


@pytest.mark.parametrize("kind", [RandomForestClassifier, BaggingClassifier])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_out_of_bag_rows_are_the_forest_s_own(kind, in_pipeline):
    forest = kind(n_estimators=60, random_state=0)
    model = make_pipeline(StandardScaler(), forest) if in_pipeline else forest
    fitted = fit_out_of_bag(member_of(model, "out_of_bag"), data_of(), None, "raise")
    alone = kind(n_estimators=60, random_state=0, oob_score=True)
    alone.fit(StandardScaler().fit_transform(X) if in_pipeline else X, Y)
    np.testing.assert_array_equal(fitted.values, alone.oob_decision_function_)
    inner = fitted.model[-1] if in_pipeline else fitted.model
    assert inner.oob_score is False
    assert not [name for name in vars(inner) if name.startswith("oob_") and name != "oob_score"]


def test_out_of_bag_scores_that_were_asked_for_stay():
    forest = RandomForestClassifier(60, random_state=0, oob_score=True)
    fitted = fit_out_of_bag(member_of(forest, "out_of_bag"), data_of(), None, "raise")
    assert fitted.model.oob_score_ > 0.5
    np.testing.assert_array_equal(fitted.values, fitted.model.oob_decision_function_)
    assert fitted.values is not fitted.model.oob_decision_function_


def test_out_of_bag_votes():
    forest = RandomForestClassifier(60, random_state=0)
    votes = fit_out_of_bag(
        member_of(forest, "out_of_bag", "predict"), data_of(), None, "raise"
    ).values
    proba = fit_out_of_bag(member_of(forest, "out_of_bag"), data_of(), None, "raise").values
    np.testing.assert_array_equal(votes, np.eye(2)[proba.argmax(axis=1)])


@pytest.mark.parametrize("n_targets", [1, 2])
def test_out_of_bag_values(n_targets):
    y = X[:, :n_targets] * 2.5 if n_targets == 2 else X[:, 0] * 2.5
    forest = RandomForestRegressor(60, random_state=0)
    member = member_of(forest, "out_of_bag", "predict")
    fitted = fit_out_of_bag(member, data_of(y=y), None, "raise")
    alone = RandomForestRegressor(60, random_state=0, oob_score=True).fit(X, y)
    np.testing.assert_array_equal(fitted.values, alone.oob_prediction_.reshape(80, n_targets))


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize(
    ("model", "y"),
    [
        (RandomForestClassifier(3, random_state=0), Y),
        (BaggingClassifier(n_estimators=3, random_state=0), Y),
        (RandomForestRegressor(3, random_state=0), np.zeros(80)),
        (RandomForestRegressor(3, random_state=0), X[:, 0]),
    ],
)
def test_rows_that_were_never_out_of_bag_are_nan(model, y):
    response = "predict" if isinstance(model, RandomForestRegressor) else "predict_proba"
    data = data_of(y=y, classification=response != "predict")
    fitted = fit_out_of_bag(member_of(model, "out_of_bag", response), data, None, "raise")
    drawn = fitted.model.estimators_samples_
    never = np.array([all(row in rows for rows in drawn) for row in range(80)])
    assert 0 < never.sum() < 40
    np.testing.assert_array_equal(np.isnan(fitted.values).all(axis=1), never)
    assert np.isfinite(fitted.values[~never]).all()


def test_a_frozen_model_is_only_asked():
    model = GaussianNB().fit(X[TRAIN], Y[TRAIN])
    fitted = predict_frozen(member_of(model, "frozen"), data_of(), None, "raise")
    assert fitted.model is model
    np.testing.assert_array_equal(fitted.values, model.predict_proba(X))


@pytest.mark.parametrize(
    ("error", "caught"), [(ValueError, BaseModelError), (TypeError, BaseModelTypeError)]
)
@pytest.mark.parametrize("fit", ["fold", "full", "out_of_bag", "frozen"])
def test_failures_say_model_place_cause_and_what_to_do(error, caught, fit):
    member = member_of(FailingClassifier(error))
    place = {"fold": "fold 1 of 4", "full": "the fit on all rows"}.get(fit, "")

    def run(on_error):
        if fit == "fold":
            return one_fold(member, data_of(), on_error=on_error)
        job = {"full": fit_full, "out_of_bag": fit_out_of_bag, "frozen": predict_frozen}[fit]
        return job(member, data_of(), None, on_error)

    if fit in ("fold", "full"):
        message = (
            rf"'m' \(FailingClassifier\) failed in {place}: {error.__name__}: broken on purpose"
        )
        with pytest.raises(caught, match=message + ".*on_error='drop'") as raised:
            run("raise")
        assert isinstance(raised.value.__cause__, error)
    else:
        with pytest.raises(BaseModelError, match="failed in (the out-of-bag fit|its predictions)"):
            run("raise")
    collected = run("drop")
    assert collected.model is None
    assert isinstance(collected.error, BaseModelError)


def test_predictions_that_are_not_finite_are_failures():
    with pytest.raises(BaseModelError, match="NaN or infinite values for 20 of 20 rows"):
        one_fold(member_of(FailingClassifier(nan=True)), data_of())


class Sure(GaussianNB):
    """Answers one row of probabilities for every row."""

    answer = (0.5, 0.5)

    def predict_proba(self, X):
        return np.tile(self.answer, (len(X), 1))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((-1.0, 2.0), r"outside \[0, 1\] for 20 of 20 rows \(from -1 to 2; margins"),
        ((-0.01, 1.01), r"outside \[0, 1\] for 20 of 20 rows \(from -0.01"),
    ],
)
def test_probabilities_that_are_none_are_failures(answer, message, monkeypatch):
    monkeypatch.setattr(Sure, "answer", answer)
    rows, frozen = data_of(X[:20], Y[:20]), member_of(Sure().fit(X, Y), "frozen")
    with pytest.raises(BaseModelError, match=message):
        one_fold(member_of(Sure()), data_of())
    with pytest.raises(BaseModelError, match=message):
        predict_frozen(frozen, rows, None, "raise")


@pytest.mark.parametrize("answer", [(-1e-7, 1 + 1e-7), (0.0, 1.0), (0.0, 0.0), (0.9, 0.8)])
def test_rounding_is_no_failure_and_sums_may_differ_from_one(answer, monkeypatch):
    monkeypatch.setattr(Sure, "answer", answer)
    fitted = one_fold(member_of(Sure()), data_of())
    np.testing.assert_array_equal(fitted.values, np.tile(answer, (20, 1)))


def test_labels_are_independent_of_each_other():
    labels = np.column_stack([Y, Y, 1 - Y])
    model = DecisionTreeClassifier(max_depth=2, random_state=0)
    fitted = one_fold(member_of(model), data_of(y=labels))
    assert fitted.values.sum(axis=1).max() > 1.5


@pytest.mark.parametrize("response", ["decision_function", "predict"])
def test_other_responses_may_be_any_number(response):
    data = data_of() if response == "decision_function" else data_of(y=X[:, 0] * 9.5)
    model = LogisticRegression(C=99) if response == "decision_function" else LinearRegression()
    assert np.ptp(one_fold(member_of(model, response=response), data).values) > 2


def test_long_messages_are_cut():
    class Prints(GaussianNB):
        def fit(self, X, y):
            raise ValueError(f"cannot read {X.tolist()}")

    with pytest.raises(BaseModelError, match=r"cannot read \[\[.* \.\.\. Fix or remove") as caught:
        one_fold(member_of(Prints()), data_of())
    assert len(str(caught.value)) < 900
    assert len(str(caught.value.__cause__)) > 3000


def test_what_helps_against_errors_of_other_libraries():
    class Numbered(GaussianNB):
        def fit(self, X, y):
            raise ValueError("Invalid classes inferred from unique values of `y`.  Expected: [0 1]")

    with pytest.raises(BaseModelError, match=r"number them with sklearn.*LabelEncoder.* Fix or"):
        one_fold(member_of(Numbered()), data_of())


def test_models_that_do_not_return_themselves():
    class Silent(LogisticRegression):
        def fit(self, X, y):
            super().fit(X, y)

    assert one_fold(member_of(Silent(), "bag"), data_of()).model.coef_.shape == (1, 5)


def test_thread_settings_survive_a_model_that_fails():
    class Failing(SVC):
        def __init__(self, n_jobs=-1):
            super().__init__()
            self.n_jobs = n_jobs

        def fit(self, X, y):
            raise ValueError(f"with {self.n_jobs}")

    with pytest.raises(BaseModelError, match="with 1"):
        one_fold(member_of(Failing()), data_of(), threads=1)


@pytest.mark.parametrize(
    "column", [["a", "b"] * 40, np.where(np.arange(80) % 3, 1.0, np.nan)], ids=["text", "missing"]
)
@pytest.mark.parametrize("model", ["logistic", "lightgbm", "xgboost"])
def test_text_and_missing_values_have_a_remedy(column, model):
    """Boosted trees take missing values, and say other things of text than scikit-learn does."""
    kind = LogisticRegression
    if model != "logistic":
        kind = getattr(
            pytest.importorskip(model), {"lightgbm": "LGBMClassifier"}.get(model, "XGBClassifier")
        )
    frame = pd.DataFrame({"c": column})
    quiet = {"verbose": -1} if model == "lightgbm" else {}
    if model != "logistic" and frame["c"].dtype == float:
        one_fold(member_of(kind(**quiet)), data_of(frame, Y))
        return
    with pytest.raises(BaseModelError, match=r"[.] Put a stackens.TabularEncoder before it"):
        one_fold(member_of(kind(**quiet)), data_of(frame, Y))
