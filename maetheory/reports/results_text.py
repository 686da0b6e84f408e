"""The tables of `maetheory table` as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from maetheory.reports.claims import NOT_RUN, claim_verdicts
from maetheory.reports.console import borderless_table, capturing_console
from maetheory.reports.markdown_block import (
    VERDICT_RULE,
    missing_presets_sentence,
    paired_objective_table,
    verdict_table,
)
from maetheory.reports.paper_tables import EMPTY_CELL, OBJECTIVES, own_results_table

if TYPE_CHECKING:
    from rich.table import Table

MIN_WIDTH = 60


def results_text(ledger: pd.DataFrame, *, colour: bool = False, width: int = 0) -> str:
    """Return Tables 1 and 2 beside our accuracies, our other experiments, and the verdicts on claims, as text.

    Parameters
    ----------
    ledger : DataFrame
        Published records.
    colour : bool
        Whether the text holds the colour codes of a terminal.
    width : int
        Columns of the terminal; the text uses at least 60. Columns without any number are left out.
    """
    console = capturing_console(max(width, MIN_WIDTH), colour=colour)
    own, verdicts = own_results_table(ledger), claim_verdicts(ledger)
    with console.capture() as captured:
        console.print("Tables 1 and 2 of the paper, accuracy in %", style="bold")
        console.print(_table(_compact_paper_table(paired_objective_table(ledger))))
        console.print(missing_presets_sentence(ledger), markup=False)
        measured = [name for name in OBJECTIVES if len(own) and (own[name] != EMPTY_CELL).any()]
        for task, part in own.groupby("task", sort=False):
            console.print(f"\nOur other experiments, {task}, %, ± over seeds", style="bold")
            named = part.assign(**{"preset, readout": part.experiment + ", " + part.readout})
            console.print(_table(named[["preset, readout", *measured]]))
        if len(verdicts):
            console.print("\nVerdicts on the claims of the paper", style="bold")
            console.print(_table(verdict_table(verdicts).drop(columns="interval from")))
            console.print(VERDICT_RULE, markup=False)
        console.print("maetheory table --markdown prints all columns, --json all numbers.", markup=False)
    return captured.get().rstrip()


def _compact_paper_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of both tables without the columns that hold no number, and "not run" once a row."""
    frame = frame.loc[:, [name for name in frame if (frame[name] != EMPTY_CELL).any()]]
    nothing = f"{NOT_RUN} / {NOT_RUN}"
    return frame.drop(columns="table").replace({"ours, %": {nothing: NOT_RUN}})


def _table(frame: pd.DataFrame) -> Table:
    """Return a table whose cells are wrapped between words only where the terminal is too narrow."""
    from rich.table import Column

    columns = [Column(str(name), overflow="fold", no_wrap=name in ("readout", "verdict")) for name in frame]
    return borderless_table(columns, [tuple(map(str, row)) for row in frame.itertuples(index=False)])
