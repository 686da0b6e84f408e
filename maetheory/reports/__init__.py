"""Results as ledgers, tables, text, JSON documents and HTML pages, with their provenance.

Every measured number is one record of a JSON-lines ledger (`ledger`). Compact copies of ledgers are published beside
the figures (`published_ledgers`); the tables of docs/paper.md are computed from them. Read in this order:

1. `ledger`, `published_ledgers`: write and read records.
2. `tables`, `paper_tables`, `claims`, `seed_plan`, `markdown_block`, `results_text`: accuracies beside the paper's,
   verdicts on its claims, and the seeds that would decide them.
3. `theorem_checks` and `theorem_check_records`, `collapse` (with `collapse_tables`, `collapse_page` and
   `collapse_files`), `graph`, `mask_ratio`: text, JSON and files of the commands with these names; `page` for HTML
   (with `inline_svg`, `page_terms` and the folder `templates`), `console` for tables in a terminal.
4. `diagnosis` and `feature_diagnosis` (with `default_images` and `collapse_plan`), `graph_study` (with `graph_config`,
   `graph_kinds`, `graph_statistics` and `graph_plan`): load, measure and collect what `collapse` and `graph` report.
   They compute rather than report, and are here because they join rooms that must not import each other.
5. `trained_ranges`: the table of metrics of models trained here, to which a collapse report compares.

>>> ledger = read_published_ledgers("no/such/folder")
>>> table = paper_table(ledger, "table1")
>>> len(table), set(table.ours)
(24, {'not run'})
"""

from maetheory.core.renames import renamed
from maetheory.reports.claims import ClaimVerdict, claim_verdicts, compare_objectives
from maetheory.reports.ledger import append_records, read_ledger
from maetheory.reports.markdown_block import markdown_block, replace_marked_block
from maetheory.reports.page import Picture, Section, Statement, Table, write_page
from maetheory.reports.paper_tables import own_results_table, paper_table
from maetheory.reports.published_ledgers import publish_ledger, read_published_ledgers
from maetheory.reports.seed_plan import seed_plan, seed_plan_text, seeds_needed
from maetheory.reports.tables import accuracy_table, format_mean_and_std, format_percent, mean_and_std

__all__ = [
    "ClaimVerdict",
    "Picture",
    "Section",
    "Statement",
    "Table",
    "accuracy_table",
    "append_records",
    "claim_verdicts",
    "compare_objectives",
    "format_mean_and_std",
    "format_percent",
    "markdown_block",
    "mean_and_std",
    "own_results_table",
    "paper_table",
    "publish_ledger",
    "read_ledger",
    "read_published_ledgers",
    "replace_marked_block",
    "seed_plan",
    "seed_plan_text",
    "seeds_needed",
    "write_page",
]

__getattr__ = renamed(
    __name__,
    {
        "Verdict": "ClaimVerdict",
        "append": "append_records",
        "compare": "compare_objectives",
        "mean_and_spread": "mean_and_std",
        "own_table": "own_results_table",
        "percent": "format_percent",
        "publish": "publish_ledger",
        "published": "read_published_ledgers",
        "read": "read_ledger",
        "rewrite": "replace_marked_block",
        "tables_block": "markdown_block",
        "verdicts": "claim_verdicts",
        "with_spread": "format_mean_and_std",
    },
)
