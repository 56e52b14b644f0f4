"""Tests of nested parameters: base models got and set by name, whatever form they came in."""

import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

import stackens as se

X, Y = make_classification(100, 5, random_state=0)
MODELS = [("lr", LogisticRegression()), ("nb", GaussianNB()), ("knn", KNeighborsClassifier(15))]


def test_nested_parameters():
    blend = se.BlendedClassifier(MODELS)
    assert blend.get_params()["knn__n_neighbors"] == 15
    assert blend.get_params()["nb"] is MODELS[1][1]
    assert "knn__n_neighbors" not in blend.get_params(deep=False)
    blend.set_params(knn__n_neighbors=3, weighting="uniform", nb="drop")
    assert blend.named_estimators.knn.n_neighbors == 3
    assert blend.named_estimators.nb == "drop"
    assert [name for name, _ in blend.estimators] == ["lr", "nb", "knn"]
    assert blend.fit(X, Y).out_of_fold_.names == ("lr", "knn")
    assert blend.named_estimators_.nb == "drop"


def test_parameters_of_a_dict_and_of_a_plain_list():
    by_dict = se.BlendedClassifier({"lr": LogisticRegression(), "nb": GaussianNB()})
    by_dict.set_params(lr__C=3.0, nb=KNeighborsClassifier())
    assert isinstance(by_dict.estimators, dict)
    assert by_dict.estimators["lr"].C == 3.0
    assert isinstance(by_dict.named_estimators.nb, KNeighborsClassifier)
    plain = se.BlendedClassifier([LogisticRegression(), GaussianNB()])
    plain.set_params(logisticregression__C=3.0, gaussiannb="drop")
    assert plain.fit(X, Y).out_of_fold_.names == ("logisticregression",)
    assert plain.estimators_[0].C == 3.0


def test_parameters_of_the_final_estimator():
    stack = se.StackedClassifier(MODELS, LogisticRegression())
    stack.set_params(final_estimator__C=7.0)
    assert stack.fit(X, Y).final_estimator_.C == 7.0
    with pytest.raises(ValueError, match="Invalid parameter"):
        stack.set_params(unknown=3)


@pytest.mark.parametrize("estimators", [None, 3, [("a", Ridge()), Ridge()], ["x"]])
def test_invalid_estimators_can_still_be_shown_and_replaced(estimators):
    blend = se.BlendedClassifier(estimators)
    assert blend.get_params()["weighting"] == "simplex"
    assert "BlendedClassifier" in repr(blend)
    blend.set_params(estimators=MODELS)
    assert blend.fit(X, Y).predict(X).shape == (100,)


def test_parameters_are_searched():
    search = GridSearchCV(
        se.BlendedClassifier(MODELS, cv=3),
        {"knn__n_neighbors": [3, 20], "weighting": ["uniform", "simplex"], "nb": ["drop"]},
        cv=2,
    ).fit(X, Y)
    assert search.best_estimator_.out_of_fold_.names == ("lr", "knn")
