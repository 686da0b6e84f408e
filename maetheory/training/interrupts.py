"""Defer Ctrl-C, SIGTERM and SIGHUP to the end of a training step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Cluster schedulers and torchrun send SIGTERM, a terminal that is closed sends SIGHUP (which Windows does not have).
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def deferred_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into an event, so that a step can end.

    A second Ctrl-C interrupts at once. A signal that is ignored stays ignored, as SIGHUP is under nohup. Outside the
    main thread, where Python handles no signals, the event is never set.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, *STOP_SIGNALS)}

    def request_by_ctrl_c(number: int, frame: Any) -> None:
        requested.set()
        signal.signal(signal.SIGINT, previous[signal.SIGINT])

    def request(number: int, frame: Any) -> None:
        requested.set()

    signal.signal(signal.SIGINT, request_by_ctrl_c)
    for number in STOP_SIGNALS:
        if number == signal.SIGTERM or previous[number] != signal.SIG_IGN:
            signal.signal(number, request)
    try:
        yield requested
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
