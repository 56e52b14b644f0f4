"""Tests of telling teachers apart: what is fitted again, what labels as it is, what is refused."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stackens as se
from stackens.distillation.teachers import EnsembleTeacher, resolve_teacher
from stackens.distillation.teachers._ensembles import CrossFitTeacher
from stackens.distillation.teachers._estimators import EstimatorTeacher, QuantileTeacher
from stackens.distillation.teachers._frozen import FrozenTeacher
from stackens.distillation.teachers._given import GivenTeacher

PAIRS = [("nb", GaussianNB()), ("lr", LogisticRegression())]
X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


class Booster:
    """Predicts, and cannot be fitted."""

    def predict(self, X):
        return np.asarray(X)[:, 0]


class Strange:
    """Has fit and predict, but no parameters to clone it by."""

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return np.zeros(len(X))


@pytest.mark.parametrize(
    ("teacher", "kind"),
    [
        (se.StackedClassifier(PAIRS), EnsembleTeacher),
        (se.BlendedClassifier(PAIRS).fit(X, Y), EnsembleTeacher),
        (se.cross_fit(PAIRS, X, Y), CrossFitTeacher),
        (RandomForestClassifier(), EstimatorTeacher),
        (make_pipeline(StandardScaler(), GaussianNB()).fit(X, Y), EstimatorTeacher),
        (GridSearchCV(LogisticRegression(), {"C": [1.0]}), EstimatorTeacher),
        (StackingClassifier(PAIRS), EstimatorTeacher),
        (se.WeightAveragedClassifier(PAIRS[1:]), EstimatorTeacher),
        (lambda X: X[:, 0], FrozenTeacher),
        (Booster(), FrozenTeacher),
        (Strange(), FrozenTeacher),
        (FrozenEstimator(GaussianNB().fit(X, Y)), FrozenTeacher),
        (se.FrozenNetwork(lambda X: X[:, :1]), FrozenTeacher),
        (make_pipeline(StandardScaler(), se.FrozenNetwork(lambda X: X)).fit(X), FrozenTeacher),
        (None, GivenTeacher),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_every_kind_is_recognised(teacher, kind):
    found = resolve_teacher(teacher, classification=True)
    assert type(found) is kind
    assert found.fits is (kind not in (FrozenTeacher, GivenTeacher))
    assert resolve_teacher(found, classification=True) is found


def test_networks_are_never_fitted_here():
    torch = pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    for network in (torch.nn.Linear(3, 2), dense):
        assert type(resolve_teacher(network, classification=True)) is FrozenTeacher


def test_a_list_of_regressors_is_a_teacher_of_quantiles():
    models = [QuantileRegressor(quantile=q) for q in (0.1, 0.9)]
    assert type(resolve_teacher(models, classification=False)) is QuantileTeacher
    with pytest.raises(TypeError, match="one for each quantile"):
        resolve_teacher([models[0], np.mean], classification=False)


@pytest.mark.parametrize(
    ("teacher", "classification", "message"),
    [
        (LinearRegression(), True, "must predict classes.*Use DistilledRegressor"),
        (GaussianNB(), False, "must predict values.*Use DistilledClassifier"),
        (se.StackedClassifier(PAIRS), False, "must predict values"),
        (se.cross_fit(PAIRS, X, Y), False, "must predict values"),
    ],
)
def test_a_teacher_of_the_other_kind_of_target_is_refused(teacher, classification, message):
    with pytest.raises(ValueError, match=message):
        resolve_teacher(teacher, classification=classification)


def test_what_does_not_predict_is_refused():
    with pytest.raises(TypeError, match="Got the class GaussianNB"):
        resolve_teacher(GaussianNB, classification=True)
    with pytest.raises(TypeError, match="(?s)something that predicts.*teacher_targets"):
        resolve_teacher(np.zeros((3, 2)), classification=True)
    with pytest.raises(TypeError, match="StackedClassifier"):
        resolve_teacher(PAIRS, classification=True)


@pytest.mark.parametrize(("classification", "output"), [(True, "values"), (False, "logits")])
def test_an_output_of_the_other_kind_is_refused(classification, output):
    with pytest.raises(ValueError, match="The output of a teacher"):
        resolve_teacher(lambda X: X, classification=classification, output=output)


def test_what_a_clone_would_lose_labels_as_it_is():
    fitted = [(name, clone(model).fit(X, Y)) for name, model in PAIRS]
    stack = StackingClassifier(fitted, cv="prefit").fit(X, Y)
    assert not resolve_teacher(stack, classification=True).fits
    ours = se.StackedClassifier(fitted, cv="prefit")
    assert resolve_teacher(ours, classification=True).fits
