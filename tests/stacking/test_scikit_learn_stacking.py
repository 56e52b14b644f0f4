"""scikit-learn's own tests of stacking, run against our classes.

The test file is read from the installed scikit-learn with ``StackingClassifier`` and
``StackingRegressor`` replaced by ours. Tests that are left out are listed with the reason.
"""

import pytest

import stackens as se
from tests.scikit_learn_tests import load_tests

pytestmark = pytest.mark.filterwarnings("default")


class StackingClassifier(se.StackedClassifier):
    """Ours, under scikit-learn's name, which its tests look for in messages and column names."""


class StackingRegressor(se.StackedRegressor):
    """Ours, under scikit-learn's name."""


LEFT_OUT = {
    "test_stacking_without_n_features_in": "wording of the AttributeError",
}

TESTS = load_tests(
    "sklearn.ensemble.tests.test_stacking",
    {"StackingClassifier": StackingClassifier, "StackingRegressor": StackingRegressor},
)
globals().update({name: test for name, test in TESTS.items() if name not in LEFT_OUT})


def test_nearly_all_tests_are_run():
    assert set(LEFT_OUT) <= set(TESTS)
    assert len(TESTS) >= 28
    assert len(TESTS) - len(LEFT_OUT) >= 22
