"""Where points and their names stand in a picture: limits of axes, and names that never overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["limits", "name_beside", "spread", "too_far"]

# What lies further out than this many typical distances, and than a floor, may be too far.
_TYPICAL_DISTANCES = 5.0
_MARGIN = 0.08  # of the range of what is shown
_LABEL_LINES = 1.45  # between the middles of two labels, in sizes of their font
_LABEL_SIZE = 8.3  # points


def too_far(distances: pd.Series, floor: float) -> pd.Series:
    """Return which points squeeze the others; none if without them the axis is hardly shorter."""
    reach = max(_TYPICAL_DISTANCES * distances.median(), floor)
    return (distances > reach) & (distances.max() > 2.0 * reach)


def limits(low: pd.Series, high: pd.Series, narrowest: float) -> tuple[float, float]:
    """Return limits around what is shown, with a margin."""
    middle, half = (high.max() + low.min()) / 2.0, (high.max() - low.min()) / 2.0
    half = max(half, narrowest / 2.0, 1e-6 * abs(middle), 1e-9) * (1.0 + 2.0 * _MARGIN)
    return middle - half, middle + half


def name_beside(ax: Any, points: pd.DataFrame) -> None:
    """Write names in a column right of the axes, in the order of their points and tied to them.

    Parameters
    ----------
    ax : matplotlib Axes
        Its limits are set already.
    points : DataFrame
        Columns ``x``, ``y``, ``label``, ``colour`` and, optionally, ``weight`` of the font.
    """
    bottom, top = ax.get_ylim()
    heights = (points["y"].to_numpy() - bottom) / (top - bottom)
    inches = ax.get_position().height * ax.figure.get_size_inches()[1]
    gap = _LABEL_LINES * _LABEL_SIZE / (72.0 * inches)
    for height, point in zip(spread(heights, gap), points.itertuples(), strict=True):
        ax.annotate(
            point.label,
            xy=(point.x, point.y),
            xycoords="data",
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            ha="left",
            fontsize=_LABEL_SIZE,
            fontweight=getattr(point, "weight", "normal"),
            color=point.colour,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": "0.8",
                "linewidth": 0.7,
                "relpos": (0.0, 0.5),
                "shrinkB": 4,
            },
            zorder=2,
        )


def spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Move heights between 0 and 1 apart until neighbours are a gap away, keeping their order.

    More than fit are placed at equal distances.
    """
    n = len(heights)
    if n < 2 or gap * (n - 1) >= 1.0:
        gap = 1.0 / (n - 1) if n > 1 else gap
    order = np.argsort(heights, kind="stable")
    # The least-squares positions under a smallest distance are an isotonic regression of what is
    # left after the distances are taken off.
    steps = gap * np.arange(n)
    base = heights[order] - steps
    blocks: list[list[float]] = []
    for value in base:
        blocks.append([value, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size = blocks.pop()
            below, count = blocks[-1]
            blocks[-1] = [(below * count + mean * size) / (count + size), count + size]
    fitted = np.concatenate([np.full(int(size), mean) for mean, size in blocks])
    fitted = np.clip(fitted, 0.0, max(0.0, 1.0 - steps[-1]))
    placed = np.empty(n)
    placed[order] = fitted + steps
    return placed
