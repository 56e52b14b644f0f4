"""Tests of the prediction table of an exported ensemble."""

import numpy as np
import pytest

import stackens as se
from stackens.exceptions import ExportError
from stackens.export.readers.ensembles import Predictions, read_predictions
from tests.export.readers.ensembles.answers import FromColumns, evaluated, graph_of
from tests.export.readers.ensembles.tables import TASKS, table_of

RNG = np.random.default_rng(0)
X = RNG.dirichlet(np.ones(3), 30)
COLOURS = ["blue", "green", "red"]
Y = np.array(COLOURS)[X.argmax(axis=1)]


class Refitted(FromColumns):
    """Takes a fit, and answers as before."""

    def fit(self, X, y):
        return self


def models():
    return {
        "all": Refitted([0, 1, 2], COLOURS),
        "turned": Refitted([2, 1, 0], ["red", "green", "blue"]),
    }


def fitted(**options):
    return se.cross_fit(models(), X, Y, cv=2, classification=True, **options)


@pytest.mark.parametrize("final_fit", ["bag", "refit"])
def test_every_model_has_a_node_with_its_answers(final_fit):
    cross_fit = fitted(final_fit=final_fit).select(["turned", "all"])
    graph, table = graph_of(3)
    predictions = read_predictions(cross_fit, graph, table)
    expected = cross_fit.predict(X)
    assert predictions.like.names == ("turned", "all")
    for model in range(2):
        found = evaluated(graph, predictions.of(model), X)
        np.testing.assert_array_equal(found, expected.values[:, model])
    found = evaluated(graph, predictions.matrix(graph), X)
    np.testing.assert_array_equal(found, expected.matrix())


@pytest.mark.parametrize("kind", TASKS)
def test_the_matrix_has_the_informative_columns(kind):
    classes = TASKS[kind].is_classification
    responses = ["predict_proba", "value"] if classes else ["predict", "predict"]
    like = table_of(kind, responses, n=20)
    k = like.n_outputs
    graph, rows = graph_of(2 * k)
    nodes = (graph.numbers(range(k)), graph.numbers(range(k, 2 * k)))
    node = Predictions(nodes, like, rows).matrix(graph)
    found = evaluated(graph, node, like.values.reshape(20, -1))
    np.testing.assert_array_equal(found, like.matrix())


def test_models_that_are_skipped_are_not_read():
    cross_fit = fitted()
    del cross_fit.models["turned"]
    graph, table = graph_of(3)
    predictions = read_predictions(cross_fit, graph, table, skip=["turned"])
    assert predictions.nodes[1] is None
    with pytest.raises(IndexError, match="'turned' is not asked"):
        predictions.of(1)


def test_a_model_that_cannot_be_read_is_named():
    cross_fit = se.cross_fit({"all": models()["all"]}, X, Y, cv=2)
    cross_fit.models["all"] = object()
    graph, table = graph_of(3)
    with pytest.raises(
        ExportError, match="Base model 'all': The model object of builtins cannot be exported"
    ):
        read_predictions(cross_fit, graph, table)
