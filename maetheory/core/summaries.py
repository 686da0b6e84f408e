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

    Examples
    --------
    >>> summary_html("a < b", {"c": "d"})
    '<table><caption>a &lt; b</caption><tr><th>c</th><td>d</td></tr></table>'
    """
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in facts.items())
    return f"<table><caption>{html.escape(title)}</caption>{rows}</table>"
