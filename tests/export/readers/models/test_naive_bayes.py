"""Tests of the readers of naive Bayes classifiers."""

import numpy as np
import pytest
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB

from stackens.exceptions import ExportError
from tests.export.readers.models.against_source import (
    asked,
    assert_same,
    class_rows,
    program_of,
    run,
)

CODES = (0.0, -0.0, 5e-324, 0.9, 1.0, np.nextafter(2.0, 0), -0.99, -1.0, 2.5, 6.9, 7.0, 1e300)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", ["predict_proba", "predict"])
@pytest.mark.parametrize(
    "model",
    [
        BernoulliNB(),
        BernoulliNB(binarize=0.4, fit_prior=False),
        ComplementNB(),
        ComplementNB(norm=True),
        GaussianNB(),
        GaussianNB(var_smoothing=0.1),
        MultinomialNB(),
        MultinomialNB(alpha=0.1, fit_prior=False),
    ],
    ids=str,
)
def test_numbers(model, method, n_classes):
    X, y = class_rows(n_classes)
    X = np.abs(X) if not isinstance(model, GaussianNB) else X
    model.fit(X, y)
    ordinary = (0.0, 5e-324, 1e-9, 40.0, -40.0)
    assert_same(model, X, method, tolerance=1e-12, extremes=ordinary)
    # likelihoods of 1e9 and more carry no digits of a probability between 0 and 1
    assert_same(model, X, method, tolerance=1e-12, extremes=(1e300, -1e300))


@pytest.mark.parametrize("binarize", [None, 0.0])
def test_bernoulli_of_flags(binarize):
    X, y = class_rows(2)
    X = (X > 0).astype(float)
    assert_same(BernoulliNB(binarize=binarize).fit(X, y), X, "predict_proba", extremes=(0.5, 3.0))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", ["predict_proba", "predict"])
def test_categories(method, n_classes):
    rng = np.random.default_rng(0)
    _, y = class_rows(n_classes)
    codes = np.column_stack([rng.integers(0, high, 150) for high in (7, 2, 1, 3, 7)]).astype(float)
    model = CategoricalNB().fit(codes, y)
    program = program_of(model, 5, method)
    answers, refused = run(program, codes)
    assert not refused.any()
    expected = model.predict_proba(codes)
    if method == "predict":
        expected = expected.argmax(axis=1)[:, None]
    np.testing.assert_allclose(answers, expected, rtol=1e-13)
    for value in (*CODES, -5.0, np.nan, np.inf, -np.inf, 1e19, -1e300):
        for column in range(5):
            row = codes[:1].copy()
            row[0, column] = value
            answer, refused = run(program, row)
            try:
                expected = asked(model, row, "predict_proba")
            except (ValueError, IndexError):
                assert refused[0], (value, column)
                continue
            assert not refused[0], (value, column)
            if method == "predict_proba":
                np.testing.assert_allclose(answer, expected, rtol=1e-13)


def test_a_category_that_no_row_has_counts():
    model = CategoricalNB(min_categories=4).fit([[0], [1], [1]], [0, 1, 1])
    X = np.arange(4.0).reshape(-1, 1)
    answers, refused = run(program_of(model, 1, "predict_proba"), X)
    assert not refused.any()
    np.testing.assert_allclose(answers, model.predict_proba(X), rtol=1e-14)


def test_there_are_no_scores():
    X, y = class_rows(2)
    with pytest.raises(ExportError, match="predict_proba"):
        program_of(GaussianNB().fit(X, y), 5, "decision_function")
