"""The error for a name that is not known: it suggests the closest names, and lists all of them where they are few."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from maetheory.core.enumeration import enumerated
from maetheory.core.errors import InputError
from maetheory.core.printable import printable

MAX_LISTED = 12
MAX_SUGGESTED = 3
_SHORTEST_PART = 3  # characters that a name must share as a whole; shorter parts are in many names


def closest_names(name: str, known: Iterable[str], limit: int = MAX_SUGGESTED) -> list[str]:
    """Return the known names that are most like a name, the most similar first; empty if none is similar.

    Capitals, spaces, hyphens and underscores do not count. A name that holds the other one, or has a word that begins
    with each of its words, is similar too.

    Parameters
    ----------
    name : str
    known : iterable of str
    limit : int
        Most names that are returned.

    Examples
    --------
    >>> closest_names("Effective Rnak", ["effective_rank", "stable_rank", "coherence"])
    ['effective_rank']
    >>> closest_names("rank", ["effective_rank", "coherence"]), closest_names("svm", ["linear", "knn"])
    (['effective_rank'], [])
    >>> closest_names("recon bounds", ["reconstruction-bounds-alignment", "alignment-split"])
    ['reconstruction-bounds-alignment']
    """
    plain: dict[str, str] = {}
    for one in known:
        plain.setdefault(_plain(one), one)
    asked = _plain(name)
    holding = [one for one in plain if _is_part(asked, one) or _is_part(one, asked) or _abbreviates(asked, one)]
    holding.sort(key=lambda one: -difflib.SequenceMatcher(None, asked, one).ratio())
    similar = difflib.get_close_matches(asked, plain, n=limit, cutoff=0.6)
    typing_errors = [one for one in similar if difflib.SequenceMatcher(None, asked, one).ratio() > 0.8]
    return [plain[one] for one in dict.fromkeys([*typing_errors, *holding, *similar])][:limit]


def unknown_name_error(
    kind: str,
    name: object,
    known: Iterable[str],
    *,
    spellings: Mapping[str, str] = MappingProxyType({}),
    plural: str = "",
    listed_by: str = "",
) -> InputError:
    """Return the error for a name that is not known.

    Parameters
    ----------
    kind : str
        What the name is of, in the singular: "figure".
    name : object
        As it was given.
    known : iterable of str
    spellings : mapping of str to str
        Other spellings of names -> what to suggest for each.
    plural : str
        Plural of `kind`; by default with an s.
    listed_by : str
        Command that lists the names; then no more than `MAX_LISTED` of them stand in the sentence.

    Examples
    --------
    >>> str(unknown_name_error("figure", "mask_grpah", ["mask_graph", "mask_ratio"]))
    "there is no figure 'mask_grpah'; did you mean mask_graph or mask_ratio?"
    >>> str(unknown_name_error("mode", "svm", ["linear", "knn"]))
    "there is no mode 'svm'; the modes are: linear, knn"
    """
    listed = list(dict.fromkeys(known))
    names = {**{one: one for one in listed}, **spellings}
    start = f"there is no {kind} {printable(str(name))!r}"
    question = did_you_mean(names[one] for one in closest_names(str(name), names))
    if question:
        return InputError(f"{start}; {question} {listed_by} lists all" if listed_by else f"{start}; {question}")
    if listed_by and len(listed) > MAX_LISTED:
        return InputError(f"{start}; {listed_by} lists all")
    return InputError(f"{start}; the {plural or f'{kind}s'} are: {', '.join(listed)}")


def did_you_mean(names: Iterable[str]) -> str:
    """Return the question whether one of these names was meant; empty if there are none.

    Examples
    --------
    >>> did_you_mean(["linear", "knn", "sgd"])
    'did you mean linear, knn or sgd?'
    """
    distinct = enumerated(dict.fromkeys(names), "or")
    return f"did you mean {distinct}?" if distinct else ""


def _plain(name: str) -> str:
    return "-".join(name.lower().replace("_", " ").replace("-", " ").split())


def _is_part(part: str, whole: str) -> bool:
    return len(part) >= _SHORTEST_PART and part in whole


def _abbreviates(asked: str, name: str) -> bool:
    """Return whether each word that was asked for begins one of the name, and one of them is no single letter."""
    words = asked.split("-")
    return max(map(len, words)) >= _SHORTEST_PART and all(
        any(other.startswith(word) for other in name.split("-")) for word in words
    )
