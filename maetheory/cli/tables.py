"""`maetheory table`: Tables 1 and 2 of the paper beside our published accuracies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Json
from maetheory.cli.output_folder import hold_output_folder
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, terminal_options, wrapped
from maetheory.core import InputError


@app.command()
def table(
    add: Annotated[
        list[Path] | None, typer.Option(help="Folder of a `reproduce` run to publish first; may be repeated.")
    ] = None,
    published: Annotated[Path, typer.Option(help="Folder of the published ledgers, EXPERIMENT/ledger.jsonl.")] = Path(
        "figures"
    ),
    into: Annotated[
        Path | None, typer.Option(help="Document, such as docs/paper.md, whose text between the two marks is replaced.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print instead how many more seeds each claim about accuracy needs.")
    ] = False,
    points: Annotated[
        float | None,
        typer.Option(help="With --plan: half the width of the intervals wanted, in percentage points; 1 by default."),
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, as --into writes it, instead of tables for a terminal.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print Tables 1 and 2 of the paper beside our accuracies, and which claims are confirmed, refuted or undecided."""
    from maetheory.data.paper.experiment_names import TABLES
    from maetheory.reports import (
        claim_verdicts,
        markdown_block,
        own_results_table,
        paper_table,
        publish_ledger,
        read_published_ledgers,
        replace_marked_block,
        seed_plan,
        seed_plan_text,
    )
    from maetheory.reports.results_text import results_text

    if points is not None and not plan:
        raise InputError("--points is of the plan; add --plan, or leave it out")
    if plan and (into is not None or as_markdown):
        raise InputError("--plan prints a plan and writes no tables; leave out --into and --markdown")
    with hold_output_folder(published if add else None):
        for run in add or ():
            publish_ledger(run, published)
    ledger = read_published_ledgers(published)
    if ledger.empty:
        raise InputError(
            f"{published} holds no EXPERIMENT/ledger.jsonl; name the folder of published figures with --published, "
            "or publish a run of reproduce with --add"
        )
    if plan:
        half_width = 1.0 if points is None else points
        needs = seed_plan(ledger, half_width / 100)
        document = {"half_width": half_width, "plan": json.loads(needs.to_json(orient="records"))}
        return print_result(document, as_json, lambda: wrapped(seed_plan_text(needs, half_width / 100)))
    block = markdown_block(ledger)
    if into is not None:
        replace_marked_block(into, block)
    frames = {name: paper_table(ledger, name) for name in TABLES}
    frames |= {"ours": own_results_table(ledger), "verdicts": claim_verdicts(ledger)}
    tables = {name: json.loads(frame.to_json(orient="records")) for name, frame in frames.items()}
    if as_markdown or into is not None:
        return print_result(tables, as_json, lambda: block)
    return print_result(tables, as_json, lambda: results_text(ledger, **terminal_options()))
