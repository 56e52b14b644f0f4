"""How much each site counts, in the average and in the ensemble: by its rows, by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stackens.weight_averaging.one_shot._sites import Site

if TYPE_CHECKING:
    from stackens.weight_averaging.one_shot._ensemble import Form

__all__ = ["sent_by_all", "site_shares"]

Shares = NDArray[np.float64]


def site_shares(weights: Any, sites: Sequence[Site], form: Form) -> tuple[Shares, Shares]:
    """Return the shares of the sites in the average of weights, and in the ensemble.

    Parameters
    ----------
    weights : {"auto", "equal"} or array-like
        As `one_shot_merge` takes them.
    sites : sequence of Site
    form : Form
        What the networks predict.

    Returns
    -------
    average : array of shape (n_sites,)
    ensemble : array of shape (n_sites,) or (n_sites, n_classes)
        Shares of a class that no site has seen are equal.

    Raises
    ------
    ValueError
        If only some sites sent their counts, or numbers do not fit the sites or the classes.
    """
    rows = sent_by_all(sites, "n_rows")
    counts = sent_by_all(sites, "class_counts")
    equal = _normalised(np.ones(len(sites)))
    if not isinstance(weights, str):
        try:
            given = np.asarray(weights, dtype=np.float64)
        except (TypeError, ValueError):  # words, or rows of different lengths
            given = np.empty(0)
        shapes: list[tuple[int, ...]] = [(len(sites),)]
        if form.n_classes:
            shapes.append((len(sites), form.n_classes))
        if given.shape not in shapes or not (np.isfinite(given).all() and (given >= 0).all()):
            wanted = " or ".join(map(str, shapes))
            raise ValueError(
                f"'weights' must be numbers of at least zero, of shape {wanted}. Got {weights!r}. "
                "Give one for each site."
            )
        if not given.sum() > 0:
            raise ValueError(f"Some weight must be above zero. Got {weights!r}. Raise one.")
        return _normalised(given.reshape(len(sites), -1).sum(axis=1)), _normalised(given)
    if weights not in ("auto", "equal"):
        raise ValueError(
            f"'weights' must be 'auto', 'equal' or numbers. Got {weights!r}. Use 'auto' to go by "
            "what the sites send."
        )
    if weights == "equal":
        return equal, equal
    by_rows = equal if rows is None else _normalised(np.array(rows, dtype=np.float64))
    if counts is None:
        return by_rows, by_rows
    lengths = {site.name: len(site.class_counts) for site in sites}
    if any(length != form.n_classes for length in lengths.values()):
        raise ValueError(
            f"Class counts must be one number for each of {form.n_classes} classes. Got so many: "
            f"{lengths}. Count in the order of the outputs, with 0 for classes that a site has not "
            "seen."
        )
    return by_rows, _normalised(np.stack(counts))


def sent_by_all(sites: Sequence[Site], what: str) -> list[Any] | None:
    """Return what each site sent under this name, or None where none sent it.

    Raises
    ------
    ValueError
        If only some sent it.
    """
    sent = [getattr(site, what) for site in sites]
    missing = [site.name for site, value in zip(sites, sent, strict=True) if value is None]
    if missing and len(missing) < len(sites):
        raise ValueError(
            f"All sites must send {what!r}, or none. Got none from {missing}. Ask them for it, or "
            "leave it out everywhere."
        )
    return None if missing else sent


def _normalised(weights: Shares) -> Shares:
    """Divide by the sums over sites."""
    totals = weights.sum(axis=0)
    return np.where(totals > 0, weights / np.where(totals > 0, totals, 1.0), 1 / len(weights))
