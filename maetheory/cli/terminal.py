"""What a command shows: one document or one text on standard output, progress on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from maetheory.core import Progress


class ResumableInterrupt(Exception):
    """Ctrl-C with a sentence that says how to go on; typer would swallow the sentence of a KeyboardInterrupt."""


def print_result(document: Any, as_json: bool, text: Callable[[], str]) -> None:
    """Print the document as JSON, or its text."""
    print(json.dumps(document, indent=1, default=float) if as_json else text())


def terminal_options() -> dict[str, Any]:
    """Return how wide and colourful the terminal is."""
    from rich.console import Console

    console = Console()
    return {"colour": console.is_terminal and not console.no_color, "width": console.width}


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Show progress while something long runs, and let its Ctrl-C say how to go on.

    A bar with time left on a terminal, a line every ten seconds elsewhere; always on standard error.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    try:
        if console.is_terminal:
            with bar:  # stopped also on an error: it hides the cursor
                task = bar.add_task("", total=None)
                yield lambda done, total, message: bar.update(task, completed=done, total=total, description=message)
        else:
            yield _line_progress()
    except KeyboardInterrupt as error:
        raise ResumableInterrupt(str(error)) from error


def _line_progress() -> Progress:
    began, first, job = time.monotonic(), 0, 0
    last = began

    def report(done: int, total: int, message: str) -> None:
        nonlocal began, first, last, job
        now = time.monotonic()
        if total != job or done < first:
            began, first, job = now, done, total
        if now - last > 10:
            last = now
            left = ""
            if done > first:
                left = f", {timedelta(seconds=round((now - began) / (done - first) * (total - done)))} left"
            print(f"{message} ({done}/{total}{left})", file=sys.stderr, flush=True)

    return report
