"""Tables and text are laid out for a terminal without writing to it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def capturing_console(width: int, *, colour: bool) -> Console:
    """Return a console of so many columns whose `capture` gives what was printed.

    Parameters
    ----------
    width : int
    colour : bool
        Whether to colour the text for a terminal.
    """
    from rich.console import Console

    return Console(file=io.StringIO(), width=width, force_terminal=colour, highlight=False, no_color=not colour)
