"""Reads naive Bayes classifiers of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackens.export.program import Graph
from stackens.export.readers._answers import answer_of_probabilities, refuse_unless
from stackens.export.readers._registry import Method, reads_model
from stackens.export.readers._table import Table
from stackens.export.readers.models._steps import step_functions
from stackens.export.readers.preprocessing._refusal import finite_numbers

__all__: list[str] = []


@reads_model("sklearn.GaussianNB")
def _gaussian(model: Any, graph: Graph, table: Table, method: Method) -> int:
    x = finite_numbers(graph, table)
    joint = []
    with np.errstate(divide="ignore"):  # a class whose rows all have the weight 0
        priors = np.log(model.class_prior_)
    for mean, variance, prior in zip(model.theta_, model.var_, priors, strict=True):
        deviation = graph.minus(x, mean)
        square = graph.over(graph.arithmetic("multiply", deviation, deviation), variance)
        half = graph.times(graph.reduce("sum", square), 0.5)
        constant = graph.constant(-0.5 * np.sum(np.log(2.0 * np.pi * variance)))
        joint.append(graph.plus(graph.arithmetic("subtract", constant, half), prior))
    return _answer(model, graph, graph.concatenate(joint), method)


@reads_model("sklearn.MultinomialNB")
def _multinomial(model: Any, graph: Graph, table: Table, method: Method) -> int:
    x = finite_numbers(graph, table)
    joint = graph.dense(x, model.feature_log_prob_.T, model.class_log_prior_)
    return _answer(model, graph, joint, method)


@reads_model("sklearn.ComplementNB")
def _complement(model: Any, graph: Graph, table: Table, method: Method) -> int:
    prior = model.class_log_prior_ if len(model.classes_) == 1 else None
    joint = graph.dense(finite_numbers(graph, table), model.feature_log_prob_.T, prior)
    return _answer(model, graph, joint, method)


@reads_model("sklearn.BernoulliNB")
def _bernoulli(model: Any, graph: Graph, table: Table, method: Method) -> int:
    x = finite_numbers(graph, table)
    if model.binarize is not None:
        x = graph.arithmetic("less", graph.constant(model.binarize), x)
    absent = np.log(1 - np.exp(model.feature_log_prob_))
    prior = model.class_log_prior_ + absent.sum(axis=1)
    joint = graph.dense(x, (model.feature_log_prob_ - absent).T, prior)
    return _answer(model, graph, joint, method)


@reads_model("sklearn.CategoricalNB")
def _categorical(model: Any, graph: Graph, table: Table, method: Method) -> int:
    x = table.numbers(graph)
    sizes = [log_prob.shape[1] for log_prob in model.feature_log_prob_]
    # numbers are cut to integers, towards zero, and must then be one of the categories
    above = graph.arithmetic("less", graph.constant(-1.0), x)
    below = graph.arithmetic("less", x, graph.constant(np.array(sizes, dtype=np.float64)))
    refuse_unless(graph, graph.arithmetic("multiply", above, below))
    steps = [
        (np.nextafter(np.arange(1.0, size), -np.inf), log_prob.T)
        for size, log_prob in zip(sizes, model.feature_log_prob_, strict=True)
    ]
    joint = graph.plus(graph.add(step_functions(x, steps)), model.class_log_prior_)
    return _answer(model, graph, joint, method)


def _answer(model: Any, graph: Graph, joint: int, method: Method) -> int:
    """Return the answer from joint log likelihoods, by the source's own way to normalise them."""
    if method == "predict":
        return graph.argmax(joint)
    largest = graph.reduce("maximum", joint)
    others = graph.elementwise("exp", graph.arithmetic("subtract", joint, largest))
    log_total = graph.elementwise("log", graph.reduce("sum", others))
    evidence = graph.arithmetic("add", log_total, largest)
    probabilities = graph.elementwise("exp", graph.arithmetic("subtract", joint, evidence))
    return answer_of_probabilities(model, graph, method, probabilities)
