"""What trees say of themselves; what they mean is in test_evaluate.py."""

import numpy as np

from stackens.export.program import Trees


def test_numbers_of_trees_and_of_values_in_a_leaf():
    none = np.zeros(0, dtype=np.int32)
    leaf = np.ones((2, 3))
    trees = Trees(
        3, 0, none, np.zeros(0), none.astype(bool), none, none, none,
        root=np.array([-1, -2], dtype=np.int32), offset=np.zeros(2, dtype=np.int32),
        leaf=leaf, sets=(), base=np.zeros(3),
    )  # fmt: skip
    assert (trees.n_trees, trees.leaf_width) == (2, 3)
    assert trees.sources == (0,)
