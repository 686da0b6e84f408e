"""Notebooks, changelog and other files of the repository that are pages of the site too."""

from __future__ import annotations

import re
from pathlib import Path


def included_pages(folder: Path, repository: Path) -> None:
    """Copy the executed notebooks, the changelog, the benchmarks and the contributors' guide."""
    tutorials = folder / "notebooks"
    tutorials.mkdir(parents=True)
    for notebook in sorted((repository / "notebooks").glob("*.ipynb")):
        text = notebook.read_text(encoding="utf-8")
        (tutorials / notebook.name).write_text(_with_links_to_pages(text), encoding="utf-8")
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "docs/mutants.md"):
        source = repository / name
        if source.exists():
            page = folder / f"{source.parent.name if source.name == 'README.md' else source.stem.lower()}.md"
            page.write_text(
                _without_links_to_files(source.read_text(encoding="utf-8"), source.parent), encoding="utf-8"
            )


def _with_links_to_pages(text: str) -> str:
    """Return a notebook whose links to statements and pages of the repository lead to those of the site.

    A link to a module of `maetheory.theory.statements` has the slug of the statement as its text, or is to the package,
    whose page is the index of the statements.
    """
    text = re.sub(r"\]\(\.\./maetheory/theory/statements/__init__\.py\)", "](../statements/index.md)", text)
    text = re.sub(r"\[([\w-]+)\]\(\.\./maetheory/theory/statements/\w+\.py\)", r"[\1](../statements/\1.rst)", text)
    return re.sub(r"\]\(\.\./docs/([\w-]+\.md)", r"](../../\1", text)


def _without_links_to_files(text: str, folder: Path) -> str:
    """Return Markdown in which links to files of the repository, which the site does not hold, are paths."""

    def path(found: re.Match[str]) -> str:
        return f"{found[1]} (`{found[2]}`)" if (folder / found[2].partition("#")[0]).exists() else found[0]

    return re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s]+)\)", path, text)
