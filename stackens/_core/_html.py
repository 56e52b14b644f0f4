"""The face of results in a notebook: a sentence above a table."""

from __future__ import annotations

from html import escape

import pandas as pd

__all__ = ["html_of"]

_MOST_ROWS, _MOST_COLUMNS = 20, 40


def html_of(sentence: str, frame: pd.DataFrame) -> str:
    """Return HTML with a sentence and, below it, a frame: its ends, where it is large."""
    table = frame.to_html(border=0, max_rows=_MOST_ROWS, max_cols=_MOST_COLUMNS)
    return f"<p>{escape(sentence)}</p>{table}"
