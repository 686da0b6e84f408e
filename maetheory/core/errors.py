"""`InputError`, the exception for input that the caller can correct, and its case `SquaresOverflowError`."""

from __future__ import annotations

from maetheory.core.printable import printable_sentence


class InputError(ValueError):
    r"""Invalid input; the message is one plain sentence that says what was wrong and what would be right.

    The command line prints the message on standard error and exits with 2. Any other exception that escapes is a
    defect of this package (exit 70), so raise this one only for input that the caller can correct. The message may
    quote names from a file: it becomes one line without control characters, of at most 2000 characters.

    Examples
    --------
    >>> print(InputError("there is no tensor x\nnote: verified"))
    there is no tensor x\nnote: verified
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable_sentence(str(message)))


class SquaresOverflowError(InputError):
    """Finite numbers whose squares exceed the range of float64, so that a loss would be infinite."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"squares overflow: {what} is not finite although every number given is; divide the objects by a common "
            "factor, so that they stay below about 1e150"
        )
