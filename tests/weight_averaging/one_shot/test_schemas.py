"""Declarations of several inputs and sites: files and mixtures."""

import json

import numpy as np
import pytest

from stackens.weight_averaging.one_shot import InputSchema, read_schema, save_schema
from stackens.weight_averaging.one_shot._schemas import as_schemas, draw_inputs

SCHEMAS = {
    "range": InputSchema(
        shape=(5, 2), low=[0, 1], high=2.5, smoothness=[1, 4], integer=[True, False]
    ),
    "normal": InputSchema(shape=(5, 2), mean=0, deviation=[1, 2], smooth_axes=()),
    "quantiles": InputSchema(shape=(5, 2), quantiles=[[0, 1], [0.1, 7]]),
    "tokens": InputSchema(shape=(7,), vocabulary=9, frequencies=np.arange(9)),
    "correlated": InputSchema(
        shape=(5, 2), low=0, high=1, correlations=[None, [[1, 0.5], [0.5, 1]]]
    ),
    "chains": InputSchema(shape=(7,), vocabulary=2, transitions=[[0, 1], [1, 3], [1, 1]]),
}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_survives_its_file(name, tmp_path):
    save_schema(tmp_path / "schema.json", SCHEMAS[name])
    (read,) = read_schema(tmp_path / "schema.json")
    rows, again = (one.draw(50, np.random.default_rng(0)) for one in (read, SCHEMAS[name]))
    assert (rows == again).all()
    assert read.as_dict() == SCHEMAS[name].as_dict()


def test_several_inputs_in_one_file(tmp_path):
    listed = [SCHEMAS["range"], SCHEMAS["tokens"]]
    save_schema(tmp_path / "schema.json", listed)
    read = read_schema(tmp_path / "schema.json")
    rows = draw_inputs([(1.0, read)], 3, np.random.default_rng(0))
    assert [part.shape for part in rows] == [(3, 5, 2), (3, 7)]


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        json.dumps({"kind": "something else", "inputs": []}),
        json.dumps({"kind": "stackens input schema", "inputs": []}),
        json.dumps({"kind": "stackens input schema", "inputs": [{"shape": [2], "what": 1}]}),
        json.dumps({"kind": "stackens input schema", "inputs": [{"shape": [2]}]}),
    ],
)
def test_files_that_are_no_schema_are_refused(content, tmp_path):
    path = tmp_path / "schema.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="must be a schema of inputs"):
        read_schema(path)


def test_something_else_than_schemas_is_refused():
    with pytest.raises(TypeError, match="must be an InputSchema"):
        as_schemas([{"shape": (2,)}])
    with pytest.raises(TypeError, match="must be an InputSchema"):
        as_schemas([])


def test_sites_declare_inputs_together():
    low, high = InputSchema(shape=(2,), low=0, high=1), InputSchema(shape=(2,), low=10, high=11)
    (rows,) = draw_inputs([(0.25, [low]), (0.75, [high])], 4000, np.random.default_rng(0))
    assert rows.shape == (4000, 2)
    assert (rows.min(axis=1) >= 10).mean() == pytest.approx(0.75, abs=0.03)


def test_sites_must_declare_the_same_inputs():
    declared = [(0.5, [SCHEMAS["range"]]), (0.5, [SCHEMAS["tokens"]])]
    with pytest.raises(ValueError, match="must be of the same inputs"):
        draw_inputs(declared, 5, np.random.default_rng(0))
