"""Commands that check theorems and draw them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from maetheory.cli.options import Json, Seed
from maetheory.cli.program import DONE, VIOLATED, app
from maetheory.cli.terminal import print_result, show_progress, terminal_options
from maetheory.core import check_writable


@app.command()
def check(
    slugs: Annotated[list[str] | None, typer.Argument(help="Theorems by slug; all by default.")] = None,
    worlds: Annotated[int, typer.Option(help="Worlds to draw at random per theorem.")] = 40,
    search_worlds: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Also walk downhill in slack from drawn worlds, and say "
            "how to replay the lowest: theory.replay with its seed and number.",
        ),
    ] = False,
    with_certificates: Annotated[
        bool, typer.Option("--certify", help="Also prove the verdicts of worlds of few nodes, in ball arithmetic.")
    ] = False,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Also write every check, with provenance, to OUT/checks.jsonl.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check theorems on finite worlds; exit 1 if one is VIOLATED.

    The worlds are small image laws under masks, the theorem's tight and broken examples, and worlds drawn at random.
    Slack is relative to the size of the terms; tightness is 1 - |slack| / larger side, the smaller side over the
    larger, 1 at equality.
    """
    from maetheory.reports import append_records
    from maetheory.reports.theorem_check_records import check_records, checks_document
    from maetheory.reports.theorem_checks import checks_text
    from maetheory.theory import THEOREMS, search
    from maetheory.theory.certified.survey import certify_theorems
    from maetheory.theory.survey import select_theorems, survey

    if out is not None:
        check_writable(out)
    theorems = select_theorems(THEOREMS, slugs or ())
    with show_progress() as progress:
        how: Any = {"worlds": worlds, "seed": seed or 0, "progress": progress}
        rows = survey(theorems, **how)
        proved = certify_theorems(theorems, **how) if with_certificates else ()
        found = [search(theorem, **how) for theorem in theorems if search_worlds]
    if out is not None:
        append_records(out / "checks.jsonl", check_records(rows, seed=seed or 0))
    document = checks_document(rows, found, proved)
    print_result(document, as_json, lambda: checks_text(rows, found, proved, **terminal_options()))
    return VIOLATED if document["violated"] else DONE


@app.command()
def figure(
    names: Annotated[list[str] | None, typer.Argument(help="Figures of the theory by name; all by default.")] = None,
    out: Annotated[Path, typer.Option(help="Where each leaves an SVG, a PNG and its numbers.")] = Path("figures"),
    as_json: Json = False,
) -> None:
    """Draw the figures of the theory."""
    from maetheory.figures.theory_figures import draw_theory_figures

    check_writable(out)
    with show_progress() as progress:
        written = [str(path) for path in draw_theory_figures(names or (), out, progress=progress)]
    print_result({"figures": written}, as_json, lambda: "\n".join(written))
