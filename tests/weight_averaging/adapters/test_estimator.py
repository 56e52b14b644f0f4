"""What scikit-learn ingredients share: facts to compare, and the order of classes."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge

from stackens.weight_averaging.adapters._estimator import class_order
from stackens.weight_averaging.adapters._linear import LinearAdapter

LINEAR = LinearAdapter()
X = np.random.default_rng(0).normal(size=(30, 2))
Y = np.arange(30) % 3


def fitted(estimator, X=X, y=Y):
    return estimator.fit(X, y)


def test_classes_are_a_fact_whatever_their_order():
    model, other = fitted(LogisticRegression()), fitted(LogisticRegression())
    other.classes_ = other.classes_[::-1]
    assert LINEAR.facts(model, model) == LINEAR.facts(other, model)
    fewer = fitted(LogisticRegression(), X[Y != 2], Y[Y != 2])
    assert LINEAR.facts(fewer, model)["classes"] == [0, 1]
    assert LINEAR.facts(model, model)["classes"] == [0, 1, 2]


def test_feature_names_are_a_fact_where_a_model_has_them():
    plain = fitted(Ridge())
    ab = fitted(Ridge(), pd.DataFrame(X, columns=["a", "b"]))
    ba = fitted(Ridge(), pd.DataFrame(X, columns=["b", "a"]))
    assert LINEAR.facts(plain, ab) == LINEAR.facts(ab, ab)
    assert LINEAR.facts(ba, ab) != LINEAR.facts(ab, ab)
    assert "feature names" not in LINEAR.facts(plain, plain)


def test_a_model_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        LINEAR.facts(Ridge(), Ridge())
    with pytest.raises(NotFittedError):
        LINEAR.tensors(Ridge(), Ridge())


def test_class_order():
    def one(*classes):
        return SimpleNamespace(classes_=np.array(classes))

    assert class_order(one("a", "b"), one("a", "b")) is None
    assert class_order(one("a", "b"), one("a", "c")) is None
    assert class_order(SimpleNamespace(), SimpleNamespace()) is None
    np.testing.assert_array_equal(class_order(one("c", "a", "b"), one("a", "b", "c")), [1, 2, 0])
