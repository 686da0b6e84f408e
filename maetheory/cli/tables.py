"""The command for the paper's tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Json
from maetheory.cli.program import app
from maetheory.cli.terminal import show
from maetheory.core import InputError


@app.command()
def table(
    add: Annotated[
        list[Path] | None, typer.Option(help="Publish what this run of `reproduce` measured; may be repeated.")
    ] = None,
    published: Annotated[Path, typer.Option(help="Where published ledgers lie, EXPERIMENT/ledger.jsonl.")] = Path(
        "figures"
    ),
    into: Annotated[
        Path | None, typer.Option(help="Rewrite what stands between the marks of this document, as README.md.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show Tables 1 and 2 of the paper with ours beside every cell, and what is confirmed, refuted or undecided."""
    from maetheory.data.paper.cells import TABLES
    from maetheory.reports import own_table, paper_table, publish, rewrite, tables_block, verdicts
    from maetheory.reports import published as published_records

    for run in add or ():
        publish(run, published)
    ledger = published_records(published)
    if ledger.empty:
        raise InputError(f"{published} holds no EXPERIMENT/ledger.jsonl; name the folder of published figures with "
                         "--published, or publish a run of reproduce with --add")  # fmt: skip
    block = tables_block(ledger)
    if into is not None:
        rewrite(into, block)
    frames = {name: paper_table(ledger, name) for name in TABLES} | {"ours": own_table(ledger)}
    document = {name: json.loads(frame.to_json(orient="records"))
                for name, frame in (frames | {"verdicts": verdicts(ledger)}).items()}  # fmt: skip
    show(document, as_json, lambda: block)
