"""Rendering of rich text and tables to a string."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Column, Table


def capturing_console(width: int, *, colour: bool) -> Console:
    """Return a console whose `capture` returns what was printed as a string.

    Parameters
    ----------
    width : int
        Characters per line.
    colour : bool
        Whether the string holds the colour codes of a terminal.
    """
    from rich.console import Console

    return Console(file=io.StringIO(), width=width, force_terminal=colour, highlight=False, no_color=not colour)


def borderless_table(columns: Sequence[Column | str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table without borders.

    Parameters
    ----------
    columns : sequence of Column or str
        Headings, with alignment and wrapping where they differ from rich's.
    rows : iterable of sequences of str or Text
        One cell per column.
    """
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return table
