"""Summary of a result in a few lines of text, or as a small HTML table for notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping


def summary_text(title: str, facts: Mapping[str, str], *, width: int = 100) -> str:
    """Return a title and named facts as at most three lines, cut off at `width` characters.

    Parameters
    ----------
    title : str
    facts : mapping from name to text
        At most two are given a line of their own; the rest of them is left out.

    Examples
    --------
    >>> print(summary_text("Spectrum of 2 values", {"values": "1, 0.5", "certificate": "complete"}))
    Spectrum of 2 values
      values: 1, 0.5
      certificate: complete
    """
    lines = [title, *(f"  {name}: {text}" for name, text in list(facts.items())[:2])]
    return "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in lines)


def summary_html(title: str, facts: Mapping[str, str]) -> str:
    """Return a title and named facts as an HTML table, with everything escaped.

    Texts begin at the left, which notebooks do not do by themselves; colours are those of the notebook's theme.

    Examples
    --------
    >>> summary_html("a < b", {"c": "d"})
    '<table><caption><div style="text-align: left">a &lt; b</div></caption><tr><th
    style="text-align: left">c</th><td style="text-align: left">d</td></tr></table>'
    """
    left = 'style="text-align: left"'
    rows = "".join(
        f"<tr><th {left}>{html.escape(name)}</th><td {left}>{html.escape(text)}</td></tr>"
        for name, text in facts.items()
    )
    return f"<table><caption><div {left}>{html.escape(title)}</div></caption>{rows}</table>"
