"""Tests that transformers without an exact form are refused, with the reason and a way out."""

import pytest
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import KNNImputer
from sklearn.kernel_approximation import RBFSampler

from stackens.exceptions import ExportError
from tests.export.readers.preprocessing.comparison import program_of


@pytest.mark.parametrize(
    ("transformer", "reason", "advice"),
    [
        (KNNImputer(), "training rows", "SimpleImputer"),
        (CountVectorizer(), "words", "outside the model"),
        (NMF(), "for each row", "PCA"),
        (RBFSampler(), "functions", "Nystroem"),
    ],
)
def test_the_reason_is_given(transformer, reason, advice):
    with pytest.raises(ExportError, match=f"{reason}.*Got.*{advice}.*distil"):
        program_of(transformer, ["x"])


def test_unknown_transformers_are_refused():
    class Own:
        """A transformer that nobody knows."""

    with pytest.raises(ExportError, match="Own") as told:
        program_of(Own(), ["x"])
    assert "sklearn.StandardScaler" in str(told.value)
    assert "CountVectorizer" not in str(told.value)
