"""Our tabular networks are averaged as their modules, behind one and the same encoder."""

import copy

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from stackens import weight_averaging as wa
from stackens.weight_averaging.adapters._torch_mlp import TorchMLPAdapter

torch = pytest.importorskip("torch")

MLP = TorchMLPAdapter()
X = np.random.default_rng(0).normal(size=(30, 3))


class TorchMLPClassifier(ClassifierMixin, BaseEstimator):
    """The parts of the real one that averaging sees: an encoder, classes and a module."""

    __module__ = "stackens.neural._stand_in"

    def fit(self, X, y):
        self.encoder_ = StandardScaler().fit(X)
        self.classes_ = np.unique(y)
        self.module_ = torch.nn.Sequential(torch.nn.Linear(X.shape[1], len(self.classes_)))
        return self

    def decision_function(self, X):
        with torch.no_grad():
            return self.module_(torch.tensor(self.encoder_.transform(X)).float()).numpy()


def fitted(X=X, n_classes=3):
    return TorchMLPClassifier().fit(X, np.arange(len(X)) % n_classes)


def test_the_average_is_an_estimator_that_predicts():
    models = [fitted() for _ in range(3)]
    before = copy.deepcopy(models)
    merged = wa.average(models, "linear")
    assert type(merged) is TorchMLPClassifier
    assert merged.module_ is not models[-1].module_
    expected = sum(w * m.decision_function(X) for w, m in zip([1, 2, 3], models, strict=True)) / 6
    np.testing.assert_allclose(merged.decision_function(X), expected, atol=1e-6)
    for model, old in zip(models, before, strict=True):
        np.testing.assert_array_equal(model.decision_function(X), old.decision_function(X))


def test_another_encoder_is_a_difference():
    with pytest.raises(ValueError, match="encoder_: 'fitted on other rows' in model 0; 'the same'"):
        wa.average([fitted(X[:20]), fitted()])


def test_other_classes_are_a_difference():
    with pytest.raises(ValueError, match=r"classes: \[0, 1\] in model 0; \[0, 1, 2\] in model 1"):
        wa.average([fitted(n_classes=2), fitted()])


def test_what_is_accepted():
    assert MLP.accepts(TorchMLPClassifier())
    assert not MLP.accepts(MLPClassifier())
    with pytest.raises(NotFittedError):
        wa.average([TorchMLPClassifier()])
