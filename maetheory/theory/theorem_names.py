"""Names by which a theorem is found: its slug, or its number in the paper, such as "theorem 3.4", "T3.4" or "3.4"."""

from __future__ import annotations

import re
from collections.abc import Mapping

from maetheory.core.unknown_names import unknown_name_error
from maetheory.theory.theorem import Theorem

PAPER = "Zhang, Wang and Wang 2022"
LISTED_BY = "maetheory check --list"
_NUMBER = re.compile(r"(?:theorem|thm|t)?[ .-]*\(?(\d+\.\d+)\)?")
_EQUATION = re.compile(r"(?:equation|eq)[ .-]*\(?(\d+)\)?")


def paper_number(theorem: Theorem) -> str:
    """Return the theorem's number in the paper if it is printed there, and otherwise what it is beside the paper.

    Returns
    -------
    str
        "3.4" for a theorem of the paper, "4.1, step" for a step of its proof, "3.4, ours" for a statement of ours about
        it, "§ 4" for a claim of its text, and "ours" or "cited" for others.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS
    >>> [paper_number(THEOREMS[slug]) for slug in ("reconstruction-bounds-alignment", "alignment-split")]
    ['3.4', '3.4, ours']
    """
    reference = theorem.reference
    number, section = re.search(r"theorem (\d+\.\d+)", reference), re.search(r"section (\d+)", reference)
    if PAPER in reference and number is not None:
        if reference.startswith(PAPER):
            return number[1]
        return f"{number[1]}, {'step' if reference.startswith('A step') else 'ours'}"
    if reference.startswith(PAPER) and section is not None:
        return f"§ {section[1]}"
    return "ours" if re.search(r"\bours\b", reference.partition(";")[0], re.IGNORECASE) else "cited"


def find_theorem(theorems: Mapping[str, Theorem], name: str) -> Theorem:
    """Return the theorem of this slug, or of this number of the paper.

    Parameters
    ----------
    theorems : mapping from slug to Theorem
    name : str
        A slug, in which underscores, spaces and hyphens are one; or "theorem 3.4", "thm 3.4", "T3.4" or "3.4"; or
        "equation 7" or "eq. (7)" for the theorem that contains it.

    Raises
    ------
    InputError
        If there is no such theorem; the message suggests similar ones.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS
    >>> {find_theorem(THEOREMS, name).slug for name in ("theorem 3.4", "T3.4", "3.4", "eq. (7)")}
    {'reconstruction-bounds-alignment'}
    """
    if name in theorems:
        return theorems[name]
    words = " ".join(name.lower().replace("_", "-").split())
    by_slug = {slug.lower().replace("_", "-"): theorem for slug, theorem in theorems.items()}
    found = by_slug.get(words.replace(" ", "-"))
    for pattern, numbers in ((_NUMBER, _by_number(theorems)), (_EQUATION, _by_equation(theorems))):
        match = pattern.fullmatch(words)
        if found is None and match is not None:
            found = numbers.get(match[1])
    if found is not None:
        return found
    spellings = {
        f"{word}{number}": f"theorem {number} ({one.slug})"
        for number, one in _by_number(theorems).items()
        for word in ("theorem ", "")
    }
    raise unknown_name_error("theorem", name, theorems, spellings=spellings, listed_by=LISTED_BY)


def _by_number(theorems: Mapping[str, Theorem]) -> dict[str, Theorem]:
    """Return the theorems that the paper prints, by number."""
    return {paper_number(one): one for one in theorems.values() if re.fullmatch(r"\d+\.\d+", paper_number(one))}


def _by_equation(theorems: Mapping[str, Theorem]) -> dict[str, Theorem]:
    """Return the theorems that the paper prints, by the number of their equation."""
    found = {number: re.search(r"equation (\d+)", one.reference) for number, one in _by_number(theorems).items()}
    return {match[1]: _by_number(theorems)[number] for number, match in found.items() if match is not None}
