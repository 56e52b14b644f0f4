"""Our tabular networks as ingredients: one start makes one basin, and the average is one model."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.pipeline import make_pipeline

import stackens as se
from stackens import weight_averaging as wa
from stackens.weight_averaging._shared_start import (
    check_one_architecture,
    from_start,
    is_network,
    last_step,
    short_training,
)

torch = pytest.importorskip("torch")

X, Y = load_breast_cancer(return_X_y=True, as_frame=True)
X = X.iloc[:, :10]
TRAIN, TEST = np.arange(300), np.arange(300, 569)


def network(cls=se.TorchMLPClassifier, **settings):
    return cls(**{"hidden_layer_sizes": (32,), "max_iter": 12, "random_state": 0} | settings)


def ingredients(cls=se.TorchMLPClassifier):
    rates = enumerate((3e-3, 2e-3, 5e-3))
    return [(f"m{i}", network(cls, random_state=i, learning_rate=rate)) for i, rate in rates]


def loss(model):
    return log_loss(Y[TEST], model.predict_proba(X.iloc[TEST]))


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: make_pipeline(se.TabularEncoder(), m)])
def test_networks_go_on_from_the_start(wrap):
    assert is_network(wrap(network()))
    start = short_training(wrap(network()), X, Y, 0.25, {})
    model = from_start(start, wrap(network(learning_rate=1e-12, random_state=3)), X, Y, {})
    first, last = last_step(start), last_step(model)
    assert first.n_iter_ == 3
    assert last.n_iter_ > 3
    assert last.get_params() == network(learning_rate=1e-12, random_state=3).get_params()
    before, after = first.module_.state_dict(), last.module_.state_dict()
    assert all(torch.allclose(after[name], before[name], atol=1e-8) for name in before)


def test_other_settings_of_the_input_layer_are_refused():
    with pytest.raises(ValueError, match="n_bins=16 in 'a', 4 in 'b'"):
        check_one_architecture([("a", network()), ("b", network(n_bins=4))])
    with pytest.raises(ValueError, match="categories='auto' in 'a', 'one_hot' in 'b'"):
        check_one_architecture([("a", network()), ("b", network(categories="one_hot"))])


def test_networks_of_one_start_have_one_basin():
    soup = se.WeightAveragedClassifier(ingredients(), weighting="equal", random_state=0)
    soup.fit(X.iloc[TRAIN], Y[TRAIN])
    singles = [loss(model) for model in soup.estimators_]
    assert len(set(singles)) == 3
    # along the way between any two of them no loss stands out
    for one, other in ((0, 1), (0, 2), (1, 2)):
        pair = [soup.estimators_[one], soup.estimators_[other]]
        assert loss(wa.average(pair)) < max(singles[one], singles[other])
    assert loss(soup.model_) < np.mean(singles)


def test_networks_of_several_starts_have_several_basins():
    rows, target = X.iloc[TRAIN], Y[TRAIN]
    apart = [model.fit(rows, target) for _, model in ingredients()]
    assert loss(wa.average(apart)) > max(loss(model) for model in apart)


@pytest.mark.parametrize("weighting", ["greedy", "learned"])
def test_chosen_weights_are_never_worse_than_the_best_model_where_they_were_chosen(weighting):
    soup = se.WeightAveragedClassifier(ingredients(), weighting=weighting, random_state=0)
    soup.fit(X.iloc[TRAIN], Y[TRAIN])
    assert soup.score_ >= max(soup.scores_.values())
    assert soup.weights_.sum() == pytest.approx(1)
    assert type(soup.model_) is se.TorchMLPClassifier
    np.testing.assert_array_equal(soup.predict_proba(X), soup.model_.predict_proba(X))
    assert soup.score(X.iloc[TEST], Y[TEST]) > 0.9


def test_numbers():
    X, y = load_diabetes(return_X_y=True)
    models = ingredients(se.TorchMLPRegressor)
    soup = se.WeightAveragedRegressor(models, random_state=0).fit(X[:300], y[:300])
    assert soup.score_ >= max(soup.scores_.values())
    equal = wa.average(soup.estimators_)
    errors = [mean_squared_error(y[300:], m.predict(X[300:])) for m in soup.estimators_]
    assert mean_squared_error(y[300:], equal.predict(X[300:])) < max(errors)
    assert soup.score(X[300:], y[300:]) > 0.3


def test_the_same_bits_for_a_seed_whatever_the_jobs():
    one, two = (
        se.WeightAveragedClassifier(ingredients()[:2], random_state=0, n_jobs=n).fit(X, Y)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one.weights_, two.weights_)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def test_tables_labels_and_weights():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": np.where(random.random(200) < 0.1, np.nan, random.normal(size=200)),
            "colour": random.choice(["red", "blue", None], size=200),
        }
    )
    y = np.where((frame["colour"] == "red") ^ (random.random(200) < 0.1), "yes", "no")
    weights = np.where(y == "yes", 2.0, 1.0)
    soup = se.WeightAveragedClassifier(ingredients(), random_state=0)
    soup.fit(frame, y, sample_weight=weights)
    assert soup.score(frame, y) > 0.8
    assert set(soup.predict(pd.DataFrame({"number": [None], "colour": ["green"]}))) <= {"yes", "no"}
