"""Readers are found by the name of a class, and by nothing else."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers import Table, read_response, read_transform, reads_model
from stackens.export.readers._registry import _MODELS


class _Part:
    """A model of a layer above, which reads its own parts."""

    def _read_into(self, graph, table, method):
        return graph.constant(float(len(table)))


def test_models_above_this_layer_read_themselves():
    graph = Graph(["a", "b"])
    node = read_response(_Part(), graph, Table.of_raw_rows(graph), "predict")
    assert graph[node].values.tolist() == [2.0]


def test_only_the_class_itself_is_recognised():
    class Changed(LogisticRegression):
        pass

    graph = Graph(["a"])
    for model in (Changed(), KNeighborsClassifier()):
        with pytest.raises(ExportError, match=f"{type(model).__name__}.*cannot be exported"):
            read_response(model, graph, Table.of_raw_rows(graph), "predict")
    with pytest.raises(ExportError, match="transformer"):
        read_transform(LogisticRegression(), graph, Table.of_raw_rows(graph))
    with pytest.raises(ExportError):
        read_transform(FunctionTransformer(str), graph, Table.of_raw_rows(graph))


def test_the_module_inside_a_package_does_not_count():
    @reads_model("tests_only.Thing")
    def reader(model, graph, table, method):
        return graph.constant(5.0)

    Thing = type("Thing", (), {"__module__": "tests_only.deep.module"})
    graph = Graph(["a"])
    try:
        node = read_response(Thing(), graph, Table.of_raw_rows(graph), "predict")
    finally:
        del _MODELS["tests_only.Thing"]
    assert graph[node].values.tolist() == [5.0]
