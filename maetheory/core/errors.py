"""`InputError`, the exception for input that the caller can correct."""

from __future__ import annotations


class InputError(ValueError):
    """Invalid input; the message is one plain sentence that says what was wrong and what would be right.

    The command line prints the message on standard error and exits with 2. Any other exception that escapes is a
    defect of this package (exit 70), so raise this one only for input that the caller can correct.
    """
