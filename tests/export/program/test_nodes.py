"""Steps and the steps they read."""

import numpy as np

from stackens.export.program import Choose, Constant, WeightedSum


def test_sources_are_read_from_single_fields_and_from_tuples():
    assert Choose(1, 4, 2, 9).sources == (4, 2, 9)
    assert WeightedSum(1, (3, 5), np.ones(2)).sources == (3, 5)
    assert Constant(1, np.ones(1)).sources == ()
