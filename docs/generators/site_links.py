"""Links that lead to files where a page is read in the repository, and to pages of the site where it is built.

A page links to the module of a statement (with the slug behind # where the module holds several), to a notebook or to
another source; the site has a page of each, which does not exist in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

STATEMENT = re.compile(r"\]\(\.\./maetheory/theory/statements/(\w+)\.py(?:#([\w-]+))?\)")
NOTEBOOK = re.compile(r"\]\(\.\./notebooks/([\w-]+\.ipynb)\)")
PAGES: Mapping[str, str] = MappingProxyType(
    {
        "../maetheory/theory/statements/__init__.py": "generated/statements/index.md",
        "../maetheory/metrics/ranks.py": "generated/metrics/rankme.rst",
        "../maetheory/cli/__init__.py": "generated/commands.md",
        "theorem_ledger.json": "generated/theorem_ledger.md",
    }
)
"""File of the repository, as seen from docs -> page of the site."""


def with_links_to_site(text: str) -> str:
    """Return a page whose links to files lead to pages of the site.

    Examples
    --------
    >>> with_links_to_site("[its claim](../maetheory/theory/statements/alignment_split.py)")
    '[its claim](generated/statements/alignment-split.rst)'
    """
    for file, page in PAGES.items():
        text = text.replace(f"]({file})", f"]({page})")
    text = STATEMENT.sub(
        lambda found: f"](generated/statements/{found[2] or found[1].replace('_', '-')}.rst)",
        text,
    )
    return NOTEBOOK.sub(r"](generated/notebooks/\1)", text)


def rewrite_source(app: object, name: str, source: list[str]) -> None:
    """Rewrite a page of this folder when Sphinx reads it; a page of `generated` has the site's links already."""
    if Path(name).parent == Path():
        source[0] = with_links_to_site(source[0])
