"""Pages of the site that are computed from the package, so that they cannot differ from it."""

from __future__ import annotations

import shutil
from pathlib import Path

from generators.api import api_pages
from generators.checkpoints import code_base_page
from generators.commands import command_page
from generators.comparison import comparison_numbers
from generators.explorer import explorer_data
from generators.included import included_pages
from generators.metrics import metric_pages
from generators.statements import statement_pages
from generators.theorem_ledger import ledger_page
from generators.verdicts import verdict_page

GENERATED = "generated"


def write_generated_pages(docs: Path) -> None:
    """Write all generated pages below ``docs/generated``, replacing those of an earlier build."""
    folder = docs / GENERATED
    shutil.rmtree(folder, ignore_errors=True)
    pages = (
        statement_pages,
        ledger_page,
        metric_pages,
        command_page,
        code_base_page,
        api_pages,
        included_pages,
        verdict_page,
        comparison_numbers,
        explorer_data,
    )
    for write in pages:
        write(folder, docs.parent)
