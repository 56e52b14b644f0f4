"""Warnings show the line of the user."""

import threading

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

import stackens as se
from stackens._core._warning import warn
from stackens.exceptions import LeakageWarning, StackensWarning

X = np.random.default_rng(0).normal(size=(40, 2))
Y = np.arange(40) % 2


def test_it_is_the_line_of_who_called():
    with pytest.warns(StackensWarning, match="so it is") as found:
        warn("so it is", StackensWarning)
    assert found[0].filename == __file__


@pytest.mark.parametrize(
    "call",
    [
        lambda models: se.cross_fit(models, X, Y),
        lambda models: se.BlendedClassifier(models).fit(X, Y),
        lambda models: se.compare(models, X, Y, outer=0.5, strategies=["uniform"]),
    ],
)
def test_however_deep_inside(call):
    fitted = se.FrozenNetwork(lambda x: 1 / (1 + np.exp(-x[:, 0])))
    models = [("fitted", fitted), ("nb", GaussianNB())]
    with pytest.warns(LeakageWarning) as found:
        call(models)
    assert {each.filename for each in found if each.category is LeakageWarning} == {__file__}


def test_a_thread_without_a_user_warns_too():
    thread = threading.Thread(target=warn, args=("in a thread", StackensWarning))
    with pytest.warns(StackensWarning, match="in a thread"):
        run(thread)


def run(thread):
    thread.start()
    thread.join()
