"""Commands that check theorems and draw them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from maetheory.cli.options import Json, Seed
from maetheory.cli.program import DONE, VIOLATED, app
from maetheory.cli.terminal import show, terminal, watched
from maetheory.core import check_folder


@app.command()
def check(
    slugs: Annotated[list[str] | None, typer.Argument(help="Theorems by slug; all by default.")] = None,
    worlds: Annotated[int, typer.Option(help="Worlds to draw at random per theorem.")] = 40,
    searching: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Also walk downhill in slack from drawn worlds, and say "
            "how to replay the lowest: theory.replay with its seed and number.",
        ),
    ] = False,
    certifying: Annotated[
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
    from maetheory.reports import append
    from maetheory.reports.checks import check_records, checks_document, checks_text
    from maetheory.theory import THEOREMS, search
    from maetheory.theory.certificates import certificates
    from maetheory.theory.survey import chosen, survey

    if out is not None:
        check_folder(out)
    theorems = chosen(THEOREMS, slugs or ())
    with watched() as progress:
        how: Any = {"worlds": worlds, "seed": seed or 0, "progress": progress}
        rows = survey(theorems, **how)
        proved = certificates(theorems, **how) if certifying else ()
        found = [search(theorem, **how) for theorem in theorems if searching]
    if out is not None:
        append(out / "checks.jsonl", check_records(rows, seed=seed or 0))
    document = checks_document(rows, found, proved)
    show(document, as_json, lambda: checks_text(rows, found, proved, **terminal()))
    return VIOLATED if document["violated"] else DONE


@app.command()
def figure(
    names: Annotated[list[str] | None, typer.Argument(help="Figures of the theory by name; all by default.")] = None,
    out: Annotated[Path, typer.Option(help="Where each leaves an SVG, a PNG and its numbers.")] = Path("figures"),
    as_json: Json = False,
) -> None:
    """Draw the figures of the theory."""
    from maetheory.figures.gallery import draw_gallery

    check_folder(out)
    with watched() as progress:
        written = [str(path) for path in draw_gallery(names or (), out, progress=progress)]
    show({"figures": written}, as_json, lambda: "\n".join(written))
