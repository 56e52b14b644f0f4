"""Tests of what readers of trees share."""

import numpy as np

from stackens.export.program import Graph, evaluate
from stackens.export.readers.trees._responses import no_such_method, of_probabilities


def test_labels_are_the_first_of_the_largest_probabilities():
    graph = Graph(["a", "b"])
    source = graph.numbers([0, 1])
    assert of_probabilities(graph, source, "predict_proba") == source
    program = graph.program(of_probabilities(graph, source, "predict"), "values")
    columns = [np.array([0.5, 0.2, 0.9]), np.array([0.5, 0.8, 0.1])]
    np.testing.assert_array_equal(evaluate(program, columns)[0], [[0], [1], [0]])


def test_the_error_names_model_reason_and_way_out():
    error = no_such_method({}, "predict_proba", "it is empty", "predict")
    assert str(error) == (
        "A model that is read by predict_proba must have it. Got a dict, and it is empty. Read it "
        "by predict."
    )
