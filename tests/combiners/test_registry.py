"""Names of combiners."""

import numpy as np
import pandas as pd
import pytest

from stackens.combiners import (
    COMBINERS,
    AutoCombiner,
    FixedWeights,
    GreedySelection,
    SimplexWeights,
    combiner_for,
)

NAMES = ["auto", "best", "greedy", "log_pool", "logistic", "nnls", "ridge", "simplex", "uniform"]


def test_names():
    assert sorted(COMBINERS) == sorted([*NAMES, "two_scale", "vote"])
    for name, kind in COMBINERS.items():
        assert type(combiner_for(name)) is kind


@pytest.mark.parametrize("kind", [GreedySelection, AutoCombiner])
def test_scoring_reaches_those_that_use_it(kind):
    name = {v: k for k, v in COMBINERS.items()}[kind]
    assert combiner_for(name, "roc_auc").scoring == "roc_auc"
    assert combiner_for(name).scoring is None


@pytest.mark.parametrize("weights", [[0.2, 0.8], (1, 1), np.ones(2), pd.Series([3, 1]), {"a": 1}])
def test_arrays_and_dicts_are_fixed_weights(weights):
    combiner = combiner_for(weights)
    assert type(combiner) is FixedWeights
    assert combiner.weights is weights


def test_a_combiner_is_returned_as_it_is():
    combiner = SimplexWeights()
    assert combiner_for(combiner) is combiner


@pytest.mark.parametrize(
    "weighting", [*sorted(set(NAMES) - {"auto", "greedy"}), [1.0], SimplexWeights()]
)
def test_the_others_refuse_a_scorer(weighting):
    with pytest.raises(ValueError, match=r"needs a weighting.*Got scoring='r2'.*or leave"):
        combiner_for(weighting, "r2")


def test_unknown_name():
    with pytest.raises(ValueError, match=r"'weighting' parameter must .* Got 'simplx' instead"):
        combiner_for("simplx")


@pytest.mark.parametrize("bad", [None, 3, SimplexWeights, {1}])
def test_other_things(bad):
    with pytest.raises(TypeError, match=r"'weighting' parameter must be .* Got .* instead"):
        combiner_for(bad)
