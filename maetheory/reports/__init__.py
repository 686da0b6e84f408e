"""What was measured, kept with its provenance and shown beside the paper's numbers."""

from maetheory.reports.ledger import append, read
from maetheory.reports.page import Section, write_page
from maetheory.reports.tables import accuracy_table, mean_and_spread, percent

__all__ = ["Section", "accuracy_table", "append", "mean_and_spread", "percent", "read", "write_page"]
