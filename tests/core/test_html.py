"""The face of results in a notebook."""

import pandas as pd

from stackens._core._html import html_of


def test_a_sentence_stands_above_the_table():
    html = html_of("a < b", pd.DataFrame({"score": [0.5]}))
    assert html.startswith("<p>a &lt; b</p>")
    assert "<th>score</th>" in html


def test_long_tables_are_cut():
    html = html_of("long", pd.DataFrame({"x": range(1000)}))
    assert html.count("<tr") < 30
    assert "999" in html
