"""Which candidate a plan takes."""

import pandas as pd
import pytest

from stackens._core._task import infer_task
from stackens.distillation._candidates import Mix
from stackens.distillation._plan import Plan
from stackens.distillation.students import TreeStudent
from stackens.distillation.teachers import TeachingOptions
from stackens.evaluation import resolve_scoring

FRAME = pd.DataFrame(
    {
        "score": [-0.30, -0.29, -0.35],
        "score_se": 0.02,
        "one_row_us": [10.0, 100.0, 1.0],
        "bytes": [1e3, 1e5, 1e2],
    },
    index=["middle", "large", "small"],
)


def plan(n_recipes=1, **changes):
    given = {
        "recipes": [TreeStudent(max_depth=depth) for depth in range(1, n_recipes + 1)],
        "mixes": [Mix(1.0)],
        "other_rows": "munge",
        "scoring": resolve_scoring(None, infer_task([0, 1])[0], {}),
        "outer": "auto",
        "loss": "cross_entropy",
        "temperature": 1.0,
        "quantiles": (),
        "max_latency_us": None,
        "max_bytes": None,
        "tunes": False,
        "guard": True,
        "unlabeled": None,
        "teaching": TeachingOptions(),
        "random_state": 0,
        "verbose": 0,
    }
    return Plan(**{**given, **changes})


def test_one_size_takes_the_best_mix():
    assert plan().rule(FRAME) == "large"


def test_several_sizes_take_the_smallest_that_is_nearly_the_best():
    assert plan(3).rule(FRAME) == "middle"


def test_a_budget_takes_the_best_within_it():
    assert not plan().has_budget
    assert plan(max_latency_us=50).rule(FRAME) == "middle"
    assert plan(3, max_bytes=1e6).rule(FRAME) == "large"
    with pytest.raises(ValueError, match="No student meets"):
        plan(max_bytes=10, max_latency_us=0.5).rule(FRAME)
