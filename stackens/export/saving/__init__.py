"""Fitted objects in one file: written without pickle, loaded without running code from it."""

from stackens.export.saving._forms import Form
from stackens.export.saving._load import as_path, load
from stackens.export.saving._save import save

# Form is no public name: files name it by this place, where it has to stay
__all__ = ["Form", "as_path", "load", "save"]
