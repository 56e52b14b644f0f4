"""Tests of routing: which metadata reaches which base model."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import MetadataRouter

from stackens import BlendedClassifier, StackedClassifier
from stackens._core._sklearn import routing_enabled
from stackens.exceptions import BaseModelError
from stackens.out_of_fold import add_members, cross_fit, fit_model, weight_params
from stackens.out_of_fold._routing import _parts, route_fit
from stackens.preprocessing import TabularEncoder

WEIGHTS = np.arange(4.0)
GROUPS = np.array([0, 0, 1, 1])


class TakesAnything(GaussianNB):
    def fit(self, X, y, **params):
        return super().fit(X, y, **params)


class ScalesAtOnce(StandardScaler):
    """Takes weights in fit, but a Pipeline calls fit_transform."""

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X)


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (GaussianNB(), ["sample_weight"]),
        (TakesAnything(), ["sample_weight"]),
        (make_pipeline(PCA(), GaussianNB()), ["gaussiannb__sample_weight"]),
        (make_pipeline("passthrough", TakesAnything()), ["takesanything__sample_weight"]),
        (
            make_pipeline(PCA(), StandardScaler(), GaussianNB()),
            ["gaussiannb__sample_weight", "standardscaler__sample_weight"],
        ),
        (
            make_pipeline(PCA(), make_pipeline(TabularEncoder(), Ridge())),
            ["pipeline__ridge__sample_weight", "pipeline__tabularencoder__sample_weight"],
        ),
        (make_pipeline(ScalesAtOnce(), Ridge()), ["ridge__sample_weight"]),
        (GridSearchCV(GaussianNB(), {}), ["sample_weight"]),
        (GridSearchCV(make_pipeline(PCA(), Ridge()), {}), ["ridge__sample_weight"]),
        (TransformedTargetRegressor(make_pipeline(PCA(), Ridge())), ["ridge__sample_weight"]),
        (TransformedTargetRegressor(), ["sample_weight"]),
    ],
)
def test_weights_find_the_model_and_the_steps_before_it(model, keys):
    found = weight_params(model, WEIGHTS)
    assert sorted(found) == keys
    assert all(value is WEIGHTS for value in found.values())
    X = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 3.0], [4.0, 2.0]])
    if not isinstance(model, GridSearchCV):
        model.fit(X, GROUPS, **found)


def test_a_weight_counts_as_rows_all_the_way():
    rng = np.random.default_rng(0)
    X, y, weights = rng.normal(size=(30, 2)), rng.normal(size=30), rng.integers(0, 4, 30)
    model = make_pipeline(StandardScaler(), TabularEncoder(scale=True), Ridge())
    predicted = model.fit(X, y, **weight_params(model, weights)).predict(X)
    repeated = clone(model).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(predicted, repeated.predict(X))


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        GridSearchCV(KNeighborsClassifier(), {}),
        make_pipeline(StandardScaler(), "passthrough"),
        make_pipeline(StandardScaler(), OneVsRestClassifier(KNeighborsClassifier())),
    ],
)
def test_models_without_weights(model):
    with pytest.raises(
        TypeError, match=r"does not support sample weights\. Leave sample_weight out"
    ):
        weight_params(model, WEIGHTS)


def exact(**settings):
    return LogisticRegression(max_iter=1000, tol=1e-9, **settings)


@pytest.mark.parametrize(
    "model",
    [
        OneVsRestClassifier(exact()),
        make_pipeline(StandardScaler(), OneVsRestClassifier(make_pipeline(PCA(), exact()))),
        ClassifierChain(exact()),
        GridSearchCV(OneVsRestClassifier(exact()), {"estimator__C": [2.0]}, cv=2),
    ],
)
def test_weights_reach_models_that_are_only_routed_to(model):
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(60, 3)), rng.integers(1, 4, 60)
    Y = (X[:, :2] + rng.normal(size=(60, 2)) > 0).astype(int)
    found, repeated = clone(model), clone(model)
    fit_model(found, X, Y, weight_params(found, weights))
    repeated.fit(np.repeat(X, weights, axis=0), np.repeat(Y, weights, axis=0))
    difference = found.predict_proba(X) - repeated.predict_proba(X)
    np.testing.assert_allclose(difference, 0.0, atol=1e-6)
    assert all("_metadata_request" not in vars(part) for part in _parts(found))
    assert not routing_enabled()


def test_requests_of_the_user_stay():
    X, Y = np.eye(6), np.arange(6) % 3
    model = OneVsRestClassifier(exact())
    with config_context(enable_metadata_routing=True):
        model.estimator.set_fit_request(sample_weight=False)
    request = model.estimator._metadata_request
    fit_model(model, X, Y, {"sample_weight": np.ones(6)})
    assert model.estimator._metadata_request is request


def test_no_model_goes_without_weights_where_they_are_routed():
    X, y, weights = np.eye(6), np.arange(6) % 3, np.arange(1.0, 7.0)
    only_routed, without = OneVsRestClassifier(exact()), KNeighborsClassifier(2)
    vote = VotingClassifier([("a", without), ("b", only_routed)])
    with pytest.raises(TypeError, match="KNeighborsClassifier does not support sample weights"):
        fit_model(vote, X, y, weight_params(vote, weights))
    calibrated = CalibratedClassifierCV(OneVsRestClassifier(without), cv=2)
    with pytest.warns(UserWarning, match="will only be used for the calibration itself"):
        fit_model(calibrated, X, y, {"sample_weight": weights})


def test_what_is_frozen_is_left_alone():
    X, y = np.eye(6), np.arange(6) % 3
    frozen = OneVsRestClassifier(exact()).fit(X, y)
    request = frozen.estimators_[0]._metadata_request = frozen.estimator._get_metadata_request()
    others = [("a", OneVsRestClassifier(exact())), ("b", FrozenEstimator(frozen))]
    model = VotingClassifier(others)
    assert not any(part is frozen for part in _parts(model))
    fit_model(model, X, y, {"sample_weight": np.ones(6)})
    assert frozen.estimators_[0]._metadata_request is request
    assert list(_parts(others[1][1])) == [others[1][1]]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # other defaults of LogisticRegressionCV
def test_models_that_hand_their_score_on_take_weights():
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 3
    model = OneVsRestClassifier(LogisticRegressionCV(cv=2, Cs=2, scoring=lambda model, X, y: 1.0))
    fit_model(model, X, y, weight_params(model, np.ones(30)))
    assert model.predict(X).shape == (30,)


def test_named_scorers_need_requests_where_weights_are_routed():
    X, y = np.eye(12), np.arange(12) % 3
    search = GridSearchCV(OneVsRestClassifier(exact()), {}, scoring="accuracy", cv=2)
    with pytest.raises(BaseModelError, match="Requests count after sklearn.set_config"):
        cross_fit({"a": search}, X, y, cv=2, sample_weight=np.ones(12))


def test_without_routing_weights_go_to_all():
    pairs = [("a", GaussianNB()), ("b", make_pipeline(LogisticRegression()))]
    fit, split = route_fit(pairs, 5, WEIGHTS, GROUPS, None)
    assert fit == {
        "a": {"sample_weight": WEIGHTS},
        "b": {"logisticregression__sample_weight": WEIGHTS},
    }
    assert split == {}
    assert route_fit(pairs, 5, None, None, {}) == ({"a": {}, "b": {}}, {})


def test_other_metadata_needs_routing():
    with pytest.raises(ValueError, match=r"Passing \['prior'\].*enable_metadata_routing=True"):
        route_fit([("a", GaussianNB())], 5, None, None, {"prior": 1})


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_with_routing_each_model_gets_what_it_asked_for():
    pairs = [
        ("wants", GaussianNB().set_fit_request(sample_weight=True)),
        ("renamed", GaussianNB().set_fit_request(sample_weight="other")),
        ("not", GaussianNB().set_fit_request(sample_weight=False)),
        ("cannot", KNeighborsClassifier()),
    ]
    other = WEIGHTS * 2
    fit, split = route_fit(pairs, 5, WEIGHTS, None, {"other": other})
    assert fit == {
        "wants": {"sample_weight": WEIGHTS},
        "renamed": {"sample_weight": other},
        "not": {},
        "cannot": {},
    }
    assert split == {}


@pytest.mark.usefixtures("routing")
def test_with_routing_groups_reach_the_splitter():
    _, split = route_fit([("a", GaussianNB())], GroupKFold(2), None, GROUPS, None)
    assert split == {"groups": GROUPS}
    assert route_fit([("a", GaussianNB())], KFold(2), None, GROUPS, None)[1] == {}
    assert route_fit([("a", GaussianNB())], 5, None, GROUPS, None)[1] == {}


@pytest.mark.usefixtures("routing")
def test_with_routing_metadata_for_nobody_is_an_error():
    with pytest.raises(TypeError, match="prior"):
        route_fit([("a", GaussianNB())], 5, None, None, {"prior": 1})


def test_add_members_tells_the_router_about_models_and_splitter():
    router = add_members(MetadataRouter(owner="test"), [("a", GaussianNB())], GroupKFold(2))
    assert router.consumes("fit", ["sample_weight", "groups"]) == {"groups"}


def test_errors_of_routing_name_who_was_asked():
    pairs = [("nb", GaussianNB())]
    with config_context(enable_metadata_routing=True):
        with pytest.raises(TypeError, match="^Stack.fit got unexpected argument.*'foo'"):
            route_fit(pairs, 5, None, None, {"foo": 3}, "Stack")
        with pytest.raises(UnsetMetadataPassedError, match="GaussianNB.fit.*within Stack.fit"):
            route_fit(pairs, 5, WEIGHTS, None, None, "Stack")


@pytest.mark.parametrize("make", [StackedClassifier, BlendedClassifier])
def test_errors_of_routing_name_the_ensemble(make):
    X, y = np.arange(20.0)[:, None], np.arange(20) % 2
    with config_context(enable_metadata_routing=True):
        with pytest.raises(TypeError, match=f"^{make.__name__}.fit got unexpected argument.*'foo'"):
            make([("nb", GaussianNB())]).fit(X, y, foo=3)
        with pytest.raises(UnsetMetadataPassedError, match=f"used within {make.__name__}.fit"):
            make([("nb", GaussianNB())]).fit(X, y, sample_weight=np.ones(20))
