"""Tests of the errors and warnings that people catch by name."""

import inspect

import pytest

from stackens import exceptions

CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]


def test_all_lists_every_class():
    defined = [
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and value.__module__ == exceptions.__name__
    ]
    assert sorted(defined) == sorted(exceptions.__all__)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_is_an_error_or_one_of_our_warnings(cls):
    if issubclass(cls, Warning):
        assert issubclass(cls, exceptions.StackensWarning)
        assert issubclass(cls, UserWarning)
    else:
        assert issubclass(cls, ValueError | ImportError)
        assert cls.__name__.endswith("Error")


def test_a_type_error_in_a_base_model_can_be_caught_either_way():
    error = exceptions.BaseModelTypeError("message")
    assert isinstance(error, TypeError)
    assert isinstance(error, ValueError)
    assert isinstance(error, exceptions.BaseModelError)
