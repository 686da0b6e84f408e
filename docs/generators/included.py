"""Notebooks, changelog and other files of the repository that are pages of the site too."""

from __future__ import annotations

import re
import shutil
from pathlib import Path


def included_pages(folder: Path, repository: Path) -> None:
    """Copy the executed notebooks, the changelog, the benchmarks and the contributors' guide."""
    tutorials = folder / "notebooks"
    tutorials.mkdir(parents=True)
    for notebook in sorted((repository / "notebooks").glob("*.ipynb")):
        shutil.copyfile(notebook, tutorials / notebook.name)
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "docs/mutants.md"):
        source = repository / name
        if source.exists():
            page = folder / f"{source.parent.name if source.name == 'README.md' else source.stem.lower()}.md"
            page.write_text(_without_links_to_files(source.read_text(encoding="utf-8"), source.parent))


def _without_links_to_files(text: str, folder: Path) -> str:
    """Return Markdown in which links to files of the repository, which the site does not hold, are paths."""

    def path(found: re.Match[str]) -> str:
        return f"{found[1]} (`{found[2]}`)" if (folder / found[2].partition("#")[0]).exists() else found[0]

    return re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s]+)\)", path, text)
