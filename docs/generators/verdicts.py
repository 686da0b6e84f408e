"""The verdicts on claims about accuracy and rank, from the published ledgers."""

from __future__ import annotations

from pathlib import Path

from maetheory.reports import claim_verdicts, read_published_ledgers
from maetheory.reports.markdown_block import VERDICT_RULE, markdown_table, verdict_table


def verdict_page(folder: Path, repository: Path) -> None:
    """Write the rule of the verdicts and their table."""
    verdicts = claim_verdicts(read_published_ledgers(repository / "figures"))
    folder.mkdir(parents=True, exist_ok=True)
    text = f"{VERDICT_RULE}\n\n{markdown_table(verdict_table(verdicts))}\n"
    (folder / "verdicts.md").write_text(text, encoding="utf-8")
