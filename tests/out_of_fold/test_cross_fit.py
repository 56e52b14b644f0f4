"""Tests of cross_fit: honest rows, models that predict, options, and nothing left behind."""

import pickle
import threading

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedKFold, TimeSeriesSplit
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from stackens.exceptions import BaseModelError, BaseModelWarning, LeakageWarning
from stackens.out_of_fold import CrossFit, FoldBag, cross_fit
from tests.base_models import (
    CountingClassifier,
    FailingClassifier,
    PlainObject,
    RecordingClassifier,
)

X, Y = make_classification(120, 6, random_state=0)
MODELS = {"lr": LogisticRegression(), "tree": DecisionTreeClassifier(max_depth=3, random_state=0)}


def test_every_row_is_predicted_by_a_model_that_did_not_see_it():
    fitted = cross_fit(MODELS, X, Y, cv=4)
    table = fitted.out_of_fold
    assert table.names == fitted.names == ("lr", "tree")
    assert table.values.shape == (120, 2, 2)
    assert table.covered.all()
    assert len(table.splits) == 4
    for train, test in table.splits:
        expected = LogisticRegression().fit(X[train], Y[train]).predict_proba(X[test])
        np.testing.assert_allclose(table.values[test, 0], expected)
    assert table.features is X
    np.testing.assert_array_equal(table.y, Y)


def test_new_rows_are_predicted_by_the_refitted_model_or_the_bag():
    fitted = cross_fit(MODELS, X, Y, final_fit={"tree": "bag"})
    assert fitted.final_fit == {"lr": "refit", "tree": "bag"}
    assert isinstance(fitted.models["tree"], FoldBag)
    new = fitted.predict(X[:7])
    np.testing.assert_allclose(
        new.values[:, 0], LogisticRegression().fit(X, Y).predict_proba(X[:7])
    )
    np.testing.assert_array_equal(new.values[:, 1], fitted.models["tree"].predict_proba(X[:7]))
    assert set(fitted.fit_seconds) == {"lr", "tree"}
    assert min(fitted.fit_seconds.values()) > 0


def test_skipped_models_are_not_asked():
    CountingClassifier.predictions = 0
    fitted = cross_fit({"lr": LogisticRegression(), "c": CountingClassifier()}, X, Y)
    before = CountingClassifier.predictions
    values = fitted.predict(X, skip=["c"]).values
    assert CountingClassifier.predictions == before
    assert (values[:, 1] == 0).all()
    assert (values[:, 0] > 0).all()


def test_a_text_is_no_list_of_names():
    fitted = cross_fit({"lr": LogisticRegression(), "l": GaussianNB()}, X, Y)
    for wrong in (lambda: fitted.select("lr"), lambda: fitted.predict(X, skip="lr")):
        with pytest.raises(TypeError, match="Got the text 'lr'. Put it into a list"):
            wrong()


def test_the_frame_says_how_each_model_was_fitted():
    fitted = cross_fit(MODELS, X, Y, final_fit={"tree": "bag"})
    frame = fitted.frame()
    assert frame.index.tolist() == ["lr", "tree"]
    assert frame["final_fit"].tolist() == ["refit", "bag"]
    assert frame["response"].tolist() == ["predict_proba"] * 2
    assert frame["fit_s"].to_dict() == fitted.fit_seconds
    assert fitted._repr_html_().startswith("<p>CrossFit with &lt;OutOfFoldTable of lr, tree:")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_many_rows_are_predicted_the_same_way(n_jobs):
    fitted = cross_fit(MODELS, X, Y, n_jobs=n_jobs)
    many = np.tile(X, (10, 1))
    np.testing.assert_array_equal(
        fitted.predict(many).values, np.tile(fitted.predict(X).values, (10, 1, 1))
    )


def test_select_and_compact_fit_nothing():
    CountingClassifier.fits = 0
    fitted = cross_fit({**MODELS, "c": CountingClassifier()}, X, Y)
    before = CountingClassifier.fits
    chosen = fitted.select(["c", "lr"])
    assert chosen.names == tuple(chosen.models) == ("c", "lr")
    np.testing.assert_array_equal(chosen.predict(X).values, fitted.predict(X).values[:, [2, 0]])
    small = fitted.compact()
    assert small.out_of_fold.n_samples == 0
    np.testing.assert_array_equal(small.predict(X).values, fitted.predict(X).values)
    assert CountingClassifier.fits == before
    with pytest.raises(ValueError, match="no model named"):
        fitted.select(["z"])


@pytest.mark.parametrize(
    "container",
    [pd.DataFrame, pl.DataFrame, sparse.csr_matrix, sparse.coo_array, np.ndarray.tolist],
)
def test_features_in_any_container(container):
    models = {"lr": LogisticRegression(), "nb": MultinomialNB()}
    values = cross_fit(models, container(np.abs(X)), Y).out_of_fold.values
    expected = cross_fit(models, np.abs(X), Y).out_of_fold.values
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_frames_reach_base_models_untouched():
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(g=pd.Categorical(np.where(Y, "p", "q")))
    fitted = cross_fit({"r": RecordingClassifier()}, frame, Y, final_fit="refit")
    assert fitted.models["r"].X_ is frame
    bag = cross_fit({"r": RecordingClassifier()}, frame, Y, final_fit="bag").models["r"]
    assert all(list(model.X_.dtypes) == list(frame.dtypes) for model in bag.models)


def test_partial_coverage():
    fitted = cross_fit(
        {"hgb": HistGradientBoostingClassifier(max_iter=5), "lr": LogisticRegression()},
        X, Y, cv=TimeSeriesSplit(3),
    )  # fmt: skip
    assert set(fitted.final_fit.values()) == {"refit"}
    assert fitted.out_of_fold.covered.sum() == 90
    assert np.isnan(fitted.out_of_fold.values[:30]).all()
    assert fitted.out_of_fold.covered_rows().n_samples == 90


def test_repeats():
    once = cross_fit({"lr": LogisticRegression()}, X, Y, cv=RepeatedKFold(n_splits=3, n_repeats=2))
    assert len(once.out_of_fold.splits) == 6
    np.testing.assert_allclose(once.out_of_fold.values.sum(axis=2), 1)


@pytest.mark.parametrize(
    ("y", "expected"), [(np.arange(120), "regression"), (X[:, 0], "regression")]
)
def test_regressors_alone_mean_regression(y, expected):
    models = [Ridge(), KNeighborsRegressor()]
    assert cross_fit(models, X, y).task.kind == expected
    assert cross_fit(models, X, Y, classification=True).task.kind == "binary"
    assert cross_fit([Ridge(), GaussianNB()], X, Y).out_of_fold.response == (
        "value",
        "predict_proba",
    )


def test_several_targets_and_labels():
    XR, YR = make_regression(60, 4, n_targets=2, random_state=0)
    assert cross_fit([Ridge()], XR, YR).predict(XR).values.shape == (60, 1, 2)
    XL, YL = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    fitted = cross_fit([KNeighborsClassifier(), DecisionTreeClassifier(max_depth=2)], XL, YL)
    assert fitted.out_of_fold.values.shape == (60, 2, 3)
    assert fitted.out_of_fold.target.shape == (60, 3)


def test_models_without_anything_from_scikit_learn():
    fitted = cross_fit({"plain": PlainObject(), "svc": LinearSVC()}, X, Y)
    assert fitted.out_of_fold.response == ("predict", "decision_function")
    assert fitted.predict(X[:3]).values.shape == (3, 2, 2)


def test_a_selector_before_a_forest_does_not_leak_through_out_of_bag_rows():
    claims = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        noise, coin = rng.normal(size=(100, 300)), rng.integers(0, 2, 100)
        forest = RandomForestClassifier(50, random_state=seed)
        fitted = cross_fit(
            {"selected": make_pipeline(SelectKBest(k=5), forest)}, noise, coin, out_of_bag=True
        )
        assert fitted.final_fit == {"selected": "refit"}
        claims.append(roc_auc_score(coin, fitted.out_of_fold.values[:, 0, 1]))
    # out-of-bag rows of the same pipeline claim about 0.8 here
    assert abs(np.mean(claims) - 0.5) < 0.1


def test_out_of_bag_with_groups_is_switched_off_and_groups_are_kept_apart():
    groups = np.arange(120) // 10
    forest = {"rf": RandomForestClassifier(50, random_state=0)}
    assert cross_fit(forest, X, Y).final_fit == {"rf": "out_of_bag"}
    with pytest.warns(LeakageWarning, match="switched off for 'rf'"):
        fitted = cross_fit(forest, X, Y, groups=groups, out_of_bag=True)
    assert fitted.final_fit == {"rf": "refit"}
    assert cross_fit(forest, X, Y, groups=groups).final_fit == {"rf": "refit"}
    for train, test in fitted.out_of_fold.splits:
        assert set(groups[train]).isdisjoint(groups[test])


def test_integer_weights_count_as_repeated_rows_for_a_refit():
    weights = np.arange(120) % 3
    weighted = cross_fit({"nb": GaussianNB()}, X, Y, sample_weight=weights).models["nb"]
    repeated = GaussianNB().fit(np.repeat(X, weights, axis=0), np.repeat(Y, weights))
    np.testing.assert_allclose(weighted.theta_, repeated.theta_)


def test_weights_reach_models_inside_pipelines_fold_by_fold():
    weights = np.arange(120.0)
    pipe = make_pipeline("passthrough", RecordingClassifier())
    fitted = cross_fit({"p": pipe}, X, Y, sample_weight=weights, final_fit="bag")
    for (train, _), model in zip(fitted.out_of_fold.splits, fitted.models["p"].models, strict=True):
        np.testing.assert_array_equal(model[-1].sample_weight_, weights[train])


def test_failing_models_are_dropped_end_to_end():
    models = {**MODELS, "bad": FailingClassifier()}
    with pytest.raises(BaseModelError, match=r"'bad' \(FailingClassifier\) failed in"):
        cross_fit(models, X, Y)
    with pytest.warns(BaseModelWarning, match="Left out: Base model 'bad'"):
        fitted = cross_fit(models, X, Y, on_error="drop", final_fit={"bad": "bag", "lr": "bag"})
    assert fitted.names == tuple(fitted.models) == ("lr", "tree")
    assert fitted.final_fit == {"lr": "bag", "tree": "refit"}
    assert list(fitted.failures) == ["bad"]
    assert fitted.predict(X[:2]).n_models == 2


def test_the_representation_is_one_line():
    fitted = cross_fit(MODELS, X, Y)
    table = "<OutOfFoldTable of lr, tree: binary, 120 rows, 5 folds>"
    assert repr(fitted) == f"<CrossFit with {table}>"
    with pytest.warns(BaseModelWarning):
        some = cross_fit({**MODELS, "bad": FailingClassifier()}, X, Y, on_error="drop")
    assert repr(some) == f"<CrossFit with {table}, left out: ['bad']>"


@pytest.mark.parametrize("library", [pd, pl])
def test_new_rows_have_the_columns_of_the_training_rows(library):
    frame = library.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    fitted = cross_fit({"c": CountingClassifier()}, frame, Y)  # looks at the first column only
    assert fitted.predict(frame[["a", "b"]]).n_samples == 120
    with pytest.raises(ValueError, match=r"in their order. Got another order. Use X\[columns\]"):
        fitted.predict(frame[["b", "a"]])
    with pytest.raises(ValueError, match=r"Got missing columns \['b'\] and new ones \[\]"):
        fitted.predict(frame[["a"]])


def test_the_check_comes_before_any_fit():
    seen = []

    def check(table):
        seen.append(table)
        raise RuntimeError("enough")

    CountingClassifier.fits = 0
    with pytest.raises(RuntimeError, match="enough"):
        cross_fit({"c": CountingClassifier(), "svc": LinearSVC()}, X, Y, check=check)
    assert CountingClassifier.fits == 0
    assert seen[0].names == ("c", "svc")
    assert seen[0].response == ("predict_proba", "decision_function")
    assert seen[0].values.shape == (120, 2, 2)
    assert seen[0].values.strides == (0, 0, 0)  # nothing in memory
    assert seen[0].features is X
    assert seen[0].y is Y


def test_rows_without_a_group_are_refused():
    groups = np.array(["a", "b", None] * 40, dtype=object)
    with pytest.raises(ValueError, match="group of each row. Got 40 missing ones. Give those"):
        cross_fit(MODELS, X, Y, groups=groups)


def test_prefit_models_are_used_as_they_are_with_a_warning():
    model = LogisticRegression().fit(X[:60], Y[:60])
    with pytest.warns(LeakageWarning, match=r"\['lr'\] are already fitted.*never seen"):
        fitted = cross_fit({"lr": model}, X[60:], Y[60:], cv="prefit")
    assert fitted.models["lr"] is model
    assert fitted.final_fit == {"lr": "frozen"}
    np.testing.assert_array_equal(fitted.out_of_fold.values[:, 0], model.predict_proba(X[60:]))
    with pytest.raises(NotFittedError):
        cross_fit({"lr": LogisticRegression()}, X, Y, cv="prefit")


def test_a_frozen_model_stands_beside_others():
    model = GaussianNB().fit(X, Y)
    with pytest.warns(LeakageWarning, match=r"\['nb'\] are already fitted"):
        fitted = cross_fit({"nb": FrozenEstimator(model), "lr": LogisticRegression()}, X, Y)
    assert fitted.final_fit == {"nb": "frozen", "lr": "refit"}
    np.testing.assert_array_equal(fitted.out_of_fold.values[:, 0], model.predict_proba(X))


def test_a_frozen_model_at_the_end_of_a_pipeline_gets_the_warning_too():
    pipe = make_pipeline("passthrough", FrozenEstimator(GaussianNB().fit(X, Y)))
    with pytest.warns(LeakageWarning, match=r"\['nb__frozenestimator'\] are already fitted"):
        assert cross_fit({"nb": pipe}, X, Y).final_fit == {"nb": "refit"}


def test_frozen_models_inside_a_voting_or_bagging_ensemble_get_the_warning_too():
    frozen = FrozenEstimator(DecisionTreeClassifier(random_state=0).fit(X, Y))
    models = {
        "votes": VotingClassifier([("tree", frozen), ("lr", LogisticRegression())]),
        "bagged": BaggingClassifier(frozen, 3, random_state=0),
    }
    with pytest.warns(LeakageWarning, match=r"\['votes__tree', 'bagged__estimator'\] are already"):
        cross_fit(models, X, Y)


def test_metadata_routing_without_any_metadata():
    with config_context(enable_metadata_routing=True):
        assert cross_fit(MODELS, X, Y).names == ("lr", "tree")


def test_pickle():
    fitted = cross_fit(MODELS, X, Y, final_fit="bag")
    again = pickle.loads(pickle.dumps(fitted))
    assert isinstance(again, CrossFit)
    np.testing.assert_array_equal(again.predict(X).values, fitted.predict(X).values)
    np.testing.assert_array_equal(again.out_of_fold.values, fitted.out_of_fold.values)


def test_a_few_rows_start_no_threads_in_a_forest():
    forest = RandomForestClassifier(10, n_jobs=-1, random_state=0, bootstrap=False)
    fitted = cross_fit({"rf": forest}, X, Y, cv=2)
    threads = []

    class Watched(type(fitted.models["rf"].estimators_[0])):
        def predict_proba(self, X, check_input=True):
            threads.append(threading.get_ident())
            return super().predict_proba(X, check_input)

    for tree in fitted.models["rf"].estimators_:
        tree.__class__ = Watched
    fitted.predict(X[:5])
    assert threads == [threading.get_ident()] * 10
