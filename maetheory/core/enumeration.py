"""Names in a sentence."""

from __future__ import annotations

from collections.abc import Iterable


def enumerated(names: Iterable[str], last: str = "and") -> str:
    """Return names as a sentence enumerates them; empty if there are none.

    Examples
    --------
    >>> enumerated(["1", "2", "4"]), enumerated(["3"]), enumerated(["linear", "knn"], "or")
    ('1, 2 and 4', '3', 'linear or knn')
    """
    *others, final = list(names) or [""]
    return f"{', '.join(others)} {last} {final}" if others else final
