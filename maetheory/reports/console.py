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


def column_widths(columns: Sequence[Sequence[str]], width: int) -> list[int] | list[None]:
    """Return the widths of columns that fit a terminal without breaking a word; None where there are none.

    The widest columns are narrowed first.

    Parameters
    ----------
    columns : sequence of sequences of str
        Texts of each column, its heading among them.
    width : int
        Characters per line; two of them stand between columns.

    Examples
    --------
    >>> column_widths([["metric", "effective rank"], ["value", "3 [2, 4]"]], 20)
    [10, 8]
    >>> column_widths([["effective_rank"], ["value"]], 15)
    [None, None]
    """
    widths = [max(map(len, texts)) for texts in columns]
    least = [max((len(word) for text in texts for word in text.split()), default=0) for texts in columns]
    room = width - 2 * (len(widths) - 1)
    if sum(least) > room:
        return [None] * len(widths)
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda place: (widths[place] > least[place], widths[place]))
        widths[widest] -= 1
    return widths


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
