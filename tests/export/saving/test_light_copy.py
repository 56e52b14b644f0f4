"""Tests of the copy without heavy parts: what is shared, what is refused, and where it is."""

import threading
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from stackens import load, save
from stackens.exceptions import ExportError
from stackens.export.saving._forms import Form
from stackens.export.saving._light_copy import light_copy
from stackens.export.saving._parts import PartWriter
from stackens.export.saving._python_forms import write_python


def copy_of(model):
    return light_copy(model, None, [partial(write_python, parts=PartWriter())])


def test_arrays_are_not_copied_and_the_model_stays_as_it_is():
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    before = joblib.hash(model)
    copy = copy_of(model)["object"]
    assert copy is not model
    assert copy.coef_ is model.coef_
    assert joblib.hash(model) == before


def test_requests_of_metadata_are_kept(tmp_path):
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=True)
        model.fit([[0.0], [1.0]], [0, 1])
        save(model, tmp_path / "model.zip")
        assert model._metadata_request.owner is model
        again = load(tmp_path / "model.zip")
        for found in (again, clone(again)):
            asked = found.get_metadata_routing().consumes("fit", ["sample_weight", "groups"])
            assert asked == {"sample_weight"}


def test_what_stands_in_two_places_is_written_once():
    inner = LogisticRegression()
    pipeline = make_pipeline(inner)
    pipeline.again = inner
    graph = copy_of(pipeline)
    kept = [form for form in graph["shared"] if isinstance(form.payload[1], LogisticRegression)]
    assert len(kept) == 1
    place = kept[0].payload[0]
    first, second = graph["object"].steps[0][1], graph["object"].again
    assert isinstance(first, Form)
    assert (first.kind, first.payload) == (second.kind, second.payload) == ("shared", (place,))


def test_shared_entries_refer_to_earlier_ones_only():
    inner = {"a": [1]}
    outer = {"inner": inner}
    graph = copy_of([outer, outer, inner])
    assert [form.payload[0] for form in graph["shared"]] == [0, 1]
    assert graph["shared"][0].payload[1] == {"a": [1]}
    assert graph["shared"][1].payload[1]["inner"].payload == (0,)


def model_with(value):
    model = LogisticRegression()
    model.extra = value
    return model


def an_instance_of_a_local_class():
    class Local(BaseEstimator):
        pass

    return Local()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: model_with(lambda x: x),
            ["LogisticRegression.extra", "with def at the top level"],
        ),
        (lambda: model_with({"deep": [threading.Lock()]}), [".extra['deep'][0]", "lock"]),
        (lambda: model_with(model_with(None).predict), ["LogisticRegression.extra", "method"]),
        (lambda: model_with(i for i in range(3)), ["generator"]),
        (lambda: model_with(np), ["module"]),
        (lambda: model_with(an_instance_of_a_local_class()), ["Local", "top level of a module"]),
        (lambda: model_with(object.__reduce__), ["LogisticRegression.extra"]),
        (
            lambda: make_pipeline(FunctionTransformer(lambda x: x), LogisticRegression()),
            ["Pipeline.steps[0][1].func", "trusted="],
        ),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(make, words):
    with pytest.raises(ExportError, match="must be of a kind that can be saved") as caught:
        copy_of(make())
    for word in words:
        assert word in str(caught.value)


def test_an_open_file_is_refused(tmp_path):
    with open(tmp_path / "file", "w") as file, pytest.raises(ExportError, match="TextIOWrapper"):
        copy_of(model_with(file))


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: [{"back": model}]])
def test_an_object_that_contains_itself_is_refused(wrap):
    model = LogisticRegression()
    model.me = wrap(model)
    with pytest.raises(ExportError, match="it contains itself"):
        copy_of(model)


def test_a_nest_without_end_is_refused():
    nest = []
    for _ in range(100_000):
        nest = [nest]
    with pytest.raises(ExportError, match="less deep"):
        copy_of(model_with(nest))
