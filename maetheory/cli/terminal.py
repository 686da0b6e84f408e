"""Output of a command: one result on standard output, progress on standard error.

A reader that closes the pipe early, as ``head -1`` does, ends the output and not the command: the exit code stays that
of the result.
"""

from __future__ import annotations

import io
import os
import re
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from maetheory.cli.remaining_time import RemainingTime, format_remaining_time
from maetheory.core import Progress, printable_sentence
from maetheory.core.json_documents import strict_json
from maetheory.core.memory import check_memory_for_linear_algebra

SECONDS_BETWEEN_LINES = 10.0
"""Least time between two lines of progress where standard error is no terminal."""


class ResumableInterrupt(Exception):
    """Ctrl-C with a message that says how to resume; typer would drop the message of a KeyboardInterrupt."""


def print_result(document: Any, as_json: bool, text: Callable[[], str]) -> None:
    """Print the document as strict JSON, or the text, on standard output.

    Parameters
    ----------
    document : nested values
        NaN and infinities become null.
    as_json : bool
    text : callable
        Called only if the text is printed.
    """
    print_line(strict_json(document, indent=1) if as_json else text(), sys.stdout)


def print_line(text: str, stream: TextIO | None) -> None:
    """Print a line at once; a closed stream, or a pipe that nobody reads any more, drops it.

    Messages are dropped too where standard error cannot be written for any other reason: the result counts.

    Raises
    ------
    OSError
        If a line of the result cannot be written for another reason, such as a full disk.
    """
    if stream is None:  # the descriptor was closed before the start
        return
    try:
        print(text, file=stream, flush=True)
    except UnicodeEncodeError:  # the encoding of the terminal lacks a character
        encoding = stream.encoding or "ascii"
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except OSError as error:
        if stream is not sys.stderr and not isinstance(error, BrokenPipeError):
            raise
        discard_output(stream)


def wrapped(text: str) -> str:
    """Return a text whose long lines are broken for the terminal; where output is no terminal, the text as it is.

    A line that begins with a label and two spaces or more goes on below its value. The variable COLUMNS is taken for a
    terminal of that width.
    """
    from rich.console import Console

    console = Console()
    if not (console.is_terminal or os.environ.get("COLUMNS", "").isdecimal()):
        return text
    return "\n".join(map(partial(_wrap_line, width=console.width), text.split("\n")))


def _wrap_line(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    label = re.match(r" *\S+(?: \S+)*? {2,}(?=\S)", line)
    indent = label.end() if label else len(line) - len(line.lstrip(" "))
    if indent > width // 2 or indent + max(map(len, line.split())) > width:
        indent = 2
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def printable_path(path: str | Path) -> str:
    r"""Return a path as one line, in full, without characters that would forge a line or colour the terminal.

    Examples
    --------
    >>> print(printable_path("runs/a\nloss 0"))
    runs/a\nloss 0
    """
    return printable_sentence(str(path))


def print_note(sentence: str) -> None:
    """Print a sentence on standard error at once, above the progress bar if there is one."""
    start = "\r\x1b[2K" if sys.stderr is not None and sys.stderr.isatty() else ""
    print_line(f"{start}maetheory: {printable_sentence(sentence)}", sys.stderr)


def discard_output(stream: TextIO) -> None:
    """Send everything that a stream still holds or gets to the null device, so that the exit is silent."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, io.UnsupportedOperation):  # a stream without a descriptor holds nothing back
        pass


def terminal_options() -> dict[str, Any]:
    """Return the width of the terminal and whether it shows colours, as keyword arguments of text reports."""
    from rich.console import Console

    console = Console()
    return {"colour": console.is_terminal and not console.no_color, "width": console.width}


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Yield a progress callback that writes to standard error.

    It draws a bar on a terminal, and prints at most a line every ten seconds elsewhere, with an estimate of the
    remaining time once there is one.

    Raises
    ------
    ResumableInterrupt
        On Ctrl-C, with the message of the KeyboardInterrupt.
    InputError
        If the limit on memory is below what linear algebra needs (`check_memory_for_linear_algebra`).
    """
    check_memory_for_linear_algebra()
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    stream: Any = None if sys.stderr is None else _MessageStream(sys.stderr)
    console = Console(file=stream, stderr=True)
    bar = Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    try:
        if console.is_terminal:
            with bar:  # the bar hides the cursor, so it must stop on an error too
                yield _bar_progress(bar)
        else:
            yield _line_progress()
    except KeyboardInterrupt as error:
        raise ResumableInterrupt(str(error)) from error


def _bar_progress(bar: Any) -> Progress:
    """Return a callback that moves a bar of rich, whose field ``left`` is the estimate of the remaining time."""
    task, remaining = bar.add_task("", total=None, left=""), RemainingTime()

    def report(done: int, total: int, message: str) -> None:
        left = format_remaining_time(remaining.estimate(done, total))
        bar.update(task, completed=done, total=total, description=message, left=left)

    return report


class _MessageStream:
    """Standard error for a progress bar: what it cannot take, as on a closed terminal, is dropped.

    An error of the bar would otherwise end the work that it shows, before that work is saved.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        try:
            return self._stream.write(text)
        except OSError:
            discard_output(self._stream)
            return len(text)

    def flush(self) -> None:
        """Write what the stream holds back, or drop it."""
        try:
            self._stream.flush()
        except OSError:
            discard_output(self._stream)


@contextmanager
def deferred_warnings() -> Iterator[None]:
    """Collect Python warnings, and print each once at the end, as one line on standard error without its source."""
    sentences: dict[str, None] = {}

    def keep(message: Warning | str, *_: object, **__: object) -> None:
        sentences[" ".join(printable_sentence(str(message)).split())] = None

    with warnings.catch_warnings():
        warnings.showwarning = keep
        try:
            yield
        finally:
            for sentence in sentences:
                print_line(f"maetheory: warning: {sentence}", sys.stderr)


def warn_of_image_assumptions(*image_sets: Any) -> None:
    """Say at the end of the command how images were found and scaled, where its report does not.

    Parameters
    ----------
    *image_sets : ImageSet
        Whatever has no ``notes`` has nothing to say.
    """
    for images in image_sets:
        for note in getattr(images, "notes", ()):
            warnings.warn(note, stacklevel=2)


def _line_progress() -> Progress:
    """Return a callback that prints at most one line every ten seconds, and none twice."""
    remaining, last_print, last_line = RemainingTime(), time.monotonic(), ""

    def report(done: int, total: int, message: str) -> None:
        nonlocal last_print, last_line
        left = format_remaining_time(remaining.estimate(done, total))
        now = time.monotonic()
        line = f"{message} ({done}/{total}{', ' if left else ''}{left})"
        if now - last_print > SECONDS_BETWEEN_LINES and line != last_line:
            last_print, last_line = now, line
            print_line(line, sys.stderr)

    return report
