"""Words of a page that the glossary explains: links to their meanings, and the list of those that occur."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache

from markupsafe import Markup, escape

from maetheory import metrics
from maetheory.core.glossary import GLOSSARY, Term
from maetheory.metrics import CONVENTIONS


class TermLinks:
    """Link words of a page to their meanings, and remember which occur.

    Examples
    --------
    >>> terms = TermLinks()
    >>> print(terms.link("silhouette < 1", set()))
    <a class="term" href="#term-silhouette" aria-describedby="meaning-silhouette">silhouette</a> &lt; 1
    >>> [term.name for term in terms.used]
    ['silhouette']
    """

    def __init__(self) -> None:
        self._found: set[str] = set()

    @property
    def used(self) -> list[Term]:
        """Terms that occur, in the order of the alphabet."""
        return sorted((term for term in page_terms() if term.name in self._found), key=lambda term: term.name.lower())

    def link(self, text: str, linked: set[str]) -> Markup:
        """Return escaped text in which the first occurrence of each term is a link.

        Parameters
        ----------
        text : str
        linked : set of str
            Terms that are already linked near by, and stay plain; those found here are added.
        """
        pattern, by_spelling = _text_pattern()
        parts, end = [], 0
        for found in pattern.finditer(text):
            term = by_spelling[found[0].lower()]
            if term.name not in linked:
                linked.add(term.name)
                parts += [escape(text[end : found.start()]), self._anchor(term, found[0])]
                end = found.end()
        return Markup("").join([*parts, escape(text[end:])])

    def link_cell(self, text: str, linked: set[str]) -> Markup:
        """Return the escaped text of a cell or heading of a table, linked where it is a term and nothing else."""
        term = _terms_of_cells().get(text)
        if term is None or term.name in linked:
            return escape(text)
        linked.add(term.name)
        return self._anchor(term, text)

    def _anchor(self, term: Term, text: str) -> Markup:
        self._found.add(term.name)
        place = identifier(term)
        return Markup('<a class="term" href="#term-{0}" aria-describedby="meaning-{0}">{1}</a>').format(place, text)


def identifier(term: Term) -> str:
    """Return the part of a term's identifiers that is its own."""
    return re.sub(r"\W+", "-", term.name.lower()).strip("-")


@cache
def page_terms() -> tuple[Term, ...]:
    """Return the glossary and all metrics, each by the first sentence of its docstring."""
    return (*GLOSSARY, *_metric_terms())


def _metric_terms() -> Iterator[Term]:
    for name in CONVENTIONS:
        said = inspect.getdoc(getattr(metrics, name))
        if said:  # python -OO has no docstrings
            sentence = " ".join(said.partition("\n\n")[0].split()).replace("``", "")
            meaning = sentence.removeprefix("Return ").removeprefix("the ").rstrip(".")
            yield Term(name, f"{meaning} ({CONVENTIONS[name][0].source})", in_text=(name,), in_tables=(name,))


@cache
def _text_pattern() -> tuple[re.Pattern[str], dict[str, Term]]:
    """Return the pattern of all spellings, longest first, and the term of each spelling in small letters."""
    by_spelling = {word.lower(): term for term in page_terms() for word in term.in_text}
    spellings = "|".join(re.escape(word) for word in _longest_first(by_spelling))
    return re.compile(rf"(?<![\w-])(?:{spellings})(?![\w-])", re.IGNORECASE), by_spelling


def _longest_first(words: Iterable[str]) -> list[str]:
    return sorted(words, key=lambda word: (-len(word), word))


@cache
def _terms_of_cells() -> dict[str, Term]:
    return {text: term for term in page_terms() for text in (term.name, *term.in_text, *term.in_tables)}
