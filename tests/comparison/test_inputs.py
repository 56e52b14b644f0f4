"""What a comparison starts from, for some of its rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB

from stackens._core._task import infer_task
from stackens.comparison._inputs import Inputs


@pytest.mark.parametrize("given", [True, False])
def test_a_part_of_the_rows(given):
    X = pd.DataFrame({"x": range(6)})
    task, y = infer_task([0, 1] * 3)
    numbers = np.arange(6.0) if given else None
    whole = Inputs([("nb", GaussianNB())], X, y, task, numbers, numbers, 5, {"n_jobs": 2})
    part = whole.part(np.array([4, 1]))
    assert part.X["x"].tolist() == [4, 1]
    assert part.y.tolist() == [0, 1]
    for values in (part.groups, part.sample_weight):
        assert values.tolist() == [4, 1] if given else values is None
    assert (part.pairs, part.task, part.cv, part.options) == (
        whole.pairs,
        whole.task,
        whole.cv,
        whole.options,
    )
    assert len(whole.X) == 6
