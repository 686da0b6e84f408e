"""Run the command line as ``python -m maetheory``, or as the program ``maetheory``."""

from __future__ import annotations

import contextlib
import os
import sys


def main() -> None:
    """Run the command line and exit; Ctrl-C ends it with one line at any moment, also while modules are imported."""
    _occupy_standard_descriptors()
    try:
        from maetheory.cli import main as run

        run()
    except KeyboardInterrupt:
        with contextlib.suppress(OSError, AttributeError):  # nobody reads it, or there is no standard error
            os.write(sys.stderr.fileno(), b"maetheory: interrupted\n")
        sys.exit(130)


def _occupy_standard_descriptors() -> None:
    """Lead closed standard streams to the null device; otherwise the first file opened would become one of them.

    Libraries that print to descriptor 1 or 2 would then write into a checkpoint.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor, which is this one


if __name__ == "__main__":
    main()
