"""Readers of what stackens combines: bags of fold models, prediction tables, combiners."""

from stackens.export.readers.ensembles._answers import read_answer
from stackens.export.readers.ensembles._combiners import read_combination, read_combined
from stackens.export.readers.ensembles._meta_learner import read_meta_features
from stackens.export.readers.ensembles._predictions import Predictions, read_predictions
from stackens.export.readers.ensembles._probabilities import (
    log_odds,
    probabilities_of_log_odds,
    renormalised,
)

__all__ = [
    "Predictions",
    "log_odds",
    "probabilities_of_log_odds",
    "read_answer",
    "read_combination",
    "read_combined",
    "read_meta_features",
    "read_predictions",
    "renormalised",
]
