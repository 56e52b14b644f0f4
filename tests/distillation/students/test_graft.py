"""Boosters with raw scores become ordinary ones, to the last bits, in text and pickle too."""

import pickle

import lightgbm
import numpy as np
import pytest
from scipy.special import expit, softmax

from stackens.distillation.students._graft import grafted

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3))
SETTINGS = {"verbose": -1, "metric": "none", "num_threads": 1, "num_leaves": 8}


def boosted(n_scores, n_trees=12):
    """Boost squared errors to random targets, from zero scores."""
    targets = np.column_stack([np.sin(X[:, 0] * (k + 1)) for k in range(n_scores)])

    def derivatives(scores, _):
        error = scores.reshape(400, -1) - targets
        error = error if n_scores > 1 else error[:, 0]
        return error.astype(np.float32), np.ones_like(error, dtype=np.float32)

    settings = SETTINGS | {"objective": derivatives, "num_class": n_scores}
    return lightgbm.train(settings, lightgbm.Dataset(X, np.zeros(400)), n_trees)


def copies(booster):
    """Return the booster, and what comes back from its text, a pickle and a file's text."""
    text = booster.model_to_string()
    yield booster
    yield lightgbm.Booster(model_str=text)
    yield pickle.loads(pickle.dumps(booster))
    yield lightgbm.Booster(model_str=lightgbm.Booster(model_str=text).model_to_string())


@pytest.mark.parametrize("n_classes", [3, 7])
def test_several_classes(n_classes):
    booster, start = boosted(n_classes), RNG.normal(size=n_classes)
    expected = softmax(booster.predict(X) + start, axis=1)
    for copy in copies(grafted(booster, "multiclass", start=start)):
        assert copy.num_trees() == 12 * n_classes
        np.testing.assert_allclose(copy.predict(X), expected, rtol=0, atol=1e-12)
        assert copy.dump_model()["objective"] == f"multiclass num_class:{n_classes}"


def test_two_classes():
    booster, start = boosted(1), np.array([-0.7])
    for copy in copies(grafted(booster, "binary", start=start)):
        np.testing.assert_allclose(copy.predict(X), expit(booster.predict(X) - 0.7), atol=1e-12)
        assert copy.dump_model()["objective"] == "binary sigmoid:1"


def test_lightgbms_own_cross_entropy_becomes_binary_bit_for_bit():
    label = expit(X[:, 0])
    settings = SETTINGS | {"objective": "cross_entropy"}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, label), 10)
    for copy in copies(grafted(booster, "binary")):
        assert (copy.predict(X) == booster.predict(X)).all()
        text = copy.model_to_string()
        assert "objective=binary sigmoid:1" in text
        assert "cross_entropy" not in text


def test_values_take_a_scale_and_an_offset():
    booster = boosted(1)
    expected = 250.0 * booster.predict(X) + 1e9
    for copy in copies(grafted(booster, "regression", start=np.array([1e9]), scale=250.0)):
        np.testing.assert_allclose(copy.predict(X), expected, rtol=1e-15)
        contributions = copy.predict(X[:5], pred_contrib=True)
        np.testing.assert_allclose(contributions.sum(axis=1), expected[:5], rtol=1e-14)


def test_trees_of_one_leaf_carry_the_start():
    settings = SETTINGS | {"objective": lambda scores, _: (0 * scores, 0 * scores), "num_class": 3}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, np.zeros(400)), 5)
    start = np.log([0.2, 0.3, 0.5])
    for copy in copies(grafted(booster, "multiclass", start=start)):
        np.testing.assert_allclose(copy.predict(X[:3]), [[0.2, 0.3, 0.5]] * 3, atol=1e-15)


def test_the_given_booster_stays_as_it_was():
    booster = boosted(3)
    before = booster.model_to_string()
    grafted(booster, "multiclass", start=np.ones(3))
    assert booster.model_to_string() == before
