"""Tests of what blended and stacked estimators share: parameters, fitting, copies, no traces."""

import copy
import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_html_repr
from threadpoolctl import threadpool_info

import stackens as se
from stackens.exceptions import BaseModelWarning
from tests.base_models import CountingClassifier, FailingClassifier, RecordingClassifier

X, Y = make_classification(100, 5, random_state=0)
FRAME = pd.DataFrame(X, columns=list("abcde"))
MODELS = [("lr", LogisticRegression()), ("nb", GaussianNB()), ("knn", KNeighborsClassifier(15))]
ENSEMBLES = [
    se.StackedClassifier(MODELS),
    se.StackedClassifier(MODELS, LogisticRegression(), passthrough=True),
    se.BlendedClassifier(MODELS),
]


@pytest.fixture(params=ENSEMBLES, ids=["stack", "stack with features", "blend"])
def ensemble(request):
    return clone(request.param)


# --- fitting


def test_learnt_attributes(ensemble):
    fitted = ensemble.fit(FRAME, Y)
    assert fitted is ensemble
    assert fitted.out_of_fold_ is fitted.cross_fit_.out_of_fold
    assert fitted.out_of_fold_.features is None
    assert list(fitted.named_estimators_) == ["lr", "nb", "knn"]
    assert fitted.estimators_ == [
        fitted.named_estimators_[name] for name in fitted.named_estimators_
    ]
    assert fitted.stack_method_ == ["predict_proba"] * 3
    assert fitted.n_features_in_ == 5
    assert fitted.feature_names_in_.tolist() == list("abcde")
    assert fitted.classes_.tolist() == [0, 1]
    assert fitted.score(FRAME, Y) > 0.8


def test_fitting_again_forgets(ensemble):
    first = ensemble.fit(X, Y).predict_proba(X)
    ensemble.fit(X[:50, :3], 1 - Y[:50])
    assert ensemble.n_features_in_ == 3
    np.testing.assert_array_equal(ensemble.fit(X, Y).predict_proba(X), first)


def test_fit_from_fits_no_base_model(ensemble):
    CountingClassifier.fits = 0
    models = {"counts": CountingClassifier(), "lr": LogisticRegression(), "nb": GaussianNB()}
    table = se.cross_fit(models, FRAME, Y)
    counted = CountingClassifier.fits
    assert counted == 6
    direct = clone(ensemble).set_params(estimators=models).fit(FRAME, Y)
    assert CountingClassifier.fits == 2 * counted
    again = clone(ensemble).set_params(estimators=models).fit_from(table)
    assert CountingClassifier.fits == 2 * counted
    np.testing.assert_array_equal(again.predict_proba(FRAME), direct.predict_proba(FRAME))
    assert again.feature_names_in_.tolist() == list("abcde")


def test_fit_from_takes_some_models_or_all():
    table = se.cross_fit(MODELS, X, Y)
    some = se.BlendedClassifier([("nb", GaussianNB()), ("lr", "drop")]).fit_from(table)
    assert some.out_of_fold_.names == ("nb",)
    everything = se.BlendedClassifier([]).fit_from(table)
    assert everything.out_of_fold_.names == ("lr", "nb", "knn")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: se.BlendedClassifier(MODELS).fit_from(X), TypeError, "Got ndarray. For features"),
        (
            lambda: se.BlendedRegressor([]).fit_from(se.cross_fit(MODELS, X, Y)),
            ValueError,
            "Got BlendedRegressor and a binary target. Use the classifier",
        ),
        (
            lambda: se.BlendedClassifier([("z", GaussianNB())]).fit_from(
                se.cross_fit(MODELS, X, Y)
            ),
            ValueError,
            r"Got \['lr', 'nb', 'knn'\], without \['z'\]",
        ),
        (
            lambda: se.BlendedClassifier([], weighting="nonsense").fit_from(
                se.cross_fit(MODELS, X, Y)
            ),
            ValueError,
            "The 'weighting' parameter of BlendedClassifier must be",
        ),
        (
            lambda: se.StackedClassifier([], Ridge()).fit_from(se.cross_fit(MODELS, X, Y)),
            ValueError,
            "should be a classifier",
        ),
    ],
)
def test_fit_from_what_cannot_work(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_fit_from_leaves_out_what_failed_in_the_cross_fit():
    models = {"bad": FailingClassifier(), "nb": GaussianNB(), "lr": LogisticRegression()}
    with pytest.warns(BaseModelWarning, match="'bad'"):
        table = se.cross_fit(models, X, Y, on_error="drop")
    blend = se.BlendedClassifier(models, weighting=[5, 3, 1]).fit_from(table)
    assert blend.weights_.tolist() == [0.75, 0.25]
    with pytest.raises(ValueError, match=r"Got \['nb', 'lr'\], without \['bad'\]"):
        se.BlendedClassifier([("bad", FailingClassifier())]).fit_from(table)


def test_models_that_the_combiner_cannot_read_are_refused_before_any_fit():
    CountingClassifier.fits = 0
    models = [CountingClassifier(), LinearSVC()]
    for make in (se.BlendedClassifier(models), se.StackedClassifier(models, "nnls")):
        with pytest.raises(ValueError, match=r"without predict_proba: \['linearsvc'\]. Wrap them"):
            make.fit(X, Y)
    assert CountingClassifier.fits == 0


@pytest.mark.parametrize("y", [Y, np.arange(100) % 3])
def test_a_column_called_like_a_model_is_refused_before_any_fit(y):
    CountingClassifier.fits = 0
    column = "c" if y is Y else "c_2"
    frame = FRAME.drop(columns="c").assign(**{column: 0.0})
    stack = se.StackedClassifier({"c": CountingClassifier()}, GaussianNB(), passthrough=True)
    for passthrough in (True, [column]):
        with pytest.raises(ValueError, match=f"Got \\['{column}'\\] for both. Rename"):
            clone(stack).set_params(passthrough=passthrough).fit(frame, y)
    assert CountingClassifier.fits == 0


def test_failing_models_are_left_out_end_to_end(ensemble):
    ensemble.set_params(estimators=[*MODELS, ("bad", FailingClassifier())], on_error="drop")
    ensemble.set_params(final_fit={"bad": "bag", "lr": "bag", "nb": "refit"})
    with pytest.warns(BaseModelWarning, match="'bad'"):
        ensemble.fit(X, Y)
    assert list(ensemble.named_estimators_) == ["lr", "nb", "knn"]
    assert ensemble.cross_fit_.final_fit == {"lr": "bag", "nb": "refit", "knn": "refit"}
    assert "broken on purpose" in ensemble.cross_fit_.failures["bad"]
    assert ensemble.predict(X).shape == (100,)
    assert ensemble.transform(X).shape[1] in (3, 8)


def test_final_fit_by_name_may_name_a_model_that_is_switched_off():
    blend = se.BlendedClassifier(MODELS, final_fit={"nb": "bag", "lr": "bag"})
    assert blend.set_params(nb="drop").fit(X, Y).cross_fit_.final_fit["lr"] == "bag"


# --- predicting


def test_models_without_weight_are_not_asked():
    models = {"c": CountingClassifier(), "lr": LogisticRegression()}
    blend = se.BlendedClassifier(models, weighting=[0.0, 1.0]).fit(X, Y)
    CountingClassifier.predictions = 0
    np.testing.assert_allclose(
        blend.predict_proba(X), LogisticRegression().fit(X, Y).predict_proba(X)
    )
    blend.predict(X)
    assert CountingClassifier.predictions == 0
    assert blend.transform(X).shape == (100, 2)
    assert CountingClassifier.predictions == 1


def test_an_unfitted_ensemble_says_so(ensemble):
    for method in ("predict", "predict_proba", "transform", "get_feature_names_out", "compact"):
        with pytest.raises(NotFittedError):
            getattr(ensemble, method)(*([] if method[0] in "gc" else [X]))


def test_other_columns_are_refused(ensemble):
    ensemble.fit(FRAME, Y)
    with pytest.raises(ValueError, match="feature names"):
        ensemble.predict(FRAME.rename(columns={"a": "z"}))
    with pytest.raises(ValueError, match="4 features"):
        clone(ensemble).fit(X, Y).predict(X[:, :4])


def test_compact_predicts_the_same_and_is_smaller(ensemble):
    fitted = ensemble.fit(np.tile(X, (20, 1)), np.tile(Y, 20))
    small = fitted.compact()
    np.testing.assert_array_equal(small.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(small.transform(X), fitted.transform(X))
    assert len(pickle.dumps(small)) < len(pickle.dumps(fitted)) - 2000 * 3 * 8
    assert fitted.out_of_fold_.n_samples == 2000


def test_learnt_attributes_come_with_fit(ensemble):
    for name in ("weights_", "named_estimators_", "out_of_fold_", "classes_", "final_estimator_"):
        assert not hasattr(ensemble, name)
        with pytest.raises(NotFittedError, match=f"not fitted yet, so it has no '{name}'. Call"):
            getattr(ensemble, name)
    with pytest.raises(AttributeError, match="'nonsense'"):
        _ = ensemble.nonsense
    ensemble.fit(X, Y)
    assert not hasattr(ensemble, "nonsense_")
    with pytest.raises(AttributeError, match="no attribute 'nonsense_'"):
        _ = ensemble.nonsense_


def test_weights_where_there_are_none():
    stack = se.StackedClassifier(MODELS, LogisticRegression()).fit(X, Y)
    assert not hasattr(stack, "weights_")
    with pytest.raises(AttributeError, match=r"no weights_.*MetaLearner.*Choose weights such as"):
        _ = stack.weights_


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
def test_transform_and_its_names(ensemble, output):
    fitted = ensemble.fit(FRAME, Y)
    names = fitted.get_feature_names_out().tolist()
    prefix = type(fitted).__name__.lower()
    assert names[:3] == [f"{prefix}_lr", f"{prefix}_nb", f"{prefix}_knn"]
    assert names[3:] == (list("abcde") if fitted.passthrough else [])
    table = fitted.set_output(transform=output).transform(FRAME)
    assert table.shape == (100, len(names))
    if output != "default":
        assert list(table.columns) == names
        assert isinstance(table, pd.DataFrame if output == "pandas" else pl.DataFrame)


@pytest.mark.parametrize("passthrough", [False, True, ["b", "d"], [1, -1]])
@pytest.mark.parametrize("y", [Y, np.arange(100) % 3])
@pytest.mark.parametrize(
    "frame", [FRAME, pl.DataFrame(X, schema=list("abcde")), FRAME.set_axis(range(3, 8), axis=1)]
)
def test_frames_from_transform_have_the_names_that_are_given_out(frame, y, passthrough):
    if isinstance(passthrough, list) and frame.columns[0] == 3:
        passthrough = [4, -1]  # a name comes before a position
    stack = se.StackedClassifier(MODELS, GaussianNB(), passthrough=passthrough).fit(frame, y)
    table = stack.transform(frame)
    assert type(table) is type(frame)
    assert list(table.columns) == stack.get_feature_names_out().tolist()
    again = clone(stack).set_output(transform="pandas").fit(frame, y).transform(frame)
    assert list(again.columns) == list(table.columns)
    np.testing.assert_array_equal(again.to_numpy(), table.to_numpy())


def test_names_of_transform_with_several_classes():
    y = np.arange(100) % 3
    names = se.StackedClassifier(MODELS[:2]).fit(X, y).get_feature_names_out()
    assert names.tolist()[:4] == [
        "stackedclassifier_lr0",
        "stackedclassifier_lr1",
        "stackedclassifier_lr2",
        "stackedclassifier_nb0",
    ]
    chosen = se.StackedClassifier(MODELS, LogisticRegression(), passthrough=["b", "d"])
    assert chosen.fit(FRAME, Y).get_feature_names_out().tolist()[3:] == ["b", "d"]
    chosen.set_params(passthrough=[1, 3])
    assert chosen.fit(X, Y).get_feature_names_out().tolist()[3:] == ["x1", "x3"]


# --- copies and pictures


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, by_joblib, lambda model: pickle.loads(pickle.dumps(model))]
)
def test_fitted_copies_predict_the_same(ensemble, duplicate):
    ensemble.set_params(final_fit={"nb": "bag"}).fit(X, Y)
    np.testing.assert_array_equal(duplicate(ensemble).predict_proba(X), ensemble.predict_proba(X))


def test_a_clone_is_unfitted(ensemble):
    again = clone(ensemble.fit(X, Y))
    assert not hasattr(again, "cross_fit_")
    assert str(again.get_params()) == str(ensemble.get_params())


def test_html_shows_the_models(ensemble):
    for model in (ensemble, clone(ensemble).fit(X, Y), make_pipeline(clone(ensemble))):
        html = estimator_html_repr(model)
        assert "KNeighborsClassifier" in html
        assert "GaussianNB" in html
    assert "BlendedClassifier" in estimator_html_repr(se.BlendedClassifier([("a", "drop")]))


# --- layers


def test_a_stack_can_be_a_base_model():
    inner = se.StackedClassifier(MODELS[:2], LogisticRegression(), cv=3)
    outer = se.BlendedClassifier({"stack": inner, "knn": KNeighborsClassifier(15)}, cv=3)
    outer.set_params(stack__nb="drop", stack__final_estimator__C=2.0)
    fitted = outer.fit(X, Y, sample_weight=None)
    assert fitted.score(X, Y) > 0.8
    assert fitted.named_estimators_.stack.out_of_fold_.names == ("lr",)
    assert fitted.named_estimators_.stack.final_estimator_.C == 2.0


# --- nothing of the caller's is changed


def test_arguments_are_never_changed(ensemble):
    y, weights, groups = pd.Series(Y), np.arange(1.0, 101.0), np.arange(100) // 5
    splitter = GroupShuffleSplit(3, random_state=np.random.RandomState(3))
    models = [("lr", LogisticRegression()), ("tree", DecisionTreeClassifier(max_depth=2))]
    arguments = (
        FRAME.copy(),
        y,
        weights,
        groups,
        splitter,
        models,
        ensemble.get_params(deep=False),
    )
    before = pickle.dumps(arguments)
    ensemble.set_params(estimators=models, cv=splitter, random_state=0)
    ensemble.fit(arguments[0], y, sample_weight=weights, groups=groups)
    ensemble.predict(arguments[0])
    assert not any(vars(model).keys() - model.get_params() for _, model in models)
    restored = pickle.loads(before)
    pd.testing.assert_frame_equal(arguments[0], restored[0])
    pd.testing.assert_series_equal(y, restored[1])
    np.testing.assert_array_equal(weights, restored[2])
    np.testing.assert_array_equal(groups, restored[3])
    np.testing.assert_array_equal(
        splitter.random_state.get_state()[1], restored[4].random_state.get_state()[1]
    )
    assert str(models) == str(restored[5])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_global_state_is_left_alone(ensemble, n_jobs):
    models = [*MODELS, ("tree", DecisionTreeClassifier())]
    ensemble.set_params(estimators=models, n_jobs=n_jobs, random_state=0)

    def state():
        pools = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
        return list(warnings.filters), pools, np.random.get_state()[1].tolist()  # noqa: NPY002

    ensemble.fit(X, Y).predict(np.tile(X, (11, 1)))
    before = state()
    ensemble.fit(X, Y).predict(np.tile(X, (11, 1)))
    assert state() == before
    ensemble.set_params(estimators=[*models, ("bad", FailingClassifier())])
    with pytest.raises(ValueError, match="broken on purpose"):
        ensemble.fit(X, Y)
    assert state() == before


# --- metadata routing


def test_routing_tells_what_the_ensemble_and_its_models_ask_for():
    with config_context(enable_metadata_routing=True):
        models = [("nb", GaussianNB().set_fit_request(sample_weight=True))]
        blend = se.BlendedClassifier(models).set_fit_request(sample_weight=True, groups=True)
        blend.set_score_request(sample_weight=False)
        router = blend.get_metadata_routing()
        assert router.consumes("fit", ["sample_weight", "groups"]) == {"sample_weight", "groups"}
        search = GridSearchCV(blend, {"weighting": ["uniform"]}, cv=KFold(3))
        fitted = search.fit(X, Y, sample_weight=np.arange(100.0), groups=np.arange(100) // 4)
        table = fitted.best_estimator_.out_of_fold_
        assert table.sample_weight.tolist() == np.arange(100.0).tolist()


def test_weights_reach_base_models_and_combiner():
    weights = np.arange(1.0, 101.0)
    blend = se.BlendedClassifier({"r": RecordingClassifier(), "lr": LogisticRegression()})
    blend.fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(blend.named_estimators_.r.sample_weight_, weights)
    np.testing.assert_array_equal(blend.out_of_fold_.sample_weight, weights)
