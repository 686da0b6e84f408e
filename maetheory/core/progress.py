"""The callback protocol by which long computations report progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Callback that a long computation calls after each step.

    The library never prints: the command line passes a callback that draws a progress bar.
    """

    def __call__(self, done: int, total: int, message: str) -> None:
        """Receive that `done` of `total` steps are finished; `message` names the step in a few words."""


def no_progress(done: int, total: int, message: str) -> None:
    """Do nothing: the default progress callback."""
