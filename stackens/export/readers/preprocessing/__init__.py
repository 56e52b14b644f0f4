"""Readers of pipelines and transformers."""

# Importing a file registers its readers.
# ruff: noqa: F401

from stackens.export.readers.preprocessing import (
    _curves,
    _encoders,
    _imputers,
    _pipelines,
    _projections,
    _refused,
    _scalers,
    _selectors,
    _splines,
    _tabular_encoder,
)

__all__: list[str] = []
