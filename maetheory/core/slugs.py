"""Names that become a part of a path: one component of letters, digits, dots, dashes and underscores."""

from __future__ import annotations

import re

from maetheory.core.errors import InputError
from maetheory.core.printable import printable_value

MAX_SLUG_LENGTH = 100
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_slug(name: object, what: str) -> str:
    """Return a name that is safe as the name of a file or folder.

    Parameters
    ----------
    name : object
        A name from outside.
    what : str
        What it names and where it stands, for the error.

    Raises
    ------
    InputError
        If it is no text, empty, longer than 100 characters, or holds anything but the letters a to z and A to Z,
        digits, dots, dashes and underscores, the first of which is a letter or digit.

    Examples
    --------
    >>> check_slug("table1-cifar10-tiny", "the experiment")
    'table1-cifar10-tiny'
    """
    if not isinstance(name, str) or len(name) > MAX_SLUG_LENGTH or not _SLUG.fullmatch(name):
        raise InputError(
            f"{what} must be a name of at most {MAX_SLUG_LENGTH} letters, digits, dots, dashes and underscores, as in "
            f"mask-ratio-digits, but it is {printable_value(name)}"
        )
    return name
