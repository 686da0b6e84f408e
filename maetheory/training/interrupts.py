"""Defer Ctrl-C and SIGTERM to the end of a training step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def deferred_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into an event, so that a step can end; a second Ctrl-C interrupts at once.

    Outside the main thread, where Python handles no signals, the event is never set.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    previous_sigint = signal.getsignal(signal.SIGINT)

    def request(number: int, frame: Any) -> None:
        requested.set()
        signal.signal(signal.SIGINT, previous_sigint)

    # torchrun and cluster schedulers send SIGTERM.
    previous_sigterm = signal.signal(signal.SIGTERM, lambda number, frame: requested.set())
    signal.signal(signal.SIGINT, request)
    try:
        yield requested
    finally:
        signal.signal(signal.SIGINT, previous_sigint)
        signal.signal(signal.SIGTERM, previous_sigterm)
