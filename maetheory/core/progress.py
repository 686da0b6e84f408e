"""Long work says how far it has come; who listens decides how it looks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by long work after each step; the command line shows it, the library never prints."""

    def __call__(self, done: int, total: int, message: str) -> None:
        """Report `done` of `total` steps; `message` says in a few words what is being done."""


def silent(done: int, total: int, message: str) -> None:
    """Report progress to nobody."""
