"""The command for the paper's tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Json
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result
from maetheory.core import InputError


@app.command()
def table(
    add: Annotated[
        list[Path] | None, typer.Option(help="Publish what this run of `reproduce` measured; may be repeated.")
    ] = None,
    read_published_ledgers: Annotated[
        Path, typer.Option(help="Where published ledgers lie, EXPERIMENT/ledger.jsonl.")
    ] = Path("figures"),
    into: Annotated[
        Path | None, typer.Option(help="Rewrite what stands between the marks of this document, as README.md.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show Tables 1 and 2 of the paper with ours beside every cell, and what is confirmed, refuted or undecided."""
    from maetheory.data.paper.experiment_names import TABLES
    from maetheory.reports import (
        claim_verdicts,
        markdown_block,
        own_results_table,
        paper_table,
        publish_ledger,
        replace_marked_block,
    )
    from maetheory.reports import read_published_ledgers as published_records

    for run in add or ():
        publish_ledger(run, read_published_ledgers)
    ledger = published_records(read_published_ledgers)
    if ledger.empty:
        raise InputError(
            f"{read_published_ledgers} holds no EXPERIMENT/ledger.jsonl; name the folder of published figures with "
            "--published, or publish a run of reproduce with --add"
        )
    block = markdown_block(ledger)
    if into is not None:
        replace_marked_block(into, block)
    frames = {name: paper_table(ledger, name) for name in TABLES} | {"ours": own_results_table(ledger)}
    document = {
        name: json.loads(frame.to_json(orient="records"))
        for name, frame in (frames | {"verdicts": claim_verdicts(ledger)}).items()
    }
    print_result(document, as_json, lambda: block)
