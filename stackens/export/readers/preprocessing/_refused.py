"""Transformers that no export can write exactly, each with the reason and what to use instead."""

from __future__ import annotations

from typing import Any

from stackens.exceptions import ExportError
from stackens.export.program import Graph
from stackens.export.readers._registry import reads_transformer
from stackens.export.readers._table import Table

__all__: list[str] = []

_TEXT = "it splits text into words", "Count words outside the model, and give it the counts"
_HASH = "it hashes text", "Encode the columns with OneHotEncoder or stackens.TabularEncoder"
_ROWS = "it keeps the training rows", "Use SimpleImputer, or stackens.TabularEncoder"
_SOLVES = "it solves a problem for each row", "Use PCA or TruncatedSVD"
_COSINE = "it needs functions that the exports lack", "Use Nystroem, with the kernel 'rbf'"
_KERNEL = "it compares with the training rows", "Use Nystroem, which learns a few"

_REASONS: dict[str, tuple[str, str]] = {
    "CountVectorizer": _TEXT,
    "TfidfVectorizer": _TEXT,
    "HashingVectorizer": _TEXT,
    "DictVectorizer": ("it reads dicts", "Turn the dicts into a DataFrame, and encode that"),
    "FeatureHasher": _HASH,
    "KNNImputer": _ROWS,
    "IterativeImputer": (
        "it solves for several columns in rounds",
        "Use SimpleImputer, or stackens.TabularEncoder",
    ),
    "NMF": _SOLVES,
    "MiniBatchNMF": _SOLVES,
    "LatentDirichletAllocation": _SOLVES,
    "SparsePCA": _SOLVES,
    "MiniBatchSparsePCA": _SOLVES,
    "DictionaryLearning": _SOLVES,
    "RBFSampler": _COSINE,
    "SkewedChi2Sampler": _COSINE,
    "AdditiveChi2Sampler": _COSINE,
    "PolynomialCountSketch": _COSINE,
    "KernelPCA": _KERNEL,
    "KernelCenterer": _KERNEL,
    "Isomap": _KERNEL,
    "LocallyLinearEmbedding": _KERNEL,
}


@reads_transformer(*(f"sklearn.{name}" for name in _REASONS), refuses=True)
def _refused(transformer: Any, graph: Graph, table: Table) -> Table:
    name = type(transformer).__name__
    reason, advice = _REASONS[name]
    raise ExportError(
        f"{name} cannot be exported exactly: {reason}. Got {transformer!r:.200}. {advice}, or "
        "distil the whole model into a student."
    )
