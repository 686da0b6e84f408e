"""What was measured, kept with its provenance and shown beside the paper's numbers."""

from maetheory.reports.block import rewrite, tables_block
from maetheory.reports.claims import Verdict, compare, verdicts
from maetheory.reports.ledger import append, read
from maetheory.reports.page import Section, write_page
from maetheory.reports.paper_tables import own_table, paper_table
from maetheory.reports.published import publish, published
from maetheory.reports.tables import accuracy_table, mean_and_spread, percent, with_spread

__all__ = [
    "Section",
    "Verdict",
    "accuracy_table",
    "append",
    "compare",
    "mean_and_spread",
    "own_table",
    "paper_table",
    "percent",
    "publish",
    "published",
    "read",
    "rewrite",
    "tables_block",
    "verdicts",
    "with_spread",
    "write_page",
]
