"""Readers of linear models, networks, naive Bayes and models made of other models."""

# Importing a file registers its readers.
# ruff: noqa: F401

from stackens.export.readers.models import (
    _calibration,
    _constants,
    _discriminants,
    _frozen_network,
    _kernel_ridge,
    _linear,
    _multilayer_perceptron,
    _naive_bayes,
    _one_against_others,
    _several_targets,
    _stacking,
    _support_vectors,
    _thresholds,
    _transformed_target,
    _voting,
    _wrappers,
)
from stackens.export.readers.models._keras_layers import read_keras_model
from stackens.export.readers.models._tabular_network import read_tabular_network
from stackens.export.readers.models._torch_layers import read_torch_module

__all__ = [
    "read_keras_model",
    "read_tabular_network",
    "read_torch_module",
]
