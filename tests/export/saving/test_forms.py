"""Tests of forms: placeholders while saving, the objects themselves while loading."""

import threading

import pytest

import stackens.export.saving
from stackens.export.saving._forms import Form, reading


def test_a_form_says_how_it_is_called_again():
    form = Form("pair", 1, "a")
    cls, arguments = form.__reduce__()
    assert cls is Form
    assert arguments == ("pair", 1, "a")
    assert getattr(stackens.export.saving, cls.__name__) is Form
    assert cls.__module__ == "stackens.export.saving"


def test_while_a_file_is_read_a_form_is_its_object():
    with reading(lambda kind, payload: {kind: payload}):
        assert Form("pair", 1, "a") == {"pair": (1, "a")}
    assert isinstance(Form("pair"), Form)


def test_reading_ends_with_an_error_too():
    with pytest.raises(KeyError), reading(lambda kind, payload: {}[kind]):
        Form("pair")
    assert isinstance(Form("pair"), Form)


def test_reading_in_one_thread_does_not_touch_another():
    made = []
    with reading(lambda kind, payload: "read"):
        thread = threading.Thread(target=lambda: made.append(Form("pair")))
        thread.start()
        thread.join()
    assert isinstance(made[0], Form)
