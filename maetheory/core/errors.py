"""Bad input deserves one plain sentence: what was wrong, and what would be right."""

from __future__ import annotations


class InputError(ValueError):
    """What the caller gave cannot be used; the message is one plain sentence for a person.

    The command line prints the sentence on standard error and exits with 2. Anything else that escapes is our own
    fault (exit 70), so raise this only for what the caller can mend.
    """
