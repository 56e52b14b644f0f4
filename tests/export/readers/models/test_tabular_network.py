"""Tests of the readers of stackens' own networks."""

import warnings

import numpy as np
import pandas as pd
import pytest

import stackens as se
from stackens.exceptions import ExportError
from stackens.export.program import Dense, Graph, Lookup, Ramps, evaluate
from stackens.export.readers import Table
from stackens.export.readers.models import read_tabular_network
from tests.export.readers.preprocessing import comparison
from tests.export.readers.programs import program_of

RNG = np.random.default_rng(0)
N = 120
FRAME = pd.DataFrame(
    {
        "size": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(size=N) * 1e3),
        "colour": RNG.choice(["red", "blue", "green", None], N),
        "age": RNG.integers(0, 90, N).astype(float),
        "town": [f"town {i % 60}" for i in range(N)],
    }
)
LABELS = np.array(["yes", "no", "maybe"])[RNG.integers(0, 3, N)]
SETTINGS = {"max_iter": 3, "random_state": 0, "device": "cpu"}
STRANGE = pd.DataFrame(
    {
        "size": [np.nan, 1e300, -1e300, 5e-324, 0.0, 1e9],
        "colour": [None, "violet", "red", "blue", "", "green"],
        "age": [40.0, np.nan, -5.0, 1e18, 89.0, 0.5],
        "town": ["nowhere", None, "town 1", "town 59", "town 0", "town 2"],
    }
)


def read(model, frame, method):
    return program_of(model, frame.columns, method)


def run(program, frame):
    answers, refused = comparison.run(program, frame)
    assert not refused.any()
    return answers


@pytest.mark.parametrize("activation", ["elu", "gelu", "mish", "relu", "selu", "silu", "tanh"])
def test_activations(activation):
    model = se.TorchMLPClassifier((6, 5), activation=activation, **SETTINGS).fit(FRAME, LABELS)
    rows = pd.concat([FRAME, STRANGE], ignore_index=True)
    answers = run(read(model, FRAME, "predict_proba"), rows)
    np.testing.assert_allclose(answers, model.predict_proba(rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("categories", ["auto", "one_hot", "embedding"])
@pytest.mark.parametrize("n_bins", [0, 8])
@pytest.mark.parametrize("hidden", [(), (7,)])
def test_classifiers(hidden, n_bins, categories, classes):
    labels = LABELS if classes == 3 else np.where(LABELS == "no", 1, 0)
    model = se.TorchMLPClassifier(
        hidden, n_bins=n_bins, categories=categories, dropout=0.2, **SETTINGS
    ).fit(FRAME, labels)
    rows = pd.concat([FRAME, STRANGE], ignore_index=True)
    answers = run(read(model, FRAME, "predict_proba"), rows)
    np.testing.assert_allclose(answers, model.predict_proba(rows), rtol=0, atol=1e-12)
    positions = run(read(model, FRAME, "predict"), rows)[:, 0].astype(int)
    np.testing.assert_array_equal(model.classes_[positions], model.predict(rows))


@pytest.mark.parametrize("n_targets", [1, 2])
def test_regressors(n_targets):
    y = RNG.normal(size=(N, n_targets)) * 100 + 7
    model = se.TorchMLPRegressor((7,), **SETTINGS).fit(FRAME, y if n_targets > 1 else y[:, 0])
    rows = pd.concat([FRAME, STRANGE], ignore_index=True)
    expected = model.predict(rows).reshape(-1, n_targets)
    np.testing.assert_allclose(run(read(model, FRAME, "predict"), rows), expected, 1e-11)


def test_numbers_and_categories_alone():
    for columns in (["size", "age"], ["town"], ["colour"]):
        model = se.TorchMLPClassifier((4,), **SETTINGS).fit(FRAME[columns], LABELS)
        rows = pd.concat([FRAME, STRANGE], ignore_index=True)[columns]
        answers = run(read(model, FRAME[columns], "predict_proba"), rows)
        np.testing.assert_allclose(answers, model.predict_proba(rows), rtol=0, atol=1e-12)


def test_vectors_of_categories_are_looked_up_at_once():
    model = se.TorchMLPClassifier((4,), categories="embedding", **SETTINGS).fit(FRAME, LABELS)
    program = read(model, FRAME, "predict_proba")
    widths = sorted(node.width for node in program.nodes if isinstance(node, Lookup))
    assert widths == [8, 8]
    assert not program.single_precision  # the estimator computes in double precision


def test_bins_are_no_inputs_of_the_first_layer():
    model = se.TorchMLPClassifier((4,), n_bins=8, **SETTINGS).fit(FRAME[["size", "age"]], LABELS)
    program = read(model, FRAME[["size", "age"]], "predict_proba")
    (ramps,) = (node for node in program.nodes if isinstance(node, Ramps))
    n_bins = len(model.module_.inputs.bin_left)
    assert len(ramps.column) == n_bins > 10
    first = next(node for node in program.nodes if isinstance(node, Dense))
    assert len(first.weights) == model.module_.inputs.n_features - n_bins


def test_codes_that_were_computed_are_found_too():
    model = se.TorchMLPClassifier((4,), categories="embedding", **SETTINGS).fit(FRAME, LABELS)
    encoded = model.encoder_.transform(pd.concat([FRAME, STRANGE], ignore_index=True))
    graph = Graph([f"x{i}" for i in range(encoded.shape[1])], named=False)
    node = read_tabular_network(model.module_, graph, Table.of_raw_rows(graph))
    answers = evaluate(graph.program(graph.softmax(node), "values"), list(encoded.T))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = model.predict_proba(pd.concat([FRAME, STRANGE], ignore_index=True))
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-12)


def test_bins_of_a_number_that_is_looked_up():
    model = se.TorchMLPClassifier((4,), **SETTINGS).fit(FRAME[["age"]], LABELS)
    ages = np.arange(90.0)
    encoded = model.encoder_.transform(pd.DataFrame({"age": ages}))
    graph = Graph(["age"])
    middle = encoded[45]
    node = graph.lookup(0, ages, encoded, missing=middle, unknown=middle)
    logits = read_tabular_network(model.module_, graph, Table.of_node(graph, node))
    answers = evaluate(graph.program(graph.softmax(logits), "values"), [ages])[0]
    expected = model.predict_proba(pd.DataFrame({"age": ages}))
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-12)


def test_there_are_no_scores():
    model = se.TorchMLPClassifier((4,), **SETTINGS).fit(FRAME, LABELS)
    with pytest.raises(ExportError, match="predict_proba"):
        read(model, FRAME, "decision_function")
